//! Keys, certificates and kubeconfigs of a Kubernetes node: looks at what is there, decides, and writes what is missing,
//! damaged or due. A second run writes nothing.
//!
//! Data flows one way: [`state`] reads what is there, [`plan`] decides what to do (pure), [`issue`] makes the new contents
//! in memory (pure but for random numbers), and [`state`] commits them: all of it is on the disk under temporary names
//! before the first file gets its name. A power cut leaves any mix of old and new files, and the next run mends it.
//!
//! What is damaged:
//! - a certificate or kubeconfig is issued anew.
//! - the key of a certificate authority is set aside as `*.damaged-<n>`; a new authority takes its place and issues all.
//!   If only its certificate is damaged, the same key makes a new one, and what it signed stays valid.
//! - the key of service accounts is set aside and replaced; kubelets then fetch new tokens for their pods.
//! - `encryption.yaml` is never replaced: without its key the secrets in the database are lost. The run does all else and fails.

pub mod address;
pub mod args;
pub mod catalog;
pub mod certificate;
pub mod check;
pub mod clients;
pub mod clock;
pub mod encryption;
pub mod error;
pub mod interfaces;
pub mod issue;
pub mod judge;
pub mod key;
pub mod kubeconfig;
pub mod node;
pub mod plan;
pub mod run;
pub mod state;

pub use error::Error;
