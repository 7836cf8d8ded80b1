use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::product::Product;

impl Product {
    /// The same profile with overlays more, of the same lock: they may bring programs, but no packages.
    ///
    /// # Errors
    /// The profile cannot be read or written; the command refuses to build it.
    pub fn with_overlays(&self, overlays: &[&str]) -> Result<Self> {
        let profile = Path::new(&self.profile);
        let named = self.project.join("profiles").join(profile).with_extension("toml");
        let path = if profile.is_absolute() { profile.to_owned() } else { named };
        let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        let (before, rest) = text.split_once("\noverlays = [").context("the profile names no overlays")?;
        let more: String = overlays.iter().map(|name| format!("\"{name}\", ")).collect();

        let folder = self.project.join("target/qemu-tests").join(overlays.join("-"));
        std::fs::create_dir_all(&folder)?;
        // A profile is called as its file.
        let scratch = folder.join(path.file_name().context("the profile has no name")?);
        std::fs::write(&scratch, format!("{before}\noverlays = [{more}{rest}"))?;
        std::fs::copy(path.with_extension("lock"), scratch.with_extension("lock"))?;
        let scratch = scratch.to_str().context("the project's folder is not UTF-8")?.to_owned();

        let (project, geminios) = (self.project.clone(), self.geminios.clone());
        let product = Product { project, geminios, profile: scratch, out: folder.join("build") };
        let mut build = product.command("build");
        build.arg(&product.profile).arg("--out").arg(&product.out).arg("--no-compress");
        let status = build.status().with_context(|| format!("{build:?}"))?;
        if !status.success() {
            bail!("{build:?} ended with {status}");
        }
        Ok(product)
    }
}
