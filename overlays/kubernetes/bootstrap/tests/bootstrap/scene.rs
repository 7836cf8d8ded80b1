//! A folder, a node and a time; and what must be true of a folder after every run.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::OnceLock;

use geminios_bootstrap::catalog::{self, Authority, Place, leaves};
use geminios_bootstrap::clients::Client;
use geminios_bootstrap::node::Node;
use geminios_bootstrap::plan::plan;
use geminios_bootstrap::run::{Report, run};
use geminios_bootstrap::state::{Gate, State};
use geminios_bootstrap::{Error, encryption, key, kubeconfig};
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{DerSignature, SigningKey, VerifyingKey};
use p256::pkcs8::DecodePublicKey;
use tempfile::TempDir;
use x509_cert::Certificate;
use x509_cert::der::{DecodePem, Encode};

/// 2026-11-18T00:26:40Z
pub const NOW: u64 = 1_794_961_600;
pub const DAY: u64 = 86_400;

pub struct Scene {
    folder: TempDir,
    pub node: Node,
    pub now: u64,
}

pub fn node() -> Node {
    Node { name: "geminios-0123abcd".into(), ip: [192, 168, 1, 7].into(), host: "geminios".into() }
}

/// Those of overlays flannel, coredns and monitoring.
pub fn clients() -> Vec<Client> {
    ["coredns", "flannel", "monitor"].map(Client::new).to_vec()
}

impl Scene {
    pub fn empty() -> Scene {
        Scene { folder: TempDir::new().unwrap(), node: node(), now: NOW }
    }

    /// As a first run leaves it. Making it takes time, so that all scenes begin with copies of one.
    pub fn made() -> Scene {
        static FILES: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
        let files = FILES.get_or_init(|| {
            let scene = Scene::empty();
            scene.run();
            scene.contents()
        });
        let scene = Scene::empty();
        scene.put_all(files);
        scene
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.path(path)).unwrap()
    }

    /// Writes a file with the mode that it should have.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let full = self.path(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::set_permissions(full.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(&full, bytes).unwrap();
        fs::set_permissions(&full, fs::Permissions::from_mode(catalog::mode(path))).unwrap();
    }

    pub fn put_all(&self, files: &BTreeMap<String, Vec<u8>>) {
        files.iter().for_each(|(path, bytes)| self.put(path, bytes));
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    pub fn run(&self) -> Report {
        let state = State::new(self.folder.path(), &clients());
        let _lock = state.lock().unwrap();
        run(&state, &self.node, self.now).unwrap()
    }

    /// A run that asks `gate` before each operation.
    pub fn run_with(&self, gate: Gate) -> Result<Report, Error> {
        let state = State::with_gate(self.folder.path(), &clients(), gate);
        let _lock = state.lock()?;
        run(&state, &self.node, self.now)
    }

    /// A line for each step of the plan.
    pub fn plan(&self) -> Vec<String> {
        let found = State::new(self.folder.path(), &clients()).read().unwrap();
        let plan = plan(&found, &self.node, self.now);
        plan.steps.iter().map(ToString::to_string).chain(plan.refusals).collect()
    }

    /// Every file below the root.
    pub fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        self.stats().into_keys().map(|path| (path.clone(), self.read(&path))).collect()
    }

    /// Inode, times and mode of every file, so that any write shows.
    pub fn stats(&self) -> BTreeMap<String, [i64; 4]> {
        let mut stats = BTreeMap::new();
        for prefix in ["", "pki/"] {
            let Ok(entries) = fs::read_dir(self.path(prefix)) else { continue };
            for entry in entries.map(Result::unwrap) {
                let metadata = entry.metadata().unwrap();
                if metadata.is_file() {
                    let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
                    let inode = i64::try_from(metadata.ino()).unwrap();
                    stats.insert(
                        name,
                        [inode, metadata.mtime(), metadata.mtime_nsec(), i64::from(metadata.mode() & 0o7777)],
                    );
                }
            }
        }
        stats
    }

    /// Files whose content differs from what it was, those that are new included.
    pub fn changed_since(&self, before: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
        let after = self.contents();
        after
            .into_iter()
            .filter(|(path, bytes)| before.get(path) != Some(bytes))
            .map(|(path, _)| path)
            .collect()
    }

    /// Checks all files without the code that made them, and that another run has nothing to do.
    pub fn assert_sound(&self, context: &str) {
        let stats = self.stats();
        for path in catalog::files(&clients()) {
            let expected = i64::from(catalog::mode(path));
            assert_eq!(stats.get(path).map(|stat| stat[3]), Some(expected), "mode of {path}, {context}");
        }
        let left: Vec<&String> = stats.keys().filter(|path| path.ends_with(".tmp")).collect();
        assert!(left.is_empty(), "{left:?}, {context}");
        for leaf in leaves(&self.node, &clients()) {
            let path = leaf.place.path();
            let authority = certificate(&self.read(leaf.authority.certificate()));
            let (key, certificate_text) = match leaf.place {
                Place::Pair { key, certificate } => (self.read(key), self.read(certificate)),
                Place::Kubeconfig(path) => {
                    let held = kubeconfig::parse(&self.read(path));
                    (held.key.unwrap(), held.certificate.unwrap())
                }
            };
            assert_is_of(&certificate(&certificate_text), &key, &format!("{path}, {context}"));
            assert_signed(&certificate(&certificate_text), &authority, &format!("{path}, {context}"));
            let end = until(&certificate_text);
            assert!(
                end > self.now && end <= until(&self.read(leaf.authority.certificate())),
                "{path}, {context}"
            );
        }
        for authority in Authority::ALL {
            let certificate = certificate(&self.read(authority.certificate()));
            assert_is_of(&certificate, &self.read(authority.key()), context);
            assert_signed(&certificate, &certificate, context);
        }
        let accounts = key::read(&self.read(catalog::ACCOUNT_KEY)).unwrap().public_key();
        let public = String::from_utf8(self.read(catalog::ACCOUNT_PUBLIC_KEY)).unwrap();
        assert_eq!(p256::PublicKey::from_public_key_pem(&public).unwrap(), accounts, "{context}");
        assert_eq!(encryption::fault(&self.read(encryption::FILE)), None, "{context}");
        assert_eq!(self.plan(), Vec::<String>::new(), "{context}");
    }
}

pub fn certificate(pem: &[u8]) -> Certificate {
    Certificate::from_pem(pem).unwrap()
}

/// Seconds since 1970.
pub fn until(pem: &[u8]) -> u64 {
    certificate(pem).tbs_certificate.validity.not_after.to_unix_duration().as_secs()
}

fn verifying(certificate: &Certificate) -> VerifyingKey {
    let key = certificate.tbs_certificate.subject_public_key_info.to_der().unwrap();
    VerifyingKey::from_public_key_der(&key).unwrap()
}

fn assert_is_of(certificate: &Certificate, key: &[u8], context: &str) {
    let signature: DerSignature = SigningKey::from(key::read(key).unwrap()).sign(b"text");
    assert!(verifying(certificate).verify(b"text", &signature).is_ok(), "key of {context}");
}

pub fn assert_signed(certificate: &Certificate, authority: &Certificate, context: &str) {
    let tbs = certificate.tbs_certificate.to_der().unwrap();
    let signature = DerSignature::try_from(certificate.signature.raw_bytes()).unwrap();
    assert!(verifying(authority).verify(&tbs, &signature).is_ok(), "signature of {context}");
    assert_eq!(certificate.tbs_certificate.issuer, authority.tbs_certificate.subject, "{context}");
}
