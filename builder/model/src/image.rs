use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Diagnostic, Digest, ImageName, Located, Overlay, Program, ProgramPlace, Source};

/// An image from elsewhere that comes with the disk and is loaded at boot.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ImageWish {
    /// Whole name of the image, as pods write it: registry, repository, tag.
    pub reference: Located<ImageName>,
    /// Digest of its index or manifest: `sha256:` and 64 hexadecimal digits.
    #[schemars(required)]
    pub digest: Option<Located<String>>,
    /// An OCI archive that holds it, relative to the profile's folder; without it, it comes from the registry.
    pub archive: Option<Located<String>>,
}

impl ImageWish {
    /// The digest. Of a profile that was checked it is always the one that stands there.
    pub fn pinned(&self) -> Digest {
        self.digest.as_ref().and_then(|text| pin(text)).unwrap_or_else(|| Digest::of(""))
    }

    pub(crate) fn check(&self, source: &Source) -> Result<(), Diagnostic> {
        let teach = format!(
            "it is what `skopeo inspect --format '{{{{.Digest}}}}' docker://{}` or `docker pull` prints: sha256: and 64 hexadecimal digits",
            self.reference
        );
        match &self.digest {
            None => Err(source
                .complain(self.reference.span(), format!("image `{}` has no `digest`", self.reference))
                .label("its tag may mean another image tomorrow")
                .help(teach)),
            Some(text) if pin(text).is_none() => Err(source
                .complain(text.span(), format!("`{text}` is not the digest of an image"))
                .help(teach)),
            Some(_) => Ok(()),
        }
    }
}

fn pin(text: &str) -> Option<Digest> {
    text.strip_prefix("sha256:")?.parse().ok()
}

/// An image made of programs of this tree.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OverlayImage {
    /// Whole name of the image, as pods write it; `localhost/` if no registry has it.
    pub name: Located<ImageName>,
    /// The command that a container runs: a program's path in the image, and arguments.
    pub entrypoint: Vec<Located<String>>,
    /// Numbers of the user and the group that it runs as, such as "65532:65532".
    pub user: Located<String>,
}

/// What an overlay says about its images fits together.
pub(crate) fn check(overlay: &Overlay, source: &Source) -> Result<(), Diagnostic> {
    for (i, image) in overlay.images.iter().enumerate() {
        let name = &image.name;
        if overlay.images[..i].iter().any(|other| other.name == *name) {
            return Err(source
                .complain(name.span(), format!("image `{name}` stands twice in this overlay"))
                .help("remove one of the two"));
        }
        let numbers = |text: &str| text.split_once(':').is_some_and(|(u, g)| number(u) && number(g));
        if !numbers(&image.user) {
            return Err(source
                .complain(image.user.span(), format!("`{}` is not a user of an image", image.user))
                .help("write two numbers, such as \"65532:65532\": an image has no /etc/passwd"));
        }
        let inside = |p: &&Program| p.image.as_ref().is_some_and(|of| of == name);
        let programs: Vec<&Program> = overlay.programs.iter().filter(inside).collect();
        let Some(command) = image.entrypoint.first() else {
            return Err(source
                .complain(name.span(), format!("image `{name}` has an empty `entrypoint`"))
                .help("name the path of its program first"));
        };
        if !programs.iter().any(|p| p.path.as_str() == command.as_str()) {
            return Err(source
                .complain(command.span(), format!("image `{name}` has no program at `{command}`"))
                .help(format!(
                    "add a [[program]] with place = \"image\", image = \"{name}\" and that path"
                )));
        }
        for (i, program) in programs.iter().enumerate() {
            if programs[..i].iter().any(|other| other.path == program.path) {
                return Err(source.complain(
                    program.source.span(),
                    format!("image `{name}` has two programs at {}", program.path),
                ));
            }
        }
    }
    overlay.programs.iter().try_for_each(|program| check_place(program, overlay, source))
}

/// A program is in an image if and only if its place says so.
fn check_place(program: &Program, overlay: &Overlay, source: &Source) -> Result<(), Diagnostic> {
    match (&program.image, program.place) {
        (None, ProgramPlace::Initrd | ProgramPlace::Root) => Ok(()),
        (None, ProgramPlace::Image) => Err(source
            .complain(program.source.span(), format!("program `{}` is in no image", program.binary))
            .help("add `image`, with the name of one of this overlay's [[image]]s")),
        (Some(name), ProgramPlace::Initrd | ProgramPlace::Root) => Err(source
            .complain(name.span(), format!("program `{}` is not placed in an image", program.binary))
            .help("write place = \"image\", or remove `image`")),
        (Some(name), ProgramPlace::Image) => match overlay.images.iter().any(|i| i.name == *name) {
            true => Ok(()),
            false => Err(source
                .complain(name.span(), format!("this overlay has no image `{name}`"))
                .help("add an [[image]] of that name")),
        },
    }
}

fn number(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u32>().is_ok()
}
