use std::collections::{BTreeMap, BTreeSet};

use geminios_model::TreePath;

use crate::error::ComposeError;
use crate::tree::{Entry, Tree};

/// A kernel's modules, as depmod describes them. Names have `_` where files may have `-`.
pub(crate) struct Modules {
    version: String,
    files: BTreeMap<String, Module>,
    builtin: BTreeSet<String>,
    /// Soft dependencies to load before.
    before: BTreeMap<String, Vec<String>>,
    /// Soft dependencies to load after.
    after: BTreeMap<String, Vec<String>>,
    aliases: BTreeMap<String, BTreeSet<String>>,
}

struct Module {
    path: TreePath,
    /// The nearest comes first.
    needs: Vec<String>,
}

impl Modules {
    /// Reads modules.dep, modules.softdep, modules.alias and modules.builtin of a kernel.
    ///
    /// # Errors
    /// depmod has not run; a line that is not its.
    pub fn read(tree: &Tree, version: &str) -> Result<Self, ComposeError> {
        let folder = TreePath::new(&format!("/usr/lib/modules/{version}"))?;
        let mut modules = Modules {
            version: version.to_owned(),
            files: BTreeMap::new(),
            builtin: BTreeSet::new(),
            before: BTreeMap::new(),
            after: BTreeMap::new(),
            aliases: BTreeMap::new(),
        };
        for line in text(tree, &folder, "modules.dep")?.lines() {
            let (path, needs) =
                line.split_once(':').ok_or_else(|| malformed(&folder, "modules.dep", line))?;
            let needs = needs.split_whitespace().map(name_of).collect();
            modules.files.insert(name_of(path), Module { path: folder.join(path)?, needs });
        }
        modules.builtin = text(tree, &folder, "modules.builtin")?.lines().map(name_of).collect();
        modules.soft(&text(tree, &folder, "modules.softdep")?);
        for line in text(tree, &folder, "modules.alias")?.lines() {
            if let ["alias", alias, module] = line.split_whitespace().collect::<Vec<_>>()[..] {
                modules.aliases.entry(normal(alias)).or_default().insert(normal(module));
            }
        }
        Ok(modules)
    }

    /// `softdep erofs pre: crc32c post: x`, modprobe.d(5).
    fn soft(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (Some("softdep"), Some(module)) = (words.next(), words.next()) else { continue };
            let mut list = None;
            for word in words {
                match word {
                    "pre:" => list = Some(&mut self.before),
                    "post:" => list = Some(&mut self.after),
                    _ => {
                        if let Some(list) = &mut list {
                            list.entry(normal(module)).or_default().push(normal(word));
                        }
                    }
                }
            }
        }
    }

    /// Adds a module with all that it needs to the load order, if it is not there yet.
    /// False if there is no such module, neither as a file nor built in.
    pub fn load(&self, name: &str, order: &mut Vec<TreePath>, seen: &mut BTreeSet<String>) -> bool {
        let name = normal(name);
        if let Some(module) = self.files.get(&name) {
            if seen.insert(name.clone()) {
                let soft =
                    |list: &BTreeMap<String, Vec<String>>| list.get(&name).cloned().unwrap_or_default();
                for other in soft(&self.before) {
                    self.load(&other, order, seen);
                }
                for other in module.needs.iter().rev() {
                    self.load(other, order, seen);
                }
                order.push(module.path.clone());
                for other in soft(&self.after) {
                    self.load(&other, order, seen);
                }
            }
            return true;
        }
        // What an alias stands for may be several: the generic crc32c and those for this or that processor.
        let several = self.aliases.get(&name);
        for module in several.into_iter().flatten().filter(|module| self.files.contains_key(*module)) {
            self.load(module, order, seen);
        }
        several.is_some() || self.builtin.contains(&name)
    }

    /// The kernel they are for.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The known name most like this one.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let likeness = |known: &str| strsim::jaro_winkler(known, &normal(name));
        let known = self.files.keys().chain(&self.builtin).map(String::as_str);
        known.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|near| likeness(near) > 0.85)
    }
}

/// `kernel/fs/x-y.ko.xz` as `x_y`.
fn name_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    normal(name.split(".ko").next().unwrap_or(name))
}

fn normal(name: &str) -> String {
    name.replace('-', "_")
}

fn text(tree: &Tree, folder: &TreePath, name: &str) -> Result<String, ComposeError> {
    let path = folder.join(name)?;
    let content = tree.get(&path).and_then(Entry::content).ok_or_else(|| ComposeError::Missing {
        what: "list of its kernel's modules",
        looked: format!("looked for {path}"),
        help: "the kernel's package ships modules.builtin and depmod makes the others; do not [[prune]] them",
    })?;
    let bytes = content.read().map_err(ComposeError::io(&path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn malformed(folder: &TreePath, name: &str, line: &str) -> ComposeError {
    ComposeError::Malformed {
        path: format!("{folder}/{name}"),
        why: format!("`{line}` is not a line of depmod's"),
    }
}
