//! Releases as targets.json lists them, and release.json that must be the one that is listed.

#[path = "../format/made.rs"]
mod made;

use geminios_update_format::json::Value;
use geminios_update_format::name::version;
use geminios_update_format::release::Release;
use geminios_update_format::write::TargetEntry;
use geminios_update_format::{Error, Kind, Trusted};

use super::made::release;
use made::{NOW, Plan, refresh};

fn custom(profile: &str, board: &str, channels: &[&str], number: &str) -> Value {
    TargetEntry::release_custom(profile, board, "amd64", channels, &version(number).unwrap())
}

fn trusted(entries: &[(&str, &[u8], Option<Value>)]) -> Trusted {
    let mut plan = Plan::new();
    for (name, bytes, custom) in entries {
        plan.targets.insert((*name).to_owned(), (bytes.to_vec(), custom.clone()));
    }
    let (files, mut state) = plan.repository();
    refresh(&files, &mut state, NOW).unwrap()
}

#[test]
fn the_newest_for_a_device_and_channel() {
    let entry = |number: &'static str, channels: &[&str]| {
        (format!("x86-edge/pc/{number}/release.json"), custom("x86-edge", "pc", channels, number))
    };
    let list = [
        entry("2026.9.0", &["stable"]),
        entry("2026.10.0", &["stable", "beta"]),
        entry("2026.10.1", &["beta"]),
        entry("2026.11.0-rc.1", &["edge"]),
    ];
    let list: Vec<(&str, &[u8], Option<Value>)> =
        list.iter().map(|(name, custom)| (name.as_str(), b"x".as_slice(), Some(custom.clone()))).collect();
    let trusted = trusted(&list);
    let newest = |board, channel| {
        let newest = trusted.newest("x86-edge", board, "amd64", channel).unwrap();
        newest.map(|release| release.version.to_string())
    };
    assert_eq!(newest("pc", "stable").as_deref(), Some("2026.10.0"));
    assert_eq!(newest("pc", "beta").as_deref(), Some("2026.10.1"));
    assert_eq!(newest("pc", "edge").as_deref(), Some("2026.11.0-rc.1"));
    assert_eq!((newest("pc", "none"), newest("rpi4", "stable")), (None, None));
    assert_eq!(trusted.newest("x86-edge", "pc", "arm64", "stable").unwrap(), None);
    assert_eq!(trusted.releases().unwrap().len(), 4);
}

#[test]
fn a_release_under_another_name_is_refused() {
    let name = "x86-edge/pc/2026.11.1/release.json";
    for wrong in [
        custom("other", "pc", &["stable"], "2026.11.1"),
        custom("x86-edge", "rpi4", &["stable"], "2026.11.1"),
        custom("x86-edge", "pc", &["stable"], "2026.11.2"),
    ] {
        let refusal = trusted(&[(name, b"x", Some(wrong))]).releases().unwrap_err();
        assert_eq!(refusal.kind(), Kind::Swapped);
    }
    for wrong in
        [None, Some(Value::Null), Some(Value::from([])), Some(custom("x86-edge", "pc", &[], "2026.11.1"))]
    {
        let refusal = trusted(&[(name, b"x", wrong)]).releases().unwrap_err();
        assert_eq!(refusal.kind(), Kind::Malformed);
    }
}

#[test]
fn a_signed_release_in_the_place_of_another_is_refused() {
    let name = "x86-edge/pc/2026.11.1/release.json";
    let open = |change: &dyn Fn(&mut Release)| -> Result<Release, Error> {
        let mut index = release();
        change(&mut index);
        let bytes = index.to_bytes().unwrap();
        // All is signed: only its contents tell.
        let trusted = trusted(&[(name, &bytes, Some(custom("x86-edge", "pc", &["stable"], "2026.11.1")))]);
        let listed = trusted.newest("x86-edge", "pc", "amd64", "stable").unwrap().unwrap();
        trusted.open(&listed, &bytes)
    };
    open(&|_| ()).unwrap();
    assert_eq!(
        open(&|index| index.board = "rpi4".into()).unwrap_err().to_string(),
        "x86-edge/pc/2026.11.1/release.json: board is rpi4, but the signed list says pc\n  help: the file belongs to another \
         release; publish the release again"
    );
    let changes: [&dyn Fn(&mut Release); 3] =
        [&|index| index.profile = "other".into(), &|index| index.arch = "arm64".into(), &|index| {
            index.version = version("2026.11.0").unwrap()
        }];
    for change in changes {
        assert_eq!(open(change).unwrap_err().kind(), Kind::Swapped);
    }
}

#[test]
fn any_flipped_bit_of_a_release_is_refused() {
    let mut bytes = release().to_bytes().unwrap();
    let custom = custom("x86-edge", "pc", &["stable"], "2026.11.1");
    let trusted = trusted(&[("x86-edge/pc/2026.11.1/release.json", &bytes, Some(custom))]);
    let listed = trusted.newest("x86-edge", "pc", "amd64", "stable").unwrap().unwrap();
    trusted.open(&listed, &bytes).unwrap();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(trusted.open(&listed, &bytes).unwrap_err().kind(), Kind::Hash, "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}
