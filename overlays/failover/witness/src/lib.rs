//! The witness of a site: a register with compare-and-swap that both nodes ask, in three forms, and the service that keeps many of them.
//!
//! [`Register`] is what the failover agent asks; [`Settings`] opens one: our own [`service`], an object on an S3 store, or a
//! numbered file in a shared folder. All keep the same text ([`Kept`]) and give out [`tag`]s that never come again.

mod error;
mod folder;
mod kept;
mod key;
mod register;
mod rule;
mod s3;
pub mod service;
pub mod settings;
pub mod tag;
mod time;
pub mod wire;

pub use error::Error;
pub use folder::Folder;
pub use kept::Kept;
pub use key::Key;
pub use register::{Held, Register, Swapped};
pub use rule::{EMPTY, fits};
pub use s3::{Place, S3, Secret};
pub use service::client::Remote;
pub use settings::Settings;
