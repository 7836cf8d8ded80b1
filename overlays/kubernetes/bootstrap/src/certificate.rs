//! X.509 certificates (RFC 5280): made, signed, read.

use std::str::FromStr;
use std::time::Duration;

use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{DerSignature, SigningKey, VerifyingKey};
use p256::{PublicKey, SecretKey};
use rand_core::{OsRng, RngCore};
use sha2::{Digest, Sha256};
use x509_cert::certificate::{Certificate, TbsCertificate, Version};
use x509_cert::der::asn1::{BitString, GeneralizedTime, Ia5String, OctetString, UtcTime};
use x509_cert::der::oid::db::rfc5280::{ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH};
use x509_cert::der::oid::db::rfc5912::ECDSA_WITH_SHA_256;
use x509_cert::der::pem::LineEnding;
use x509_cert::der::{self, DateTime, DecodePem, Encode, EncodePem};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::ext::{AsExtension, Extensions};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};

use crate::catalog::{AltName, Authority, Leaf, Subject, Usage};
use crate::clock::{NOT_BEFORE, UnixTime};

/// What an authority's certificate must say. It signs itself.
pub fn of_authority(
    authority: Authority,
    key: &PublicKey,
    serial: SerialNumber,
    not_after: UnixTime,
) -> der::Result<TbsCertificate> {
    let subject = name(&authority.subject())?;
    let usage = KeyUsages::DigitalSignature | KeyUsages::KeyCertSign | KeyUsages::CRLSign;
    let extensions = vec![
        KeyUsage(usage).to_extension(&subject, &[])?,
        BasicConstraints { ca: true, path_len_constraint: Some(0) }.to_extension(&subject, &[])?,
        SubjectKeyIdentifier(key_identifier(key)?).to_extension(&subject, &[])?,
    ];
    body(subject.clone(), subject, key, serial, not_after, extensions)
}

/// What a leaf's certificate must say, if `issuer` is the key of its authority.
pub fn of_leaf(
    leaf: &Leaf,
    key: &PublicKey,
    issuer: &PublicKey,
    serial: SerialNumber,
    not_after: UnixTime,
) -> der::Result<TbsCertificate> {
    let subject = name(&leaf.subject)?;
    let purpose = match leaf.usage {
        Usage::Server => ID_KP_SERVER_AUTH,
        Usage::Client => ID_KP_CLIENT_AUTH,
    };
    let authority = AuthorityKeyIdentifier {
        key_identifier: Some(key_identifier(issuer)?),
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    let mut extensions = vec![
        KeyUsage(KeyUsages::DigitalSignature.into()).to_extension(&subject, &[])?,
        ExtendedKeyUsage(vec![purpose]).to_extension(&subject, &[])?,
        BasicConstraints { ca: false, path_len_constraint: None }.to_extension(&subject, &[])?,
        SubjectKeyIdentifier(key_identifier(key)?).to_extension(&subject, &[])?,
        authority.to_extension(&subject, &[])?,
    ];
    if !leaf.names.is_empty() {
        extensions.push(alt_names(&leaf.names)?.to_extension(&subject, &[])?);
    }
    body(name(&leaf.authority.subject())?, subject, key, serial, not_after, extensions)
}

fn body(
    issuer: Name,
    subject: Name,
    key: &PublicKey,
    serial_number: SerialNumber,
    not_after: UnixTime,
    extensions: Extensions,
) -> der::Result<TbsCertificate> {
    Ok(TbsCertificate {
        version: Version::V3,
        serial_number,
        signature: algorithm(),
        issuer,
        validity: Validity { not_before: time(NOT_BEFORE)?, not_after: time(not_after)? },
        subject,
        subject_public_key_info: SubjectPublicKeyInfoOwned::from_key(*key).map_err(|_| encoding())?,
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: Some(extensions),
    })
}

/// A certificate that says `tbs`.
pub fn sign(tbs: TbsCertificate, issuer: &SecretKey) -> der::Result<Certificate> {
    let signature: DerSignature = SigningKey::from(issuer).sign(&tbs.to_der()?);
    Ok(Certificate {
        tbs_certificate: tbs,
        signature_algorithm: algorithm(),
        signature: BitString::from_bytes(signature.as_bytes())?,
    })
}

/// Whether the owner of `issuer` signed it.
pub fn is_signed_by(certificate: &Certificate, issuer: &PublicKey) -> bool {
    let signature = certificate.signature.as_bytes().and_then(|bytes| DerSignature::try_from(bytes).ok());
    let (Some(signature), Ok(tbs)) = (signature, certificate.tbs_certificate.to_der()) else { return false };
    certificate.signature_algorithm == algorithm()
        && VerifyingKey::from(issuer).verify(&tbs, &signature).is_ok()
}

/// A certificate as [`text`] writes it; with anything before or behind it, it is not whole.
pub fn read(bytes: &[u8]) -> Option<Certificate> {
    let certificate = Certificate::from_pem(bytes).ok()?;
    (text(&certificate).ok()?.as_bytes() == bytes).then_some(certificate)
}

/// PEM.
pub fn text(certificate: &Certificate) -> der::Result<String> {
    certificate.to_pem(LineEnding::LF)
}

/// Whether the certificate is of this key.
pub fn is_of(certificate: &Certificate, key: &PublicKey) -> bool {
    let of_key = SubjectPublicKeyInfoOwned::from_key(*key);
    of_key.is_ok_and(|of_key| of_key == certificate.tbs_certificate.subject_public_key_info)
}

/// The names and addresses that it is valid for.
pub fn names(certificate: &Certificate) -> Option<SubjectAltName> {
    certificate.tbs_certificate.get::<SubjectAltName>().ok().flatten().map(|(_, names)| names)
}

/// As they stand in a certificate.
pub fn alt_names(names: &[AltName]) -> der::Result<SubjectAltName> {
    let encode = |name: &AltName| match name {
        AltName::Dns(name) => Ok(GeneralName::DnsName(Ia5String::new(name)?)),
        AltName::Ip(ip) => Ok(GeneralName::from(*ip)),
    };
    Ok(SubjectAltName(names.iter().map(encode).collect::<der::Result<_>>()?))
}

/// Seconds since 1970.
pub fn not_after(certificate: &Certificate) -> UnixTime {
    certificate.tbs_certificate.validity.not_after.to_unix_duration().as_secs()
}

/// 127 random bits, and a first one that keeps the number positive and its length the same.
pub fn new_serial() -> der::Result<SerialNumber> {
    let mut bytes = [0; 17];
    OsRng.fill_bytes(&mut bytes);
    bytes[0] = 0x40 | bytes[0] >> 2;
    SerialNumber::new(&bytes)
}

/// Through 2049 a time has two digits of its year (RFC 5280, 4.1.2.5).
fn time(seconds: UnixTime) -> der::Result<Time> {
    let date = DateTime::from_unix_duration(Duration::from_secs(seconds))?;
    if date.year() < 2050 {
        Ok(Time::UtcTime(UtcTime::from_date_time(date)?))
    } else {
        Ok(Time::GeneralTime(GeneralizedTime::from_date_time(date)))
    }
}

/// The organization first, as Go and openssl write it; RFC 4514 writes that backwards.
fn name(subject: &Subject) -> der::Result<Name> {
    let organization = subject.organization.map(|name| format!(",O={name}")).unwrap_or_default();
    Name::from_str(&format!("CN={}{organization}", subject.common_name))
}

/// The first 160 bits of the key's SHA-256 (RFC 7093, 2.1).
fn key_identifier(key: &PublicKey) -> der::Result<OctetString> {
    let digest = Sha256::digest(key.to_sec1_bytes());
    OctetString::new(&digest[..20])
}

fn algorithm() -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA_256, parameters: None }
}

fn encoding() -> der::Error {
    der::ErrorKind::Failed.into()
}
