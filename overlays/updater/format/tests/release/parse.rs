//! release.json: strict, and its sizes fit each other.

use geminios_update_format::Kind;
use geminios_update_format::release::{IMAGE, PIECE, Release};
use serde_json::{Value, json};

use crate::made::{json, read, release};

#[test]
fn what_is_written_is_read() {
    let release = release();
    let bytes = release.to_bytes().unwrap();
    assert_eq!(Release::parse("release.json", &bytes).unwrap(), release);
    assert_eq!(release.images().map(|(kind, _)| kind.as_str()), ["root", "verity", "uki"]);
}

/// Sets (or, with null, removes) the member at a JSON pointer; the error that comes of it.
fn with(pointer: &str, value: Value) -> String {
    let mut json = json();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    match json.pointer_mut(parent).unwrap() {
        Value::Object(map) if value.is_null() => assert!(map.remove(member).is_some(), "{pointer}"),
        Value::Object(map) => {
            assert_eq!(map.insert(member.into(), value).is_none(), member == "new", "{pointer}")
        }
        Value::Array(list) if value.is_null() => drop(list.remove(member.parse().unwrap())),
        Value::Array(list) => list[member.parse::<usize>().unwrap()] = value,
        _ => panic!("{pointer}"),
    }
    match read(&json) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_refused() {
    let too_many = vec![json!(0); 20_000];
    let cases = [
        ("/new", json!(1), "the whole: expected no member new"),
        ("/data/new", json!(1), "data: expected no member new"),
        ("/images/new", json!(1), "images: expected no member new"),
        ("/images/root/new", json!(1), "images.root: expected no member new"),
        ("/images/root/whole/0/new", json!(1), "no member new"),
        ("/images/root/whole/0/blob/new", json!(1), "no member new"),
        ("/images/root/deltas/0/new", json!(1), "no member new"),
        ("/images/root/deltas/0/pieces/0/base/new", json!(1), "no member new"),
        ("/format", json!(2), "it has format 2, this updater reads format 1"),
        ("/version", json!("1.0"), "expected a version"),
        ("/version", Value::Null, "with the member \"version\""),
        ("/profile", json!("../x"), "profile: expected a name"),
        ("/board", json!("PC"), "board: expected a name"),
        ("/arch", json!(""), "arch: expected a name"),
        ("/root_hash", json!("AB"), "root_hash: expected 64"),
        ("/built", json!("today"), "built: expected a time"),
        ("/updater", json!(0), "updater: expected a whole number"),
        ("/updater", json!(1.5), "no whole number"),
        ("/data/postgresql", json!(-1), "data.postgresql: expected"),
        ("/data/postgresql_converts", json!([17]), "rising major versions below 17"),
        ("/data/postgresql_converts", json!([16, 15]), "rising major versions below 17"),
        ("/data/kine_schema", Value::Null, "kine_schema"),
        ("/data/kubernetes_minor", json!("1.34"), "kubernetes_minor: expected"),
        ("/data/from", json!("x"), "data.from: expected a version"),
        ("/sbom/size", json!(0), "sbom.size: expected"),
        ("/sbom/size", json!(1 << 30), "sbom.size: expected"),
        ("/images/uki", Value::Null, "\"uki\""),
        ("/images/root/size", json!(0), "images.root.size: expected"),
        ("/images/root/size", json!(IMAGE + 1), "images.root.size: expected"),
        ("/images/root/size", json!((18 << 20) - 1), "pieces within the image's"),
        ("/images/root/size", json!((18 << 20) + 1), "pieces up to the image's end"),
        ("/images/root/whole", Value::Null, "\"whole\""),
        ("/images/root/whole", json!([]), "pieces up to the image's end"),
        ("/images/root/whole", json!(too_many), "at most 16384 pieces"),
        ("/images/root/whole/0", Value::Null, "expected offset 0"),
        ("/images/root/whole/1", Value::Null, "expected offset 4194304"),
        ("/images/root/whole/4", Value::Null, "pieces up to the image's end"),
        ("/images/root/whole/1/offset", json!((4 << 20) + 1), "expected offset 4194304"),
        ("/images/root/whole/1/offset", json!((4 << 20) - 1), "expected offset 4194304"),
        ("/images/root/whole/1/length", json!(0), "length: expected"),
        ("/images/root/whole/1/length", json!(PIECE + 1), "length: expected"),
        ("/images/root/whole/4/length", json!((2 << 20) + 1), "pieces within the image's"),
        ("/images/root/whole/4/length", json!((2 << 20) - 1), "pieces up to the image's end"),
        ("/images/root/whole/0/blob/size", json!((4 << 20) + (16 << 10) + 1025), "blob.size: expected"),
        ("/images/root/whole/0/blob/size", json!(0), "blob.size: expected"),
        ("/images/root/deltas", json!(too_many), "at most 32 deltas"),
        ("/images/root/deltas/0/pieces/4", Value::Null, "pieces up to the image's end"),
        ("/images/root/deltas/0/pieces/0/base", Value::Null, "\"base\""),
        ("/images/root/deltas/0/pieces/0/base/length", json!((16 << 20) + 1), "base.length: expected"),
        (
            "/images/root/deltas/0/pieces/4/base/length",
            json!((1 << 20) + 1),
            "within the old image's 17825792 bytes",
        ),
        ("/images/root/deltas/0/pieces/0/base/offset", json!(u64::MAX >> 1), "base.offset: expected"),
        ("/images/root/deltas/0/from_size", json!(1), "within the old image's 1 bytes"),
        ("/images/root/chunks/index/size", json!((8 << 20) + 1), "chunks.index.size: expected"),
    ];
    for (pointer, value, expected) in cases {
        let error = with(pointer, value.clone());
        assert!(error.contains(expected), "{pointer} {value}:\n{error}");
    }
}

#[test]
fn a_base_in_the_whole_image_is_refused() {
    let mut json = json();
    json["images"]["root"]["whole"][0]["base"] = json!({"offset": 0, "length": 0});
    assert!(read(&json).unwrap_err().to_string().contains("no member base"));
}

#[test]
fn two_deltas_from_one_image_are_refused() {
    let mut json = json();
    json["images"]["root"]["deltas"][1]["from"] = json["images"]["root"]["deltas"][0]["from"].clone();
    assert!(read(&json).unwrap_err().to_string().contains("one delta from each older image"));
}

#[test]
fn a_file_beyond_its_bound_is_refused() {
    let mut bytes = release().to_bytes().unwrap();
    bytes.resize((4 << 20) + 1, b' ');
    assert_eq!(Release::parse("release.json", &bytes).unwrap_err().kind(), Kind::TooLong);
    bytes.truncate(4 << 20);
    Release::parse("release.json", &bytes).unwrap();
}

#[test]
fn a_cut_file_is_refused_everywhere() {
    let bytes = release().to_bytes().unwrap();
    for cut in 0..bytes.len() - 1 {
        assert!(Release::parse("release.json", &bytes[..cut]).is_err(), "{cut}");
    }
}
