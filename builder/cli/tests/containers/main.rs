//! Container images on the disk: from a registry, from an archive, from programs of an overlay.

#![allow(clippy::unwrap_used)]

mod kube_vip;
#[path = "../project/mod.rs"]
mod project;
mod registry;
mod root;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use geminios_model::Digest;
use project::{cold_cache, copy, done, edit, geminios, refusal};
use registry::{Image, Registry};
use serde_json::Value;
use tempfile::TempDir;

const PROFILE: &str = "profiles/x86-edge.toml";
const LOCK: &str = "profiles/x86-edge.lock";
const OUT: &str = "out/x86-edge-generic-x86-uefi";

/// A project whose overlay makes two images and whose profile lists two of others, with a cache of its own: images that
/// an earlier run left in the user's would hide what is fetched.
struct Site {
    dir: TempDir,
    cache: PathBuf,
    remote: Image,
    local: Image,
    registry: Registry,
}

impl Site {
    fn new() -> Site {
        let (remote, local) = (Image::new("remote"), Image::new("local"));
        let dir = copy();
        let images = format!(
            "[[image]]\nreference = \"registry.example/team/app:1.2\"\ndigest = \"sha256:{}\"\n\n\
             [[image]]\nreference = \"registry.example/team/local:1\"\ndigest = \"sha256:{}\"\narchive = \"images/local.tar\"\n\n[sizes]",
            remote.index, local.index
        );
        edit(dir.path(), PROFILE, "[sizes]", &images);
        fs::create_dir(dir.path().join("profiles/images")).unwrap();
        fs::write(dir.path().join("profiles/images/local.tar"), local.archive()).unwrap();
        Site { cache: cold_cache(dir.path()), dir, registry: Registry::of(&remote), remote, local }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The command, with the registry on loopback.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = geminios(self.path(), arguments);
        let proxies = ["no_proxy", "NO_PROXY"].iter().find_map(|name| std::env::var(name).ok());
        command
            .env("GEMINIOS_CACHE", &self.cache)
            .env("GEMINIOS_REGISTRY_MIRROR", format!("registry.example=http://{}", self.registry.address))
            .env("no_proxy", format!("{},127.0.0.1", proxies.unwrap_or_default()));
        command
    }

    fn lock(&self) -> String {
        let output = self.command(&["lock", "x86-edge"]).output().unwrap();
        done(&output);
        String::from_utf8(output.stdout).unwrap()
    }

    /// `lock` fails with these words, and the lock stays as it is.
    fn refused(&self, words: &[&str]) {
        let before = fs::read(self.path().join(LOCK)).unwrap();
        let output = self.command(&["lock", "x86-edge"]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        for word in words {
            assert!(said.contains(word), "`{word}` is missing in:\n{said}");
        }
        assert_eq!(fs::read(self.path().join(LOCK)).unwrap(), before, "the lock was touched");
    }

    fn build(&self) -> Value {
        done(&self.command(&["build", "x86-edge", "--no-compress"]).output().unwrap());
        let manifest = fs::read(self.path().join(OUT).join("manifest.json")).unwrap();
        serde_json::from_slice(&manifest).unwrap()
    }
}

#[test]
fn images_come_with_the_disk_and_are_the_same_from_every_cache() {
    let site = Site::new();
    let said = site.lock();
    assert!(said.contains("container images: 2 added"), "{said}");
    let added = format!("+ registry.example/team/app:1.2  sha256:{:.12} ", site.remote.index.to_string());
    assert!(said.contains(&added), "{said}");
    let asked = site.registry.asked();
    assert_eq!(asked.len(), 3, "index, manifest and configuration, but no layer: {asked:?}");
    let lock = fs::read_to_string(site.path().join(LOCK)).unwrap();
    assert!(
        lock.starts_with("Format: 2\n") && lock.contains("\nImage: registry.example/team/local:1\n"),
        "{lock}"
    );
    let again = site.lock();
    assert!(again.contains("is up to date"), "{again}");
    assert_eq!(site.registry.asked().len(), 3, "what is locked is not asked for");

    let built = site.build();
    let layer = format!("/v2/team/app/blobs/sha256:{}", site.remote.layer);
    assert_eq!(site.registry.asked().last(), Some(&layer));
    let names: Vec<&String> = built["images"].as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "localhost/geminios/demo:1",
            "localhost/geminios/pause:1",
            "registry.example/team/app:1.2",
            "registry.example/team/local:1"
        ]
    );
    look_inside(&site, &built);
    look_at_reports(&site);

    let other = elsewhere(site);
    let rebuilt = other.build();
    assert_eq!(rebuilt["images"], built["images"]);
    assert_eq!(rebuilt["root_hash"], built["root_hash"]);
}

/// The same project in another folder and with another cache, with the same lock.
fn elsewhere(site: Site) -> Site {
    let dir = copy();
    for folder in ["overlays", "profiles"] {
        let (from, to) = (site.path().join(folder).join("."), dir.path().join(folder));
        done(&Command::new("cp").arg("-r").arg(from).arg(to).output().unwrap());
    }
    Site { cache: cold_cache(dir.path()), dir, ..site }
}

/// Every archive in the root holds what it says, and the programs in it run.
fn look_inside(site: &Site, built: &Value) {
    let image = site.path().join(OUT).join(built["files"]["image"]["name"].as_str().unwrap());
    let root = root::Root::open(&image);
    let cases = [
        ("localhost+geminios+demo@1.tar", "localhost/geminios/demo:1", None),
        ("localhost+geminios+pause@1.tar", "localhost/geminios/pause:1", None),
        ("registry.example+team+app@1.2.tar", "registry.example/team/app:1.2", Some(site.remote.index)),
        ("registry.example+team+local@1.tar", "registry.example/team/local:1", Some(site.local.index)),
    ];
    for (file, name, digest) in cases {
        let bytes = root.read(&format!("/usr/share/geminios/images/{file}"));
        assert_eq!(built["images"][name]["sha256"], Digest::of(&bytes).to_string(), "{file}");
        let files = registry::untar(&bytes);
        let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
        let entry = &index["manifests"][0];
        assert_eq!(entry["annotations"]["io.containerd.image.name"], name);
        if let Some(digest) = digest {
            assert_eq!(entry["digest"], format!("sha256:{digest}"));
        }
        let blobs =
            files.iter().filter_map(|(path, bytes)| Some((path.strip_prefix("blobs/sha256/")?, bytes)));
        for (digest, bytes) in blobs {
            assert_eq!(digest, Digest::of(bytes).to_string(), "{file}");
        }
    }
    let programs = site.path().join("programs");
    let unpacked =
        |file: &str| root::programs(&root.read(&format!("/usr/share/geminios/images/{file}")), &programs);
    unpacked("localhost+geminios+demo@1.tar");
    unpacked("localhost+geminios+pause@1.tar");
    let demo =
        Command::new(programs.join("usr/bin/demo")).arg("hello").env("POD_NAME", "web-0").output().unwrap();
    assert_eq!(String::from_utf8(demo.stdout).unwrap(), "hello from web-0\n");
    ends_on_sigterm(programs.join("pause"));
    let size = fs::metadata(programs.join("pause")).unwrap().len();
    assert!(size < 200_000, "pause has {size} bytes");
}

fn ends_on_sigterm(program: PathBuf) {
    let mut child = Command::new(program).stdout(Stdio::null()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(child.try_wait().unwrap(), None, "it waits");
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// What `inspect`, `explain` and the bill of materials say.
fn look_at_reports(site: &Site) {
    let report = |arguments: &[&str]| {
        let output = site.command(arguments).output().unwrap();
        done(&output);
        String::from_utf8(output.stdout).unwrap()
    };
    let inspected = report(&["inspect", OUT]);
    assert!(
        inspected.contains("\ncontainer images\n") && inspected.contains("localhost/geminios/pause:1"),
        "{inspected}"
    );
    let explained = report(&["explain", "x86-edge"]);
    assert!(explained.contains("localhost/geminios/pause:1, localhost/geminios/demo:1"), "{explained}");
    assert!(explained.contains("registry.example/team/local:1 ("), "{explained}");
    let bill = fs::read_dir(site.path().join(OUT)).unwrap().map(|entry| entry.unwrap().path());
    let bill = bill.into_iter().find(|path| path.to_string_lossy().ends_with(".cdx.json")).unwrap();
    let bill: Value = serde_json::from_slice(&fs::read(bill).unwrap()).unwrap();
    let containers = bill["components"].as_array().unwrap().iter().filter(|c| c["type"] == "container");
    let purls: Vec<&str> = containers.map(|c| c["purl"].as_str().unwrap()).collect();
    assert_eq!(purls.len(), 4, "{purls:?}");
    let app = format!(
        "pkg:oci/app@sha256%3A{}?arch=amd64&repository_url=registry.example/team/app&tag=1.2",
        site.remote.index
    );
    assert!(purls.contains(&app.as_str()), "{purls:?}");
}

#[test]
fn images_that_cannot_be_had() {
    let site = Site::new();
    let refused = |words: &[&str]| site.refused(words);
    let archive = site.path().join("profiles/images/local.tar");
    let layer = site.local.layer.to_string();
    fs::write(&archive, site.local.spoilt()).unwrap();
    refused(&[
        "profiles/x86-edge.toml:",
        "archive = \"images/local.tar\"",
        "holds other bytes",
        &layer,
        "help:",
    ]);
    fs::write(&archive, site.local.docker_save()).unwrap();
    refused(&["one of `docker save`", "skopeo copy --all docker://"]);
    fs::remove_file(&archive).unwrap();
    refused(&["there is no archive", "profiles/images/local.tar", "begins at the profile's folder"]);
    fs::write(&archive, site.remote.archive()).unwrap();
    refused(&["holds no image with digest", &format!("it holds sha256:{}", site.remote.index)]);
}

#[test]
fn an_image_that_its_registry_lost() {
    let site = Site::new();
    // By its own name: behind a mirror the registry itself would be asked, which is not on loopback.
    let own = format!("{}/team/app:1.2", site.registry.address);
    edit(site.path(), PROFILE, "registry.example/team/app:1.2", &own);
    site.registry.lose(&site.remote.index);
    site.refused(&[
        &format!("image {own}"),
        "profiles/x86-edge.toml:",
        "it does not have the file",
        "name and digest are right",
    ]);
}

#[test]
fn two_images_of_one_name() {
    let site = Site::new();
    edit(site.path(), PROFILE, "registry.example/team/local:1", "localhost/geminios/pause:1");
    let said = refusal(site.path(), &["build", "x86-edge"], 1);
    assert!(
        said.contains("is made by overlay `kubernetes`") && said.contains("profiles/x86-edge.toml:"),
        "{said}"
    );
}

#[test]
fn a_lock_without_the_images_is_older_than_its_profile() {
    let said = refusal(Site::new().path(), &["build", "x86-edge"], 4);
    assert!(said.contains("container images changed") && said.contains("geminios lock x86-edge"), "{said}");
}
