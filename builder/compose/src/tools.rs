use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use geminios_fetch::Steps;
use geminios_model::{Digest, TreePath};

use crate::content::Content;
use crate::error::ComposeError;
use crate::tree::{Entry, Node, Tree};

/// Changes when the same inputs would give other outputs.
const VERSION: &[u8] = b"1";

/// Programs that work on a part of the tree, written to a scratch folder. What they make is cached by what they read.
pub(crate) struct Tools<'a> {
    /// A command that runs a program of the `build` tool set.
    pub command: &'a (dyn Fn(&'static str) -> Result<Command, ComposeError> + Sync),
    /// Digest of the tool set.
    pub digest: Digest,
    pub steps: &'a Steps,
}

/// One run of a program.
pub(crate) struct Job<'a> {
    pub program: &'static str,
    /// Arguments; `{}` stands for the scratch folder.
    pub arguments: &'a [&'a str],
    /// What of the tree the scratch folder holds; folders on the way come by themselves.
    pub wanted: &'a dyn Fn(&TreePath, &Entry) -> bool,
    /// More folders and links that the program needs and that are no part of the tree.
    pub frame: &'a dyn Fn(&Path) -> io::Result<()>,
}

impl Tools<'_> {
    /// The files and links that the program adds to the scratch folder, sorted.
    ///
    /// # Errors
    /// The program fails; the scratch folder cannot be written.
    pub fn run(&self, tree: &Tree, job: &Job<'_>) -> Result<Vec<(TreePath, Node)>, ComposeError> {
        let inputs: Vec<(&TreePath, &Entry)> =
            tree.iter().filter(|(path, entry)| !entry.is_directory() && (job.wanted)(path, entry)).collect();
        let key = self.key(job, &inputs);
        let folder = self.steps.put(job.program, &key, |dir| self.make(dir, job, &inputs))?;
        let mut made = Vec::new();
        collect(&folder, &TreePath::root(), &mut made)?;
        Ok(made)
    }

    fn key(&self, job: &Job<'_>, inputs: &[(&TreePath, &Entry)]) -> Digest {
        let mut parts = vec![VERSION.to_vec(), self.digest.bytes().to_vec(), job.program.into()];
        parts.extend(job.arguments.iter().map(|argument| argument.as_bytes().to_vec()));
        for (path, entry) in inputs {
            let node = match &entry.node {
                Node::Directory => "folder".to_owned(),
                Node::Symlink(target) => format!("link {target}"),
                Node::File(content) => content.identity(),
            };
            parts.push(format!("{path}\0{node}").into_bytes());
        }
        Digest::of_parts(parts.iter().map(Vec::as_slice))
    }

    fn make(&self, dir: &Path, job: &Job<'_>, inputs: &[(&TreePath, &Entry)]) -> Result<(), ComposeError> {
        let scratch = dir.join("scratch");
        fs::create_dir_all(&scratch).map_err(ComposeError::io(scratch.display()))?;
        for (path, entry) in inputs {
            spill(&scratch, path, entry).map_err(ComposeError::io(path))?;
        }
        (job.frame)(&scratch).map_err(ComposeError::io(scratch.display()))?;
        self.execute(job, &scratch)?;
        let known: BTreeSet<&TreePath> = inputs.iter().map(|(path, _)| *path).collect();
        let mut found = Vec::new();
        collect(&scratch, &TreePath::root(), &mut found)?;
        for (path, _) in found.iter().filter(|(path, _)| !known.contains(path)) {
            let (from, to) = (scratch.join(path.relative()), dir.join(path.relative()));
            to.parent().map_or(Ok(()), fs::create_dir_all).map_err(ComposeError::io(path))?;
            fs::rename(from, to).map_err(ComposeError::io(path))?;
        }
        fs::remove_dir_all(&scratch).map_err(ComposeError::io(scratch.display()))
    }

    fn execute(&self, job: &Job<'_>, scratch: &Path) -> Result<(), ComposeError> {
        let mut command = (self.command)(job.program)?;
        command.stdin(Stdio::null());
        for argument in job.arguments {
            let parts: Vec<&str> = argument.split("{}").collect();
            let mut text = std::ffi::OsString::from(parts[0]);
            for part in &parts[1..] {
                text.push(scratch);
                text.push(part);
            }
            command.arg(text);
        }
        let output = command.output().map_err(ComposeError::io(job.program))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "\n  ");
        Err(ComposeError::Tool {
            program: job.program,
            status: output.status.to_string(),
            output: format!("  {said}"),
        })
    }
}

fn spill(scratch: &Path, path: &TreePath, entry: &Entry) -> io::Result<()> {
    let to = scratch.join(path.relative());
    to.parent().map_or(Ok(()), fs::create_dir_all)?;
    match &entry.node {
        Node::Directory => fs::create_dir_all(to),
        Node::Symlink(target) => symlink(target, to),
        Node::File(content) => io::copy(&mut content.reader()?, &mut fs::File::create(to)?).map(drop),
    }
}

/// Files and links below a folder, sorted.
fn collect(dir: &Path, at: &TreePath, out: &mut Vec<(TreePath, Node)>) -> Result<(), ComposeError> {
    let io = |error| ComposeError::Io { path: dir.display().to_string(), error };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(io)? {
        names.push(entry.map_err(io)?.file_name());
    }
    names.sort();
    for name in names {
        let path = at.join(&name.to_string_lossy())?;
        let file = dir.join(&name);
        let kind = fs::symlink_metadata(&file).map_err(io)?.file_type();
        if kind.is_dir() {
            collect(&file, &path, out)?;
        } else if kind.is_symlink() {
            let target = fs::read_link(&file).map_err(io)?;
            out.push((path, Node::Symlink(target.to_string_lossy().into_owned())));
        } else {
            out.push((path, Node::File(Content::from(fs::read(&file).map_err(io)?))));
        }
    }
    Ok(())
}
