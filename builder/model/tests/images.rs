//! Container images in profiles, overlays and locks: what is read, and what a user sees for each mistake.

#![allow(clippy::unwrap_used)]

mod common;

use common::PROFILE;
use geminios_model::{
    BlobKind, Diagnostic, ImageName, ImageNameError, Lock, Overlay, Profile, Source, parse,
};

const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const OTHER: &str = "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c";

fn profile(images: &str) -> Result<Profile, Diagnostic> {
    let text = format!("{PROFILE}\n{images}");
    parse(&Source::new("profiles/edge.toml", text))
}

fn overlay(text: &str) -> Result<Overlay, Diagnostic> {
    parse(&Source::new("overlays/web/overlay.toml", format!("name = \"web\"\ndescription = \"x\"\n{text}")))
}

const IMAGE: &str = r#"[[image]]
reference = "registry.example:5000/team/app:1.2"
digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
archive = "images/app.tar"
"#;

#[test]
fn a_good_profile() {
    let profile = profile(IMAGE).unwrap();
    let image = &profile.images[0];
    let name = &image.reference;
    assert_eq!(
        (name.registry(), name.repository(), name.tag()),
        ("registry.example:5000", "team/app", "1.2")
    );
    assert_eq!(image.pinned().to_string(), DIGEST);
    assert_eq!(name.file(), "registry.example@5000+team+app@1.2.tar");
    assert_eq!(name.by_digest(&image.pinned()), format!("registry.example:5000/team/app@sha256:{DIGEST}"));
}

#[test]
fn an_image_without_a_digest_teaches_where_it_is() {
    let text = IMAGE.lines().filter(|line| !line.starts_with("digest")).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(profile(&text).unwrap_err(), @r#"
    error: image `registry.example:5000/team/app:1.2` has no `digest`
      --> profiles/edge.toml:21:13
       |
    21 | reference = "registry.example:5000/team/app:1.2"
       |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ its tag may mean another image tomorrow
       |
       = help: it is what `skopeo inspect --format '{{.Digest}}' docker://registry.example:5000/team/app:1.2` or `docker pull` prints: sha256: and 64 hexadecimal digits
    "#);
}

#[test]
fn profiles() {
    // (what is wrong, good, bad, line, words of the message)
    let cases = [
        ("a short digest", "7852b855", "", 22, "is not the digest of an image"),
        ("another algorithm", "sha256:e3b0", "sha512:e3b0", 22, "is not the digest of an image"),
        ("no algorithm", "sha256:e3b0", "e3b0", 22, "is not the digest of an image"),
        ("no registry", "registry.example:5000/team/app", "nginx", 21, "names no registry"),
        ("a user's image of docker", "registry.example:5000/", "", 21, "names no registry"),
        ("no tag", ":1.2", "", 21, "has no tag"),
        ("a digest in the name", ":1.2", "@sha256:00", 21, "it stands under `digest`"),
        ("capitals", "team/app", "Team/app", 21, "is not the name of an image"),
        ("a path that climbs", "team/app", "../app", 21, "is not the name of an image"),
        ("a misspelt key", "archive", "archiv", 23, "did you mean `archive`?"),
    ];
    for (wrong, good, bad, line, words) in cases {
        assert!(IMAGE.contains(good), "{wrong}");
        let found = profile(&IMAGE.replacen(good, bad, 1)).expect_err(wrong);
        assert!(found.to_string().contains(words), "{wrong}: {found}");
        assert_eq!(found.line(), line, "{wrong}: {found}");
    }
    let twice = profile(&IMAGE.repeat(2)).unwrap_err();
    assert!(twice.message().contains("stands twice in this profile"), "{twice}");
    assert_eq!(twice.line(), 25);
}

#[test]
fn names() {
    let name = |text: &str| text.parse::<ImageName>();
    for good in [
        "localhost/geminios/pause:1",
        "docker.io/library/nginx:1.27-alpine",
        "a.b/c--d__e.f/g_h:V_1.x-y",
        "127.0.0.1:5000/x:latest",
    ] {
        assert_eq!(name(good).unwrap().as_str(), good);
    }
    for bad in [
        "a.b/:1",
        "a.b/c:",
        "a.b/c:.x",
        "a.b//c:1",
        "a.b/c/:1",
        "a.b/-c:1",
        "a.b/c-:1",
        "a.b/c..d:1",
        "a.b/c_-d:1",
        "a.b/c d:1",
        "-a.b/c:1",
        "a..b/c:1",
        "a.b:99999/c:1",
        "a.b:/c:1",
    ] {
        assert!(matches!(name(bad), Err(ImageNameError::Characters(_))), "{bad}: {:?}", name(bad));
    }
    let long = format!("a.b/{}:1", "c".repeat(250));
    assert!(matches!(name(&long), Err(ImageNameError::TooLong(_))));
    assert!(matches!(name(&format!("a.b/c:{}", "1".repeat(129))), Err(ImageNameError::Characters(_))));
}

#[test]
fn overlays() {
    let good = r#"
[[image]]
name = "localhost/web/web:1"
entrypoint = ["/web", "serve"]
user = "65532:65532"

[[program]]
source = "server"
binary = "web"
path = "/web"
place = "image"
image = "localhost/web/web:1"
"#;
    assert_eq!(overlay(good).unwrap().images.len(), 1);
    let cases = [
        ("a user by name", "\"65532:65532\"", "\"nobody\"", "is not a user of an image"),
        ("a user alone", "65532:65532", "65532", "is not a user of an image"),
        ("nothing to run", "[\"/web\", \"serve\"]", "[]", "empty `entrypoint`"),
        ("a program that is not there", "[\"/web\"", "[\"/wep\"", "no program at `/wep`"),
        (
            "another image",
            "image = \"localhost/web/web:1",
            "image = \"localhost/web/app:1",
            "no program at `/web`",
        ),
        ("a program of no image", "image = \"localhost/web/web:1\"", "", "no program at `/web`"),
        ("a program elsewhere", "place = \"image\"", "place = \"root\"", "is not placed in an image"),
        ("a name without tag", "name = \"localhost/web/web:1", "name = \"localhost/web/web", "has no tag"),
    ];
    for (wrong, from, to, words) in cases {
        assert!(good.contains(from), "{wrong}");
        let found = overlay(&good.replacen(from, to, 1)).expect_err(wrong);
        assert!(found.to_string().contains(words), "{wrong}: {found}");
    }
    let (image, program) = good.split_at(good.find("[[program]]").unwrap());
    for (wrong, text, words) in [
        ("an image twice", format!("{image}{image}{program}"), "stands twice in this overlay"),
        ("a program twice", format!("{image}{program}{program}"), "two programs at /web"),
        ("no image at all", program.to_owned(), "this overlay has no image"),
        ("in no image", program.replace("image = \"localhost/web/web:1\"\n", ""), "is in no image"),
    ] {
        let found = overlay(&text).expect_err(wrong);
        assert!(found.to_string().contains(words), "{wrong}: {found}");
    }
}

fn lock() -> String {
    format!(
        "Format: 2
Profile: edge
Wishes: {DIGEST}
Source-Date-Epoch: 1763888888

Image: a.example/app:1
Digest: {DIGEST}
Architecture: amd64
Blob: manifest {DIGEST} 500
Blob: config {OTHER} 600

Image: a.example/app:2
Digest: {DIGEST}
Architecture: amd64
Blob: index {DIGEST} 400
Blob: manifest {OTHER} 500
Blob: config {OTHER} 600
Blob: layer {OTHER} 7000000
Blob: layer {DIGEST} 8
"
    )
}

fn read(text: &str) -> Result<Lock, Diagnostic> {
    Lock::parse(&Source::new("profiles/edge.lock", text))
}

#[test]
fn a_lock_of_images_is_written_as_it_was_read() {
    let text = lock();
    let parsed = read(&text).unwrap();
    assert_eq!(parsed.to_text(), text);
    assert_eq!((parsed.images[1].size(), parsed.images[1].blobs[4].kind), (7_001_508, BlobKind::Layer));
    // Without images it is a lock of the format before, as old builders read it.
    let none = Lock { images: Vec::new(), ..parsed };
    assert!(none.to_text().starts_with("Format: 1\n"));
    let (head, images) = text.split_once("\n\n").unwrap();
    let mut stanzas: Vec<&str> = images.trim_end().split("\n\n").collect();
    stanzas.reverse();
    assert_eq!(read(&format!("{head}\n\n{}\n", stanzas.join("\n\n"))).unwrap().to_text(), text);
}

#[test]
fn locks() {
    let cases = [
        ("images in the old format", "Format: 2", "Format: 1", "has no `Archive:`"),
        ("one image twice", "app:2", "app:1", "stands twice in this lock"),
        ("no size", " 600", "", "is not KIND SHA256 SIZE"),
        ("an unknown kind", "Blob: config", "Blob: diff", "is not KIND SHA256 SIZE"),
        ("no manifest", "Blob: manifest", "Blob: layer", "not those of one image"),
        ("no config", "Blob: config", "Blob: layer", "not those of one image"),
        ("another image's digest", "Digest: e3b0", "Digest: e3b1", "not those of one image"),
        ("an unknown machine", "Architecture: amd64", "Architecture: i386", "no value for Architecture:"),
        ("a key from the future", "Blob: config", "Signed: yes\nBlob: config", "unknown or repeated key"),
        ("a name of no image", "a.example/app:1", "app", "no value for Image:"),
    ];
    for (wrong, good, bad, words) in cases {
        assert!(lock().contains(good), "{wrong}");
        let found = read(&lock().replacen(good, bad, 1)).expect_err(wrong);
        assert!(found.message().contains(words), "{wrong}: {found}");
    }
}
