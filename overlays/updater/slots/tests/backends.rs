//! U-Boot's environment and the Raspberry Pi's autoboot.txt, on real bytes.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use geminios_slots::backend::{Autoboot, Backend, Entry, Environment, Pair, RpiTryboot, UbootEnv};
use geminios_slots::gpt::GptError;
use geminios_slots::{Blob, Event, Journal, Observed, Release, RootHash, Sha256Sum, Slot, Step};

const SIZE: usize = 0x1000;

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |c, b| {
        (0..8).fold(c ^ u32::from(*b), |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 })
    })
}

fn copy(flag: u8, text: &str) -> Vec<u8> {
    let mut data = text.replace('\n', "\0").into_bytes();
    data.resize(SIZE - 5, 0);
    [&crc(&data).to_le_bytes()[..], &[flag], &data].concat()
}

fn release() -> Release {
    let blob = Blob { size: 4096, sha256: Sha256Sum([0; 32]) };
    Release { version: "2".into(), root_hash: RootHash([2; 32]), root: blob, verity: blob, uki: blob }
}

/// A machine of which only the boot loader's bytes matter; slot A runs.
fn seen(boot_bytes: Vec<Vec<u8>>, journal: Journal) -> Observed {
    Observed {
        running: RootHash([1; 32]),
        last_block: 0,
        primary: Err(GptError::NoDisk),
        backup: Err(GptError::NoDisk),
        ukis: Vec::new(),
        esp_room: 0,
        esp_writable: true,
        journal: Ok(journal),
        journal_room: 1 << 20,
        boot_bytes,
    }
}

/// The boot script of RAUC's documentation: takes the first slot that has tries left, and counts one down.
fn uboot_starts(copies: &mut [Vec<u8>]) -> Option<Slot> {
    let pair = Pair::parse(copies).unwrap();
    let get = |name: &str| pair.environment.get(name).map(str::to_owned);
    for word in get("BOOT_ORDER").unwrap_or("A B".into()).split(' ') {
        let name = format!("BOOT_{word}_LEFT");
        let left: u32 = get(&name).unwrap_or("3".into()).parse().unwrap();
        if left > 0 {
            let (copy, bytes) = pair.changed(&[(&name, &(left - 1).to_string())]).unwrap();
            copies[copy] = bytes;
            return Some(if word == "A" { Slot::A } else { Slot::B });
        }
    }
    None
}

fn done(copies: &mut [Vec<u8>], steps: &[Step]) {
    for step in steps {
        if let Step::WriteBootBytes { copy, bytes } = step {
            assert_eq!(copies[*copy].len(), bytes.len());
            copies[*copy] = bytes.clone();
        }
    }
}

/// All that a cut can leave of these steps, each sector of each write lost, kept or halved.
fn cuts(before: &[Vec<u8>], steps: &[Step]) -> Vec<Vec<Vec<u8>>> {
    let (mut states, mut now) = (vec![before.to_vec()], before.to_vec());
    for step in steps {
        let Step::WriteBootBytes { copy, bytes } = step else { continue };
        for length in (0..bytes.len()).step_by(16) {
            for (from, to) in [(0, length), (length, bytes.len()), (length, (length + 16).min(bytes.len()))] {
                let mut torn = now.clone();
                torn[*copy][from..to].copy_from_slice(&bytes[from..to]);
                states.push(torn);
            }
        }
        now[*copy] = bytes.clone();
        states.push(now.clone());
    }
    states
}

#[test]
fn uboot_an_update_from_arming_to_blessing_and_to_running_out_of_tries() {
    let mut copies = vec![copy(1, "BOOT_ORDER=A B\nBOOT_A_LEFT=9\nBOOT_B_LEFT=0\nother=kept\n"), copy(0, "")];
    assert_eq!(uboot_starts(&mut copies), Some(Slot::A));
    let now = seen(copies.clone(), Journal::default());
    assert_eq!(
        [UbootEnv.entry(&now, Slot::A), UbootEnv.entry(&now, Slot::B)],
        [Entry::Blessed, Entry::Exhausted]
    );
    done(&mut copies, &UbootEnv.bless(&now, Slot::A).unwrap());
    let now = seen(copies.clone(), Journal::default());
    assert_eq!(UbootEnv.bless(&now, Slot::A), Ok(vec![]));
    let mut steps = UbootEnv.disarm(&now, Slot::B);
    steps.extend(UbootEnv.arm(&now, Slot::B, &release()).unwrap());
    let before = copies.clone();
    done(&mut copies, &steps);
    // At every cut A, or B with its tries, is started; an environment always counts.
    for mut state in cuts(&before, &steps) {
        assert!(uboot_starts(&mut state).is_some());
    }
    let armed = copies.clone();
    for left in [2, 1, 0] {
        assert_eq!(uboot_starts(&mut copies), Some(Slot::B));
        let pair = Pair::parse(&copies).unwrap();
        assert_eq!(pair.environment.get("BOOT_B_LEFT"), Some(left.to_string().as_str()));
        assert_eq!(pair.environment.get("other"), Some("kept"));
    }
    assert_eq!(uboot_starts(&mut copies), Some(Slot::A));
    let mut copies = armed;
    assert_eq!(uboot_starts(&mut copies), Some(Slot::B));
    let now = seen(copies.clone(), Journal::default());
    assert_eq!(UbootEnv.entry(&now, Slot::B), Entry::Trying(2));
    let steps = UbootEnv.bless(&now, Slot::B).unwrap();
    for mut state in cuts(&copies, &steps) {
        assert_eq!(uboot_starts(&mut state), Some(Slot::B));
    }
    done(&mut copies, &steps);
    let now = seen(copies.clone(), Journal::default());
    assert_eq!(
        [UbootEnv.entry(&now, Slot::A), UbootEnv.entry(&now, Slot::B)],
        [Entry::Blessed, Entry::Blessed]
    );
    // Back to A; when its tries are gone, B is started again.
    done(&mut copies, &UbootEnv.swap(&now, Slot::B).unwrap());
    let starts: Vec<_> = (0..4).map(|_| uboot_starts(&mut copies).unwrap()).collect();
    assert_eq!(starts, [Slot::A, Slot::A, Slot::A, Slot::B]);
}

#[test]
fn uboot_a_disarmed_slot_is_not_started_even_if_nothing_else_is_left() {
    let mut copies = vec![copy(1, "BOOT_ORDER=A B\nBOOT_A_LEFT=1\nBOOT_B_LEFT=9\n"), copy(0, "")];
    let now = seen(copies.clone(), Journal::default());
    done(&mut copies, &UbootEnv.disarm(&now, Slot::B));
    assert_eq!(uboot_starts(&mut copies), Some(Slot::A));
    assert_eq!(uboot_starts(&mut copies), None);
    assert_eq!(UbootEnv.entry(&seen(copies, Journal::default()), Slot::B), Entry::None);
}

#[test]
fn uboot_which_copy_counts() {
    let table: [(u8, u8, usize); 6] =
        [(1, 2, 1), (2, 1, 0), (5, 5, 0), (255, 0, 1), (0, 255, 0), (254, 255, 1)];
    for (first, second, active) in table {
        let pair = Pair::parse(&[copy(first, "a=0\n"), copy(second, "a=1\n")]).unwrap();
        assert_eq!(
            (pair.active, pair.environment.get("a")),
            (active, Some(["0", "1"][active])),
            "{first} {second}"
        );
        let (written, bytes) = pair.changed(&[("a", "2")]).unwrap();
        assert_eq!(written, 1 - active);
        let mut copies = [copy(first, "a=0\n"), copy(second, "a=1\n")];
        copies[written] = bytes;
        assert_eq!(Pair::parse(&copies).unwrap().environment.get("a"), Some("2"), "{first} {second}");
    }
    assert!(Pair::parse(&[copy(1, "a\n"), vec![0; SIZE]]).is_err());
    assert!(Pair::parse(&[copy(1, "a=1\n")]).is_err());
}

#[test]
fn autoboot_however_a_write_is_torn_the_old_or_the_new_slot_is_started() {
    let pi = RpiTryboot { boot_a: 2, boot_b: 3 };
    let text = b"[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n".to_vec();
    let armed = Event::Armed { slot: Slot::B, version: "2".into(), root_hash: RootHash([2; 32]) };
    let now = seen(vec![text.clone()], Journal::default().after(&armed, None));
    assert_eq!([pi.entry(&now, Slot::A), pi.entry(&now, Slot::B)], [Entry::Blessed, Entry::Trying(1)]);
    assert_eq!(pi.arm(&now, Slot::B, &release()), Ok(vec![]));
    let steps = pi.bless(&now, Slot::B).unwrap();
    let [Step::WriteBootBytes { bytes, .. }, Step::FlushBootBytes] = &steps[..] else { panic!("{steps:?}") };
    let wanted = b"[all]\ntryboot_a_b=1\nboot_partition=3\n[tryboot]\nboot_partition=2\n";
    assert_eq!(bytes, wanted);
    for from in 0..=text.len() {
        for to in from..=text.len() {
            let mut torn = text.clone();
            torn[from..to].copy_from_slice(&bytes[from..to]);
            let file = Autoboot::parse(&torn).unwrap();
            assert!([2, 3].contains(&file.always));
            // Cleaned up, one can be started and the other tried.
            let mut copies = vec![torn.clone()];
            done(&mut copies, &pi.settle(&seen(vec![torn], Journal::default())));
            let file = Autoboot::parse(&copies[0]).unwrap();
            assert_ne!(file.always, file.once);
        }
    }
}

#[test]
fn autoboot_in_another_form_is_refused() {
    for text in [
        "",
        "[all]\n",
        "[all]\ntryboot_a_b=1\nboot_partition=0\n[tryboot]\nboot_partition=3\n",
        "[all]\ntryboot_a_b=1\nboot_partition=12\n[tryboot]\nboot_partition=3\n",
        "\u{ff}",
    ] {
        assert!(Autoboot::parse(text.as_bytes()).is_err(), "{text:?}");
    }
}

/// Random bytes, some with a right checksum; and good ones with a changed byte.
#[test]
fn no_bytes_make_a_parser_stop_the_program() {
    let mut state = 1u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let good = [
        copy(1, "a=1\nb=2\n")[..600].to_vec(),
        Autoboot { always: 2, once: 3 }.encode(),
        Journal::default().encode().unwrap(),
    ];
    let mut accepted = 0;
    for round in 0..30_000 {
        let mut bytes: Vec<u8> = match round % 4 {
            3 => (0..random() % 600).map(|_| [0, b'=', b'a', random() as u8][random() % 4]).collect(),
            n => good[n].clone(),
        };
        for _ in 0..random() % 3 {
            let at = random() % bytes.len().max(1);
            bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = random() as u8);
        }
        if round % 2 == 1 && bytes.len() > 5 {
            let sum = crc(&bytes[5..]).to_le_bytes();
            bytes[..4].copy_from_slice(&sum);
        }
        if let Ok(environment) = Environment::parse(&bytes) {
            accepted += 1;
            assert_eq!(Environment::parse(&environment.encode().unwrap()), Ok(environment));
        }
        let _ = (Autoboot::parse(&bytes), Journal::parse(&bytes));
        let mut read = |at: u64, buffer: &mut [u8]| {
            Ok(bytes.get(at as usize..).map_or(0, |rest| {
                let length = rest.len().min(buffer.len());
                buffer[..length].copy_from_slice(&rest[..length]);
                length
            }))
        };
        let _ = geminios_slots::uki::read(&mut read, false);
    }
    assert!(accepted > 100, "{accepted}");
}

/// libubootenv's fw_printenv and fw_setenv judge our bytes. Without them the test is skipped with a word;
/// GEMINIOS_ORACLES=required makes it fail.
#[test]
fn fw_printenv_and_fw_setenv_agree() {
    let dir = tempfile::tempdir().unwrap();
    let (file, config) = (dir.path().join("environment"), dir.path().join("fw_env.config"));
    let places = format!("{0} 0x0 {SIZE:#x}\n{0} {SIZE:#x} {SIZE:#x}\n", file.display());
    std::fs::write(&config, places).unwrap();
    let print = |name: &str| fw("fw_printenv", &config, &["-n", name]);
    let write = |copies: &[Vec<u8>]| std::fs::write(&file, copies.concat()).unwrap();
    let read = || std::fs::read(&file).unwrap().chunks(SIZE).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let mut copies =
        vec![copy(1, "BOOT_ORDER=A B\nBOOT_A_LEFT=9\nBOOT_B_LEFT=0\n"), copy(0, "BOOT_ORDER=none\n")];
    write(&copies);
    let Some(order) = print("BOOT_ORDER") else { return };
    assert_eq!(order, "A B");
    // What we write, it reads: through a wrap of the flag.
    for round in 0..600 {
        let pair = Pair::parse(&copies).unwrap();
        let (number, bytes) = pair.changed(&[("round", &round.to_string())]).unwrap();
        copies[number] = bytes;
        if round % 50 == 0 || (250..260).contains(&round) {
            write(&copies);
            assert_eq!(print("round"), Some(round.to_string()));
        }
    }
    let now = seen(copies.clone(), Journal::default());
    done(&mut copies, &UbootEnv.arm(&now, Slot::B, &release()).unwrap());
    write(&copies);
    assert_eq!(print("BOOT_ORDER").unwrap(), "B A");
    assert_eq!(print("BOOT_B_LEFT").unwrap(), "3");
    // A torn write: it takes the other copy, as we do.
    let steps = UbootEnv.bless(&seen(copies.clone(), Journal::default()), Slot::B).unwrap();
    for state in cuts(&copies, &steps).into_iter().step_by(40) {
        write(&state);
        let ours = Pair::parse(&state).unwrap().environment.get("BOOT_B_LEFT").map(str::to_owned);
        assert_eq!(print("BOOT_B_LEFT"), ours);
    }
    // What it writes, we read.
    write(&copies);
    for value in ["2", "1", "0"] {
        fw("fw_setenv", &config, &["BOOT_B_LEFT", value]).unwrap();
        let pair = Pair::parse(&read()).unwrap();
        assert_eq!(pair.environment.get("BOOT_B_LEFT"), Some(value));
        assert_eq!(pair.environment.get("round"), Some("599"));
    }
}

fn fw(tool: &str, config: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(
        std::env::var_os("GEMINIOS_FW_ENV").map_or(PathBuf::from(tool), |dir| Path::new(&dir).join(tool)),
    );
    match command.arg("-c").arg(config).args(arguments).output() {
        Ok(output) => {
            assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
            Some(String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
        }
        Err(error) => {
            assert!(std::env::var_os("GEMINIOS_ORACLES").is_none(), "{command:?}: {error}");
            println!("skipped: {command:?}: {error}");
            None
        }
    }
}
