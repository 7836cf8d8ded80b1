//! Sites differ.

/// What a site has, as far as trials want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A witness decides.
    Witness,
    /// The same, and the machines' disks can be full, or hang. They are slower: files in files.
    Disks,
    /// The nodes have power over each other.
    Fence,
}

impl Sort {
    pub const ALL: [Sort; 3] = [Sort::Witness, Sort::Disks, Sort::Fence];
}
