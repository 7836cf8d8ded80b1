//! A repository as one tar file, for a stick: one release, with what a device needs to install it.
//!
//! POSIX ustar. Metadata comes first, then release.json, SBOM and notes, then blobs in the order in which they are used: root,
//! verity, UKI. All that a header says besides name and size is fixed, padding is zero, and two blocks of zeroes end the file:
//! there is one way to write a bundle. [`index`] looks at headers and padding only; the bytes of a file are compared with its
//! digest by whoever uses them, as everywhere else. So a cut or a flipped bit is seen wherever it is, and nothing is read twice.

mod header;
mod index;

pub use header::{BLOCK, MOST, header, padding};
pub use index::{BundleError, Entry, FILES, index};
