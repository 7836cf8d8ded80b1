//! Strict JSON and its canonical form.

use std::collections::BTreeMap;

use geminios_update_format::json::{Limits, Value, parse};
use proptest::prelude::*;

const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 4, values: 20 };

#[test]
fn what_is_refused() {
    let cases = [
        ("", "EOF"),
        ("{", "EOF"),
        ("{} {}", "trailing"),
        ("{}x", "trailing"),
        (r#"{"a":1,"a":1}"#, "\"a\" stands twice"),
        (r#"{"a":1,"\u0061":2}"#, "\"a\" stands twice"),
        (r#"[{"b":{"a":1,"a":1}}]"#, "stands twice"),
        ("1.0", "no whole number"),
        ("1e2", "no whole number"),
        ("-0", "no whole number"),
        ("9223372036854775808", "above"),
        ("18446744073709551616", "no whole number"),
        ("NaN", "expected"),
        ("01", "invalid number"),
        ("'a'", "expected"),
        ("[1,]", "trailing comma"),
        ("\"\n\"", "control character"),
        (r#""\ud800""#, "hex escape"),
        (r#""\ud800\u0041""#, "surrogate"),
        ("[[[[[1]]]]]", "deeper than 4"),
        ("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "more than 20 values"),
        ("\u{feff}{}", "expected"),
    ];
    for (text, expected) in cases {
        let error = parse(text.as_bytes(), &LIMITS).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
    assert!(parse(b"\"\xff\"", &LIMITS).is_err());
    assert!(parse(&[b'['; 100_000], &LIMITS).is_err());
}

#[test]
fn the_canonical_form_is_that_of_olpc() {
    let text = r#" { "b" : [ true , null , -7 ] , "a" : "\"\\\u0001\u00e9\/" , "" : {} , "\ud83e\udd80":1, "\uffff":2 } "#;
    let value = parse(text.as_bytes(), &LIMITS).unwrap();
    // Code points in order: U+FFFF before U+1F980, which UTF-16 would turn around.
    let expected = "{\"\":{},\"a\":\"\\\"\\\\\u{1}é/\",\"b\":[true,null,-7],\"\u{ffff}\":2,\"\u{1f980}\":1}";
    assert_eq!(String::from_utf8(value.canonical()).unwrap(), expected);
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Integer),
        any::<String>().prop_map(Value::Text),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::List),
            prop::collection::btree_map(any::<String>(), inner, 0..8).prop_map(Value::Map),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in values()) {
        let limits = Limits { bytes: 1 << 20, depth: 8, values: 1000 };
        prop_assert_eq!(parse(&value.file(), &limits).unwrap(), value);
    }

    #[test]
    fn two_values_never_have_one_canonical_form(one in values(), other in values()) {
        prop_assert_eq!(one.canonical() == other.canonical(), one == other);
    }

    #[test]
    fn the_order_of_members_does_not_matter(map in prop::collection::btree_map(any::<String>(), any::<i64>(), 0..12)) {
        let member = |(key, number): (&String, &i64)| format!("{}:{number}", serde_json::to_string(key).unwrap());
        let backwards: Vec<String> = map.iter().rev().map(member).collect();
        let read = parse(format!("{{{}}}", backwards.join(",")).as_bytes(), &Limits { values: 100, ..LIMITS }).unwrap();
        let map: BTreeMap<String, Value> = map.into_iter().map(|(key, number)| (key, Value::Integer(number))).collect();
        prop_assert_eq!(read.canonical(), Value::Map(map).canonical());
    }

    #[test]
    fn no_bytes_make_the_reader_fail(bytes: Vec<u8>) {
        let _ = parse(&bytes, &LIMITS);
    }
}
