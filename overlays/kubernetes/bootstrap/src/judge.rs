//! What is wrong with a certificate that is there. Pure.

use std::fmt;

use p256::PublicKey;
use x509_cert::certificate::Certificate;

use crate::catalog::{AUTHORITY_LIFE, Authority, LEAF_LIFE, Leaf};
use crate::certificate as x509;
use crate::clock::UnixTime;

/// Why a file is made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Missing,
    Unreadable,
    OtherKey,
    OtherAuthority,
    AuthorityRenewed,
    Names,
    Form,
    Expired,
    Due,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Missing => "was missing",
            Fault::Unreadable => "unreadable",
            Fault::OtherKey => "did not match its key",
            Fault::OtherAuthority => "not signed by this authority",
            Fault::AuthorityRenewed => "its authority's certificate is new",
            Fault::Names => "address or name changed",
            Fault::Form => "content changed",
            Fault::Expired => "expired",
            Fault::Due => "less than a third of its time was left",
        })
    }
}

impl Fault {
    /// Whether it can only come from damage: the file is kept for those who look into it.
    pub fn is_damage(self) -> bool {
        matches!(self, Fault::Unreadable | Fault::OtherKey | Fault::OtherAuthority)
    }
}

/// Judges an authority's certificate by its key, which is whole.
pub fn authority(
    authority: Authority,
    key: &PublicKey,
    bytes: Option<&[u8]>,
    now: UnixTime,
) -> Result<Certificate, Fault> {
    let certificate = signed_for(key, bytes.ok_or(Fault::Missing)?, key)?;
    let tbs = &certificate.tbs_certificate;
    let expected =
        x509::of_authority(authority, key, tbs.serial_number.clone(), x509::not_after(&certificate));
    if !expected.is_ok_and(|expected| expected == *tbs) {
        return Err(Fault::Form);
    }
    in_time(certificate, now, AUTHORITY_LIFE)
}

/// Judges a leaf's certificate; `issuer` is the key of its authority.
pub fn leaf(
    leaf: &Leaf,
    key: &PublicKey,
    bytes: &[u8],
    issuer: &PublicKey,
    now: UnixTime,
) -> Result<Certificate, Fault> {
    let certificate = signed_for(key, bytes, issuer)?;
    let names = x509::names(&certificate).unwrap_or_default();
    if !x509::alt_names(&leaf.names).is_ok_and(|expected| expected == names) {
        return Err(Fault::Names);
    }
    let tbs = &certificate.tbs_certificate;
    let expected = x509::of_leaf(leaf, key, issuer, tbs.serial_number.clone(), x509::not_after(&certificate));
    if !expected.is_ok_and(|expected| expected == *tbs) {
        return Err(Fault::Form);
    }
    in_time(certificate, now, LEAF_LIFE)
}

fn signed_for(key: &PublicKey, bytes: &[u8], issuer: &PublicKey) -> Result<Certificate, Fault> {
    let certificate = x509::read(bytes).ok_or(Fault::Unreadable)?;
    if !x509::is_of(&certificate, key) {
        return Err(Fault::OtherKey);
    }
    if !x509::is_signed_by(&certificate, issuer) {
        return Err(Fault::OtherAuthority);
    }
    Ok(certificate)
}

/// Of its whole life, since `notBefore` is long before it was issued.
fn in_time(certificate: Certificate, now: UnixTime, life: UnixTime) -> Result<Certificate, Fault> {
    match x509::not_after(&certificate).saturating_sub(now) {
        0 => Err(Fault::Expired),
        left if left < life / 3 => Err(Fault::Due),
        _ => Ok(certificate),
    }
}
