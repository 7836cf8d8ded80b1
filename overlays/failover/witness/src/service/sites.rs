use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::file::{Failed, File};
use crate::kept::is_site;
use crate::rule::{Fit, fits};
use crate::wire::{self, Ask, Envelope, Question, Reply, Signed};
use crate::{Held, Kept, Key, tag};

/// The registers that a service keeps, and who may ask each.
pub struct Sites {
    sites: HashMap<String, Site>,
    /// A key that nobody has: what an unknown site's question is checked with, so that it takes the same time.
    nobody: Key,
    /// Kept locked: two services on one folder would each answer from its own memory.
    _lock: fs::File,
}

struct Site {
    key: Key,
    file: File,
    /// What is on disk, or why that is not known. The memory counts, not the file: an old one that is put there under a running
    /// service is written over.
    held: Mutex<Result<Held, String>>,
}

impl Sites {
    /// Reads the registers in `folder` of all sites whose keys are in `keys`. A damaged one answers that it is; the second value says which.
    pub fn open(folder: &Path, keys: &Path) -> Result<(Self, Vec<String>), String> {
        let shown = folder.display();
        let lock = fs::File::open(folder).map_err(|error| format!("{shown}: {error}"))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| format!("{shown}: another service keeps its registers there ({error})"))?;
        let nobody = Key::random().ok_or("the system gives no randomness")?;
        let (mut sites, mut damaged) = (HashMap::new(), Vec::new());
        for (name, key) in read_keys(keys)? {
            let file = File::of(folder, &name);
            let held = file.read(&name).map(|kept| kept.held()).map_err(|error| error.to_string());
            damaged.extend(held.as_ref().err().cloned());
            sites.insert(name, Site { key, file, held: Mutex::new(held) });
        }
        Ok((Sites { sites, nobody, _lock: lock }, damaged))
    }

    pub fn len(&self) -> usize {
        self.sites.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sites.is_empty()
    }

    /// Replies to a question. None if it is not known who asks: wrong key, unknown site and nonsense are not told apart.
    pub fn answer(&self, question: &Signed) -> Option<Signed> {
        let envelope = serde_json::from_slice::<Envelope>(&question.body).ok();
        let site = envelope.as_ref().and_then(|envelope| self.sites.get(&envelope.site));
        let key = site.map_or(&self.nobody, |site| &site.key);
        let known = wire::is_question(key, question);
        let (Some(site), Some(envelope), true) = (site, envelope, known) else { return None };
        let reply = match serde_json::from_slice::<Question>(&question.body) {
            _ if envelope.version != wire::VERSION => Reply::NotUnderstood(format!(
                "this service speaks version {}, not {}",
                wire::VERSION,
                envelope.version
            )),
            Ok(asked) => site.reply(&envelope.site, asked.ask),
            Err(error) => Reply::NotUnderstood(error.to_string()),
        };
        let body = serde_json::to_vec(&reply).ok()?;
        Some(wire::sign_reply(key, &question.mac, body))
    }
}

impl Site {
    fn reply(&self, name: &str, ask: Ask) -> Reply {
        // A thread that panicked left the memory as it was: it is changed last.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let now = match &*held {
            Ok(held) => *held,
            Err(problem) => return Reply::Damaged(problem.clone()),
        };
        let Ask::Swap { expected, seen, record } = ask else { return shown(false, now) };
        if expected != now.tag {
            return shown(false, now);
        }
        match fits(&now.record, &record) {
            Fit::Yes => {}
            Fit::Older => return shown(false, now),
            Fit::New => return Reply::New,
        }
        let Some(tag) = tag::next(now.tag, seen) else {
            return Reply::NotKept("its count is used up, or the system gives no randomness".to_owned());
        };
        let new = Held { tag, record };
        match self.file.write(&Kept::new(name, new)) {
            Ok(()) => {
                *held = Ok(new);
                shown(true, new)
            }
            Err(Failed::Unchanged(error)) => Reply::NotKept(error.to_string()),
            Err(Failed::Unknown(error)) => {
                let problem = format!(
                    "{}: {error}; what is on disk is not known: see to the disk and restart the service",
                    self.file.path().display()
                );
                *held = Err(problem.clone());
                Reply::Damaged(problem)
            }
        }
    }
}

fn shown(done: bool, held: Held) -> Reply {
    Reply::Held { done, tag: held.tag, record: held.record }
}

/// A folder with a file NAME.key for each site, or a file with a line `NAME KEY` for each.
fn read_keys(path: &Path) -> Result<BTreeMap<String, Key>, String> {
    let shown = path.display();
    let failed = |error: std::io::Error| format!("{shown}: {error}");
    let mut keys = BTreeMap::new();
    if path.is_dir() {
        let paths: Result<Vec<PathBuf>, _> =
            fs::read_dir(path).map_err(failed)?.map(|entry| entry.map(|entry| entry.path())).collect();
        for path in
            paths.map_err(failed)?.iter().filter(|path| path.extension().is_some_and(|end| end == "key"))
        {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            named(&name).map_err(|problem| format!("{}: {problem}", path.display()))?;
            keys.insert(name, Key::read(path)?);
        }
        return Ok(keys);
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
    {
        let bad = |problem: String| format!("{shown}, line {}: {problem}", at + 1);
        let (name, key) = line.split_once(' ').ok_or_else(|| bad("a line is `NAME KEY`".to_owned()))?;
        named(name).map_err(bad)?;
        let key = Key::parse(key.trim()).ok_or_else(|| bad("a key has 64 hexadecimal digits".to_owned()))?;
        if keys.insert(name.to_owned(), key).is_some() {
            return Err(bad(format!("the site `{name}` is there twice")));
        }
    }
    Ok(keys)
}

pub(crate) fn named(name: &str) -> Result<(), String> {
    let help = "a site's name has up to 63 of a-z, 0-9 and `-`, and does not begin with `-`";
    if is_site(name) { Ok(()) } else { Err(format!("`{name}`: {help}")) }
}
