use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use geminios_compile::{GoCaches, GoJob, GoTools, compile_go};
use geminios_fetch::Steps;
use geminios_model::{Arch, Document, Overlay, Silent, Source, ToolTable, parse};
use geminios_unpack::ToolSet;

use crate::product::{Product, cache};

impl Product {
    /// Compiles a Go module of the project for this host, by the compiler and with the tags of the image's Kubernetes:
    /// packages that both are made of are compiled once.
    ///
    /// # Errors
    /// Its modules cannot be fetched; the compiler refuses it.
    pub fn go_program(&self, module: &str, binary: &str) -> Result<PathBuf> {
        let pin = self.read::<ToolTable>("tools.toml")?.go;
        let overlay: Overlay = self.read("overlays/kubernetes/overlay.toml")?;
        let kube = overlay.programs.iter().find(|program| program.binary == "kube").context("no kube")?;
        let module = self.project.join(module);
        let job = GoJob { module: &module, binary, wish: &kube.go, target: Arch::Amd64 };
        let cache = cache()?;
        let (steps, caches) = (Steps::open(&cache)?, GoCaches::of(&cache, true));
        let tools = || -> Result<GoTools> {
            if let Some(tools) = GoTools::unpacked(&pin, Arch::Amd64, &steps) {
                return Ok(tools);
            }
            let fetcher = ToolSet::unpacked(&steps, Arch::Amd64, self.lock()?.set("go"))?;
            let fetcher =
                fetcher.context("Go is not in the cache: remove the image's programs there, and build it")?;
            Ok(GoTools::fetch(&pin, Arch::Amd64, &fetcher, true, &steps, &Silent)?)
        };
        Ok(compile_go(&job, &pin, tools, &caches, &steps, &Silent)?.path)
    }

    fn read<D: Document>(&self, path: impl AsRef<Path>) -> Result<D> {
        let path = self.project.join(path);
        Ok(parse(&Source::new(&path, std::fs::read_to_string(&path)?))?)
    }
}
