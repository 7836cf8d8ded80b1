//! Who asks, and whom they believe: a folder of PEM files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

pub struct Credentials {
    pub tls: TlsConfig,
    pub authority: PathBuf,
    pub certificate: PathBuf,
}

impl Credentials {
    /// # Errors
    /// A file is missing, is no PEM, or the key is not the certificate's.
    pub fn read(folder: &Path) -> Result<Self> {
        let [authority, certificate, key] =
            ["ca.crt", "client.crt", "client.key"].map(|name| folder.join(name));
        let (roots, chain) = (certificates(&authority)?, certificates(&certificate)?);
        let text = read(&key)?;
        let parse = || PrivateKeyDer::from_pem_slice(&text).ok().zip(PrivateKey::from_pem(&text).ok());
        let (der, pem) = parse().with_context(|| format!("{} holds no private key", key.display()))?;
        // ureq takes for granted that they belong together.
        if let Err(error) = CertifiedKey::from_der(chain.clone(), der, &default_provider()) {
            bail!(
                "{} is not the key of {}: {error}\n  help: take both from where the site's credentials were made",
                key.display(),
                certificate.display()
            );
        }
        let ours = |all: &[CertificateDer<'_>]| -> Vec<Certificate<'static>> {
            all.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect()
        };
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&ours(&roots)))
            .client_cert(Some(ClientCert::new_with_certs(&ours(&chain), pem)))
            .build();
        Ok(Credentials { tls, authority, certificate })
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let text = read(path)?;
    let all: Vec<_> = CertificateDer::pem_slice_iter(&text).filter_map(Result::ok).collect();
    if all.is_empty() {
        bail!(
            "{} holds no certificate\n  help: it has to be PEM, -----BEGIN CERTIFICATE-----",
            path.display()
        );
    }
    Ok(all)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| {
        format!(
            "{} cannot be read\n  help: --credentials names a folder with ca.crt, client.crt and client.key",
            path.display()
        )
    })
}
