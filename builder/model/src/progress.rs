/// What the steps of long work tell while they run. The command decides how it looks; no room prints.
pub trait Progress: Sync {
    /// A stage begins, with `total` units to come (0 when not known).
    fn begin(&self, stage: &str, total: u64, unit: Unit);
    /// So many units of a stage are done.
    fn advance(&self, stage: &str, units: u64);
    /// A stage ended; `summary` is one line such as `149 packages, 140 MB` or `reused`.
    fn end(&self, stage: &str, summary: &str);
    /// Something the user should know that is no error.
    fn warn(&self, message: &str);
}

/// What a stage counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Bytes,
    Items,
}

/// Tells nobody.
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: &str, _: u64, _: Unit) {}
    fn advance(&self, _: &str, _: u64) {}
    fn end(&self, _: &str, _: &str) {}
    fn warn(&self, _: &str) {}
}
