//! The writer: keys by their known ids, signatures from elsewhere, and no file that a client would refuse.

use geminios_update_format::digest::Digest;
use geminios_update_format::key::PublicKey;
use geminios_update_format::metadata::{Body, RoleName, Root, role_of};
use geminios_update_format::write::{self, TargetEntry, Unsigned};
use geminios_update_format::{Kind, State};

use crate::made::{Files, Pair, Plan};

#[test]
fn a_key_has_the_id_that_securesystemslib_gives_it() {
    // By `SSlibKey.from_crypto(...)` of securesystemslib 1.6.0, for the public key of test 1 in RFC 8032, section 7.1.
    let public = Digest::parse("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
    let key = PublicKey::from_bytes(&public.0).unwrap();
    assert_eq!(key.id().0, "74c181c7ad8a0855d4b55e44d2ba87aabdddb196832571f15f92fece332e4916");
}

#[test]
fn a_signature_that_does_not_fit_is_refused_when_it_is_added() {
    let plan = Plan::new();
    let mut unsigned = plan.root_unsigned(1);
    let pair = Pair::new(1);
    let signature = pair.sign_bytes(b"something else");
    let refusal = unsigned.add(&pair.public().id(), &pair.public(), &signature).unwrap_err();
    assert_eq!(refusal.kind(), Kind::Malformed);
    assert_eq!(unsigned.finish_root(None).unwrap_err().kind(), Kind::Signatures);
}

#[test]
fn signatures_may_come_one_by_one_from_several_machines() {
    let mut plan = Plan::new();
    plan.roles.insert(RoleName::Root, (vec![1, 5, 6], 2));
    let carried = plan.root_unsigned(1).unfinished();
    assert_eq!(role_of("new", &carried).unwrap(), RoleName::Root);
    let mut first = Unsigned::<Root>::resume("new", &carried).unwrap();
    Pair::new(5).sign(&mut first);
    assert_eq!(first.finish_root(None).unwrap_err().kind(), Kind::Signatures);
    let mut second = Unsigned::<Root>::resume("new", &first.unfinished()).unwrap();
    Pair::new(6).sign(&mut second);
    State::of_root(&second.finish_root(None).unwrap()).unwrap();
}

#[test]
fn a_root_needs_the_old_keys_and_the_next_number() {
    let old = Plan::new();
    let mut new = old.clone();
    new.roles.insert(RoleName::Root, (vec![9], 1));
    let before = old.root_unsigned(1).body().clone();
    let mut unsigned = new.root_unsigned(2);
    Pair::new(9).sign(&mut unsigned);
    assert_eq!(unsigned.finish_root(Some(&before)).unwrap_err().kind(), Kind::Signatures);
    Pair::new(1).sign(&mut unsigned);
    unsigned.finish_root(Some(&before)).unwrap();
    assert_eq!(unsigned.finish_root(None).unwrap_err().kind(), Kind::Version);
    let mut skipped = new.root_unsigned(3);
    Pair::new(9).sign(&mut skipped);
    Pair::new(1).sign(&mut skipped);
    assert_eq!(skipped.finish_root(Some(&before)).unwrap_err().kind(), Kind::Version);
}

#[test]
fn what_no_client_would_take_is_not_written() {
    let plan = Plan::new();
    let names = ["../x", "/x", "a//b", "a\\b", "", "ä"];
    for name in names {
        let entries = [(name.to_owned(), TargetEntry::of(b"x", None))].into();
        assert_eq!(write::targets(&plan.header(1), &entries).unwrap_err().kind(), Kind::Malformed, "{name}");
    }
    assert_eq!(write::targets(&plan.header(0), &[].into()).unwrap_err().kind(), Kind::Malformed);
    let mut roles = plan.clone().roles;
    roles.remove(&RoleName::Snapshot);
    assert_eq!(write::root(&plan.header(1), &[].into()).unwrap_err().kind(), Kind::Malformed);
    let above = write::RootRole { keys: vec![Pair::new(1).public()], threshold: 2 };
    let all = RoleName::ALL.into_iter().map(|role| (role, above.clone())).collect();
    assert_eq!(write::root(&plan.header(1), &all).unwrap_err().kind(), Kind::Malformed);
}

#[test]
fn the_same_values_give_the_same_bytes() {
    let (one, _) = Plan::new().repository();
    let (other, _) = Plan::new().repository();
    assert_eq!(one, other);
    let mut files = Files::new();
    let root = Plan::new().root(1, None, &mut files);
    assert_eq!(root, one["metadata/1.root.json"]);
    assert_eq!(Plan::new().root_unsigned(1).body().header().version, 1);
}
