//! Everything that a device would check, and more, from a folder or a bundle: all that is wrong, by file.
//!
//! - Metadata goes through the device's own client, from the first root.
//! - Each release.json that is listed, each blob that it names, and that each encoding gives the image: deltas against the older
//!   release where the repository has it, chunks by their index; the root against its hash tree.
//! - In a folder every listed release must be complete. A bundle has one, and may leave out chunks and deltas, each as a whole.
//! - Each further file with a digest in its name is compared with it.

mod images;
mod source;

use std::collections::BTreeMap;
use std::path::Path;

use geminios_model::{Progress, Unit};
use geminios_update_format::metadata::{Body as _, RoleName};
use geminios_update_format::release::Release;
use geminios_update_format::{Client, State, Step, Trusted, UnixTime};

pub use source::Source;

/// Something wrong with a file of the repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub file: String,
    pub problem: String,
}

/// What was looked at, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Sorted. Empty: a device would take all of it.
    pub findings: Vec<Finding>,
    /// Names of the releases that are there.
    pub releases: Vec<String>,
    /// Files read, and their bytes.
    pub files: usize,
    pub bytes: u64,
    /// Deltas whose older release is not there: their blobs were compared with their digests only.
    pub deltas_not_unpacked: usize,
}

impl Report {
    fn find(&mut self, file: impl Into<String>, problem: impl ToString) {
        self.findings.push(Finding { file: file.into(), problem: problem.to_string() });
    }
}

/// Looks at a repository or a bundle. `root` is the first root that is trusted; without one it is the repository's own, and the
/// verdict is about its consistency only. `now` is what a device's clock says.
pub fn verify(path: &Path, root: Option<&[u8]>, now: UnixTime, progress: &dyn Progress) -> Report {
    let mut report = Report::default();
    let source = match Source::open(path) {
        Ok(source) => source,
        Err(problem) => {
            report.find(path.display().to_string(), problem);
            return report;
        }
    };
    source.names_match(&mut report, progress);
    if let Some(trusted) = metadata(&source, root, now, &mut report) {
        releases(&source, &trusted, &mut report, progress);
    }
    report.findings.sort();
    report.findings.dedup();
    report
}

/// The client's run.
fn metadata(source: &Source, root: Option<&[u8]>, now: UnixTime, report: &mut Report) -> Option<Trusted> {
    let first = "metadata/1.root.json";
    let bytes = match root {
        Some(root) => root.to_vec(),
        None => match source.read(first, 128 << 10) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return refuse(report, first, "not there"),
            Err(problem) => return refuse(report, first, problem),
        },
    };
    let state = match State::of_root(&bytes) {
        Ok(state) => state,
        Err(error) => return refuse(report, first, error),
    };
    // The device begins with a root of its own; the repository's copy of it must be the same.
    let own = format!("metadata/{}", RoleName::Root.file(state.root().header().version));
    match source.read(&own, bytes.len() as u64) {
        Ok(Some(there)) if there == bytes => {}
        Ok(None) => report.find(&own, "not there"),
        Ok(Some(_)) => report.find(&own, "it is not the root that is trusted"),
        Err(problem) => report.find(&own, problem),
    }
    let mut client = Client::start(state, now, 0);
    let mut step = client.step();
    loop {
        let fetch = match step {
            Step::Done(trusted) => return Some(trusted),
            Step::Fetch(fetch) => fetch,
        };
        let name = format!("metadata/{}", fetch.name);
        let next = match source.read(&name, fetch.max_length) {
            Ok(Some(bytes)) => client.take(&bytes),
            Ok(None) => client.absent(),
            Err(problem) => return refuse(report, &name, problem),
        };
        step = match next {
            Ok(step) => step,
            Err(error) => return refuse(report, &name, error),
        };
    }
}

fn refuse(report: &mut Report, file: &str, problem: impl ToString) -> Option<Trusted> {
    report.find(file, problem);
    None
}

fn releases(source: &Source, trusted: &Trusted, report: &mut Report, progress: &dyn Progress) {
    let listed = match trusted.releases() {
        Ok(listed) => listed,
        Err(error) => return report.find("targets.json", error),
    };
    let mut releases: BTreeMap<String, Release> = BTreeMap::new();
    for listed in &listed {
        let name = listed.target.name.to_string();
        let path = format!("targets/{}", listed.target.path());
        match source.read(&path, listed.target.length) {
            Err(problem) => report.find(&path, problem),
            Ok(None) if source.is_bundle() => {}
            Ok(None) => report.find(&path, "not there"),
            Ok(Some(bytes)) => match trusted.open(listed, &bytes) {
                Ok(release) => drop(releases.insert(name, release)),
                Err(error) => report.find(&path, error),
            },
        }
    }
    if source.is_bundle() && releases.is_empty() && report.findings.is_empty() {
        report.find(source.path().display().to_string(), "it has no release");
    }
    for (name, release) in &releases {
        progress.begin(name, release.root.size, Unit::Bytes);
        images::check(source, release, &releases, report);
        progress.end(name, "checked");
    }
    report.releases = releases.into_keys().collect();
}
