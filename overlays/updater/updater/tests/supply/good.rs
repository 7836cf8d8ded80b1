//! What works: from a folder and from a server, by each encoding.

use crate::run::Site;
use crate::world::{World, installed, untouched};

#[test]
fn from_a_folder() {
    let world = World::shared();
    let site = Site::new(world);
    let from = world.repo().display().to_string();
    let status = site.check(&from).unwrap();
    println!("{status} {:#?}", site.said());
    let done = site.install(&from).unwrap();
    println!("{done:?} {:#?}", site.said());
    assert!(installed(&site.path(), &world.new) && untouched(&site.path(), &world.old));
}
