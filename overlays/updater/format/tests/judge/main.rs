//! The reference implementation of TUF judges: it reads what we write, and we read what it writes, good and hostile.
#![allow(clippy::unwrap_used)]

mod expected;
#[path = "../format/made.rs"]
mod made;
mod oracle;
mod ours;
mod scenario;

use std::collections::BTreeMap;

use geminios_update_format::Error;
use serde_json::Value;

use expected::{AS_SPECIFIED, BOTH, STRICTER};
use oracle::Oracle;
use scenario::{Verdict, run, shown, theirs};

#[test]
fn both_clients_give_the_same_verdict_on_its_repositories() {
    let Some(oracle) = Oracle::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    oracle.write_repositories(folder.path());
    let path = folder.path().join("scenarios.json");
    let scenarios: BTreeMap<String, Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let verdicts = oracle.verdicts(&path);

    let mut complaints = Vec::new();
    let mut seen = 0;
    for (name, scenario) in &scenarios {
        let (ours, theirs) = (run(folder.path(), scenario), theirs(&verdicts[name]));
        seen += 1;
        if !as_expected(name, &ours, &theirs) {
            complaints.push(format!(
                "{name}\n  ours:\n    {}\n  theirs:\n    {}",
                shown(&ours),
                shown(&theirs)
            ));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert_eq!(
        seen,
        BOTH.len() + STRICTER.len() + AS_SPECIFIED.len(),
        "cases without an expectation, or the other way"
    );
    eprintln!("{seen} cases");
}

fn as_expected(name: &str, ours: &[Verdict<Error>], theirs: &[Verdict<String>]) -> bool {
    let last = ours.len() - 1;
    let same_until = |end: usize| (0..end).all(|at| ours[at].as_ref().ok() == theirs[at].as_ref().ok());
    if let Some((_, kind)) = BOTH.iter().find(|(case, _)| *case == name) {
        let refused: Vec<_> = ours.iter().filter_map(|verdict| verdict.as_ref().err()).collect();
        return same_until(ours.len())
            && refused.iter().all(|error| Some(error.kind()) == *kind)
            && refused.is_empty() == kind.is_none();
    }
    if let Some((_, kind, _)) = STRICTER.iter().find(|(case, ..)| *case == name) {
        let refused = ours[last].as_ref().is_err_and(|error| error.kind() == *kind);
        return same_until(last) && refused && theirs[last].is_ok();
    }
    let listed = AS_SPECIFIED.iter().any(|(case, _)| *case == name);
    listed && same_until(last) && ours[last].is_ok() && theirs[last].is_err()
}

#[test]
fn it_reads_our_repositories() {
    let Some(oracle) = Oracle::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let scenarios = ours::scenarios(folder.path());
    let path = folder.path().join("scenarios.json");
    let json: BTreeMap<&str, &Value> = scenarios.iter().map(|(name, (value, _))| (*name, value)).collect();
    std::fs::write(&path, serde_json::to_vec(&json).unwrap()).unwrap();
    let verdicts = oracle.verdicts(&path);

    for (name, (scenario, accepted)) in &scenarios {
        let (ours, theirs) = (run(folder.path(), scenario), theirs(&verdicts[*name]));
        let same = ours.iter().zip(&theirs).all(|(ours, theirs)| ours.as_ref().ok() == theirs.as_ref().ok());
        let verdicts: Vec<bool> = theirs.iter().map(Result::is_ok).collect();
        assert!(
            same && verdicts == *accepted,
            "{name}\n  ours:\n    {}\n  theirs:\n    {}",
            shown(&ours),
            shown(&theirs)
        );
    }
    eprintln!("{} cases", scenarios.len());
}
