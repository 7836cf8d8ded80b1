use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Diagnostic, Document, ImageWish, Located, Source, Updates};

/// What an image is: the archives its packages come from, its overlays, sizes and boards.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// Name of the profile, the same as its file's; stands in the image's os-release.
    pub name: Located<String>,
    /// One line that says what the image is for.
    pub description: String,
    /// Version of the image: digits, letters, `.`, `~`, `-`.
    pub version: Located<String>,
    /// Boards this profile builds for, the default first.
    pub boards: Vec<Located<String>>,
    /// Overlays, in the order in which they are laid down.
    pub overlays: Vec<Located<String>>,
    /// Debian packages beyond those of the overlays.
    #[serde(default)]
    pub packages: Vec<Located<String>>,
    /// Debian archives.
    #[serde(rename = "archive")]
    pub archives: Vec<Archive>,
    /// Container images from elsewhere that come with the disk.
    #[serde(default, rename = "image")]
    pub images: Vec<ImageWish>,
    /// Signed updates.
    pub update: Option<Updates>,
    /// Partition sizes.
    pub sizes: Sizes,
    /// Limits that fail the build with a table of what grew.
    #[serde(default)]
    pub budget: Budget,
}

/// One Debian archive, by name; where it is mirrored is never written in a profile.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Archive {
    /// `debian`, `debian-security`: the last part of a mirror's address.
    pub name: Located<String>,
    /// Suites, as in sources.list.
    pub suites: Vec<Located<String>>,
    /// Components, as in sources.list.
    pub components: Vec<String>,
    /// Files below `keys/` whose keys may sign the archive's InRelease.
    pub keys: Vec<Located<String>>,
    /// Accept Release files past their Valid-Until, with the reason. Leaves the image open to a mirror that withholds updates.
    pub accept_expired: Option<String>,
}

/// Partition sizes in MiB.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sizes {
    /// EFI system partition: room for the boot loader and three kernels.
    pub esp: Located<u64>,
    /// One root slot.
    pub root: Located<u64>,
    /// The hash tree of one root slot.
    pub root_verity: Located<u64>,
    /// Site configuration and the device's identity.
    pub config: Located<u64>,
    /// Least room for /var on the smallest disk; the partition grows to the end of the disk at first boot.
    pub var_min: Located<u64>,
}

/// Limits in MB (10^6 bytes).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Budget {
    /// The sealed root file system.
    pub root: Option<Located<u64>>,
    /// The unified kernel image.
    pub uki: Option<Located<u64>>,
    /// Installed size by overlay; that of the profile's own packages and images by the profile's name.
    #[serde(default)]
    pub installed: BTreeMap<String, Located<u64>>,
}

impl Document for Profile {
    const KIND: &'static str = "profile";

    fn check(&self, source: &Source) -> Result<(), Diagnostic> {
        let stem = source.path().file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        if stem != self.name.as_str() {
            return Err(source
                .complain(
                    self.name.span(),
                    format!("profile `{}` stands in a file called `{stem}.toml`", self.name),
                )
                .help(format!("write name = \"{stem}\", or rename the file")));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || ".~-".contains(c);
        if self.version.is_empty() || !self.version.chars().all(plain) {
            return Err(source
                .complain(self.version.span(), format!("`{}` is not a version", self.version))
                .label("becomes part of file names on the EFI system partition")
                .help("use digits, letters, `.`, `~` and `-`"));
        }
        for (key, list) in [("boards", &self.boards), ("overlays", &self.overlays)] {
            if list.is_empty() {
                return Err(source
                    .complain(self.name.span(), format!("a profile needs at least one entry in `{key}`")));
            }
            for (i, name) in list.iter().enumerate() {
                if list[..i].contains(name) {
                    return Err(source
                        .complain(name.span(), format!("`{name}` stands twice in `{key}`"))
                        .help("remove one of the two"));
                }
            }
        }
        if self.archives.is_empty() {
            return Err(source
                .complain(self.name.span(), "a profile needs at least one [[archive]]")
                .help("copy the [[archive]] tables of another profile"));
        }
        for archive in &self.archives {
            if archive.suites.is_empty() || archive.components.is_empty() || archive.keys.is_empty() {
                return Err(source.complain(
                    archive.name.span(),
                    format!("archive `{}` needs suites, components and keys", archive.name),
                ));
            }
        }
        if let Some(update) = &self.update {
            update.check(source)?;
        }
        for (i, image) in self.images.iter().enumerate() {
            image.check(source)?;
            if self.images[..i].iter().any(|other| other.reference == image.reference) {
                let reference = &image.reference;
                return Err(source
                    .complain(reference.span(), format!("image `{reference}` stands twice in this profile"))
                    .help("remove one of the two; two versions have two tags"));
            }
        }
        for (key, size) in [
            ("esp", &self.sizes.esp),
            ("root", &self.sizes.root),
            ("root-verity", &self.sizes.root_verity),
            ("config", &self.sizes.config),
            ("var-min", &self.sizes.var_min),
        ] {
            if **size == 0 || **size > 1 << 20 {
                return Err(source
                    .complain(size.span(), format!("{key} = {size} is no size for a partition"))
                    .help("sizes are in MiB, from 1 to 1048576"));
            }
        }
        for (overlay, limit) in &self.budget.installed {
            if overlay != self.name.as_str() && !self.overlays.iter().any(|o| o.as_str() == overlay) {
                return Err(source.complain(
                    limit.span(),
                    format!("a budget for overlay `{overlay}`, which this profile does not use"),
                ));
            }
        }
        Ok(())
    }
}
