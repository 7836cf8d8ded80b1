use std::fmt;

use pgp::composed::{CleartextSignedMessage, PublicOrSecret, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{RevocationCode, Signature, SignatureType, SignatureVersion, SubpacketData};
use pgp::types::{KeyDetails, Tag, VerifyingKey};

use crate::date::Utc;

/// Clocks that differ by less than this are not held against anyone.
pub(crate) const CLOCK_SKEW: u64 = 86_400;

/// A key that may sign an archive's InRelease files.
#[derive(Clone, Debug)]
pub struct Key {
    certificate: SignedPublicKey,
}

/// Bytes that should hold keys hold none.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The bytes are no OpenPGP certificates.
    #[error("{file}: not an OpenPGP certificate ({reason}); export the archive's key again")]
    Malformed { file: String, reason: String },
    /// A secret key.
    #[error("{file}: holds a secret key; keep it out of the tree and export the public one")]
    Secret { file: String },
    /// No key at all.
    #[error("{file}: holds no key; export the archive's key again")]
    Empty { file: String },
}

impl Key {
    /// All certificates of a file, binary or armored. `file` is named in errors.
    ///
    /// # Errors
    /// Anything in the file that is not a public certificate.
    pub fn parse_all(file: &str, bytes: &[u8]) -> Result<Vec<Key>, KeyError> {
        let malformed =
            |e: pgp::errors::Error| KeyError::Malformed { file: file.to_owned(), reason: e.to_string() };
        let (found, _) = PublicOrSecret::from_reader_many_buf(bytes).map_err(malformed)?;
        let mut keys = Vec::new();
        for key in found {
            match key.map_err(malformed)? {
                PublicOrSecret::Public(certificate) => keys.push(Key { certificate }),
                PublicOrSecret::Secret(_) => return Err(KeyError::Secret { file: file.to_owned() }),
            }
        }
        if keys.is_empty() {
            return Err(KeyError::Empty { file: file.to_owned() });
        }
        Ok(keys)
    }

    /// Fingerprint of the primary key, in lower-case hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        self.certificate.fingerprint().to_string()
    }
}

/// Why one signature does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureFault {
    /// None of the trusted keys made it.
    UnknownKey { issuer: String },
    /// The text is not what was signed.
    Wrong { key: String },
    /// The key was not valid any more.
    KeyExpired { key: String, at: u64 },
    /// The key was revoked.
    KeyRevoked { key: String },
    /// The key is not meant to sign, or its certificate does not vouch for it.
    NotForSigning { key: String },
    /// MD5, SHA-1 and other hashes that can be forged.
    WeakHash { hash: String },
    /// Made after now, or before its key.
    WrongTime { key: String, at: u64 },
    /// The signature has an end, and it has passed.
    Expired { key: String, at: u64 },
    /// A kind of signature that InRelease files do not have.
    Unsupported { reason: &'static str },
}

impl fmt::Display for SignatureFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey { issuer } => write!(f, "key {issuer} is not trusted"),
            Self::Wrong { key } => write!(f, "the signature by key {key} does not fit the text"),
            Self::KeyExpired { key, at } => write!(f, "key {key} expired on {}", Utc(*at)),
            Self::KeyRevoked { key } => write!(f, "key {key} is revoked"),
            Self::NotForSigning { key } => write!(f, "key {key} may not sign"),
            Self::WeakHash { hash } => write!(f, "{hash} is too weak a hash"),
            Self::WrongTime { key, at } => {
                write!(f, "the signature by key {key} claims to be of {}; check the clock", Utc(*at))
            }
            Self::Expired { key, at } => write!(f, "the signature by key {key} expired on {}", Utc(*at)),
            Self::Unsupported { reason } => f.write_str(reason),
        }
    }
}

/// Looks for one signature by a trusted key; gives that key's fingerprint.
///
/// `claimed` is the date that the signed text gives itself: a key must have been valid then, too, so
/// that an expired key cannot sign a new text by dating the signature back.
///
/// # Errors
/// What is wrong with each of the signatures.
pub(crate) fn check_signatures(
    message: &CleartextSignedMessage,
    keys: &[Key],
    now: u64,
    claimed: u64,
) -> Result<String, Vec<SignatureFault>> {
    let text = message.signed_text();
    let mut faults = Vec::new();
    for signature in message.signatures() {
        match check_signature(signature, text.as_bytes(), keys, now, claimed) {
            Ok(fingerprint) => return Ok(fingerprint),
            Err(fault) => faults.push(fault),
        }
    }
    Err(faults)
}

fn check_signature(
    signature: &Signature,
    text: &[u8],
    keys: &[Key],
    now: u64,
    claimed: u64,
) -> Result<String, SignatureFault> {
    let made = acceptable(signature)?;
    for key in keys {
        let certificate = &key.certificate;
        let primary = &certificate.primary_key;
        if is_issuer(signature, primary) {
            let name = primary.fingerprint().to_string();
            signature.verify(primary, text).map_err(|_| SignatureFault::Wrong { key: name.clone() })?;
            let validity = Validity::of_primary(certificate);
            validity.covers(&name, signature, made, now, claimed)?;
            return Ok(name);
        }
        if let Some(subkey) = certificate.public_subkeys.iter().find(|s| is_issuer(signature, &s.key)) {
            let name = subkey.key.fingerprint().to_string();
            signature.verify(&subkey.key, text).map_err(|_| SignatureFault::Wrong { key: name.clone() })?;
            // A subkey lives no longer than the primary key that vouches for it.
            let primary_validity = Validity { may_sign: true, ..Validity::of_primary(certificate) };
            primary_validity.covers(&name, signature, made, now, claimed)?;
            Validity::of_subkey(certificate, subkey).covers(&name, signature, made, now, claimed)?;
            return Ok(name);
        }
    }
    let issuer = signature.issuer_fingerprint().first().map(|f| f.to_string());
    let issuer = issuer.or_else(|| signature.issuer_key_id().first().map(|id| id.to_string()));
    Err(SignatureFault::UnknownKey { issuer: issuer.unwrap_or_else(|| "without a name".into()) })
}

/// Checks what the signature says about itself; gives when it was made.
fn acceptable(signature: &Signature) -> Result<u64, SignatureFault> {
    let unsupported = |reason| Err(SignatureFault::Unsupported { reason });
    if !matches!(signature.version(), SignatureVersion::V4 | SignatureVersion::V6) {
        return unsupported("the signature has an outdated or unknown version");
    }
    if signature.typ() != Some(SignatureType::Text) {
        return unsupported("the signature is not one over text");
    }
    let Some(config) = signature.config() else { return unsupported("the signature cannot be read") };
    use HashAlgorithm::{Sha3_256, Sha3_512, Sha256, Sha384, Sha512};
    if ![Sha256, Sha384, Sha512, Sha3_256, Sha3_512].contains(&config.hash_alg) {
        return Err(SignatureFault::WeakHash { hash: config.hash_alg.to_string() });
    }
    // RFC 9580, section 5.2.3.7: a critical subpacket that is not understood makes the signature invalid.
    let strange = |data: &SubpacketData| {
        matches!(
            data,
            SubpacketData::Other(..) | SubpacketData::Experimental(..) | SubpacketData::Notation(_)
        )
    };
    if config.hashed_subpackets().any(|p| p.is_critical && strange(&p.data)) {
        return unsupported("the signature has a critical part that is not understood");
    }
    match signature.created() {
        Some(made) => Ok(made.as_secs().into()),
        None => unsupported("the signature does not say when it was made"),
    }
}

fn is_issuer(signature: &Signature, key: &impl KeyDetails) -> bool {
    let fingerprints = signature.issuer_fingerprint();
    if !fingerprints.is_empty() {
        return fingerprints.contains(&&key.fingerprint());
    }
    signature.issuer_key_id().contains(&&key.legacy_key_id())
}

/// What a certificate says about one of its keys.
struct Validity {
    created: u64,
    expires: Option<u64>,
    revoked: Revoked,
    may_sign: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Revoked {
    Never,
    /// Retired or superseded: what it signed before stays good.
    From(u64),
    Always,
}

impl Validity {
    fn of_primary(certificate: &SignedPublicKey) -> Self {
        let key = &certificate.primary_key;
        let details = &certificate.details;
        let direct =
            details.direct_signatures.iter().filter(|s| is_issuer(s, key) && s.verify_key(key).is_ok());
        let users = details.users.iter().flat_map(|user| {
            user.signatures.iter().filter(|s| {
                s.is_certification()
                    && is_issuer(s, key)
                    && s.verify_certification(key, Tag::UserId, &user.id).is_ok()
            })
        });
        let revocations = details.revocation_signatures.iter().filter(|s| s.verify_key(key).is_ok());
        let newest = direct.chain(users).max_by_key(|s| s.created());
        Self::new(key, newest, revocations, true)
    }

    fn of_subkey(certificate: &SignedPublicKey, subkey: &SignedPublicSubKey) -> Self {
        let (primary, key) = (&certificate.primary_key, &subkey.key);
        let valid = || subkey.signatures.iter().filter(|s| s.verify_subkey_binding(primary, key).is_ok());
        let of_type = |typ| valid().filter(move |s| s.typ() == Some(typ));
        // RFC 9580, section 10.1.5: a signing subkey has to vouch for its primary key in turn.
        let newest = of_type(SignatureType::SubkeyBinding)
            .filter(|s| {
                s.embedded_signature()
                    .is_some_and(|back| back.verify_primary_key_binding(key, primary).is_ok())
            })
            .max_by_key(|s| s.created());
        Self::new(key, newest, of_type(SignatureType::SubkeyRevocation), false)
    }

    fn new<'a>(
        key: &impl VerifyingKey,
        newest: Option<&'a Signature>,
        revocations: impl Iterator<Item = &'a Signature>,
        unless_flagged: bool,
    ) -> Self {
        let created = u64::from(key.created_at().as_secs());
        let expires = newest.and_then(|s| s.key_expiration_time()).map(|d| u64::from(d.as_secs()));
        let flagged = newest.is_some_and(|s| {
            s.config()
                .is_some_and(|c| c.hashed_subpackets().any(|p| matches!(p.data, SubpacketData::KeyFlags(_))))
        });
        let may_sign = newest.is_some_and(|s| s.key_flags().sign() || (unless_flagged && !flagged));
        let revoked = revocations.fold(Revoked::Never, |worst, signature| {
            let soft = matches!(
                signature.revocation_reason_code(),
                Some(RevocationCode::KeySuperseded | RevocationCode::KeyRetired)
            );
            let from = signature.created().map(|t| u64::from(t.as_secs()));
            match (worst, from) {
                (Revoked::Never, Some(from)) if soft => Revoked::From(from),
                (Revoked::From(earlier), Some(from)) if soft => Revoked::From(earlier.min(from)),
                _ => Revoked::Always,
            }
        });
        Validity { created, expires: expires.filter(|d| *d > 0).map(|d| created + d), revoked, may_sign }
    }

    fn covers(
        &self,
        name: &str,
        signature: &Signature,
        made: u64,
        now: u64,
        claimed: u64,
    ) -> Result<(), SignatureFault> {
        let key = || name.to_owned();
        if made > now.saturating_add(CLOCK_SKEW) || made < self.created {
            return Err(SignatureFault::WrongTime { key: key(), at: made });
        }
        let signature_end = signature.signature_expiration_time().map(|d| u64::from(d.as_secs()));
        if let Some(end) = signature_end.filter(|d| *d > 0).map(|d| made + d).filter(|end| *end <= now) {
            return Err(SignatureFault::Expired { key: key(), at: end });
        }
        let latest = made.max(claimed);
        match self.revoked {
            Revoked::Always => return Err(SignatureFault::KeyRevoked { key: key() }),
            Revoked::From(from) if from <= latest => return Err(SignatureFault::KeyRevoked { key: key() }),
            _ => {}
        }
        if let Some(end) = self.expires.filter(|end| *end <= latest) {
            return Err(SignatureFault::KeyExpired { key: key(), at: end });
        }
        if !self.may_sign {
            return Err(SignatureFault::NotForSigning { key: key() });
        }
        Ok(())
    }
}
