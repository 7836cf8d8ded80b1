//! A repository in a folder: begin it, publish to it, rotate its keys, keep its timestamp fresh.

mod current;
mod held;
mod metadata;
mod old;
mod publish;
mod rotate;
mod store;
mod table;

pub(crate) use current::{Current, release_name};
pub(crate) use store::{LOCK, Store, checked, is_temporary, walk};

pub use held::Held;
pub use metadata::{Lifetimes, Refreshed};
pub use publish::{Published, Request};
pub use rotate::{Changes, Rotated};
pub use store::{Hook, Moment};
pub use table::{Row, Table};

use std::path::Path;

use geminios_update_format::State;

use crate::error::ReleaseError;

/// A folder with a first root.
pub struct Repository {
    pub(crate) store: Store,
}

impl Repository {
    /// Begins a repository with its first root, or opens one that has this root.
    pub fn create(dir: &Path, root: &[u8]) -> Result<Self, ReleaseError> {
        State::of_root(root)?;
        let store = Store::new(dir);
        let _lock = store.lock()?;
        match store.read("metadata/1.root.json")? {
            None => store.put("metadata/1.root.json", root)?,
            Some(there) if there == root => {}
            Some(_) => return Err(ReleaseError::OtherRoot(dir.to_owned())),
        }
        Ok(Repository { store })
    }

    pub fn open(dir: &Path) -> Result<Self, ReleaseError> {
        let store = Store::new(dir);
        match store.read("metadata/1.root.json")? {
            Some(_) => Ok(Repository { store }),
            None => Err(ReleaseError::NoRepository(dir.to_owned())),
        }
    }

    /// Calls `hook` at every moment of every write.
    pub fn with_hook(mut self, hook: Hook) -> Self {
        self.store.hook = Some(hook);
        self
    }
}
