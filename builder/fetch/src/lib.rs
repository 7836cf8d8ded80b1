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
mod source;
mod steps;
mod store;

pub use error::{Fault, FetchError, Gone, Try};
pub use fetcher::{Fetcher, Want};
pub use mirrors::{MirrorError, Mirrors};
pub use patience::Patience;
pub use steps::{Steps, StepsError};
pub use store::{Blob, Store, StoreError};

#[cfg(test)]
mod tests;
