use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use geminios_unpack::ToolSet;

use crate::args::{Accel, Run};
use crate::machine::{Acceleration, Machine};
use crate::manifest::Manifest;
use crate::session::Session;
use crate::verbs::build::out_folder;
use crate::{pipeline, probe};

/// How long a machine may take to answer on its ssh port before we say that it is late.
const LATE: Duration = Duration::from_secs(300);

/// Boots a build.
pub fn run(session: &Session, args: &Run) -> Result<()> {
    let (project, description) = session.describe(&args.profile, args.board.as_deref())?;
    let out = out_folder(&project, &description, args.out.as_deref());
    let manifest = Manifest::read(&out)?;
    let qemu = pipeline::toolset(session, &description.lock()?, "qemu")?;
    let state = args.state.clone().unwrap_or_else(|| out.join("run"));
    let board = &description.board;
    let ssh_port = Port::claim(args.ssh_port)?;
    let machine = Machine {
        board,
        accel: match args.accel {
            Accel::Kvm => Acceleration::Kvm,
            Accel::Tcg => Acceleration::Tcg,
            Accel::Auto => probe::acceleration(session, &qemu, board, &manifest.path(&out, "uki")?)?,
        },
        memory: args.memory,
        cpus: args.cpus,
        disk: state.join("disk.img"),
        firmware_code: qemu.path(&board.qemu.firmware_code),
        firmware_vars: state.join("vars.fd"),
        data: data_folders(&qemu),
        ssh_port: ssh_port.number,
        authorized_keys: authorized_keys(args.ssh_key.as_deref())?,
        console_log: args.headless.then(|| state.join("console.log")),
        isolated: args.isolated,
    };
    let mut command = qemu.command(&board.qemu.program);
    command.args(machine.arguments());
    if args.dry_run {
        writeln!(std::io::stdout(), "{}", shell(&command))?;
        return Ok(());
    }
    prepare(session, args, &out, &manifest, &machine, &qemu)?;
    session.terminal.say(&greeting(&manifest, &machine, args.headless));
    if args.headless { headless(session, command, &machine) } else { console(command) }
}

/// QEMU's data folders in its tool set.
pub fn data_folders(qemu: &ToolSet) -> Vec<PathBuf> {
    ["usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu"]
        .iter()
        .map(|dir| qemu.path(dir))
        .filter(|dir| dir.is_dir())
        .collect()
}

/// The disk and the firmware's variables: those of the last run if it ran the same image, else new ones.
fn prepare(
    session: &Session,
    args: &Run,
    out: &Path,
    manifest: &Manifest,
    machine: &Machine<'_>,
    qemu: &ToolSet,
) -> Result<()> {
    let state = machine.disk.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(state).with_context(|| format!("{} cannot be made", state.display()))?;
    let origin = state.join("image");
    let image = manifest.files.get("image").context("this build has no image")?;
    let wanted = image.sha256.to_string();
    let same = std::fs::read_to_string(&origin).is_ok_and(|text| text == wanted) && machine.disk.exists();
    if same && !args.fresh {
        return Ok(());
    }
    if machine.disk.exists() && !args.fresh {
        session.terminal.say("the image is another than that of the last run: beginning with an empty disk");
    }
    drop(std::fs::remove_file(&origin));
    let image = out.join(&image.name);
    copy_sparse(&image, &machine.disk)
        .with_context(|| format!("{} cannot be copied to {}", image.display(), machine.disk.display()))?;
    let disk = std::fs::OpenOptions::new().write(true).open(&machine.disk)?;
    let size = args.disk << 30;
    if size < disk.metadata()?.len() {
        bail!("--disk {} is smaller than the image\n  help: give a larger number of GiB", args.disk);
    }
    disk.set_len(size)?;
    let template = qemu.path(&machine.board.qemu.firmware_vars);
    let vars = std::fs::read(&template).with_context(|| format!("{} cannot be read", template.display()))?;
    std::fs::write(&machine.firmware_vars, vars)?;
    std::fs::write(&origin, wanted)?;
    Ok(())
}

/// Copies a file and leaves its holes out.
fn copy_sparse(from: &Path, to: &Path) -> std::io::Result<()> {
    use rustix::fs::{SeekFrom, seek};
    let (mut from, mut to) = (std::fs::File::open(from)?, std::fs::File::create(to)?);
    let size = from.metadata()?.len();
    to.set_len(size)?;
    let mut at = 0;
    // After the last byte there is no more data (ENXIO).
    while let Ok(start) = seek(&from, SeekFrom::Data(at)) {
        at = seek(&from, SeekFrom::Hole(start))?;
        seek(&from, SeekFrom::Start(start))?;
        seek(&to, SeekFrom::Start(start))?;
        std::io::copy(&mut (&mut from).take(at - start), &mut to)?;
    }
    Ok(())
}

fn greeting(manifest: &Manifest, machine: &Machine<'_>, headless: bool) -> String {
    let slow = match machine.accel {
        Acceleration::Kvm => "",
        Acceleration::Tcg => "; emulated, so give it a minute",
    };
    let login = if machine.authorized_keys.is_empty() {
        "ssh: no public key was found in ~/.ssh; give one with --ssh-key FILE".to_owned()
    } else {
        format!("ssh: ssh -p {} root@127.0.0.1", machine.ssh_port)
    };
    let leave = match &machine.console_log {
        None => "to leave: Ctrl-A, then X (the plug is pulled), or `poweroff` in the machine".to_owned(),
        Some(log) => format!("console: {}\nto leave: Ctrl-C (the plug is pulled)", log.display()),
    };
    let what = format!("booting {} {} for {}{slow}", manifest.profile, manifest.version, manifest.board);
    if headless { format!("{what}\n{login}\n{leave}") } else { format!("{what}\n{leave}\n{login}\n") }
}

/// QEMU with the console on our own standard input and output.
fn console(command: Command) -> Result<()> {
    let status = spawn(command)?.wait()?;
    if !status.success() {
        bail!("QEMU ended with {status}");
    }
    Ok(())
}

fn headless(session: &Session, mut command: Command, machine: &Machine<'_>) -> Result<()> {
    command.stdin(Stdio::null());
    let begun = Instant::now();
    let mut child = spawn(command)?;
    let mut told = false;
    loop {
        if let Some(status) = child.try_wait()? {
            if status.success() {
                return Ok(());
            }
            bail!("QEMU ended with {status}");
        }
        if !told && answers(machine.ssh_port) {
            session.terminal.say(&format!("up after {} s: ssh answers", begun.elapsed().as_secs()));
            told = true;
        }
        if !told && begun.elapsed() > LATE {
            session.terminal.say("not up yet after 5 minutes; the console log may say why");
            told = true;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn spawn(mut command: Command) -> Result<Child> {
    command.spawn().with_context(|| format!("QEMU cannot be started: {}", shell(&command)))
}

/// Whether a machine's ssh server greets. QEMU accepts the connection before the machine does.
fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut greeting = [0; 4];
    stream.set_read_timeout(Some(Duration::from_secs(2))).is_ok()
        && stream.read_exact(&mut greeting).is_ok()
        && &greeting == b"SSH-"
}

/// A port of 127.0.0.1 for QEMU to listen on.
struct Port {
    number: u16,
    /// A name that the kernel frees when we end (unix(7), abstract). QEMU listens only after a while, and until
    /// then another `run` would find the port free too.
    _claim: UnixListener,
}

impl Port {
    /// `wanted`, or the next port after it that is free.
    fn claim(wanted: u16) -> Result<Self> {
        let claim = |number| {
            TcpListener::bind(("127.0.0.1", number)).ok()?;
            let name = SocketAddr::from_abstract_name(format!("geminios-ssh-port-{number}")).ok()?;
            Some(Port { number, _claim: UnixListener::bind_addr(&name).ok()? })
        };
        (wanted..=wanted.saturating_add(100))
            .find_map(claim)
            .with_context(|| format!("no free port from {wanted} on\n  help: give another with --ssh-port"))
    }
}

/// The key in `file`, or the user's own public keys.
fn authorized_keys(file: Option<&Path>) -> Result<String> {
    if let Some(file) = file {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        if text.contains("PRIVATE KEY") {
            bail!("{} is a private key\n  help: give the .pub file", file.display());
        }
        return Ok(text);
    }
    let Some(home) = std::env::var_os("HOME") else { return Ok(String::new()) };
    let mut files: Vec<PathBuf> = std::fs::read_dir(Path::new(&home).join(".ssh"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            name.starts_with("id_") && name.ends_with(".pub")
        })
        .collect();
    files.sort();
    Ok(files.iter().filter_map(|file| std::fs::read_to_string(file).ok()).collect())
}

/// A command as a shell would take it.
fn shell(command: &Command) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@".contains(c);
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| {
            let word = word.to_string_lossy();
            if !word.is_empty() && word.chars().all(plain) {
                word.into_owned()
            } else {
                format!("'{}'", word.replace('\'', r"'\''"))
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}
