//! What tests do in a process of its own. Each test here is started by another one.

use std::path::PathBuf;
use std::process::Command;

use super::world::{bytes, hasty, want};
use crate::part::Part;
use crate::proxy::Proxies;
use crate::{Fetcher, Mirrors, Patience, Store};

/// A process that does one of the tests below, started by the shell after `before`.
pub fn command(before: &str, test: &str, cache: &std::path::Path, mirror: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{before}\nexec \"$0\" \"$@\"")).arg(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("tests::child::{test}"), "--ignored", "--nocapture"]);
    command.env("TEST_CACHE", cache).env("TEST_MIRROR", mirror);
    command
}

fn cache() -> PathBuf {
    std::env::var_os("TEST_CACHE").expect("started by another test").into()
}

/// 2 MB under the name `a`.
pub const SIZE: usize = 2_000_000;

#[test]
#[ignore = "started by other tests"]
fn fetches() {
    let mirrors = Mirrors::discover(&[std::env::var("TEST_MIRROR").unwrap()], None, &cache()).unwrap();
    let patience = Patience { stall: std::time::Duration::from_secs(20), ..hasty() };
    let mut fetcher = Fetcher::with_patience(Store::open(&cache()).unwrap(), mirrors, patience);
    fetcher.proxies = Proxies::default();
    match fetcher.blobs(&[want("a", &bytes("a", SIZE))], 1, &geminios_model::Silent) {
        Ok(blobs) => println!("came: {}", blobs[0].digest),
        Err(error) => println!("error: {error}"),
    }
}

#[test]
#[ignore = "started by other tests"]
fn puts() {
    match Store::open(&cache()).and_then(|store| store.put_bytes(&bytes("a", SIZE))) {
        Ok(blob) => println!("put: {}", blob.digest),
        Err(error) => println!("error: {error}"),
    }
}

#[test]
#[ignore = "started by other tests"]
fn appends() {
    let appended =
        Part::open(cache().join("a.part"), &|| {}).and_then(|mut part| part.append(&bytes("a", SIZE)));
    match appended {
        Ok(()) => println!("appended"),
        Err(error) => println!("error: {error}"),
    }
}
