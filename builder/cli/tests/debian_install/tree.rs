use std::collections::BTreeMap;
use std::io::{self, Read};

use geminios_model::Digest;
use tar::{Archive, EntryType};

use crate::accounts::Accounts;
use crate::contents::{Contents, Entry, Node};

/// A file system: paths below the root, and the texts of the files that say more than their bytes.
#[derive(Default)]
pub struct Tree {
    pub entries: BTreeMap<String, Entry>,
    pub texts: BTreeMap<String, String>,
    /// Names of the extended attributes, for the few paths with any.
    pub attributes: BTreeMap<String, String>,
    pub accounts: Accounts,
}

/// Files whose text is read: accounts, what tmpfiles makes, what dpkg knows.
fn is_read(path: &str) -> bool {
    let folder = |folder: &str, end: &str| path.starts_with(folder) && path.ends_with(end);
    Accounts::FILES.contains(&path)
        || path == "/var/lib/dpkg/status"
        || folder("/var/lib/dpkg/info/", ".list")
        || folder("/usr/lib/tmpfiles.d/", ".conf")
        || folder("/etc/tmpfiles.d/", ".conf")
}

impl Tree {
    /// The tree in an image's root slot. It has no extended attributes: the tree that the builder seals knows none.
    pub fn of_image(contents: &Contents) -> Tree {
        let mut tree = Tree { entries: contents.list().unwrap(), ..Tree::default() };
        tree.entries.remove("/");
        for path in tree.entries.keys().filter(|path| is_read(path)) {
            tree.texts.insert(path.clone(), String::from_utf8(contents.read(path).unwrap()).unwrap());
        }
        tree.complete();
        tree
    }

    /// The tree in a tar archive.
    pub fn of_archive(stream: impl Read) -> io::Result<Tree> {
        let mut tree = Tree::default();
        for member in Archive::new(stream).entries()? {
            let mut member = member?;
            let Some(path) = absolute(&member.path_bytes()) else { continue };
            let mut names = Vec::new();
            for extension in member.pax_extensions()?.into_iter().flatten() {
                names.extend(extension?.key().unwrap().strip_prefix("SCHILY.xattr.").map(str::to_owned));
            }
            if !names.is_empty() {
                tree.attributes.insert(path.clone(), names.join(" "));
            }
            let header = member.header();
            let (kind, mode) = (header.entry_type(), header.mode()?);
            let (uid, gid) = (u32::try_from(header.uid()?).unwrap(), u32::try_from(header.gid()?).unwrap());
            let target = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let node = match kind {
                EntryType::Directory => Node::Directory,
                EntryType::Symlink => Node::Symlink { target: target(&member.link_name_bytes().unwrap()) },
                EntryType::Link => {
                    let first = absolute(&member.link_name_bytes().unwrap()).unwrap();
                    tree.entries[&first].node.clone()
                }
                EntryType::Regular if is_read(&path) => {
                    let mut text = String::new();
                    member.read_to_string(&mut text)?;
                    let node = Node::File { size: text.len() as u64, sha256: Digest::of(&text) };
                    tree.texts.insert(path.clone(), text);
                    node
                }
                EntryType::Regular => {
                    let (sha256, size) = Digest::of_reader(&mut member)?;
                    Node::File { size, sha256 }
                }
                _ => Node::Other,
            };
            tree.entries.insert(path, Entry { node, mode: format!("{:04o}", mode & 0o7777), uid, gid });
        }
        tree.complete();
        Ok(tree)
    }

    /// The path with the links in its folder followed.
    pub fn real(&self, path: &str) -> String {
        let (folder, name) = path.rsplit_once('/').unwrap();
        format!("{}/{name}", self.follow(folder))
    }

    /// The path with all links followed, whether anything is there or not.
    pub fn follow(&self, path: &str) -> String {
        let mut at = String::new();
        let mut left: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut links = 0;
        while let Some(name) = left.pop() {
            let next = format!("{at}/{name}");
            match (name.as_str(), self.target(&next)) {
                ("" | ".", _) => {}
                ("..", _) => at.truncate(at.rfind('/').unwrap_or(0)),
                (_, None) => at = next,
                (_, Some(target)) => {
                    links += 1;
                    assert!(links < 40, "links in a circle at {path}");
                    if target.starts_with('/') {
                        at.clear();
                    }
                    left.extend(target.split('/').rev().map(str::to_owned));
                }
            }
        }
        at
    }

    /// Whether it is a link that leads to something; on a running system, if that is not on the disk.
    pub fn leads(&self, path: &str) -> bool {
        let end = self.follow(path);
        self.entries.contains_key(&end) || ["/dev/", "/proc/", "/run/"].iter().any(|top| end.starts_with(top))
    }

    pub fn target(&self, path: &str) -> Option<&str> {
        match &self.entries.get(path)?.node {
            Node::Symlink { target } => Some(target),
            _ => None,
        }
    }

    fn complete(&mut self) {
        self.accounts = Accounts::of(&self.texts);
        self.boot();
    }

    /// Adds what the tree's own tmpfiles.d(5) makes below /var at boot, where nothing is yet.
    fn boot(&mut self) {
        let conf = |path: &&String| path.ends_with(".conf");
        let lines: Vec<String> = self
            .texts
            .keys()
            .filter(conf)
            .flat_map(|path| self.texts[path].lines().map(str::to_owned))
            .collect();
        for line in lines {
            let words: Vec<&str> = line.split_whitespace().collect();
            let &[kind, path, ..] = words.as_slice() else { continue };
            let word = |index: usize| words.get(index).copied().filter(|word| *word != "-");
            let path = path.trim_end_matches('/');
            if !path.starts_with("/var/") || path.contains('%') || self.entries.contains_key(path) {
                continue;
            }
            let source = word(6).map_or_else(|| format!("/usr/share/factory{path}"), str::to_owned);
            let source = self.entries.get(&source);
            let (node, mode) = match kind.as_bytes()[0] {
                b'd' | b'D' | b'v' | b'q' | b'Q' => (Node::Directory, "0755"),
                b'f' => (Node::File { size: 0, sha256: Digest::of("") }, "0644"),
                b'L' => (Node::Symlink { target: word(6).unwrap_or_default().to_owned() }, "0777"),
                b'C' if source.is_some() => (source.unwrap().node.clone(), &*source.unwrap().mode.clone()),
                _ => continue,
            };
            let mode = word(2).map_or_else(|| mode.to_owned(), |mode| format!("{mode:0>4}"));
            let uid = self.accounts.uid(word(3).unwrap_or("root"));
            let gid = self.accounts.gid(word(4).unwrap_or("root"));
            self.entries.insert(path.to_owned(), Entry { node, mode, uid, gid });
        }
    }
}

/// `/usr/bin/x` of `./usr/bin/x`; nothing for the root.
fn absolute(name: &[u8]) -> Option<String> {
    let name = String::from_utf8_lossy(name);
    let name = name.trim_start_matches("./").trim_end_matches('/');
    (!name.is_empty() && name != ".").then(|| format!("/{name}"))
}
