use geminios_compose::{Installed, Share};
use geminios_model::{Digest, Profile, Source, parse};

use super::Sealed;

const PROFILE: &str = r#"name = "x86-edge"
description = "test"
version = "1"
boards = ["generic"]
overlays = ["base"]

[[archive]]
name = "debian"
suites = ["trixie"]
components = ["main"]
keys = ["debian.gpg"]

[sizes]
esp = 128
root = 240
root-verity = 2
config = 16
var-min = 512

[budget]
root = 230
"#;

fn check(erofs_size: u64, verity_size: u64) -> Result<(), String> {
    let source = Source::new("profiles/x86-edge.toml", PROFILE);
    let profile: Profile = parse(&source).expect("a profile");
    let share = Share { own: 1_500_000, packages: [("linux-image".to_owned(), 120_000_000)].into() };
    let installed = Installed { overlays: [("base".to_owned(), share)].into() };
    let (erofs, verity) = ("root.erofs".into(), "root.verity".into());
    let sealed = Sealed { erofs, erofs_size, verity, verity_size, root_hash: Digest::of("") };
    sealed.check_room(&profile, &source, &installed).map_err(|error| error.to_string())
}

#[test]
fn what_fits_is_let_through() {
    assert_eq!(check(230_000_000, 2 << 20), Ok(()));
}

#[test]
fn a_root_above_its_slot_names_the_line_and_what_weighs() {
    let expected = "the sealed root is too large: 251658241 bytes, its root slot has 251658240 (profiles/x86-edge.toml:15)\n\
        Installed, before compression:\n 121.5 MB  base\n 120.0 MB    linux-image\n  \
        help: take packages out, prune more, or write root = 241";
    assert_eq!(check((240 << 20) + 1, 0), Err(expected.to_owned()));
}

#[test]
fn a_root_above_its_budget_is_refused() {
    let error = check(230_000_001, 0).expect_err("above its budget");
    assert!(error.contains("its budget has 230000000 (profiles/x86-edge.toml:21)"), "{error}");
    assert!(error.ends_with("write root = 231"), "{error}");
}

#[test]
fn a_hash_tree_above_its_slot_is_refused() {
    let error = check(0, (2 << 20) + 1).expect_err("above its slot");
    assert!(error.contains("its slot of the hash tree has 2097152 (profiles/x86-edge.toml:16)"), "{error}");
}
