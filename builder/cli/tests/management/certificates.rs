//! A site's authority, and whom it certifies.

use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, SanType, date_time_ymd,
};

pub const VIEWERS: &str = "geminios:viewers";
pub const OPERATORS: &str = "geminios:operators";

pub struct Authority {
    pub certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What a certificate is to be.
#[derive(Clone, Copy)]
pub enum Of<'a> {
    /// Of this Organization.
    Client(&'a str),
    Expired(&'a str),
    Node,
    ExpiredNode,
    /// For another name than 127.0.0.1.
    OtherNode,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = named("hut");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority { certificate: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
    }

    /// Writes `STEM.crt` and `STEM.key` into the folder, and the authority's own.
    pub fn place(&self, folder: &Path, stem: &str, of: Of<'_>) {
        fs::create_dir_all(folder).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = named("ann");
        match of {
            Of::Client(group) | Of::Expired(group) => {
                params.distinguished_name.push(DnType::OrganizationName, group);
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }
            Of::Node | Of::ExpiredNode => {
                params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }
            Of::OtherNode => {
                params.subject_alt_names = vec![SanType::DnsName("edge-1".try_into().unwrap())];
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }
        }
        params.not_before = date_time_ymd(2020, 1, 1);
        let ended = matches!(of, Of::Expired(_) | Of::ExpiredNode);
        params.not_after = date_time_ymd(if ended { 2021 } else { 4000 }, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(folder.join("ca.crt"), &self.certificate).unwrap();
        fs::write(folder.join(format!("{stem}.crt")), certificate.pem()).unwrap();
        fs::write(folder.join(format!("{stem}.key")), key.serialize_pem()).unwrap();
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
