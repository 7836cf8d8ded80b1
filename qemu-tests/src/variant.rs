use anyhow::{Context, Result};

use crate::product::Product;

impl Product {
    /// The same profile with overlays more, of the same lock: they may bring programs, but no packages.
    ///
    /// # Errors
    /// The profile cannot be read or written; the command refuses to build it.
    pub fn with_overlays(&self, overlays: &[&str]) -> Result<Self> {
        let path = self.profile_file("toml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        let (before, rest) = text.split_once("\noverlays = [").context("the profile names no overlays")?;
        let more: String = overlays.iter().map(|name| format!("\"{name}\", ")).collect();

        let folder = self.project.join("target/qemu-tests").join(overlays.join("-"));
        std::fs::create_dir_all(&folder)?;
        // A profile is called as its file.
        let scratch = folder.join(path.file_name().context("the profile has no name")?);
        std::fs::write(&scratch, format!("{before}\noverlays = [{more}{rest}"))?;
        std::fs::copy(self.profile_file("lock"), scratch.with_extension("lock"))?;
        let scratch = scratch.to_str().context("the project's folder is not UTF-8")?.to_owned();

        let (project, geminios) = (self.project.clone(), self.geminios.clone());
        Product { project, geminios, profile: scratch, out: folder.join("build") }.built()
    }
}
