//! A lock's wants -> verified blobs in a content-addressed store; and a cache of what steps made.

mod apt;
mod error;
mod fetcher;
mod http;
mod leftovers;
mod mirrors;
mod parallel;
mod part;
mod patience;
mod percent;
mod proxy;
mod registries;
mod registry;
mod source;
mod steps;
mod store;
mod want;

pub use error::{Fault, FetchError, Gone, Try};
pub use fetcher::Fetcher;
pub use mirrors::{MirrorError, Mirrors};
pub use patience::Patience;
pub use registries::Registries;
pub use steps::{Steps, StepsError};
pub use store::{Blob, Store, StoreError};
pub use want::{Origin, Want};

#[cfg(test)]
mod tests;
