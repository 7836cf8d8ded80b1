//! Runs `mkfs.erofs` with a tree as a tar stream on its standard input.

use std::io::Read;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::thread;

use geminios_compose::Tree;
use geminios_model::Digest;

use crate::archive::{self, Broken};
use crate::error::SealError;
use crate::verity::{uuid_from, uuid_text};

/// What decides about the bytes, besides tree, epoch and the program itself.
///
/// Level 4 takes two fifths of the time of the usual 9 and gives 1.2 % more bytes; ztailpacking takes 0.7 % off.
/// 64 KiB clusters are the middle between size and what a random read has to unpack.
/// The default `--all-time` of `-T` gives every file one time: inodes are half as large, and an unchanged file's
/// inode is the same in the next release. `--sort=none`: the stream is sorted, so no copy of it is kept.
pub(crate) const OPTIONS: [&str; 4] = ["-zlz4hc,level=4", "-C65536", "-Eztailpacking", "--sort=none"];

/// Cluster size 0: what is compressed already is stored as it is. Same size, a fifth of the time less.
pub(crate) const HINTS: &str = "0 \\.(xz|zst|gz|bz2|png|jpg|zip)$\n";

/// Writes a tree as a read-only file system to `out`. `mkfs` is a `mkfs.erofs` of at least version 1.8, without
/// arguments. Neither the number of threads nor the machine changes the bytes.
///
/// # Errors
/// The tree's content cannot be read; the program fails (no space, no such program). `out` is then not usable.
pub fn write_erofs(
    tree: &Tree,
    mut mkfs: Command,
    epoch: u64,
    out: &Path,
    done: impl Fn(u64),
) -> Result<(), SealError> {
    let hints = out.with_extension("hints");
    std::fs::write(&hints, HINTS).map_err(SealError::write(&hints))?;
    mkfs.arg("--quiet")
        .args(OPTIONS)
        .arg(format!("--compress-hints={}", hints.display()))
        .arg(format!("--workers={}", rayon::current_num_threads()))
        .args(["-T", &epoch.to_string(), "-U", &uuid_text(&uuid_from(&tree.digest())), "--tar=f"])
        .arg(out)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let run = |error| SealError::Start { program: "mkfs.erofs", error };
    let mut child = mkfs.spawn().map_err(run)?;
    let (input, errors) = (child.stdin.take(), child.stderr.take());
    let (fed, words) = thread::scope(|scope| {
        // Read while we write: a program that complains at length must not wait for us.
        let listener = scope.spawn(|| said(errors));
        let fed = feed(tree, input, &mut child, done);
        (fed, listener.join().unwrap_or_default())
    });
    let status = child.wait().map_err(run)?;
    std::fs::remove_file(&hints).map_err(SealError::write(&hints))?;
    match fed {
        Err(Broken::Content { path, error }) => Err(SealError::Content { path, error }),
        Ok(()) if status.success() => Ok(()),
        Ok(()) | Err(Broken::Receiver) => {
            Err(SealError::Mkfs { out: out.to_owned(), status: status.to_string(), words })
        }
    }
}

fn feed(tree: &Tree, input: Option<ChildStdin>, child: &mut Child, done: impl Fn(u64)) -> Result<(), Broken> {
    let Some(mut input) = input else { return Ok(()) };
    let fed = archive::write(tree, &mut input, done);
    if let Err(Broken::Content { .. }) = fed {
        // Without the end of the stream, the program might be content with what it has.
        child.kill().map_err(|_| Broken::Receiver)?;
    }
    fed
}

fn said(errors: Option<ChildStderr>) -> String {
    let mut words = Vec::new();
    if let Some(mut errors) = errors {
        // What was read before a failure is still worth showing.
        let _ = errors.read_to_end(&mut words);
    }
    String::from_utf8_lossy(&words).trim().to_owned()
}

/// Digest of all that decides about the bytes besides the tree.
pub(crate) fn recipe(tool: &Digest, epoch: u64) -> Digest {
    let epoch = epoch.to_string();
    let mut parts: Vec<&[u8]> = vec![b"seal 1", tool.bytes(), epoch.as_bytes(), HINTS.as_bytes()];
    parts.extend(OPTIONS.iter().map(|option| option.as_bytes()));
    Digest::of_parts(parts)
}

#[cfg(test)]
mod tests;
