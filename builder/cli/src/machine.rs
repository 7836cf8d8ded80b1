//! A board as QEMU plays it: the plan of a command line. Nothing here starts anything.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use base64::prelude::{BASE64_STANDARD, Engine};
use geminios_model::Board;

/// A machine to start.
pub struct Machine<'a> {
    pub board: &'a Board,
    pub accel: Acceleration,
    /// MiB.
    pub memory: u32,
    pub cpus: u32,
    pub disk: PathBuf,
    /// What the clock says at the start, as `-rtc base=` takes it; the right time if none.
    pub clock: Option<String>,
    pub firmware_code: PathBuf,
    pub firmware_vars: PathBuf,
    /// QEMU's data folders.
    pub data: Vec<PathBuf>,
    /// TCP ports on 127.0.0.1 that lead into the machine.
    pub forwards: Vec<Forward>,
    /// Where what the machine writes to its port `org.geminios.kubeconfig` goes.
    pub kubeconfig: Option<PathBuf>,
    /// Lines for ~root/.ssh/authorized_keys.
    pub authorized_keys: String,
    /// Log the console here; otherwise it is on standard input and output.
    pub console_log: Option<PathBuf>,
    /// No way out of the machine but the forwarded ports.
    pub isolated: bool,
    /// A command for each connection that the machine makes to port 80 of [`REACHED`].
    pub reach: Option<String>,
    /// What is on a USB stick in the machine.
    pub stick: Option<PathBuf>,
    /// Cables to other machines.
    pub cables: Vec<Cable>,
    /// Name and content of what systemd is handed over at start.
    pub credentials: Vec<(String, Vec<u8>)>,
}

/// One end of a cable between two machines on this host: each sends to the other's Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cable {
    /// Hardware address of this end.
    pub mac: String,
    pub mine: PathBuf,
    pub other: PathBuf,
}

impl std::str::FromStr for Cable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(',').collect();
        let [mac, mine, other] = parts[..] else {
            return Err("not MAC,MINE,OTHER: the hardware address of this end and two Unix sockets".into());
        };
        let bytes: Vec<Option<u8>> = mac
            .split(':')
            .map(|byte| {
                u8::from_str_radix(byte, 16).ok().filter(|_| byte.len() == 2 && !byte.starts_with('+'))
            })
            .collect();
        match bytes[..] {
            // IEEE 802: bit 0 of the first byte is set in addresses of groups.
            [Some(first), Some(_), Some(_), Some(_), Some(_), Some(_)] if first & 1 == 0 => {}
            _ => {
                return Err(format!(
                    "`{mac}` is no hardware address of one machine, such as 52:54:00:00:00:0a"
                ));
            }
        }
        Ok(Cable { mac: mac.to_owned(), mine: mine.into(), other: other.into() })
    }
}

/// Address in a machine's network that leads to a port of this host's loopback.
const REACHED: &str = "10.0.2.100";

/// A TCP port of the host's loopback that leads to one of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    pub host: u16,
    /// An address that the machine answers for beside the one it got by DHCP.
    pub address: Option<Ipv4Addr>,
    pub machine: u16,
}

impl Forward {
    /// What it adds to `-netdev user`.
    pub fn option(self) -> String {
        let address = self.address.map_or_else(String::new, |address| address.to_string());
        format!(",hostfwd=tcp:127.0.0.1:{}-{address}:{}", self.host, self.machine)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceleration {
    Kvm,
    Tcg,
}

impl Machine<'_> {
    /// The arguments of the board's QEMU program.
    pub fn arguments(&self) -> Vec<String> {
        let qemu = &self.board.qemu;
        let mut args =
            vec!["-nodefaults".to_owned(), "-no-user-config".into(), "-display".into(), "none".into()];
        let mut arg = |name: &str, value: String| args.extend([name.to_owned(), value]);
        for dir in &self.data {
            arg("-L", path(dir));
        }
        arg("-machine", qemu.machine.clone());
        match self.accel {
            Acceleration::Kvm => {
                arg("-accel", "kvm".into());
                arg("-cpu", "host".into());
            }
            // One translator thread a guest processor: without it emulation uses one core.
            Acceleration::Tcg => {
                arg("-accel", "tcg,thread=multi".into());
                arg("-cpu", qemu.cpu.clone());
            }
        }
        arg("-m", self.memory.to_string());
        arg("-smp", self.cpus.to_string());
        if let Some(clock) = &self.clock {
            arg("-rtc", format!("base={clock}"));
        }
        arg("-drive", format!("if=pflash,unit=0,format=raw,readonly=on,file={}", path(&self.firmware_code)));
        arg("-drive", format!("if=pflash,unit=1,format=raw,file={}", path(&self.firmware_vars)));
        arg("-drive", format!("if=none,id=disk,format=raw,discard=unmap,file={}", path(&self.disk)));
        arg("-device", "virtio-blk-pci,drive=disk,bootindex=0".into());
        arg("-device", "virtio-rng-pci".into());
        let restrict = if self.isolated { "on" } else { "off" };
        let forwards = self.forwards.iter().map(|forward| forward.option());
        let reach = self.reach.iter().map(|command| {
            let command = command.replace(',', ",,");
            format!(",guestfwd=tcp:{REACHED}:80-cmd:{command}")
        });
        arg(
            "-netdev",
            format!("user,id=lan,restrict={restrict}{}", forwards.chain(reach).collect::<String>()),
        );
        arg("-device", "virtio-net-pci,netdev=lan,romfile=".into());
        for (number, Cable { mac, mine, other }) in self.cables.iter().enumerate() {
            let (mine, other) = (path(mine), path(other));
            let ends = format!("local.type=unix,local.path={mine},remote.type=unix,remote.path={other}");
            arg("-netdev", format!("dgram,id=cable{number},{ends}"));
            arg("-device", format!("virtio-net-pci,netdev=cable{number},mac={mac},romfile="));
        }
        if let Some(file) = &self.kubeconfig {
            arg("-chardev", format!("file,id=kubeconfig,path={}", path(file)));
            arg("-device", "virtio-serial-pci".into());
            arg("-device", "virtserialport,chardev=kubeconfig,name=org.geminios.kubeconfig".into());
        }
        if let Some(file) = &self.stick {
            arg("-drive", format!("if=none,id=stick,format=raw,file={}", path(file)));
            arg("-device", "qemu-xhci".into());
            arg("-device", "usb-storage,drive=stick,removable=on".into());
        }
        if let Some(watchdog) = &qemu.watchdog {
            arg("-device", watchdog.clone());
            arg("-action", "watchdog=reset".into());
        }
        for credential in self.credentials() {
            arg("-smbios", format!("type=11,value={}", credential.replace(',', ",,")));
        }
        match &self.console_log {
            None => arg("-serial", "mon:stdio".into()),
            Some(log) => arg("-serial", format!("file:{}", path(log))),
        }
        args
    }

    /// A developer's access, handed over at start (systemd.system-credentials(7)); none of it is in an image.
    fn credentials(&self) -> Vec<String> {
        let mut out = vec![
            "io.systemd.credential:agetty.autologin=root".to_owned(),
            "io.systemd.credential:login.noauth=yes".to_owned(),
        ];
        if !self.authorized_keys.is_empty() {
            let keys = BASE64_STANDARD.encode(&self.authorized_keys);
            out.push(format!("io.systemd.credential.binary:ssh.authorized_keys.root={keys}"));
        }
        let given = self.credentials.iter().map(|(name, content)| {
            format!("io.systemd.credential.binary:{name}={}", BASE64_STANDARD.encode(content))
        });
        out.extend(given);
        out
    }
}

/// A path in a QEMU option, where a comma is written twice.
fn path(path: &std::path::Path) -> String {
    path.display().to_string().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_of_a_cable_has_an_address_and_two_sockets() {
        let cable: Cable = "52:54:00:00:77:0a,/tmp/a,/tmp/b".parse().unwrap();
        assert_eq!(cable.mac, "52:54:00:00:77:0a");
        assert_eq!((cable.mine, cable.other), ("/tmp/a".into(), "/tmp/b".into()));
        for (text, why) in [
            ("52:54:00:00:77:0a,/tmp/a", "MAC,MINE,OTHER"),
            ("52:54:00:00:77,/tmp/a,/tmp/b", "no hardware address"),
            ("52:54:00:00:77:+a,/tmp/a,/tmp/b", "no hardware address"),
            ("53:54:00:00:77:0a,/tmp/a,/tmp/b", "of one machine"),
        ] {
            let refused = text.parse::<Cable>().unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }
}
