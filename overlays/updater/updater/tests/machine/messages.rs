//! Everything that `status` and refusals say, as a person sees it.

use std::path::PathBuf;

use geminios_slots::gpt::{GptError, Side};
use geminios_slots::{Image, Refusal, RootHash, Slot};
use geminios_updater::args::{Format, HELP, Verb};
use geminios_updater::machine::MachineError;
use insta::assert_snapshot;

use crate::system::System;
use crate::watch::{on_trial, plain};
use crate::world::{World, says};

fn status(world: &World) -> String {
    world.run(&Verb::Status { format: Format::Text })
}

#[test]
fn status_of_a_device_from_its_first_start_to_a_fallback() {
    let (one, two) = (System::new("1.0.0"), System::new("1.1.0"));
    let world = plain(&one);
    world.boot("geminios_1.0.0+3.efi", &one);
    assert_snapshot!("first_start", status(&world));
    world.run(&Verb::Watch);
    assert_snapshot!("blessed", status(&world));
    world.install(&two);
    assert_snapshot!("armed", status(&world));
    world.boot("geminios_1.1.0+3.efi", &two);
    world.answers.set("systemctl list-units", says("kine.service loaded failed failed Kine\n"));
    let (started, paths) = (world.uptime.get(), world.paths());
    let uptime = world.uptime.clone();
    let seen = std::rc::Rc::new(std::cell::RefCell::new(String::new()));
    let kept = seen.clone();
    world.answers.when("systemctl reboot", move || {
        let report = geminios_updater::health::Report::read(&paths.state()).unwrap();
        let mut kept = kept.borrow_mut();
        if kept.is_empty() {
            *kept = format!("{:?} after {} s", report.phase, (uptime.get() - started).as_secs());
        }
    });
    assert_snapshot!("given_up", world.run(&Verb::Watch));
    assert_eq!(*seen.borrow(), "GivenUp after 880 s");
    assert_snapshot!("given_up_before_the_restart", status(&world));
    world.boot("geminios_1.0.0.efi", &one);
    world.answers.set("systemctl list-units", says(""));
    assert_snapshot!("watch_after_the_fallback", world.run(&Verb::Watch));
    assert_snapshot!("fallen_back", status(&world));
    assert_snapshot!("history", world.run(&Verb::History { format: Format::Text }));
}

#[test]
fn status_while_health_is_waited_for() {
    let (world, ..) = on_trial();
    let report = geminios_updater::health::Report {
        version: "2.0.0".into(),
        trial: true,
        phase: geminios_updater::health::Phase::Waiting,
        time: 1_795_780_830,
        deadline: Some(1_795_781_700),
        checks: vec![
            geminios_updater::health::Verdict { name: "units".into(), problem: None },
            geminios_updater::health::Verdict {
                name: "postgresql".into(),
                problem: Some("connection refused".into()),
            },
        ],
    };
    report.store(&world.paths().state()).unwrap();
    assert_snapshot!("waiting", status(&world));
    let json = world.run(&Verb::Status { format: Format::Json });
    let hashes = [System::new("1.0.0").hash, System::new("2.0.0").hash];
    let json =
        hashes.iter().zip(["A", "B"]).fold(json, |json, (hash, slot)| json.replace(&hash.to_string(), slot));
    assert_snapshot!("waiting_json", json);
}

#[test]
fn what_the_verbs_say() {
    let (world, ..) = on_trial();
    let mut said = String::new();
    let verbs = [
        Verb::Recover,
        Verb::Recover,
        Verb::Probe,
        Verb::Bless { now: false },
        Verb::Bless { now: true },
        Verb::Rollback,
    ];
    for verb in verbs {
        said.push_str(&format!("$ geminios-updater {}\n{}\n", verb.name(), world.run(&verb)));
    }
    assert_snapshot!("verbs", said);
}

#[test]
fn a_disk_in_which_something_is_wrong() {
    use std::os::unix::fs::FileExt as _;
    let one = System::new("1.0.0");
    let world = plain(&one);
    let disk = std::fs::File::options().write(true).open(world.path("/dev/vda")).unwrap();
    disk.write_all_at(&[0xff; 512], 1024).unwrap();
    assert_snapshot!("torn_table", status(&world));
    disk.write_all_at(&[0; 1024], 16 * 1024 * 1024 - 1024).unwrap();
    let said = format!("{}\n{}", status(&world), world.run(&Verb::Recover));
    assert_snapshot!("no_table", said);
}

#[test]
fn every_refusal() {
    let text = |text: &str| text.to_owned();
    let error = GptError::EntriesChecksum;
    let all = [
        Refusal::Table { side: Side::Backup, error: error.clone() },
        Refusal::NoTable(error),
        Refusal::TableNotAtEnd,
        Refusal::NoPartition("root-b"),
        Refusal::RunningUnknown(RootHash([0xab; 32])),
        Refusal::RunningHasNoEntry,
        Refusal::Unsettled,
        Refusal::RunningNotBlessed { version: text("1.0.0") },
        Refusal::RunningBlessed { version: text("1.0.0") },
        Refusal::AlreadyRunning { version: text("1.0.0") },
        Refusal::AlreadyArmed { version: text("1.1.0"), slot: Slot::B },
        Refusal::NotNewer { version: text("1.0.0"), running: text("1.1.0") },
        Refusal::Version(text("1+2")),
        Refusal::FailedBefore { version: text("1.1.0"), reason: text("check units: failed: kine.service") },
        Refusal::CounterUnproven,
        Refusal::SlotTooSmall { image: Image::Root, needed: 900, room: 800 },
        Refusal::ImageSize { image: Image::Verity, size: 4097 },
        Refusal::EspFull { needed: 30_000_000, free: 1_000_000 },
        Refusal::EspReadOnly,
        Refusal::JournalFull { needed: 262_144, free: 0 },
        Refusal::NothingOlder,
        Refusal::NothingElse { state: text("empty") },
        Refusal::BootBytes(text("no copy has a valid checksum")),
    ];
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    assert_snapshot!("refusals", all.join("\n\n"));
}

#[test]
fn every_way_in_which_a_machine_is_wrong() {
    let text = |text: &str| text.to_owned();
    let node = || PathBuf::from("/dev/vda1");
    let error = |kind: std::io::ErrorKind| std::io::Error::new(kind, kind.to_string());
    use std::io::ErrorKind::{InvalidData, PermissionDenied, StorageFull};
    let all = [
        MachineError::Io { verb: "open", path: "/dev/vda".into(), error: error(PermissionDenied) },
        MachineError::Io { verb: "write", path: "/var/lib/x".into(), error: error(StorageFull) },
        MachineError::Busy { holder: text("process 417 (install)") },
        MachineError::Image(error(InvalidData)),
        MachineError::NoRootHash,
        MachineError::RootOnNoSlot { root: text("8:2") },
        MachineError::Kernel { path: "/sys/size".into(), text: text("many\n") },
        MachineError::NoEsp { disk: "/dev/vda".into() },
        MachineError::EspMounted { node: node(), at: "/efi".into() },
        MachineError::Fsck {
            node: node(),
            outcome: text("Logical sector size (43690 bytes) is not a multiple of the physical sector size."),
        },
        MachineError::EspMount { node: node(), error: error(InvalidData) },
        MachineError::NoBootBytes { boot: text("uboot-env") },
        MachineError::UnknownBoot { boot: text("lilo") },
        MachineError::Observe(error(InvalidData)),
    ];
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    assert_snapshot!("machine", all.join("\n\n"));
}

#[test]
fn help() {
    assert_snapshot!("help", HELP);
}
