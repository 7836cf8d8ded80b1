//! Programs that hang, that talk too much, that leave others behind.

use std::time::Duration;

use geminios_updater::machine::{
    Command, Commands as _, OpenEsp as _, Outcome, Partition, PrivateMount, Programs,
};
use tempfile::TempDir;

fn sh(script: &str, limit: u64) -> Outcome {
    Programs.run(&Command::new("sh", Duration::from_millis(limit)).args(&["-c", script]))
}

#[test]
fn what_is_told_of_an_end() {
    let table = [
        ("echo well; exit 0", "well"),
        ("echo first; echo 'the reason ' >&2; echo; exit 3", "the reason"),
        ("echo only this; exit 1", "only this"),
        ("exit 7", "exit status 7, and it said nothing"),
        ("printf 'red \\033[31mtext\\n' >&2; exit 1", "red [31mtext"),
        ("kill -9 $$", "signal: 9 (SIGKILL)"),
    ];
    for (script, expected) in table {
        assert_eq!(sh(script, 60_000).told(), expected, "{script}");
    }
    let missing = Programs.run(&Command::new("/no/such/program", Duration::from_secs(1)));
    assert!(missing.told().starts_with("it cannot be started: "), "{missing:?}");
}

#[test]
fn one_that_hangs_is_ended_with_all_that_it_started() {
    let folder = TempDir::new().unwrap();
    let pid = folder.path().join("pid");
    let script = format!("sleep 600 & echo $! > {}; echo started; wait", pid.display());
    let outcome = sh(&script, 5000);
    assert_eq!(outcome.told(), "it did not end within 5 s; it said: started");
    let stat = format!("/proc/{}/stat", std::fs::read_to_string(&pid).unwrap().trim());
    let is_gone = || std::fs::read_to_string(&stat).map_or(true, |state| state.contains(") Z "));
    // The kernel ends it in its own time.
    (0..600).take_while(|_| !is_gone()).for_each(|_| std::thread::sleep(Duration::from_millis(100)));
    assert!(is_gone());
}

#[test]
fn one_that_talks_for_ever_is_heard_a_little() {
    let outcome = sh("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last >&2", 60_000);
    assert_eq!((outcome.status, outcome.stdout.len(), outcome.told().as_str()), (Some(0), 16 << 10, "last"));
}

#[test]
fn one_that_leaves_another_with_its_output_open_is_not_waited_for() {
    let outcome = sh("sleep 30 & echo done", 60_000);
    assert_eq!(outcome.status, Some(0));
}

/// fsck.fat itself, on a file. The mount after it is refused, as a file is no device; nothing else can be seen here.
#[test]
fn the_esp_is_mended_before_it_is_mounted() {
    let folder = TempDir::new().unwrap();
    let node = folder.path().join("vda1");
    std::fs::File::create(&node).unwrap().set_len(40 << 20).unwrap();
    let fat = |program: &str, arguments: &[&str]| {
        let command = Command::new(program, Duration::from_secs(60)).args(arguments).arg(&node);
        Programs.run(&command)
    };
    let made = fat("mkfs.fat", &["-F", "32"]);
    if made.problem.is_some() {
        println!("skipped: {}", made.told());
        assert!(std::env::var_os("GEMINIOS_ORACLES").is_none(), "{made:?}");
        return;
    }
    let open = || {
        let partition = Partition { node: node.clone(), mounted: None };
        PrivateMount.open(&partition, true, &Programs).err().unwrap().to_string()
    };
    assert!(open().contains("cannot be mounted"), "{}", open());
    // The mark of a file system that was not unmounted, and one FAT that is not as the other.
    let file = std::fs::File::options().write(true).open(&node).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[1], 65).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[9, 9, 9, 0], 32 * 512 + 40).unwrap();
    assert!(!fat("fsck.fat", &["-n"]).is_success(), "it is damaged");
    assert!(open().contains("cannot be mounted"), "{}", open());
    assert!(fat("fsck.fat", &["-n"]).is_success(), "it was mended");

    std::fs::write(&node, vec![0xaa; 1 << 20]).unwrap();
    assert!(open().contains("cannot be mended: fsck.fat: "), "{}", open());

    let mounted = Partition { node: node.clone(), mounted: Some(folder.path().join("efi")) };
    let error = PrivateMount.open(&mounted, true, &Programs).err().unwrap().to_string();
    assert!(error.ends_with("leave that folder, and try again"), "{error}");
}
