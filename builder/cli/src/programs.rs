//! The programs of a profile's overlays, compiled.

use std::path::Path;

use anyhow::Result;
use geminios_compile::{Compiled, GoJob, GoTools, HostCargo, Job, compile, compile_go};
use geminios_compose::BuiltProgram;
use geminios_model::Program;
use geminios_unpack::ToolSet;

use crate::pipeline::{Blobs, Build};
use crate::wishes::TOOLS_ARCH;

/// What a program's source is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Rust,
    Go,
}

impl Language {
    /// By the manifest in the source's folder; none where there is no manifest.
    pub fn of(source: &Path) -> Option<Self> {
        let has = |name| source.join(name).is_file();
        has("go.mod").then_some(Language::Go).or_else(|| has("Cargo.toml").then_some(Language::Rust))
    }
}

impl Build<'_> {
    /// Compiles one after the other: each takes all processors.
    pub(crate) fn programs(&self, blobs: &Blobs) -> Result<Vec<BuiltProgram>> {
        let (mut built, mut rust) = (Vec::new(), None);
        for (overlay, _, dir) in &self.description.overlays {
            for program in &overlay.programs {
                let source = std::path::absolute(dir.join(program.source.as_str()))?;
                let compiled = match Language::of(&source) {
                    Some(Language::Go) => self.go_program(program, &source, blobs)?,
                    _ => self.rust_program(program, &source, &mut rust, blobs)?,
                };
                let (size, digest) = (compiled.size, compiled.digest);
                built.push(BuiltProgram::in_file(&overlay.name, program, &compiled.path, size, digest));
            }
        }
        Ok(built)
    }

    /// Whether the locked Go is wanted: to fetch the distribution that compiles.
    pub(crate) fn needs_go(&self) -> bool {
        let overlays = &self.description.overlays;
        let mut sources = overlays
            .iter()
            .flat_map(|(overlay, _, dir)| overlay.programs.iter().map(move |p| dir.join(p.source.as_str())));
        sources.any(|source| Language::of(&source) == Some(Language::Go))
            && GoTools::unpacked(&self.description.tools.go, TOOLS_ARCH, &self.steps).is_none()
    }

    fn rust_program(
        &self,
        program: &Program,
        package: &Path,
        tools: &mut Option<ToolSet>,
        blobs: &Blobs,
    ) -> Result<Compiled> {
        let tools = match tools {
            Some(tools) => tools,
            none => none.insert(self.tools("rust", blobs)?),
        };
        let workspace = std::path::absolute(self.project.root().join("."))?;
        let target = self.description.board.architecture;
        let job = Job { workspace: &workspace, package, binary: &program.binary, target };
        let host = HostCargo::of_environment();
        Ok(compile(&job, tools, &host, &self.store, &self.steps, &self.session.terminal)?)
    }

    fn go_program(&self, program: &Program, module: &Path, blobs: &Blobs) -> Result<Compiled> {
        let (pin, progress) = (&self.description.tools.go, &self.session.terminal);
        let target = self.description.board.architecture;
        let job = GoJob { module, binary: &program.binary, wish: &program.go, target };
        let tools = || -> Result<GoTools> {
            Ok(match GoTools::unpacked(pin, TOOLS_ARCH, &self.steps) {
                Some(tools) => tools,
                None => {
                    let fetcher = self.tools("go", blobs)?;
                    GoTools::fetch(pin, TOOLS_ARCH, &fetcher, self.go.fetch, &self.steps, progress)?
                }
            })
        };
        compile_go(&job, pin, tools, &self.go, &self.steps, progress)
    }
}
