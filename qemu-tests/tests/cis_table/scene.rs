use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// A node in a folder: its processes, ports and files, and programs that answer as a cluster would.
pub struct Scene(TempDir);

const GOOD_KUBECTL: &str = r#"case "$*" in
    *configz) echo '{"kubeletconfig":{"authentication":{"anonymous":{"enabled":false}}}}' ;;
    *pprof*) echo 'Error from server (NotFound): no such path' >&2; exit 1 ;;
    "auth can-i"*) echo no; exit 1 ;;
    "get serviceaccounts"*) printf 'false\nfalse\n' ;;
    "get pods"*) echo 'default/demo ' ;;
esac"#;

const BROKEN_KUBECTL: &str = r#"case "$*" in
    *configz) echo '{"kubeletconfig":{"authentication":{"anonymous":{"enabled":true}}}}' ;;
    *pprof*) echo '<html>profiles' ;;
    "auth can-i"*) echo yes ;;
    "get serviceaccounts"*) printf 'false\n<none>\n' ;;
    "get pods"*) echo 'default/demo token' ;;
esac"#;

const GOOD_CURL: &str = r#"case "$*" in
    *--tls-max*) echo 'error:0A00042E:SSL routines::tlsv1 alert protocol version' >&2; exit 35 ;;
    *) printf 401 ;;
esac"#;

const BROKEN_CURL: &str = r#"case "$*" in
    *--tls-max*) echo 'SSL connection using TLSv1.1' >&2 ;;
    *) printf 200 ;;
esac"#;

impl Scene {
    pub fn good() -> Result<Self> {
        let scene = Self::empty()?;
        scene.process(
            10,
            "/usr/bin/kube-apiserver --profiling=false --allow-privileged --authorization-mode Node,RBAC \
             --audit-log-maxage=30 --client-ca-file=/pki/ca.crt",
        )?;
        scene.process(11, "/usr/bin/kubelet --hostname-override=node")?;
        scene.process(12, "/usr/lib/postgresql/17/bin/postgres -c config_file=/etc/x")?;
        symlink("/data", scene.path("proc/12/cwd"))?;
        scene.folder("data", 0o700)?;
        scene.folder("pki/authority", 0o755)?;
        scene.file("pki/ca.crt", "certificate", 0o644)?;
        scene.file("pki/ca.key", "key", 0o600)?;
        symlink("ca.key", scene.path("pki/link"))?;
        scene.file("unit", "[Service]", 0o600)?;
        scene.listens(&["0100007F:2811"])?;
        scene.program("kubectl", GOOD_KUBECTL)?;
        scene.program("curl", GOOD_CURL)?;
        scene.program("systemctl", "echo /unit")?;
        Ok(scene)
    }

    pub fn broken() -> Result<Self> {
        let scene = Self::empty()?;
        scene.process(
            10,
            "/usr/bin/kube-apiserver --token-auth-file=/tokens --profiling=true --allow-privileged=false \
             --authorization-mode AlwaysAllow --audit-log-maxage=29 --client-ca-file=/pki/ca.crt",
        )?;
        scene.process(11, "/usr/bin/kubelet --hostname-override=node")?;
        scene.process(12, "/usr/lib/postgresql/17/bin/postgres -c config_file=/etc/x")?;
        symlink("/data", scene.path("proc/12/cwd"))?;
        scene.folder("data", 0o750)?;
        scene.folder("pki", 0o755)?;
        scene.file("pki/ca.crt", "", 0o644)?;
        scene.file("pki/ca.key", "key", 0o640)?;
        scene.file("unit", "[Service]", 0o644)?;
        scene.listens(&["0100007F:2811", "00000000:2811", "00000000:280F"])?;
        scene.program("kubectl", BROKEN_KUBECTL)?;
        scene.program("curl", BROKEN_CURL)?;
        scene.program("systemctl", "echo /unit")?;
        Ok(scene)
    }

    /// Nothing runs, nothing answers, and one process goes away while it is looked at.
    pub fn empty() -> Result<Self> {
        let scene = Scene(TempDir::new()?);
        scene.folder("proc/net", 0o755)?;
        scene.folder("proc/9", 0o755)?;
        for name in ["kubectl", "curl", "systemctl"] {
            scene.program(name, "exit 1")?;
        }
        Ok(scene)
    }

    /// What a script prints that is run on this node.
    pub fn run(&self, script: &str) -> Result<String> {
        self.file("script", script, 0o600)?;
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH")?);
        let output = Command::new("bash")
            .arg(self.path("script"))
            .envs([("PATH", path.as_str()), ("CIS_ROOT", self.0.path().to_str().context("not UTF-8")?)])
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success() && said.is_empty(), "{}: {said}", output.status);
        Ok(String::from_utf8(output.stdout)?)
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.0.path().join(path)
    }

    fn folder(&self, path: &str, mode: u32) -> Result<()> {
        fs::create_dir_all(self.path(path))?;
        Ok(fs::set_permissions(self.path(path), Permissions::from_mode(mode))?)
    }

    fn file(&self, path: &str, content: &str, mode: u32) -> Result<()> {
        fs::create_dir_all(self.path(path).parent().context("no folder")?)?;
        fs::write(self.path(path), content)?;
        Ok(fs::set_permissions(self.path(path), Permissions::from_mode(mode))?)
    }

    fn program(&self, name: &str, body: &str) -> Result<()> {
        self.file(name, &format!("#!/bin/sh\n{body}\n"), 0o644)?;
        // A copy that another process made: what this one had open for writing while another test started a program cannot be
        // run ("text file busy").
        let copied = Command::new("install")
            .arg("-D")
            .args([self.path(name), self.path(&format!("bin/{name}"))])
            .status()?;
        ensure!(copied.success(), "{name} was not copied");
        Ok(())
    }

    fn process(&self, id: u32, command: &str) -> Result<()> {
        let words: String = command.split_whitespace().flat_map(|word| [word, "\0"]).collect();
        self.file(&format!("proc/{id}/cmdline"), &words, 0o444)
    }

    /// As /proc/net/tcp tells it (proc_net_tcp in the kernel's Documentation/networking): 0A is a listener, 01 a connection.
    fn listens(&self, addresses: &[&str]) -> Result<()> {
        let mut text = String::from("  sl  local_address rem_address   st tx_queue rx_queue\n");
        for (n, address) in addresses.iter().enumerate() {
            text += &format!("{n:4}: {address} 00000000:0000 0A 00000000:00000000 00:00000000\n");
        }
        text += "   9: 0A00020F:280F 0A000202:0050 01 00000000:00000000 00:00000000\n";
        self.file("proc/net/tcp", &text, 0o444)
    }
}

/// The user and group of whoever runs the tests, as `stat` names them.
pub fn me() -> Result<String> {
    let folder = TempDir::new()?;
    let output = Command::new("stat").args(["-c", "%U:%G"]).arg(folder.path()).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
