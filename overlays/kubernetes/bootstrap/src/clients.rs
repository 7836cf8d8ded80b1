//! Who else of the image asks the API server: an overlay says so by a file.
//!
//! `/usr/share/kubernetes/clients/NAME` gives the node `NAME.conf`, a kubeconfig of the user `geminios:NAME`. What it may do is
//! the overlay's manifest's business. The file's text names the units that read the kubeconfig; kubernetes-renew.service
//! restarts them when it is new.

use std::fs;
use std::io;
use std::path::Path;

use crate::node::is_label;
use crate::{Error, catalog};

/// Where the files are.
pub const FOLDER: &str = "/usr/share/kubernetes/clients";

/// A user of the API, and where its kubeconfig is below the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    pub user: &'static str,
    pub kubeconfig: &'static str,
}

impl Client {
    /// The names live as long as the program, as those of all other files do.
    pub fn new(name: &str) -> Client {
        let kept = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
        Client { user: kept(format!("geminios:{name}")), kubeconfig: kept(format!("{name}.conf")) }
    }
}

/// All clients, by name; none if there is no folder.
pub fn read(folder: &Path) -> Result<Vec<Client>, Error> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::file("list", folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::file("list", folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let taken = || catalog::files(&[]).contains(&format!("{name}.conf").as_str());
        if !is_label(&name) || taken() {
            return Err(Error::Client { path: entry.path() });
        }
        names.push(name);
    }
    names.sort();
    Ok(names.iter().map(|name| Client::new(name)).collect())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn read_of(names: &[&str]) -> Result<Vec<&'static str>, String> {
        let folder = TempDir::new().unwrap();
        names.iter().for_each(|name| fs::write(folder.path().join(name), "").unwrap());
        let clients = read(folder.path()).map_err(|error| error.to_string())?;
        Ok(clients.iter().map(|client| client.kubeconfig).collect())
    }

    #[test]
    fn a_file_is_a_client() {
        let folder = TempDir::new().unwrap();
        assert_eq!(read(&folder.path().join("clients")).unwrap(), []);
        assert_eq!(read_of(&["flannel", "coredns"]).unwrap(), ["coredns.conf", "flannel.conf"]);
        let client = Client { user: "geminios:a-1", kubeconfig: "a-1.conf" };
        assert_eq!(Client::new("a-1"), client);
    }

    #[test]
    fn a_name_that_cannot_be_a_client() {
        // The last two would take the administrator's place, and the kubelet's.
        for name in ["a b", "A", "-a", ".a", "a.conf", "admin", "kubelet"] {
            let said = read_of(&["flannel", name]).unwrap_err();
            assert!(said.contains(&format!("/{name}: ")) && said.contains("another name"), "{said}");
        }
    }
}
