use schemars::JsonSchema;
use serde::Deserialize;

use crate::{DataFormats, Diagnostic, Document, Located, OverlayImage, Program, Source, TreePath, image};

/// What a component adds to the device.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Overlay {
    /// Name of the overlay, the same as its folder's.
    pub name: Located<String>,
    /// One line that says what it brings.
    pub description: String,
    /// Debian packages; what they depend on comes with them.
    #[serde(default)]
    pub packages: Vec<Located<String>>,
    /// Dependencies that are left out of the image.
    #[serde(default, rename = "without")]
    pub withouts: Vec<Without>,
    /// System users with frozen numbers.
    #[serde(default, rename = "user")]
    pub users: Vec<User>,
    /// System groups with frozen numbers, beyond those that users bring.
    #[serde(default, rename = "group")]
    pub groups: Vec<Group>,
    /// systemd units.
    #[serde(default)]
    pub units: Units,
    /// Ports that something listens on.
    #[serde(default, rename = "port")]
    pub ports: Vec<Port>,
    /// Folders to make.
    #[serde(default, rename = "directory")]
    pub directories: Vec<Directory>,
    /// Symbolic links to make.
    #[serde(default, rename = "link")]
    pub links: Vec<Link>,
    /// Choices that update-alternatives would have made.
    #[serde(default, rename = "alternative")]
    pub alternatives: Vec<Alternative>,
    /// Owners and modes that maintainer scripts or dpkg-statoverride would have set.
    #[serde(default, rename = "owner")]
    pub owners: Vec<OwnerOverride>,
    /// Files of packages that this overlay's own files stand for.
    #[serde(default, rename = "replace")]
    pub replaces: Vec<Replace>,
    /// Files of packages that are left out.
    #[serde(default, rename = "prune")]
    pub prunes: Vec<Prune>,
    /// Programs of this tree, compiled by the locked compiler.
    #[serde(default, rename = "program")]
    pub programs: Vec<Program>,
    /// Container images made of such programs, loaded at boot.
    #[serde(default, rename = "image")]
    pub images: Vec<OverlayImage>,
    /// Formats of the data that its programs keep.
    #[serde(default)]
    pub data: DataFormats,
    /// What the initrd needs.
    #[serde(default)]
    pub initrd: InitrdWish,
}

/// A dependency that is left out.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Without {
    /// Package name.
    pub package: Located<String>,
    /// Why the image works without it.
    pub reason: String,
}

/// A system user.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct User {
    /// Login name.
    pub name: Located<String>,
    /// Frozen number; its group of the same name gets the same number unless `group` names another.
    pub uid: Located<u32>,
    /// Primary group, if not one of the user's own.
    pub group: Option<String>,
    /// Supplementary groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Home folder.
    #[serde(default = "nonexistent")]
    pub home: String,
    /// Login shell.
    #[serde(default = "nologin")]
    pub shell: String,
    /// Comment field.
    #[serde(default)]
    pub comment: String,
}

fn nonexistent() -> String {
    "/nonexistent".into()
}

fn nologin() -> String {
    "/usr/sbin/nologin".into()
}

/// A system group.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Group {
    /// Group name.
    pub name: Located<String>,
    /// Frozen number.
    pub gid: Located<u32>,
}

/// systemd units. All that is not enabled is disabled.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Units {
    /// Units to enable.
    #[serde(default)]
    pub enable: Vec<Located<String>>,
    /// Units to mask.
    #[serde(default)]
    pub mask: Vec<Located<String>>,
    /// The default target, in one overlay only.
    pub default: Option<Located<String>>,
}

/// A port that something listens on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Port {
    /// Number.
    pub number: Located<u16>,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// What listens.
    pub purpose: String,
    /// Whether `geminios run` leads a port of the host's loopback to it.
    #[serde(default)]
    pub forward: bool,
}

/// A folder to make.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Directory {
    /// Where.
    pub path: Located<TreePath>,
    /// Octal mode, such as "0755".
    #[serde(default = "folder_mode")]
    pub mode: Located<String>,
    /// Owner.
    #[serde(default = "root")]
    pub user: String,
    /// Group.
    #[serde(default = "root")]
    pub group: String,
}

fn folder_mode() -> Located<String> {
    Located::nowhere("0755".into())
}

fn root() -> String {
    "root".into()
}

/// A symbolic link to make.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Link {
    /// Where.
    pub path: Located<TreePath>,
    /// What it points to.
    pub target: String,
}

/// A choice that update-alternatives would have made: `link` points to `path`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Alternative {
    /// Generic name, such as /usr/bin/awk.
    pub link: Located<TreePath>,
    /// The file that serves, such as /usr/bin/mawk.
    pub path: TreePath,
}

/// Owner and mode of a path that a package brings.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OwnerOverride {
    /// Which path.
    pub path: Located<TreePath>,
    /// Owner.
    pub user: String,
    /// Group.
    pub group: String,
    /// Octal mode, such as "2755".
    pub mode: Located<String>,
    /// Why.
    pub reason: String,
}

/// A file of a package that this overlay's own file or link stands for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Replace {
    /// Which path.
    pub path: Located<TreePath>,
    /// Why.
    pub reason: String,
}

/// Files of packages that are left out.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Prune {
    /// A glob such as `/usr/share/doc/**`; `*` stays within a name, `**` crosses folders.
    pub path: Located<String>,
    /// Globs of what stays all the same.
    #[serde(default)]
    pub keep: Vec<Located<String>>,
    /// Why the image works without them.
    pub reason: String,
}

/// What the initrd needs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InitrdWish {
    /// Kernel modules, loaded in this order; what they depend on comes with them.
    #[serde(default)]
    pub modules: Vec<Located<String>>,
}

impl Document for Overlay {
    const KIND: &'static str = "overlay";

    fn check(&self, source: &Source) -> Result<(), Diagnostic> {
        let folder =
            source.path().parent().and_then(|p| p.file_name()).and_then(|s| s.to_str()).unwrap_or_default();
        if folder != self.name.as_str() {
            return Err(source
                .complain(
                    self.name.span(),
                    format!("overlay `{}` stands in a folder called `{folder}`", self.name),
                )
                .help(format!("write name = \"{folder}\", or rename the folder")));
        }
        let modes = self.directories.iter().map(|d| &d.mode).chain(self.owners.iter().map(|o| &o.mode));
        for mode in modes {
            if octal(mode).is_none() {
                return Err(source
                    .complain(mode.span(), format!("`{mode}` is not a mode"))
                    .help("write three or four octal digits, such as \"0755\""));
            }
        }
        let globs = self.prunes.iter().flat_map(|p| std::iter::once(&p.path).chain(&p.keep));
        for glob in globs {
            if let Err(error) = globset::Glob::new(glob) {
                return Err(source
                    .complain(glob.span(), format!("`{glob}` is not a glob"))
                    .label(error.kind().to_string()));
            }
            if !glob.starts_with('/') {
                return Err(source.complain(glob.span(), format!("`{glob}` does not begin with `/`")));
            }
        }
        let reasons = (self.withouts.iter().map(|w| (w.package.span(), &w.reason)))
            .chain(self.prunes.iter().map(|p| (p.path.span(), &p.reason)))
            .chain(self.replaces.iter().map(|r| (r.path.span(), &r.reason)))
            .chain(self.owners.iter().map(|o| (o.path.span(), &o.reason)));
        for (span, reason) in reasons {
            if reason.trim().is_empty() {
                return Err(source.complain(span, "this has no reason").help("say why under `reason`"));
            }
        }
        for program in &self.programs {
            program.go.check(source)?;
        }
        image::check(self, source)?;
        for port in &self.ports {
            if !["tcp", "udp"].contains(&port.protocol.as_str()) {
                return Err(source
                    .complain(port.number.span(), format!("`{}` is not a protocol", port.protocol))
                    .help("write \"tcp\" or \"udp\""));
            }
            if port.forward && port.protocol != "tcp" {
                return Err(source
                    .complain(port.number.span(), "only a TCP port can be forwarded")
                    .help("leave `forward` out"));
            }
        }
        Ok(())
    }
}

/// The permission bits of an octal mode such as "0755"; `None` if it is not one.
fn octal(text: &str) -> Option<u32> {
    let digits = (3..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    digits.then(|| u32::from_str_radix(text, 8).ok()).flatten()
}

impl Directory {
    /// The permission bits.
    pub fn mode_bits(&self) -> u32 {
        octal(&self.mode).unwrap_or(0o755)
    }
}

impl OwnerOverride {
    /// The permission bits.
    pub fn mode_bits(&self) -> u32 {
        octal(&self.mode).unwrap_or(0o644)
    }
}
