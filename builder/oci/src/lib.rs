//! Container images: which blobs one is, taken from an archive or a registry; and an OCI archive of it for the device.
//!
//! An archive is a tar of an OCI image layout (OCI image specification 1.1, "Image Layout"), as containerd imports it.
//! The same image gives the same archive, whatever it was taken from.

mod archive;
mod build;
mod document;
mod error;
mod pack;
mod resolve;

pub use archive::Archive;
pub use build::{Recipe, build};
pub use error::ImageError;
pub use pack::{Packed, pack, packed};
pub use resolve::{Document, resolve};
