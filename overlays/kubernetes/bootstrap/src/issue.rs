//! Makes what a plan asks for, in memory: the changes to the folder, and a line about each for people.

use p256::SecretKey;
use x509_cert::certificate::Certificate;

use crate::catalog::{ACCOUNT_KEY, ACCOUNT_PUBLIC_KEY, AUTHORITY_LIFE, Authority, LEAF_LIFE, Leaf, Place};
use crate::clock::{UnixTime, date};
use crate::judge::Fault;
use crate::node::{self, Node};
use crate::plan::{Plan, Step};
use crate::state::{Change, Found};
use crate::{Error, certificate, encryption, key, kubeconfig};

/// What to commit, and what to say once it is.
#[derive(Debug, Default)]
pub struct Outcome {
    pub changes: Vec<Change>,
    pub lines: Vec<String>,
}

/// Makes everything that the steps ask for.
pub fn issue(plan: &Plan, found: &Found, node: &Node, now: UnixTime) -> Result<Outcome, Error> {
    let mut work = Work { found, now, issuers: Authority::ALL.map(|_| None), outcome: Outcome::default() };
    for step in &plan.steps {
        work.step(step, node)?;
    }
    Ok(work.outcome)
}

struct Issuer {
    key: SecretKey,
    certificate: Certificate,
}

struct Work<'a> {
    found: &'a Found,
    now: UnixTime,
    issuers: [Option<Issuer>; 2],
    outcome: Outcome,
}

impl Work<'_> {
    fn step(&mut self, step: &Step, node: &Node) -> Result<(), Error> {
        match step {
            Step::Mode { path, from, to } => {
                self.outcome.changes.push(Change::Mode { path, mode: *to });
                self.say(format!("{path}: mode was {from:04o}, is {to:04o}"));
            }
            Step::MakeEncryption { late } => {
                self.write(encryption::FILE, encryption::new());
                self.say(format!("{}: made", encryption::FILE));
                if *late {
                    let lost = "it was missing on a node that is not new. Secrets stored with the old key cannot be read";
                    self.say(format!("WARNING: {}: {lost}", encryption::FILE));
                }
            }
            Step::WriteNode => {
                self.write(node::FILE, node.env());
                self.say(format!("{}: {} at {}", node::FILE, node.name, node.ip));
            }
            Step::SetAside { path, fault } => {
                let to = self.found.aside(path);
                self.say(format!("WARNING: {path}: damaged ({fault}), kept as {to}"));
                self.outcome.changes.push(Change::Rename { from: path, to });
            }
            Step::MakeAuthority { authority, fault } => {
                let key = key::new();
                self.write(authority.key(), key::private_text(&key)?);
                self.authority(*authority, key, "made", *fault)?;
            }
            Step::RenewAuthority { authority, fault } => {
                let key = self.authority_key(*authority)?;
                self.authority(*authority, key, "renewed with the same key", *fault)?;
            }
            Step::MakeAccountKey { fault } => {
                let key = key::new();
                self.write(ACCOUNT_KEY, key::private_text(&key)?);
                self.write(ACCOUNT_PUBLIC_KEY, key::public_text(&key.public_key())?);
                self.say(format!("{ACCOUNT_KEY}: made ({fault})"));
            }
            Step::WriteAccountPublicKey { fault } => {
                let key =
                    self.found.bytes(ACCOUNT_KEY).and_then(key::read).ok_or_else(|| gone(ACCOUNT_KEY))?;
                self.write(ACCOUNT_PUBLIC_KEY, key::public_text(&key.public_key())?);
                self.say(format!("{ACCOUNT_PUBLIC_KEY}: written ({fault})"));
            }
            Step::Issue { leaf, fault } => self.leaf(leaf, *fault)?,
        }
        Ok(())
    }

    fn authority(
        &mut self,
        authority: Authority,
        key: SecretKey,
        done: &str,
        fault: Fault,
    ) -> Result<(), Error> {
        let path = authority.certificate();
        let not_after = self.now + AUTHORITY_LIFE;
        let made = certificate::new_serial()
            .and_then(|serial| certificate::of_authority(authority, &key.public_key(), serial, not_after))
            .and_then(|tbs| certificate::sign(tbs, &key))
            .map_err(Error::make(path))?;
        self.write(path, certificate::text(&made).map_err(Error::make(path))?);
        self.say(format!("{path}: {done}, valid until {} ({fault})", until(&made)));
        self.issuers[authority as usize] = Some(Issuer { key, certificate: made });
        Ok(())
    }

    fn leaf(&mut self, leaf: &Leaf, fault: Fault) -> Result<(), Error> {
        let path = leaf.place.path();
        let key = key::new();
        let key_text = key::private_text(&key)?;
        let (now, issuer) = (self.now, self.issuer(leaf.authority)?);
        // What outlives its authority is valid to nobody.
        let not_after = certificate::not_after(&issuer.certificate).min(now + LEAF_LIFE);
        let authority = certificate::text(&issuer.certificate).map_err(Error::make(path))?;
        let made = certificate::new_serial()
            .and_then(|serial| {
                let (key, issuer) = (key.public_key(), issuer.key.public_key());
                certificate::of_leaf(leaf, &key, &issuer, serial, not_after)
            })
            .and_then(|tbs| certificate::sign(tbs, &issuer.key))
            .map_err(Error::make(path))?;
        let text = certificate::text(&made).map_err(Error::make(path))?;
        match leaf.place {
            Place::Pair { key: key_path, certificate } => {
                self.write(key_path, key_text);
                self.write(certificate, text);
            }
            Place::Kubeconfig(path) => {
                self.write(path, kubeconfig::text(&leaf.subject.common_name, &authority, &text, &key_text));
            }
        }
        self.say(format!("{path}: issued, valid until {} ({fault})", until(&made)));
        Ok(())
    }

    /// An authority that stays is read when it has something to sign.
    fn issuer(&mut self, authority: Authority) -> Result<&Issuer, Error> {
        let slot = authority as usize;
        if self.issuers[slot].is_none() {
            let bytes = self.found.bytes(authority.certificate());
            let certificate =
                bytes.and_then(certificate::read).ok_or_else(|| gone(authority.certificate()))?;
            self.issuers[slot] = Some(Issuer { key: self.authority_key(authority)?, certificate });
        }
        self.issuers[slot].as_ref().ok_or_else(|| gone(authority.key()))
    }

    fn authority_key(&self, authority: Authority) -> Result<SecretKey, Error> {
        self.found.bytes(authority.key()).and_then(key::read).ok_or_else(|| gone(authority.key()))
    }

    fn write(&mut self, path: &'static str, text: String) {
        self.outcome.changes.push(Change::Write { path, bytes: text.into_bytes() });
    }

    fn say(&mut self, line: String) {
        self.outcome.lines.push(line);
    }
}

fn until(certificate: &Certificate) -> String {
    date(certificate.tbs_certificate.validity.not_after)
}

/// A plan only counts on what it found whole.
fn gone(path: &str) -> Error {
    Error::Make { what: path.to_owned(), reason: "the plan does not fit what was found".to_owned() }
}
