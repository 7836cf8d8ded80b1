use std::collections::BTreeMap;
use std::ops::Deref;

use deb822_fast::borrowed::{BorrowedParagraph, BorrowedParser};
use geminios_model::{ArchiveState, Digest};
use pgp::composed::CleartextSignedMessage;

use crate::date::{Utc, parse_date};
use crate::signature::{CLOCK_SKEW, Key, SignatureFault, check_signatures};

/// Debian's largest InRelease (main of a suite) is 140 KB.
const LARGEST_RELEASE: usize = 16 << 20;

/// What an InRelease file is asked for, and when.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Name of the archive, for messages.
    pub archive: &'a str,
    /// Suite or code name.
    pub suite: &'a str,
    /// Seconds since 1970.
    pub now: u64,
    /// Accept a file past its Valid-Until.
    pub accept_expired: bool,
}

/// An InRelease file whose signature and dates are good. Only [`verify_inrelease`] makes one.
#[derive(Clone, Debug)]
pub struct Release {
    fields: ReleaseFields,
    digest: Digest,
    signer: String,
}

/// What a Release file says, not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseFields {
    pub suite: String,
    pub codename: String,
    /// Seconds since 1970.
    pub date: u64,
    /// Seconds since 1970.
    pub valid_until: Option<u64>,
    /// Whether indices are also kept by their hash, so that an update of the mirror does not get in between.
    pub acquire_by_hash: bool,
    pub architectures: Vec<String>,
    pub components: Vec<String>,
    /// Path below the suite's folder, size in bytes and digest of each index.
    pub files: BTreeMap<String, (u64, Digest)>,
}

/// One index to download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexFile {
    /// Path below the archive's mirror to fetch it from, by its hash where the archive offers that.
    pub path: String,
    /// `xz`, `gz` or nothing.
    pub compression: &'static str,
    pub size: u64,
    pub sha256: Digest,
    /// Size in bytes and digest once decompressed.
    pub plain: (u64, Digest),
}

/// An InRelease file that is not accepted.
#[derive(Debug, thiserror::Error)]
#[error("InRelease of {archive} {suite}: {problem}")]
pub struct ReleaseError {
    pub archive: String,
    pub suite: String,
    pub problem: ReleaseProblem,
}

/// Why an InRelease file is not accepted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseProblem {
    #[error("it is larger than {} MiB; try another mirror", LARGEST_RELEASE >> 20)]
    TooLarge,
    #[error("it is not a signed file; the mirror answered with something else, try another mirror")]
    NotSigned,
    #[error("it ends in the middle; try again or another mirror")]
    Truncated,
    #[error("line {0} stands outside the signed text; somebody added it on the way, try another mirror")]
    OutsideText(usize),
    #[error("line {0} begins a second signed block; somebody added it on the way, try another mirror")]
    SecondBlock(usize),
    #[error("line {0} begins with a dash that is not escaped (RFC 9580, section 7.2); try another mirror")]
    BareDash(usize),
    #[error("its signature cannot be read ({0}); try another mirror")]
    BadArmor(String),
    #[error("no trusted key signed it ({}); try another mirror, or check the profile's `keys`", list(.0))]
    NotTrusted(Vec<SignatureFault>),
    #[error("{0}")]
    Malformed(#[from] ReleaseTextError),
    #[error("it is for suite {suite} ({codename}); try another mirror, or correct `suites` in the profile")]
    WrongSuite { suite: String, codename: String },
    #[error("it is dated {}, which lies in the future; check this machine's clock", Utc(*.0))]
    FutureDate(u64),
    #[error(
        "it was valid until {} only; try a mirror that is up to date, or set `accept-expired` with a reason in the profile",
        Utc(*.0)
    )]
    Expired(u64),
}

/// A Release text that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseTextError {
    #[error("its text is not of the form `Key: value` ({0})")]
    Syntax(String),
    #[error("it has no field `{0}`")]
    Missing(&'static str),
    #[error("its field `{field}` is `{value}`, which cannot be read")]
    Value { field: &'static str, value: String },
}

fn list(faults: &[SignatureFault]) -> String {
    faults.iter().map(SignatureFault::to_string).collect::<Vec<_>>().join("; ")
}

/// Reads an InRelease file that one of `keys` signed.
///
/// Only the signed text is read: a file with text around the signed block or with a second block is refused.
///
/// # Errors
/// Everything that does not hold; see [`ReleaseProblem`].
pub fn verify_inrelease(bytes: &[u8], keys: &[Key], asked: &Asked<'_>) -> Result<Release, ReleaseError> {
    verify(bytes, keys, asked).map_err(|problem| ReleaseError {
        archive: asked.archive.to_owned(),
        suite: asked.suite.to_owned(),
        problem,
    })
}

fn verify(bytes: &[u8], keys: &[Key], asked: &Asked<'_>) -> Result<Release, ReleaseProblem> {
    if bytes.len() > LARGEST_RELEASE {
        return Err(ReleaseProblem::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ReleaseProblem::NotSigned)?;
    one_block(text)?;
    let (message, _) = CleartextSignedMessage::from_string(text)
        .map_err(|error| ReleaseProblem::BadArmor(error.to_string()))?;
    let fields = parse_release(&message.signed_text());
    // A text that cannot be read has no date; its signature is judged first all the same.
    let claimed = fields.as_ref().map_or(0, |fields| fields.date);
    let signer = check_signatures(&message, keys, asked.now, claimed).map_err(ReleaseProblem::NotTrusted)?;
    let fields = fields?;
    if asked.suite != fields.suite && asked.suite != fields.codename {
        let ReleaseFields { suite, codename, .. } = fields;
        return Err(ReleaseProblem::WrongSuite { suite, codename });
    }
    if fields.date > asked.now.saturating_add(CLOCK_SKEW) {
        return Err(ReleaseProblem::FutureDate(fields.date));
    }
    if let Some(end) = fields.valid_until.filter(|end| *end < asked.now && !asked.accept_expired) {
        return Err(ReleaseProblem::Expired(end));
    }
    Ok(Release { fields, digest: Digest::of(bytes), signer })
}

/// Checks that the file is one signed block and nothing else.
fn one_block(text: &str) -> Result<(), ReleaseProblem> {
    const MARKS: [&str; 3] = [
        "-----BEGIN PGP SIGNED MESSAGE-----",
        "-----BEGIN PGP SIGNATURE-----",
        "-----END PGP SIGNATURE-----",
    ];
    let mut passed = 0;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_end();
        if passed == MARKS.len() {
            match line {
                "" => continue,
                line if line == MARKS[0] => return Err(ReleaseProblem::SecondBlock(number)),
                _ => return Err(ReleaseProblem::OutsideText(number)),
            }
        } else if line == MARKS[passed] {
            passed += 1;
        } else if passed == 0 {
            return Err(if text.contains(MARKS[0]) {
                ReleaseProblem::OutsideText(number)
            } else {
                ReleaseProblem::NotSigned
            });
        } else if line == MARKS[0] {
            return Err(ReleaseProblem::SecondBlock(number));
        } else if line.starts_with('-') && !line.starts_with("- ") && line != "-" {
            return Err(ReleaseProblem::BareDash(number));
        }
    }
    match passed {
        0 => Err(ReleaseProblem::NotSigned),
        3 => Ok(()),
        _ => Err(ReleaseProblem::Truncated),
    }
}

impl Release {
    /// Digest of the whole InRelease file.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Fingerprint of the key whose signature was found good.
    pub fn signer(&self) -> &str {
        &self.signer
    }

    /// The suite's state for the lock.
    pub fn state(&self, asked: &Asked<'_>) -> ArchiveState {
        ArchiveState {
            archive: asked.archive.to_owned(),
            suite: asked.suite.to_owned(),
            date: self.date,
            release: self.digest,
        }
    }
}

impl Deref for Release {
    type Target = ReleaseFields;

    fn deref(&self) -> &ReleaseFields {
        &self.fields
    }
}

impl ReleaseFields {
    /// The smallest form of a component's Packages index for an architecture, in the folder of `suite`.
    pub fn packages_file(&self, suite: &str, component: &str, arch: &str) -> Option<IndexFile> {
        let folder = format!("{component}/binary-{arch}");
        let plain = *self.files.get(&format!("{folder}/Packages"))?;
        let (compression, name) = [("xz", "Packages.xz"), ("gz", "Packages.gz"), ("", "Packages")]
            .into_iter()
            .find(|(_, name)| self.files.contains_key(&format!("{folder}/{name}")))?;
        let &(size, sha256) = self.files.get(&format!("{folder}/{name}"))?;
        let path = if self.acquire_by_hash {
            format!("dists/{suite}/{folder}/by-hash/SHA256/{sha256}")
        } else {
            format!("dists/{suite}/{folder}/{name}")
        };
        Some(IndexFile { path, compression, size, sha256, plain })
    }
}

/// Reads the text of a Release file, without any check of who wrote it.
///
/// # Errors
/// Fields that are missing or cannot be read.
pub fn parse_release(text: &str) -> Result<ReleaseFields, ReleaseTextError> {
    let text = text.replace("\r\n", "\n");
    let paragraphs =
        BorrowedParser::new(&text).parse_all().map_err(|e| ReleaseTextError::Syntax(e.to_string()))?;
    let [paragraph] = paragraphs.as_slice() else {
        return Err(ReleaseTextError::Syntax(format!("{} paragraphs, not one", paragraphs.len())));
    };
    let words = |field| -> Vec<String> {
        paragraph.get_single(field).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    };
    let date = |field: &'static str| {
        paragraph
            .get_single(field)
            .map(|value| parse_date(value).ok_or(ReleaseTextError::Value { field, value: value.to_owned() }))
            .transpose()
    };
    Ok(ReleaseFields {
        suite: paragraph.get_single("Suite").ok_or(ReleaseTextError::Missing("Suite"))?.to_owned(),
        codename: paragraph.get_single("Codename").ok_or(ReleaseTextError::Missing("Codename"))?.to_owned(),
        date: date("Date")?.ok_or(ReleaseTextError::Missing("Date"))?,
        valid_until: date("Valid-Until")?,
        acquire_by_hash: paragraph.get_single("Acquire-By-Hash") == Some("yes"),
        architectures: words("Architectures"),
        components: words("Components"),
        files: files(paragraph)?,
    })
}

fn files(paragraph: &BorrowedParagraph<'_>) -> Result<BTreeMap<String, (u64, Digest)>, ReleaseTextError> {
    let lines = paragraph.get("SHA256").ok_or(ReleaseTextError::Missing("SHA256"))?;
    let mut files = BTreeMap::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        let bad = || ReleaseTextError::Value { field: "SHA256", value: (*line).to_owned() };
        let words: Vec<&str> = line.split_whitespace().collect();
        let &[digest, size, path] = words.as_slice() else { return Err(bad()) };
        if !is_relative_path(path) {
            return Err(bad());
        }
        let entry = (size.parse().map_err(|_| bad())?, digest.parse().map_err(|_| bad())?);
        if files.insert(path.to_owned(), entry).is_some_and(|other| other != entry) {
            return Err(bad());
        }
    }
    Ok(files)
}

/// Whether a path stays below the folder it is appended to.
pub(crate) fn is_relative_path(path: &str) -> bool {
    !path.is_empty()
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && path.bytes().all(|b| b.is_ascii_graphic() && !b"\\?#%".contains(&b))
}
