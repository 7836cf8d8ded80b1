//! What makes an InRelease file acceptable, each with keys made on the spot.
#![allow(clippy::unwrap_used)]

use geminios_resolve::{Asked, Key, Release, verify_inrelease};
use pgp::composed::{
    ArmorOptions, CleartextSignedMessage, KeyType, SecretKeyParamsBuilder, SignedPublicKey, SignedSecretKey,
    SubkeyParamsBuilder,
};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{RevocationCode, SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::ser::Serialize;
use pgp::types::{Duration, KeyDetails, Password, SigningKey, Timestamp};

/// 2026-11-22 20:00:00 UTC, two minutes after the date in the text.
const NOW: u64 = 1_795_377_600;
const DAY: u64 = 86_400;

const TEXT: &str = "\
Origin: Debian
Suite: stable
Codename: trixie
Date: Sun, 22 Nov 2026 19:58:57 UTC
Valid-Until: Sun, 29 Nov 2026 19:58:57 UTC
Acquire-By-Hash: yes
Architectures: all amd64
Components: main contrib
Description: a text
 - with a dash
SHA256:
 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855        0 main/binary-amd64/Packages
 f61f27bd17de546264aa58f40f3aafaac7021e0ef69c17f6b1b4cd7664a037ec       20 main/binary-amd64/Packages.xz
-Odd: a line that has to be escaped
";

fn key() -> SignedSecretKey {
    SecretKeyParamsBuilder::default()
        .key_type(KeyType::Ed25519)
        .can_certify(true)
        .can_sign(true)
        .created_at(Timestamp::from_secs((NOW - 1000 * DAY) as u32))
        .primary_user_id("archive <archive@mirror.example>".into())
        .subkey(
            SubkeyParamsBuilder::default()
                .key_type(KeyType::Ed25519)
                .can_sign(true)
                .created_at(Timestamp::from_secs((NOW - 1000 * DAY) as u32))
                .build()
                .unwrap(),
        )
        .build()
        .unwrap()
        .generate(rand::thread_rng())
        .unwrap()
}

/// A signature over `text`, made at `at`.
struct Signing {
    at: u64,
    hash: HashAlgorithm,
    kind: SignatureType,
    more: Vec<Subpacket>,
}

impl Default for Signing {
    fn default() -> Self {
        Signing { at: NOW, hash: HashAlgorithm::Sha512, kind: SignatureType::Text, more: Vec::new() }
    }
}

impl Signing {
    fn sign(self, text: &str, key: &impl SigningKey) -> String {
        let mut config = SignatureConfig::v4(self.kind, key.algorithm(), self.hash);
        config.hashed_subpackets = stamped(self.at, key);
        config.hashed_subpackets.extend(self.more);
        let message = CleartextSignedMessage::new(text, config, key, &Password::empty()).unwrap();
        message.to_armored_string(ArmorOptions::default()).unwrap()
    }
}

fn stamped(at: u64, key: &impl KeyDetails) -> Vec<Subpacket> {
    vec![
        Subpacket::regular(SubpacketData::SignatureCreationTime(Timestamp::from_secs(at as u32))).unwrap(),
        Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint())).unwrap(),
    ]
}

fn signed(text: &str, key: &SignedSecretKey) -> String {
    Signing::default().sign(text, &key.primary_key)
}

/// A certificate with one more signature on its primary key.
fn with_self_signature(key: &SignedSecretKey, kind: SignatureType, more: Vec<Subpacket>) -> SignedPublicKey {
    let mut certificate = key.to_public_key();
    let primary = &key.primary_key;
    let mut config = SignatureConfig::v4(kind, primary.algorithm(), HashAlgorithm::Sha512);
    // Later than the signatures that key generation makes.
    config.hashed_subpackets = stamped(NOW + 4000 * DAY, primary);
    config.hashed_subpackets.extend(more);
    let signature = config.sign_key(primary, &Password::empty(), primary.public_key()).unwrap();
    match kind {
        SignatureType::KeyRevocation => certificate.details.revocation_signatures.push(signature),
        _ => certificate.details.direct_signatures.push(signature),
    }
    certificate
}

fn revoked(key: &SignedSecretKey, at: u64, code: RevocationCode) -> SignedPublicKey {
    let mut certificate = key.to_public_key();
    let primary = &key.primary_key;
    let mut config =
        SignatureConfig::v4(SignatureType::KeyRevocation, primary.algorithm(), HashAlgorithm::Sha512);
    config.hashed_subpackets = stamped(at, primary);
    config
        .hashed_subpackets
        .push(Subpacket::regular(SubpacketData::RevocationReason(code, "".into())).unwrap());
    let signature = config.sign_key(primary, &Password::empty(), primary.public_key()).unwrap();
    certificate.details.revocation_signatures.push(signature);
    certificate
}

fn expiring(key: &SignedSecretKey, at: u64) -> SignedPublicKey {
    let life = at - u64::from(key.created_at().as_secs());
    let life = SubpacketData::KeyExpirationTime(Duration::from_secs(life as u32));
    with_self_signature(key, SignatureType::Key, vec![Subpacket::regular(life).unwrap()])
}

fn trusted(certificate: &SignedPublicKey) -> Vec<Key> {
    Key::parse_all("archive.gpg", &certificate.to_bytes().unwrap()).unwrap()
}

fn verify_at(now: u64, file: &str, certificate: &SignedPublicKey) -> Result<Release, String> {
    let asked = Asked { archive: "debian", suite: "trixie", now, accept_expired: false };
    verify_inrelease(file.as_bytes(), &trusted(certificate), &asked).map_err(|e| e.to_string())
}

fn verify(file: &str, certificate: &SignedPublicKey) -> Result<Release, String> {
    verify_at(NOW, file, certificate)
}

#[track_caller]
fn assert_refused(result: Result<Release, String>, words: &str) {
    let message = result.map(drop).expect_err("this file must be refused");
    assert!(message.starts_with("InRelease of debian trixie: "), "{message}");
    assert!(message.contains(words), "expected `{words}` in: {message}");
}

#[test]
fn a_good_file_is_read() {
    let key = key();
    let file = signed(TEXT, &key);
    assert!(file.contains("- -Odd"), "the text has a line that is escaped");
    let release = verify(&file, &key.to_public_key()).unwrap();
    assert_eq!(release.signer(), key.fingerprint().to_string());
    assert_eq!((release.suite.as_str(), release.codename.as_str()), ("stable", "trixie"));
    assert_eq!((release.date, release.valid_until), (1_795_377_537, Some(1_795_982_337)));
    assert_eq!(release.files.len(), 2);
    let packages = release.packages_file("trixie", "main", "amd64").unwrap();
    assert_eq!((packages.compression, packages.size, packages.plain.0), ("xz", 20, 0));
    assert_eq!(
        packages.path,
        "dists/trixie/main/binary-amd64/by-hash/SHA256/f61f27bd17de546264aa58f40f3aafaac7021e0ef69c17f6b1b4cd7664a037ec"
    );
    assert_eq!(release.packages_file("trixie", "main", "arm64"), None);
}

#[test]
fn armored_keys_subkeys_and_carriage_returns_are_fine() {
    let key = key();
    let certificate = key.to_public_key();
    let armored = certificate.to_armored_string(ArmorOptions::default()).unwrap();
    assert_eq!(
        Key::parse_all("archive.asc", armored.as_bytes()).unwrap()[0].fingerprint(),
        key.fingerprint().to_string()
    );

    let by_subkey = Signing::default().sign(TEXT, &key.secret_subkeys[0].key);
    let signer = verify(&by_subkey, &certificate).unwrap().signer().to_owned();
    assert_eq!(signer, key.secret_subkeys[0].key.fingerprint().to_string());

    assert!(verify(&signed(TEXT, &key).replace('\n', "\r\n"), &certificate).is_ok());
}

#[test]
fn one_of_several_keys_suffices() {
    let (key, other) = (key(), key());
    let mut both = trusted(&other.to_public_key());
    both.extend(trusted(&key.to_public_key()));
    let asked = Asked { archive: "debian", suite: "stable", now: NOW, accept_expired: false };
    assert!(verify_inrelease(signed(TEXT, &key).as_bytes(), &both, &asked).is_ok());
}

#[test]
fn a_text_that_was_changed_is_refused() {
    let key = key();
    let file = signed(TEXT, &key);
    for (from, to) in [("e3b0c4", "e3b0c5"), ("Suite: stable\n", ""), ("       20 main", "       21 main")] {
        assert_refused(verify(&file.replace(from, to), &key.to_public_key()), "does not fit the text");
    }
}

#[test]
fn a_file_without_a_signature_is_refused() {
    let certificate = key().to_public_key();
    assert_refused(verify(TEXT, &certificate), "it is not a signed file");
    assert_refused(verify("<html>Please log in</html>", &certificate), "it is not a signed file");
    assert_refused(verify("", &certificate), "it is not a signed file");
}

#[test]
fn an_unknown_key_is_refused() {
    let (key, other) = (key(), key());
    let fingerprint = other.fingerprint().to_string();
    assert_refused(
        verify(&signed(TEXT, &other), &key.to_public_key()),
        &format!("key {fingerprint} is not trusted"),
    );
}

#[test]
fn a_key_that_had_expired_is_refused() {
    let key = key();
    let file = signed(TEXT, &key);
    assert_refused(verify(&file, &expiring(&key, NOW - DAY)), "expired on 2026-11-21 20:00:00 UTC");
    assert!(verify(&file, &expiring(&key, NOW + DAY)).is_ok());
    // It was valid when it signed: what it signed stays good.
    assert!(verify_at(NOW + 2 * DAY, &file, &expiring(&key, NOW + DAY)).is_ok());
    // A subkey cannot outlive its primary key.
    let by_subkey = Signing::default().sign(TEXT, &key.secret_subkeys[0].key);
    assert_refused(verify(&by_subkey, &expiring(&key, NOW - DAY)), "expired on 2026-11-21");
}

#[test]
fn an_expired_key_cannot_date_its_signature_back() {
    let key = key();
    let back = Signing { at: NOW - 10 * DAY, ..Signing::default() }.sign(TEXT, &key.primary_key);
    assert_refused(verify(&back, &expiring(&key, NOW - DAY)), "expired on 2026-11-21");
}

#[test]
fn a_revoked_key_is_refused() {
    let key = key();
    let file = signed(TEXT, &key);
    let compromised = revoked(&key, NOW + 2 * DAY, RevocationCode::KeyCompromised);
    assert_refused(verify(&file, &compromised), "is revoked");
    let retired = |at| revoked(&key, at, RevocationCode::KeyRetired);
    assert_refused(verify(&file, &retired(NOW - DAY)), "is revoked");
    // Retired later: what it signed before stays good.
    assert!(verify(&file, &retired(NOW + DAY)).is_ok());
}

#[test]
fn a_key_that_is_not_for_signing_is_refused() {
    let key = key();
    let certifies_only = SubpacketData::KeyFlags({
        let mut flags = pgp::packet::KeyFlags::default();
        flags.set_certify(true);
        flags
    });
    let certificate =
        with_self_signature(&key, SignatureType::Key, vec![Subpacket::regular(certifies_only).unwrap()]);
    assert_refused(verify(&signed(TEXT, &key), &certificate), "may not sign");

    // A subkey that does not vouch for its primary key was perhaps taken from somebody else.
    let mut certificate = key.to_public_key();
    let subkey = &mut certificate.public_subkeys[0];
    let primary = &key.primary_key;
    let mut config =
        SignatureConfig::v4(SignatureType::SubkeyBinding, primary.algorithm(), HashAlgorithm::Sha512);
    config.hashed_subpackets = stamped(NOW, primary);
    let mut flags = pgp::packet::KeyFlags::default();
    flags.set_sign(true);
    config.hashed_subpackets.push(Subpacket::regular(SubpacketData::KeyFlags(flags)).unwrap());
    let binding =
        config.sign_subkey_binding(primary, primary.public_key(), &Password::empty(), &subkey.key).unwrap();
    subkey.signatures = vec![binding];
    let by_subkey = Signing::default().sign(TEXT, &key.secret_subkeys[0].key);
    assert_refused(verify(&by_subkey, &certificate), "may not sign");
}

#[test]
fn weak_and_strange_signatures_are_refused() {
    let key = key();
    let certificate = key.to_public_key();
    // rPGP makes signatures with a weak hash only by RSA.
    let rsa = SecretKeyParamsBuilder::default()
        .key_type(KeyType::Rsa(2048))
        .can_certify(true)
        .can_sign(true)
        .created_at(Timestamp::from_secs((NOW - 1000 * DAY) as u32))
        .primary_user_id("archive <archive@mirror.example>".into())
        .build()
        .unwrap()
        .generate(rand::thread_rng())
        .unwrap();
    let weak = Signing { hash: HashAlgorithm::Sha1, ..Signing::default() }.sign(TEXT, &rsa.primary_key);
    assert_refused(verify(&weak, &rsa.to_public_key()), "too weak a hash");

    let binary = Signing { kind: SignatureType::Binary, ..Signing::default() }.sign(TEXT, &key.primary_key);
    assert_refused(verify(&binary, &certificate), "is not one over text");

    let critical = Subpacket::critical(SubpacketData::Experimental(101, vec![1].into())).unwrap();
    let critical = Signing { more: vec![critical], ..Signing::default() }.sign(TEXT, &key.primary_key);
    assert_refused(verify(&critical, &certificate), "critical part that is not understood");

    let life = SubpacketData::SignatureExpirationTime(Duration::from_secs(DAY as u32));
    let brief = Signing { more: vec![Subpacket::regular(life).unwrap()], ..Signing::default() }
        .sign(TEXT, &key.primary_key);
    assert!(verify(&brief, &certificate).is_ok());
    assert_refused(verify_at(NOW + 2 * DAY, &brief, &certificate), "expired on 2026-11-23 20:00:00 UTC");
}

#[test]
fn dates_are_checked() {
    let key = key();
    let certificate = key.to_public_key();
    let file = signed(TEXT, &key);
    assert!(verify_at(NOW + 6 * DAY, &file, &certificate).is_ok());
    assert_refused(verify_at(NOW + 8 * DAY, &file, &certificate), "valid until 2026-11-29 19:58:57 UTC only");
    let asked = Asked { archive: "debian", suite: "trixie", now: NOW + 8 * DAY, accept_expired: true };
    assert!(verify_inrelease(file.as_bytes(), &trusted(&certificate), &asked).is_ok());

    assert!(verify_at(NOW - DAY / 2, &file, &certificate).is_ok(), "clocks may differ by less than a day");
    let early = Signing { at: NOW - 10 * DAY, ..Signing::default() }.sign(TEXT, &key.primary_key);
    assert_refused(
        verify_at(NOW - 2 * DAY, &early, &certificate),
        "lies in the future; check this machine's clock",
    );
    assert_refused(verify_at(NOW - 2 * DAY, &file, &certificate), "claims to be of 2026-11-22 20:00:00 UTC");
}

#[test]
fn another_suite_is_refused() {
    let key = key();
    let keys = trusted(&key.to_public_key());
    let asked = Asked { archive: "debian", suite: "forky", now: NOW, accept_expired: false };
    let error = verify_inrelease(signed(TEXT, &key).as_bytes(), &keys, &asked).unwrap_err().to_string();
    assert!(error.contains("it is for suite stable (trixie)"), "{error}");
}

#[test]
fn only_the_signed_text_may_be_there() {
    let key = key();
    let certificate = key.to_public_key();
    let file = signed(TEXT, &key);
    assert_refused(
        verify(&format!("Suite: sid\n{file}"), &certificate),
        "line 1 stands outside the signed text",
    );
    assert_refused(verify(&format!("\n{file}"), &certificate), "line 1 stands outside the signed text");
    assert_refused(verify(&format!("{file}Suite: sid\n"), &certificate), "stands outside the signed text");
    assert_refused(verify(&format!("{file}{file}"), &certificate), "begins a second signed block");
    let nested = file.replacen("Origin", "-----BEGIN PGP SIGNED MESSAGE-----\nOrigin", 1);
    assert_refused(verify(&nested, &certificate), "begins a second signed block");
    let unescaped = file.replacen("- -Odd", "-Odd", 1);
    assert_refused(verify(&unescaped, &certificate), "begins with a dash that is not escaped");
}

#[test]
fn a_file_that_was_cut_is_refused_wherever() {
    let key = key();
    let certificate = key.to_public_key();
    let file = signed(TEXT, &key);
    // What follows the last character of the closing line does not matter.
    let end = file.trim_end().len();
    for length in 0..end {
        assert!(verify(&file[..length], &certificate).is_err(), "cut to {length} of {end} bytes");
    }
    assert_refused(verify(&file[..end / 2], &certificate), "it ends in the middle");
}

#[test]
fn a_signed_text_that_is_no_release_is_refused() {
    let key = key();
    let certificate = key.to_public_key();
    for (from, to, words) in [
        ("Date: Sun, 22 Nov 2026 19:58:57 UTC\n", "", "it has no field `Date`"),
        ("19:58:57 UTC\nValid", "19:58:57 CET\nValid", "its field `Date` is `Sun, 22 Nov 2026 19:58:57 CET`"),
        ("SHA256:", "SHA1:", "it has no field `SHA256`"),
        ("main/binary-amd64/Packages\n", "../../etc/passwd\n", "its field `SHA256` is"),
        ("e3b0c4", "", "its field `SHA256` is"),
        ("Origin: Debian", "Origin Debian", "not of the form `Key: value`"),
        ("Components", "\nComponents", "2 paragraphs, not one"),
    ] {
        assert_refused(verify(&signed(&TEXT.replacen(from, to, 1), &key), &certificate), words);
    }
}

#[test]
fn what_is_no_key_file_is_refused() {
    let secret = key();
    for (bytes, words) in [
        (b"".to_vec(), "trixie.gpg: "),
        (b"not a key".to_vec(), "trixie.gpg: not an OpenPGP certificate"),
        (secret.to_bytes().unwrap(), "trixie.gpg: holds a secret key"),
        (secret.to_public_key().to_bytes().unwrap()[..20].to_vec(), "trixie.gpg: not an OpenPGP certificate"),
    ] {
        let message = Key::parse_all("trixie.gpg", &bytes).unwrap_err().to_string();
        assert!(message.starts_with(words), "{message}");
    }
}
