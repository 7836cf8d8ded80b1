//! fsck.fat judges our model of it. Without it the test is skipped with a word; GEMINIOS_ORACLES=required makes it fail.

use std::process::Command;

use crate::cut::{Density, sweep};
use crate::fat::{Fat, check};
use crate::machine::Pages;
use crate::scenarios::systems;
use crate::updater::blessed;
use crate::world::{ESP, ESP_SIZE};

fn kernels(pages: &Pages) -> Vec<(String, Vec<u8>)> {
    let fat = Fat::open(pages, ESP).unwrap();
    let entries = fat.folder(&["EFI", "Linux"]).unwrap();
    let files = entries.into_iter().filter(|entry| !entry.folder);
    files.map(|entry| (entry.name.clone(), fat.read(&entry).expect("a whole chain"))).collect()
}

#[test]
fn fsck_fat_leaves_the_same_kernels_after_a_cut() {
    let all = systems();
    let systems = [&all.one, &all.two];
    let mut running = blessed(&all.one).start(&systems).unwrap();
    let before = running.off();
    running.install(&all.two).unwrap();
    let ops = running.device.machine.borrow().ops.clone();
    let from = ops.iter().position(|op| matches!(op, crate::machine::Op::Esp(..))).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let density = Density { from, every: 7, mixed: 2 };
    let cuts = sweep(&before, &ops, density, &mut |state, place| {
        std::fs::write(file.path(), state.pages.get(ESP, ESP_SIZE)).unwrap();
        let mut command = Command::new("fsck.fat");
        match command.arg("-a").arg(file.path()).output() {
            // 0: nothing was wrong; 1: it was mended.
            Ok(output) if matches!(output.status.code(), Some(0 | 1)) => {}
            Ok(output) => return Err(format!("{place}: {}", String::from_utf8_lossy(&output.stdout))),
            Err(error) => {
                assert!(std::env::var_os("GEMINIOS_ORACLES").is_none(), "{command:?}: {error}");
                println!("skipped: {command:?}: {error}");
                return Ok(());
            }
        }
        let (mut ours, mut theirs) = (state.pages.clone(), state.pages.clone());
        check(&mut ours, ESP);
        theirs.write(ESP, &std::fs::read(file.path()).unwrap());
        let (ours, theirs) = (kernels(&ours), kernels(&theirs));
        if ours == theirs { Ok(()) } else { Err(format!("{place}: {}", names(&ours, &theirs))) }
    });
    println!("{} cuts", cuts.unwrap_or_else(|why| panic!("{why}")));
}

fn names(ours: &[(String, Vec<u8>)], theirs: &[(String, Vec<u8>)]) -> String {
    let list = |files: &[(String, Vec<u8>)]| -> Vec<String> {
        files.iter().map(|(name, bytes)| format!("{name} {}", bytes.len())).collect()
    };
    format!("{:?} here, {:?} after fsck.fat", list(ours), list(theirs))
}
