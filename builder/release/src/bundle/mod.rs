//! A repository as one tar file, for a stick: one release, with what a device needs to install it.
//!
//! POSIX ustar. Metadata comes first, then release.json, SBOM and notes, then blobs in the order in which they are used: root,
//! verity, UKI. So it can be installed while it is read once from begin to end. All that a header says besides name and size is
//! fixed, padding is zero, and two blocks of zeroes end the file: there is one way to write a bundle, and a flipped bit or a cut
//! is seen wherever it is.

mod read;
mod tar;
mod write;

pub use read::{BundleError, Entry, index};
pub use write::{Member, Wanted, members, write};
