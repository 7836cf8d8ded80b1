//! Forks: what a node wrote that no leader has. Kept for audit, before a rewind erases it.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{Error, Settings, error::At, files, leader::Fork, lsn};

/// What was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub folder: PathBuf,
    /// Of the log.
    pub bytes: u64,
    /// False: there was more than may be kept, or the disk was full.
    pub whole: bool,
}

/// Copies the log from where the fork begins, pg_control and the histories to `forks/SECONDS-EPOCH`. Between two files of the log it
/// asks whether to go on; nothing is returned if not.
pub(crate) fn keep(
    settings: &Settings,
    fork: Fork,
    epoch: u64,
    why: &str,
    go_on: impl Fn() -> bool,
) -> Result<Option<Kept>, Error> {
    let forks = settings.own.join("forks");
    files::make_folder(&forks, settings.run_as)?;
    let limits = settings.forks;
    let wanted = log_files(&settings.data, fork)?;
    let size = |files: &[PathBuf]| files.len() as u64 * lsn::SEGMENT;
    make_room(&forks, limits.number.saturating_sub(1), limits.bytes.saturating_sub(size(&wanted)))?;

    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let folder = forks.join(format!("{now}-{epoch}"));
    let unfinished = forks.join("unfinished");
    files::remove_folder(&unfinished)?;
    files::make_folder(&unfinished, settings.run_as)?;
    let (mut bytes, mut whole) = (0, true);
    for file in small_files(&settings.data).iter().chain(&wanted) {
        if !go_on() {
            return Ok(None);
        }
        let length = if wanted.contains(file) { lsn::SEGMENT } else { 0 };
        if bytes + length > limits.bytes || limits.number == 0 {
            whole = false;
            break;
        }
        match copy(file, &unfinished) {
            Ok(()) => bytes += length,
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                whole = false;
                break;
            }
            Err(error) => return Err(error).at(file),
        }
    }
    let note = format!(
        "timeline {}\nfrom {}\nepoch of the leader {epoch}\nwhole {whole}\n{why}\n",
        fork.timeline, fork.from
    );
    let path = unfinished.join("note.txt");
    let noted = File::create(&path)
        .and_then(|mut file| file.write_all(note.as_bytes()).and_then(|()| file.sync_all()));
    whole &= noted.is_ok();
    fs::rename(&unfinished, &folder).at(&folder)?;
    files::sync_folder_of(&folder)?;
    Ok(Some(Kept { folder, bytes, whole }))
}

fn copy(file: &Path, folder: &Path) -> std::io::Result<()> {
    let to = folder.join(file.file_name().unwrap_or_default());
    let copied = fs::copy(file, &to).and_then(|_| File::open(&to)?.sync_all());
    if copied.is_err() {
        let _ = fs::remove_file(&to);
    }
    copied
}

/// Files of the log from the fork on, in order: of its timeline, and of those that it began.
fn log_files(data: &Path, fork: Fork) -> Result<Vec<PathBuf>, Error> {
    let log = data.join("pg_wal");
    let mut found = Vec::new();
    for entry in fs::read_dir(&log).at(&log)? {
        let entry = entry.at(&log)?;
        let Some((timeline, segment)) = entry.file_name().to_str().and_then(lsn::segment_of_file) else {
            continue;
        };
        if timeline >= fork.timeline && segment >= fork.from.segment() {
            found.push((segment, timeline, entry.path()));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, _, path)| path).collect())
}

fn small_files(data: &Path) -> Vec<PathBuf> {
    let histories =
        fs::read_dir(data.join("pg_wal")).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<_> =
        histories.filter(|path| path.extension().is_some_and(|extension| extension == "history")).collect();
    files.push(data.join("global/pg_control"));
    files.retain(|path| path.exists());
    files
}

/// Removes the oldest until so many and so much are left.
fn make_room(forks: &Path, number: usize, bytes: u64) -> Result<(), Error> {
    let mut kept: Vec<(String, u64)> = fs::read_dir(forks)
        .at(forks)?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let files = fs::read_dir(entry.path()).ok()?;
            let size = files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).sum();
            Some((entry.file_name().into_string().ok()?, size))
        })
        .collect();
    kept.sort();
    while kept.len() > number || (!kept.is_empty() && kept.iter().map(|(_, size)| size).sum::<u64>() > bytes)
    {
        let (name, _) = kept.remove(0);
        files::remove_folder(&forks.join(name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_forks_make_room() {
        let folder = tempfile::tempdir().unwrap();
        for (name, size) in [("100-2", 10), ("200-3", 10), ("300-4", 10)] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("x"), vec![0; size]).unwrap();
        }
        let names = || {
            let mut names: Vec<_> = fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        make_room(folder.path(), 3, 30).unwrap();
        assert_eq!(names().len(), 3);
        make_room(folder.path(), 2, 30).unwrap();
        assert_eq!(names(), ["200-3", "300-4"]);
        make_room(folder.path(), 2, 10).unwrap();
        assert_eq!(names(), ["300-4"]);
    }
}
