//! How many bytes came over the link today, and how many more may.

use std::path::{Path, PathBuf};

use geminios_update_format::UnixTime;
use geminios_update_format::time::DAY;
use serde::{Deserialize, Serialize};

use crate::supply::{SupplyError, keep};

/// Bytes after which the count is written down.
const SAVE: u64 = 1 << 20;

/// Counts what a link brings, day by day, across runs.
#[derive(Debug)]
pub struct Meter {
    file: PathBuf,
    today: Count,
    budget: Option<u64>,
    unsaved: u64,
    /// Bytes of this run.
    received: u64,
    failures: u32,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Count {
    /// Days since 1970.
    day: u64,
    bytes: u64,
}

impl Meter {
    /// `budget` is what may come in a day; what other runs fetched today counts. A lost count begins at zero.
    pub fn open(file: &Path, now: UnixTime, budget: Option<u64>) -> Self {
        let kept = std::fs::read(file).ok().and_then(|bytes| serde_json::from_slice::<Count>(&bytes).ok());
        let day = now / DAY;
        let today = kept.filter(|kept| kept.day == day).unwrap_or(Count { day, bytes: 0 });
        Meter { file: file.to_owned(), today, budget, unsaved: 0, received: 0, failures: 0 }
    }

    /// Bytes that came in this run.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// How often the link failed in this run.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn failed(&mut self) {
        self.failures += 1;
    }

    /// What is left today of a budget.
    pub fn left_of(&self, budget: Option<u64>) -> Option<u64> {
        budget.map(|budget| budget.saturating_sub(self.today.bytes))
    }

    /// Bytes that may still come today.
    ///
    /// # Errors
    /// None may.
    pub fn left(&self) -> Result<u64, SupplyError> {
        match (self.left_of(self.budget), self.budget) {
            (Some(0), Some(budget)) => Err(SupplyError::Budget { spent: self.today.bytes, budget }),
            (left, _) => Ok(left.unwrap_or(u64::MAX)),
        }
    }

    pub(super) fn count(&mut self, bytes: u64) {
        self.received += bytes;
        self.today.bytes += bytes;
        self.unsaved += bytes;
        if self.unsaved >= SAVE {
            self.save();
        }
    }

    fn save(&mut self) {
        self.unsaved = 0;
        // A count that cannot be kept stops no update: the disk is full, which others will say.
        if let Ok(bytes) = serde_json::to_vec(&self.today) {
            let _ = keep(&self.file, &bytes);
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if self.unsaved > 0 {
            self.save();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_one_budget_whatever_runs_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("budget.json");
        let mut meter = Meter::open(&file, 5 * DAY, Some(100));
        assert_eq!(meter.left().unwrap(), 100);
        meter.count(60);
        drop(meter);
        let mut meter = Meter::open(&file, 5 * DAY + 3600, Some(100));
        assert_eq!((meter.left().unwrap(), meter.received()), (40, 0));
        meter.count(60);
        let error = meter.left().unwrap_err();
        assert!(error.is_pause(), "{error}");
        drop(meter);
        // By hand; the next day; and a count that was torn.
        assert_eq!(Meter::open(&file, 5 * DAY, None).left().unwrap(), u64::MAX);
        assert_eq!(Meter::open(&file, 6 * DAY, Some(100)).left().unwrap(), 100);
        std::fs::write(&file, "{\"day\":5,\"by").unwrap();
        assert_eq!(Meter::open(&file, 5 * DAY, Some(100)).left().unwrap(), 100);
    }
}
