//! A machine of the site: a disk that stays, and processes that a power cut takes all at once.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::command::{run, words};
use crate::follow::order;
use crate::layout;
use crate::network::{Host, Network};
use crate::story::Story;

/// In the node's namespaces: the image's root with the disk over it, and what a kernel would have mounted.
const MOUNT: &str = "\
mount --make-rprivate /
cd $DISK
mount -t overlay overlay -o lowerdir=$IMAGE,upperdir=upper,workdir=work root
mount --bind var root/var
mount -t tmpfs run root/run
mount -t proc proc root/proc
mount -t tmpfs -o mode=755 dev root/dev
for device in null zero random urandom; do touch root/dev/$device; mount --bind /dev/$device root/dev/$device; done
mkdir -m 1777 root/dev/shm
mount -t tmpfs shm root/dev/shm
ln -s /proc/self/fd root/dev/fd
mount --bind -o ro $PROGRAMS root/opt
mkdir -m 755 root/run/kine root/run/postgresql
chown 921:921 root/run/kine
chown 920:920 root/run/postgresql
[ -z $OTHER ] || { mkdir root/run/other; mount --bind $OTHER root/run/other; }
exec chroot root \"$@\"";

/// The same with the root of the host, whose programs are not an image's: what they write goes to the node's disk, and they see neither
/// the host's /run nor its shared memory.
const MOUNT_HOST: &str = "\
mount --make-rprivate /
mount --bind -o ro $PROGRAMS /opt
mount --bind $DISK/var /var
mount -t tmpfs -o mode=755 run /run
mount -t proc proc /proc
mount -t tmpfs -o mode=1777 shm /dev/shm
mkdir -m 755 /run/postgresql
chown $OWNER /run/postgresql
exec \"$@\"";

pub struct Node {
    pub host: Host,
    disk: PathBuf,
    image: PathBuf,
    programs: PathBuf,
    /// The disk of the machine that this one can switch off.
    other: Option<PathBuf>,
    mount: &'static str,
    /// Of the database.
    owner: u32,
    child: Option<Child>,
}

impl Node {
    /// A machine with an empty disk, switched off.
    ///
    /// # Errors
    /// The folders cannot be made.
    pub fn new(host: Host, disk: PathBuf, image: &Path, programs: &Path) -> Result<Self> {
        let (image, programs) = (image.to_owned(), programs.to_owned());
        Node { host, disk, image, programs, mount: MOUNT, owner: 920, other: None, child: None }
            .with_folders()
    }

    /// The same, with what the host has installed. `owner` of the database.
    ///
    /// # Errors
    /// The folders cannot be made.
    pub fn of_host(host: Host, disk: PathBuf, programs: &Path, owner: u32) -> Result<Self> {
        let (image, programs) = (PathBuf::from("/"), programs.to_owned());
        Node { host, disk, image, programs, mount: MOUNT_HOST, owner, other: None, child: None }
            .with_folders()
    }

    fn with_folders(self) -> Result<Self> {
        let node = self;
        for folder in ["upper/etc", "work", "root"] {
            fs::create_dir_all(node.disk.join(folder))?;
        }
        for folder in [
            layout::TRIAL,
            layout::STATE,
            layout::KUBERNETES,
            layout::POSTGRESQL,
            "/var/log/kubernetes/audit",
            "/var/tmp",
        ] {
            fs::create_dir_all(node.path(folder))?;
        }
        chown(node.path(layout::POSTGRESQL), Some(node.owner), Some(node.owner))?;
        fs::set_permissions(node.path(layout::POSTGRESQL), fs::Permissions::from_mode(0o750))?;
        Ok(node)
    }

    /// Gives it power over the other one.
    pub fn reaches(&mut self, other: &Node) {
        self.other = Some(other.path(layout::TRIAL));
    }

    /// Where the host has a file of the node's disk.
    #[must_use]
    pub fn path(&self, inside: &str) -> PathBuf {
        let inside = inside.trim_start_matches('/');
        if inside.starts_with("var/") { self.disk.join(inside) } else { self.disk.join("upper").join(inside) }
    }

    /// # Errors
    /// It cannot be written.
    pub fn write(&self, inside: &str, text: &str, mode: u32) -> Result<()> {
        let path = self.path(inside);
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            fs::write(&path, text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))
        };
        write().with_context(|| path.display().to_string())
    }

    fn inside(&self, network: &Network, command: &[&str]) -> Command {
        let mut outer = network.at(self.host);
        outer.args([
            "unshare",
            "--mount",
            "--pid",
            "--ipc",
            "--uts",
            "--fork",
            "--kill-child",
            "sh",
            "-ec",
            self.mount,
            "node",
        ]);
        outer.args(command).stdin(Stdio::null());
        outer.env("DISK", &self.disk).env("IMAGE", &self.image).env("PROGRAMS", &self.programs);
        outer.env("OTHER", self.other.as_deref().unwrap_or(Path::new("")));
        outer.env("OWNER", self.owner.to_string());
        outer
    }

    /// A program of the image, while the machine is off otherwise.
    ///
    /// # Errors
    /// It fails.
    pub fn run_once(&self, network: &Network, command: &[&str]) -> Result<String> {
        run(&mut self.inside(network, command))
    }

    /// # Errors
    /// It cannot be started.
    pub fn power_on(&mut self, network: &Network) -> Result<()> {
        // One that was switched off by the other one.
        if let Some(mut ended) = self.child.take().filter(|_| self.first_process().is_none()) {
            ended.wait()?;
        }
        network.begin(self.host)?;
        network.plug(self.host, true)?;
        let log = fs::File::options().append(true).create(true).open(self.disk.join("console.log"))?;
        let mut command = self.inside(network, &["/opt/failover-trials", "init"]);
        self.child = Some(command.stdout(log.try_clone()?).stderr(log).spawn()?);
        Ok(())
    }

    /// The plug is pulled: nothing that runs there does anything more.
    ///
    /// # Errors
    /// See [`run`].
    pub fn power_cut(&mut self, network: &Network) -> Result<()> {
        network.plug(self.host, false)?;
        if let Some(first) = self.first_process() {
            kill_process(first, Signal::KILL)?;
        }
        if let Some(mut child) = self.child.take() {
            child.wait()?;
        }
        Ok(())
    }

    #[must_use]
    pub fn is_on(&self) -> bool {
        self.child.is_some()
    }

    /// The child of unshare.
    fn first_process(&self) -> Option<Pid> {
        let outer = self.child.as_ref()?.id();
        let children = fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).ok()?;
        Pid::from_raw(children.split_ascii_whitespace().next()?.parse().ok()?)
    }

    /// A program of the image, on the running machine.
    ///
    /// # Errors
    /// The machine is off, or it fails.
    pub fn run(&self, command: &[&str]) -> Result<String> {
        let first = self.first_process().context("the machine is off")?.as_raw_nonzero().to_string();
        let mut inside = words("nsenter --mount --pid --net --ipc --root --wd --target");
        run(inside.arg(first).arg("--").args(command))
    }

    /// Each process of the machine gets this signal: STOP for a machine that hangs.
    ///
    /// # Errors
    /// There is none, or it may not be signalled.
    pub fn signal_all(&self, signal: Signal) -> Result<()> {
        for pid in self.processes()? {
            // One that has ended since cannot be stopped any more.
            let _ = kill_process(pid, signal);
        }
        Ok(())
    }

    /// All that runs on the machine, by the host's numbers.
    ///
    /// # Errors
    /// It is off.
    pub fn processes(&self) -> Result<Vec<Pid>> {
        let first = self.first_process().context("the machine is off")?;
        let space = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let wanted = space(&first.as_raw_nonzero().to_string()).context("the machine has just ended")?;
        let names = fs::read_dir("/proc")?.flatten().map(|entry| entry.file_name());
        let ours = names
            .filter_map(|name| name.into_string().ok())
            .filter(|name| space(name).as_ref() == Some(&wanted));
        Ok(ours.filter_map(|name| Pid::from_raw(name.parse().ok()?)).collect())
    }

    /// To the first process: see [`crate::init`].
    ///
    /// # Errors
    /// It is not there, or cannot.
    pub fn order(&self, line: &str) -> Result<String> {
        order(&self.path(layout::CONTROL), line)
    }

    /// Asks the agent.
    ///
    /// # Errors
    /// It does not run, does not answer, or refuses.
    pub fn ask(&self, question: &str) -> Result<String> {
        let mut stream = UnixStream::connect(self.path(layout::AGENT))?;
        stream.set_read_timeout(Some(Duration::from_secs(11)))?;
        writeln!(stream, "{question}")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if answer.starts_with("{\"refused\"") || answer.starts_with("{\"error\"") || answer.is_empty() {
            bail!("agent of {:?}: {question}: {answer}", self.host);
        }
        Ok(answer)
    }

    /// The agent's role, as status says it; nothing if it does not answer.
    #[must_use]
    pub fn role(&self) -> Option<String> {
        let status: serde_json::Value = serde_json::from_str(&self.ask("status").ok()?).ok()?;
        Some(status["role"].as_str()?.to_owned())
    }

    /// All that the machine and its agent say, as far as they can.
    #[must_use]
    pub fn story(&self) -> Vec<Story> {
        let name = self.host.name();
        let log = fs::read_to_string(self.path(layout::LOG)).unwrap_or_default();
        let agent = self.ask("story").ok().and_then(|json| Story::of_agent(name, &json).ok());
        [Some(Story::of_machine(name, &log)), agent].into_iter().flatten().collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(first) = self.first_process() {
            let _ = kill_process(first, Signal::KILL);
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.wait();
        }
    }
}
