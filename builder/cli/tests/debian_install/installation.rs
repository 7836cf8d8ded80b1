use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};

use geminios_fetch::Mirrors;
use geminios_model::{Archive, Lock, LockedPackage, Profile};

use crate::project;

/// A real installation of a lock's packages by mmdebstrap.
pub struct Installation<'a> {
    pub profile: &'a Profile,
    pub lock: &'a Lock,
}

/// How mmdebstrap can work here; why it cannot, if so.
pub fn mode() -> Result<&'static str, &'static str> {
    let works = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !works("mmdebstrap", &["--version"]) {
        return Err("there is no mmdebstrap; on Debian: apt install mmdebstrap");
    }
    if Command::new("id").arg("-u").output().unwrap().stdout == b"0\n" {
        return Ok("root");
    }
    if works("mmdebstrap", &["--unshare-helper", "true"]) {
        return Ok("unshare");
    }
    Err("neither root nor allowed to map other users (/etc/subuid, newuidmap, user namespaces)")
}

impl Installation<'_> {
    /// Installs, and hands what came of it, as a tar archive, to `take`. The lock's packages come from the store, in the
    /// lock's versions; what the overlays leave out comes from the host's mirror.
    pub fn run<T>(&self, mode: &str, take: impl FnOnce(ChildStdout) -> T) -> T {
        let scratch = tempfile::tempdir().unwrap();
        let dir = scratch.path();
        self.repository(&dir.join("lock"));
        fs::write(dir.join("sources.list"), self.sources(dir)).unwrap();
        // The lock's versions win over newer ones of the mirror.
        fs::write(dir.join("preferences"), "Package: *\nPin: origin \"\"\nPin-Priority: 1001\n").unwrap();
        // In mode unshare, the installing user is another one, who must be able to read this.
        assert!(Command::new("chmod").args(["-R", "a+rX"]).arg(dir).status().unwrap().success());
        let names: Vec<&str> = self.lock.set("image").map(|package| package.name.as_str()).collect();
        let log = dir.join("log");
        let mut child = Command::new("mmdebstrap")
            .arg(format!("--mode={mode}"))
            .args(["--variant=essential", "--format=tar"])
            .arg(format!("--architectures={}", self.architecture()))
            .arg(format!("--include={}", names.join(",")))
            .arg(format!("--aptopt=Dir::Etc::Preferences \"{}\"", dir.join("preferences").display()))
            // mmdebstrap copies them from the host.
            .arg("--setup-hook=rm -f \"$1\"/etc/hostname \"$1\"/etc/resolv.conf")
            .args(["--aptopt=APT::Install-Recommends \"false\"", "--dpkgopt=force-unsafe-io"])
            .arg(self.profile.archives[0].suites[0].as_str())
            .arg("-")
            .arg(dir.join("sources.list"))
            .current_dir("/")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let taken = take(child.stdout.take().unwrap());
        let status = child.wait().unwrap();
        assert!(status.success(), "mmdebstrap: {status}\n{}", fs::read_to_string(&log).unwrap());
        taken
    }

    /// A repository of exactly the lock's packages.
    fn repository(&self, dir: &Path) {
        fs::create_dir(dir).unwrap();
        let mut index = String::new();
        for package in self.lock.set("image") {
            let digest = package.sha256.to_string();
            let file = dir.join(format!("{digest}.deb"));
            fs::copy(project::cache().join("store").join(&digest[..2]).join(&digest), &file).unwrap();
            index.push_str(&stanza(package, &file));
        }
        fs::write(dir.join("Packages"), index).unwrap();
        // mmdebstrap takes essential packages from this suite only.
        fs::write(
            dir.join("Release"),
            format!("Suite: {0}\nCodename: {0}\n", self.profile.archives[0].suites[0]),
        )
        .unwrap();
    }

    fn sources(&self, dir: &Path) -> String {
        let environment = std::env::var("GEMINIOS_MIRROR").ok();
        let mirrors = Mirrors::discover(&[], environment.as_deref(), Path::new("/etc/apt")).unwrap();
        let mut sources = format!("deb [trusted=yes] copy://{} ./\n", dir.join("lock").display());
        for archive in &self.profile.archives {
            let keys = self.keys_of(archive, dir);
            for suite in &archive.suites {
                let components: Vec<&str> = archive.components.iter().map(|c| c.as_str()).collect();
                let (mirror, components) = (&mirrors.of(&archive.name).unwrap()[0], components.join(" "));
                let _ = writeln!(sources, "deb [signed-by={keys}] {mirror} {suite} {components}");
            }
        }
        sources
    }

    fn keys_of(&self, archive: &Archive, dir: &Path) -> String {
        let copied = archive.keys.iter().map(|key| {
            let copy = dir.join(Path::new(key.as_str()).file_name().unwrap());
            fs::copy(project::folder().join("keys").join(key.as_str()), &copy).unwrap();
            copy.display().to_string()
        });
        copied.collect::<Vec<_>>().join(",")
    }

    fn architecture(&self) -> &str {
        self.lock.set("image").map(|package| package.architecture.as_str()).find(|a| *a != "all").unwrap()
    }
}

/// A package's own description, with where its file is.
fn stanza(package: &LockedPackage, file: &Path) -> String {
    let control = Command::new("dpkg-deb").arg("--field").arg(file).output().unwrap();
    assert!(control.status.success(), "{}", package.name);
    let control = String::from_utf8(control.stdout).unwrap();
    let (name, size, digest) = (file.file_name().unwrap().display(), package.size, package.sha256);
    format!("{}\nFilename: ./{name}\nSize: {size}\nSHA256: {digest}\n\n", control.trim_end())
}
