//! Whether KVM really runs our kernel here. That /dev/kvm opens is no proof: on some nested hosts a guest's kernel
//! hangs, so a short probe guest decides.

use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result};
use geminios_model::{Board, Digest};
use geminios_unpack::ToolSet;

use crate::machine::Acceleration;
use crate::session::Session;
use crate::verbs::run::data_folders;

/// What our initrd prints when it has no root hash: the kernel came up and ran it.
const MARK: &str = "geminios-init";
/// A kernel under working KVM prints it within two seconds.
const PATIENCE: Duration = Duration::from_secs(15);

/// KVM if a probe guest runs under it, else emulation. The answer is kept until the host restarts.
pub fn acceleration(session: &Session, qemu: &ToolSet, board: &Board, uki: &Path) -> Result<Acceleration> {
    if std::fs::File::options().read(true).write(true).open("/dev/kvm").is_err() {
        return Ok(Acceleration::Tcg);
    }
    let host = std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let uki = std::fs::read(uki).with_context(|| format!("{} cannot be read", uki.display()))?;
    let key = Digest::of_parts([host.as_slice(), &uki, qemu.digest().bytes()]);
    let answers = session.steps()?.put("kvm-probe", &key, |dir| -> Result<()> {
        let works = probe(qemu, board, &uki, dir)?;
        std::fs::write(dir.join("answer"), if works { "kvm" } else { "tcg" })?;
        Ok(())
    })?;
    let works = std::fs::read_to_string(answers.join("answer"))? == "kvm";
    if !works {
        session.terminal.say("KVM is there but a guest's kernel does not run under it: emulating");
    }
    Ok(if works { Acceleration::Kvm } else { Acceleration::Tcg })
}

fn probe(qemu: &ToolSet, board: &Board, uki: &[u8], dir: &Path) -> Result<bool> {
    let (kernel, initrd) = (dir.join("kernel"), dir.join("initrd"));
    for (name, path) in [(".linux", &kernel), (".initrd", &initrd)] {
        let bytes =
            geminios_boot::section(uki, name).with_context(|| format!("the kernel image has no {name}"))?;
        std::fs::write(path, bytes)?;
    }
    let mut command = qemu.command(&board.qemu.program);
    for data in data_folders(qemu) {
        command.arg("-L").arg(data);
    }
    let mut guest = command
        .args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio"])
        .args(["-machine", &board.qemu.machine, "-accel", "kvm", "-cpu", "host", "-m", "512"])
        .args(["-append", "console=ttyS0 panic=-1"])
        .arg("-kernel")
        .arg(&kernel)
        .arg("-initrd")
        .arg(&initrd)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut output = guest.stdout.take().context("no console")?;
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let mut buffer = [0; 1024];
        while let Ok(n @ 1..) = output.read(&mut buffer) {
            text.extend_from_slice(&buffer[..n]);
            if String::from_utf8_lossy(&text).contains(MARK) {
                let _ = send.send(());
                return;
            }
        }
    });
    let works = receive.recv_timeout(PATIENCE).is_ok();
    drop(guest.kill());
    guest.wait()?;
    std::fs::remove_file(kernel)?;
    std::fs::remove_file(initrd)?;
    Ok(works)
}
