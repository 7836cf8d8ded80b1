use std::path::PathBuf;

use geminios_model::{
    ClassifiedScript, Digest, LockedPackage, LockedScript, ScriptKind, ScriptTable, Source,
};
use geminios_unpack::{Package, written_part};

use crate::error::ComposeError;

/// Why a maintainer script stops the build.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    #[error(
        "nobody has looked at the {kind} of package {package} {version} (sha256 {written})\n\
         It begins:\n{excerpt}\n  help: see what it does, and add to {table}:\n{stanza}"
    )]
    Unclassified {
        package: String,
        version: String,
        kind: ScriptKind,
        written: Digest,
        excerpt: String,
        table: PathBuf,
        stanza: String,
    },

    #[error(
        "the {kind} of package {package} {version} is not the one that was classified\n  \
         classified: {known}\n  now:        {written}\n\
         It begins:\n{excerpt}\n  help: see what changed; if `does` and `instead` still hold, add \"{written}\" to its sha256 in {place}"
    )]
    Changed {
        package: String,
        version: String,
        kind: ScriptKind,
        written: Digest,
        known: String,
        excerpt: String,
        place: String,
    },

    #[error(
        "the lock and package {package} {version} do not agree about its {kind}\n  \
         lock:    {locked}\n  package: {found}\n  help: the lock was edited or made by other code; make it anew with `geminios lock`"
    )]
    ScriptMismatch { package: String, version: String, kind: ScriptKind, locked: String, found: String },
}

/// Lines of a script that a message shows.
const EXCERPT: usize = 12;

/// Checks the maintainer scripts of all packages: that they are the ones in the lock, and that somebody classified what a
/// person wrote in those that an installation would run.
///
/// # Errors
/// All scripts that the lock does not have so, and all that are not in the table with their digest.
pub(crate) fn check(
    packages: &[(LockedPackage, Package)],
    table: &ScriptTable,
    source: &Source,
) -> Result<(), ComposeError> {
    let mut wrong = Vec::new();
    let mut sorted: Vec<_> = packages.iter().collect();
    sorted.sort_by_key(|(locked, _)| (&locked.name, &locked.architecture));
    for (locked, package) in sorted {
        for kind in ScriptKind::ALL {
            wrong.extend(
                check_one(locked, kind, package.control.scripts.get(&kind), table, source).err().map(|e| *e),
            );
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(ComposeError::Scripts(wrong)) }
}

fn check_one(
    locked: &LockedPackage,
    kind: ScriptKind,
    script: Option<&Vec<u8>>,
    table: &ScriptTable,
    source: &Source,
) -> Result<(), Box<ScriptError>> {
    let written = script.and_then(|script| written_part(script));
    let found = script.map(|script| LockedScript {
        kind,
        sha256: Digest::of(script),
        written: written.as_ref().map(Digest::of),
    });
    let expected = locked.scripts.iter().find(|script| script.kind == kind);
    if expected != found.as_ref() {
        return Err(Box::new(mismatch(locked, kind, expected, found.as_ref())));
    }
    match written {
        Some(written) if kind.runs_at_install() => classified(locked, kind, &written, table, source),
        _ => Ok(()),
    }
}

fn classified(
    locked: &LockedPackage,
    kind: ScriptKind,
    written: &[u8],
    table: &ScriptTable,
    source: &Source,
) -> Result<(), Box<ScriptError>> {
    let digest = Digest::of(written);
    let known: Vec<&ClassifiedScript> =
        table.scripts.iter().filter(|s| s.script == kind && names(&s.package, &locked.name)).collect();
    if known.iter().any(|script| script.sha256.contains(&digest)) {
        return Ok(());
    }
    let (package, version) = (locked.name.clone(), locked.version.clone());
    let table = source.path().to_owned();
    let excerpt = excerpt(written);
    Err(Box::new(match known.first() {
        None => {
            let stanza = stanza(&package, kind, &digest);
            ScriptError::Unclassified { package, version, kind, written: digest, excerpt, table, stanza }
        }
        Some(script) => {
            let line = source.complain(script.package.span(), "").line();
            let known: Vec<String> = known.iter().flat_map(|s| &s.sha256).map(Digest::to_string).collect();
            let (known, place) = (known.join(", "), format!("{}:{line}", table.display()));
            ScriptError::Changed { package, version, kind, written: digest, known, excerpt, place }
        }
    }))
}

/// Whether a name of the table, with a `*` at its end or not, means this package.
fn names(pattern: &str, package: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => package.starts_with(start),
        None => pattern == package,
    }
}

fn stanza(package: &str, kind: ScriptKind, digest: &Digest) -> String {
    format!(
        "    [[script]]\n    package = \"{package}\"\n    script = \"{kind}\"\n    sha256 = [\"{digest}\"]\n    does = \"\"\n    instead = \"\""
    )
}

fn excerpt(written: &[u8]) -> String {
    let text = String::from_utf8_lossy(written);
    let mut lines: Vec<String> = text
        .lines()
        .take(EXCERPT)
        .map(|line| format!("    {}", line.replace(|c: char| c.is_control() && c != '\t', "?")))
        .collect();
    let more = text.lines().count().saturating_sub(EXCERPT);
    if more > 0 {
        lines.push(format!("    … {more} lines more"));
    }
    lines.join("\n")
}

fn mismatch(
    locked: &LockedPackage,
    kind: ScriptKind,
    expected: Option<&LockedScript>,
    found: Option<&LockedScript>,
) -> ScriptError {
    let tell = |script: Option<&LockedScript>| match script {
        None => "none".to_owned(),
        Some(LockedScript { sha256, written: None, .. }) => format!("{sha256} generated"),
        Some(LockedScript { sha256, written: Some(written), .. }) => format!("{sha256} {written}"),
    };
    ScriptError::ScriptMismatch {
        package: locked.name.clone(),
        version: locked.version.clone(),
        kind,
        locked: tell(expected),
        found: tell(found),
    }
}
