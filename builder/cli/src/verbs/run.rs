use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use geminios_unpack::ToolSet;

use crate::args::{Accel, Run};
use crate::kubeconfig::Handover;
use crate::machine::{Acceleration, Forward, Machine};
use crate::manifest::Manifest;
use crate::session::Session;
use crate::verbs::build::out_folder;
use crate::{forward, kubeconfig, pipeline, probe};

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
    let ports = forward::claim(&forward::wishes(&description.overlays, args.ssh_port, &args.forward))?;
    let forwards: Vec<Forward> = ports.iter().map(|port| port.forward).collect();
    let handover = forward::to(&forwards, kubeconfig::API).map(|port| Handover::new(&state, port));
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
        clock: args.clock.clone(),
        firmware_code: qemu.path(&board.qemu.firmware_code),
        firmware_vars: state.join("vars.fd"),
        data: data_folders(&qemu),
        kubeconfig: handover.as_ref().map(|handover| handover.raw().to_owned()),
        forwards,
        authorized_keys: authorized_keys(args.ssh_key.as_deref())?,
        console_log: args.headless.then(|| state.join("console.log")),
        isolated: args.isolated,
        reach: args.reach.map(relay).transpose()?,
        stick: args.stick.clone(),
        cables: args.cable.clone(),
        credentials: credentials(&args.credential)?,
    };
    let mut command = qemu.command(&board.qemu.program);
    command.args(machine.arguments());
    if args.dry_run {
        writeln!(std::io::stdout(), "{}", shell(&command))?;
        return Ok(());
    }
    prepare(session, args, &out, &manifest, &machine, &qemu)?;
    if let Some(handover) = &handover {
        handover.begin()?;
    }
    session.terminal.say(&greeting(&manifest, &machine, handover.as_ref()));
    if args.headless {
        command.stdin(Stdio::null());
    }
    let mut child = spawn(&mut command)?;
    let status = attend(session, &mut child, &machine, handover.as_ref());
    if status.is_err() {
        drop(child.kill());
    }
    let status = status?;
    if !status.success() {
        bail!("QEMU ended with {status}");
    }
    Ok(())
}

fn credentials(files: &[(String, PathBuf)]) -> Result<Vec<(String, Vec<u8>)>> {
    let read = |(name, path): &(String, PathBuf)| -> Result<_> {
        let content = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        // What a table of the firmware has room for, with the other strings and in base64 (SMBIOS, section 5.2.1).
        if content.len() > 40 << 10 {
            bail!(
                "{}: {} bytes are too many for a credential\n  help: 40 KiB at most",
                path.display(),
                content.len()
            );
        }
        Ok((name.clone(), content))
    };
    files.iter().map(read).collect()
}

/// The command that QEMU starts for each connection to a port of this host.
fn relay(port: u16) -> Result<String> {
    let own = std::env::current_exe().context("this program's own file is not known")?;
    let mut command = Command::new(own);
    command.arg("relay").arg(port.to_string());
    Ok(shell(&command))
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

fn greeting(manifest: &Manifest, machine: &Machine<'_>, handover: Option<&Handover>) -> String {
    let slow = match machine.accel {
        Acceleration::Kvm => "",
        Acceleration::Tcg if handover.is_some() => "; emulated, so give it a few minutes",
        Acceleration::Tcg => "; emulated, so give it a minute",
    };
    let mut lines =
        vec![format!("booting {} {} for {}{slow}", manifest.profile, manifest.version, manifest.board)];
    match &machine.console_log {
        None => {
            lines.push(
                "to leave: Ctrl-A, then X (the plug is pulled), or `poweroff` in the machine".to_owned(),
            );
        }
        Some(log) => {
            lines.push(format!("console: {}", log.display()));
            lines.push("to leave: Ctrl-C (the plug is pulled)".to_owned());
        }
    }
    let ssh = forward::to(&machine.forwards, forward::SSH).unwrap_or_default();
    lines.push(if machine.authorized_keys.is_empty() {
        "ssh: no public key was found in ~/.ssh; give one with --ssh-key FILE".to_owned()
    } else {
        format!("ssh: ssh -p {ssh} root@127.0.0.1")
    });
    if let Some(handover) = handover {
        lines.push(format!("kubectl: kubectl --kubeconfig {} get nodes", handover.file().display()));
    }
    lines.join("\n") + "\n"
}

/// Waits for the end of QEMU, and meanwhile for what the machine has to say to its host.
fn attend(
    session: &Session,
    child: &mut Child,
    machine: &Machine<'_>,
    handover: Option<&Handover>,
) -> Result<ExitStatus> {
    let begun = Instant::now();
    // The console is the machine's where it is on our terminal: nothing of ours is written between.
    let say = |what: &str| {
        if machine.console_log.is_some() {
            session.terminal.say(what);
        }
    };
    let ssh = forward::to(&machine.forwards, forward::SSH).unwrap_or_default();
    let (mut up, mut late) = (machine.console_log.is_none(), false);
    let mut given = 0;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if !up && answers(ssh) {
            say(&format!("up after {} s: ssh answers", begun.elapsed().as_secs()));
            up = true;
        }
        if !up && !late && begun.elapsed() > LATE {
            say("not up yet after 5 minutes; the console log may say why");
            late = true;
        }
        if let Some(handover) = handover {
            let now = handover.length();
            if now != given && handover.poll()? {
                given = now;
                say(&format!(
                    "kubeconfig after {} s: {}",
                    begun.elapsed().as_secs(),
                    handover.file().display()
                ));
            }
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn spawn(command: &mut Command) -> Result<Child> {
    command.spawn().with_context(|| format!("QEMU cannot be started: {}", shell(command)))
}

/// Whether a machine's ssh server greets. QEMU accepts the connection before the machine does.
fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut greeting = [0; 4];
    stream.set_read_timeout(Some(Duration::from_secs(2))).is_ok()
        && stream.read_exact(&mut greeting).is_ok()
        && &greeting == b"SSH-"
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
