//! A register of one kind on a bench: what is behind it can be restarted, cut, set back and made to hang.

use std::time::Duration;

use geminios_failover_core::{By, Record, Side};
use geminios_failover_witness::{Held, Register};
use tempfile::TempDir;

use crate::wire::Wire;

/// All that is kept: name and text.
pub type Copy = Vec<(String, Vec<u8>)>;

pub const SITE: &str = "hut";
/// Far more than an answer takes.
pub const LONG: Duration = Duration::from_secs(60);

pub trait Bench: Sync {
    /// A new client, as after a start of its node.
    fn client(&self) -> Box<dyn Register>;
    /// One with a key that is not this site's.
    fn stranger(&self) -> Option<Box<dyn Register>>;
    /// For so many the race is run.
    fn swaps(&self) -> usize;
    /// Whatever keeps the register ends without warning and starts again.
    fn restart(&self);
    fn copy(&self) -> Copy;
    /// This is what is kept from now on.
    fn put(&self, copy: &Copy);
    fn hang(&self, hang: bool);
    fn wire(&self) -> Option<&Wire>;

    /// The next answer is lost, though its question is carried out.
    fn swap_and_lose(&self, client: &mut dyn Register, expected: u64, record: Record);

    /// Changes the newest text.
    fn damage(&self, change: &dyn Fn(&mut Vec<u8>)) {
        let mut copy = self.copy();
        copy.sort();
        change(&mut copy.last_mut().unwrap().1);
        self.put(&copy);
    }
}

/// In memory where there is such a folder: the races sync thousands of times.
pub fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub fn record(number: u64) -> Record {
    let leader = if number % 2 == 0 { Side::B } else { Side::A };
    Record { number, by: By::Both, epoch: number, leader, alone: false }
}

/// Puts a record there, for certain.
pub fn put(client: &mut dyn Register, number: u64) -> Held {
    let now = client.read(LONG).unwrap();
    let swapped = client.swap(now.tag, record(number), LONG).unwrap();
    assert!(swapped.done, "{swapped:?}");
    assert_eq!(swapped.held.record, record(number));
    swapped.held
}
