//! What to do, decided from what is there. Pure; its text is one line a step.

use std::fmt;

use p256::{PublicKey, SecretKey};
use x509_cert::certificate::Certificate;

use crate::catalog::{self, ACCOUNT_KEY, ACCOUNT_PUBLIC_KEY, Authority, Leaf, PKI, PKI_MODE, Place};
use crate::clock::UnixTime;
use crate::judge::{self, Fault};
use crate::node::{self, Node};
use crate::state::Found;
use crate::{certificate, encryption, key, kubeconfig};

/// Steps in the order they are taken in, and what must not be done without people.
#[derive(Debug, Default)]
pub struct Plan {
    pub steps: Vec<Step>,
    /// Sentences that name the file and the remedy; the run does the steps and then fails with these.
    pub refusals: Vec<String>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Others than root could read or write it.
    Mode {
        path: &'static str,
        from: u32,
        to: u32,
    },
    /// `late`: the node is not new, so that secrets may be lost.
    MakeEncryption {
        late: bool,
    },
    WriteNode,
    SetAside {
        path: &'static str,
        fault: Fault,
    },
    MakeAuthority {
        authority: Authority,
        fault: Fault,
    },
    /// A new certificate of the same key.
    RenewAuthority {
        authority: Authority,
        fault: Fault,
    },
    MakeAccountKey {
        fault: Fault,
    },
    WriteAccountPublicKey {
        fault: Fault,
    },
    Issue {
        leaf: Leaf,
        fault: Fault,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Mode { path, from, to } => write!(f, "{path}: mode {from:04o}, now {to:04o}"),
            Step::MakeEncryption { late: false } => write!(f, "{}: make", encryption::FILE),
            Step::MakeEncryption { late: true } => write!(f, "{}: make, late", encryption::FILE),
            Step::WriteNode => write!(f, "{}: write", node::FILE),
            Step::SetAside { path, fault } => write!(f, "{path}: set aside ({fault})"),
            Step::MakeAuthority { authority, fault } => write!(f, "{}: make ({fault})", authority.key()),
            Step::RenewAuthority { authority, fault } => {
                write!(f, "{}: renew ({fault})", authority.certificate())
            }
            Step::MakeAccountKey { fault } => write!(f, "{ACCOUNT_KEY}: make ({fault})"),
            Step::WriteAccountPublicKey { fault } => write!(f, "{ACCOUNT_PUBLIC_KEY}: write ({fault})"),
            Step::Issue { leaf, fault } => write!(f, "{}: issue ({fault})", leaf.place.path()),
        }
    }
}

/// Decides. The order of steps is that of files on the disk: what nothing can make again comes first.
pub fn plan(found: &Found, node: &Node, now: UnixTime) -> Plan {
    let mut plan = Plan::default();
    modes(found, &mut plan.steps);
    encryption(found, &mut plan);
    if found.bytes(node::FILE) != Some(node.env().as_bytes()) {
        plan.steps.push(Step::WriteNode);
    }
    let issuers = Authority::ALL.map(|authority| issuer(found, authority, now, &mut plan.steps));
    account_key(found, &mut plan.steps);
    for leaf in catalog::leaves(node, found.clients()) {
        if let Err(fault) = leaf_fault(found, &leaf, &issuers[leaf.authority as usize], now) {
            plan.steps.push(Step::Issue { leaf, fault });
        }
    }
    plan
}

fn modes(found: &Found, steps: &mut Vec<Step>) {
    let files = catalog::files(found.clients()).into_iter().map(|path| (path, catalog::mode(path)));
    for (path, allowed) in files.chain([(PKI, PKI_MODE)]) {
        if let Some(from) = found.mode(path).filter(|mode| mode & !allowed != 0) {
            steps.push(Step::Mode { path, from, to: from & allowed });
        }
    }
}

fn encryption(found: &Found, plan: &mut Plan) {
    let Some(bytes) = found.bytes(encryption::FILE) else {
        // It is the first file that a new node gets.
        let late = found.bytes(Authority::Cluster.certificate()).is_some();
        return plan.steps.push(Step::MakeEncryption { late });
    };
    if let Some(fault) = encryption::fault(bytes) {
        plan.refusals.push(format!(
            "{} is damaged: {fault}. It is left as it is, since its key is all that can read the secrets in the database\n  \
             help: put a copy in its place. If there is none, these secrets are lost: remove the file, which is then made anew, and delete and create them again",
            encryption::FILE
        ));
    }
}

/// What is left of an authority when its steps are done.
enum Issuer {
    Stays {
        key: PublicKey,
        text: String,
    },
    Renewed {
        key: PublicKey,
    },
    /// Nothing that is there is signed by it.
    New,
}

fn issuer(found: &Found, authority: Authority, now: UnixTime, steps: &mut Vec<Step>) -> Issuer {
    let (key_file, certificate_file) = (authority.key(), authority.certificate());
    let certificate = found.bytes(certificate_file);
    let Some(key) = found.bytes(key_file).and_then(key::read) else {
        let fault = found.bytes(key_file).map_or(Fault::Missing, |_| Fault::Unreadable);
        // The certificate first: should power fail between the two, the key is still seen to be damaged.
        if certificate.is_some() {
            steps.push(Step::SetAside { path: certificate_file, fault: Fault::OtherKey });
        }
        if fault.is_damage() {
            steps.push(Step::SetAside { path: key_file, fault });
        }
        steps.push(Step::MakeAuthority { authority, fault });
        return Issuer::New;
    };
    let key = key.public_key();
    match judge::authority(authority, &key, certificate, now) {
        Ok(certificate) => Issuer::Stays { key, text: certificate::text(&certificate).unwrap_or_default() },
        Err(fault) => {
            if fault.is_damage() {
                steps.push(Step::SetAside { path: certificate_file, fault });
            }
            steps.push(Step::RenewAuthority { authority, fault });
            Issuer::Renewed { key }
        }
    }
}

fn account_key(found: &Found, steps: &mut Vec<Step>) {
    let bytes = found.bytes(ACCOUNT_KEY);
    let Some(key) = bytes.and_then(key::read) else {
        let fault = bytes.map_or(Fault::Missing, |_| Fault::Unreadable);
        if fault.is_damage() {
            steps.push(Step::SetAside { path: ACCOUNT_KEY, fault });
        }
        return steps.push(Step::MakeAccountKey { fault });
    };
    let expected = key::public_text(&key.public_key()).ok();
    let public = found.bytes(ACCOUNT_PUBLIC_KEY);
    if public != expected.as_deref().map(str::as_bytes) {
        let fault = public.map_or(Fault::Missing, |_| Fault::OtherKey);
        steps.push(Step::WriteAccountPublicKey { fault });
    }
}

fn leaf_fault(found: &Found, leaf: &Leaf, issuer: &Issuer, now: UnixTime) -> Result<(), Fault> {
    let present = |path| found.bytes(path).ok_or(Fault::Missing);
    match leaf.place {
        Place::Pair { key, certificate } => {
            let (key, certificate) = (present(key)?, present(certificate)?);
            let key = key::read(key).ok_or(Fault::Unreadable)?;
            judged(leaf, &key, certificate, issuer, now).map(|_| ())
        }
        Place::Kubeconfig(path) => {
            let bytes = present(path)?;
            let held = kubeconfig::parse(bytes);
            let (Some(key), Some(certificate)) = (held.key, held.certificate) else {
                return Err(Fault::Unreadable);
            };
            let key = key::read(&key).ok_or(Fault::Unreadable)?;
            let certificate = judged(leaf, &key, &certificate, issuer, now)?;
            let Issuer::Stays { text: authority, .. } = issuer else {
                return Err(Fault::AuthorityRenewed);
            };
            let texts = certificate::text(&certificate).ok().zip(key::private_text(&key).ok());
            let expected = texts.map(|(certificate, key)| {
                kubeconfig::text(&leaf.subject.common_name, authority, &certificate, &key)
            });
            if expected.is_some_and(|expected| expected.as_bytes() == bytes) {
                Ok(())
            } else {
                Err(Fault::Form)
            }
        }
    }
}

fn judged(
    leaf: &Leaf,
    key: &SecretKey,
    certificate: &[u8],
    issuer: &Issuer,
    now: UnixTime,
) -> Result<Certificate, Fault> {
    match issuer {
        Issuer::Stays { key: issuer, .. } | Issuer::Renewed { key: issuer } => {
            judge::leaf(leaf, &key.public_key(), certificate, issuer, now)
        }
        Issuer::New => Err(Fault::OtherAuthority),
    }
}
