use std::path::PathBuf;

use geminios_model::Digest;

use crate::mirrors::MirrorError;
use crate::store::StoreError;
use crate::want::Origin;

/// Why something was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(
        "no mirror has these files any more; their versions have left the archive:{}\n  help: move on to the versions that are there: geminios lock PROFILE --update{}",
        files.iter().map(|gone| format!("\n  {} (archive {})", gone.path, gone.archive)).collect::<String>(),
        // Of so many, a list of names is no help: move on with all.
        files.iter().take_while(|_| files.len() <= 8).map(|gone| format!(" {}", gone.package)).collect::<String>()
    )]
    Gone { files: Vec<Gone> },
    #[error("{path} was not fetched from {origin}:{}\n  help: {}", shown(tries), remedy(origin, tries))]
    Failed { origin: Origin, path: String, tries: Vec<Try> },
    #[error(
        "{path} is not in the cache, and --offline forbids to fetch it\n  help: build once without --offline"
    )]
    Offline { path: String },
    #[error("{path} was not fetched, because another download failed")]
    Stopped { path: String },
    #[error("`{path}` is not a path below a mirror\n  help: make the lock anew with `geminios lock`")]
    Path { path: String },
    #[error(
        "{} has room for {:.1} MB, and {:.1} MB are to be fetched\n  help: make room there, or give another folder with --cache",
        folder.display(), *have as f64 / 1e6, *need as f64 / 1e6
    )]
    NoRoom {
        folder: PathBuf,
        /// Bytes.
        have: u64,
        /// Bytes.
        need: u64,
    },
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A file that no mirror has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gone {
    pub archive: String,
    pub path: String,
    pub package: String,
}

/// One mirror's failure.
#[derive(Debug)]
pub struct Try {
    /// Where it was asked for, without a password.
    pub address: String,
    pub fault: Fault,
}

/// What was wrong with a mirror's answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("it does not have the file")]
    NotThere,
    #[error("it answered with status {0}")]
    Status(u16),
    #[error("its token server {server} answered with status {status}")]
    Token { server: String, status: u16 },
    #[error("its bytes are not the expected ones and were thrown away: digest {found}, expected {expected}")]
    WrongBytes { expected: Digest, found: Digest },
    #[error("its file has {found} bytes, expected {expected}")]
    WrongSize { expected: u64, found: u64 },
    #[error("it sends more than {0} bytes")]
    TooLong(u64),
    #[error("cut off after {got} of {size} bytes: {reason}")]
    Cut { got: u64, size: u64, reason: String },
    #[error("{0}")]
    Connection(String),
    #[error("{0}")]
    Refused(String),
}

impl Fault {
    /// Whether the same mirror may do better if it is asked again.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Fault::Cut { .. } | Fault::Connection(_) => true,
            // RFC 9110, section 15.5.9 and 15.6; RFC 6585, section 4; RFC 8470, section 5.2.
            Fault::Status(status) => matches!(status, 408 | 425 | 429 | 500..=599),
            Fault::NotThere
            | Fault::WrongBytes { .. }
            | Fault::WrongSize { .. }
            | Fault::TooLong(_)
            | Fault::Token { .. }
            | Fault::Refused(_) => false,
        }
    }
}

fn shown(tries: &[Try]) -> String {
    tries.iter().map(|t| format!("\n  {}: {}", t.address, t.fault)).collect()
}

fn remedy(origin: &Origin, tries: &[Try]) -> &'static str {
    let any = |wanted: fn(&Fault) -> bool| tries.iter().any(|t| wanted(&t.fault));
    let lies = any(|f| matches!(f, Fault::WrongBytes { .. } | Fault::WrongSize { .. } | Fault::TooLong(_)));
    let lacking = tries.iter().all(|t| matches!(t.fault, Fault::NotThere));
    let closed = any(|f| matches!(f, Fault::Status(401 | 403) | Fault::Token { .. }));
    match origin {
        Origin::Archive(_) if lies => "do not trust that mirror; give another with --mirror",
        Origin::Archive(_) if lacking => {
            "look whether the suite's name is right; a mirror that is being updated has it again some minutes later"
        }
        Origin::Archive(_) => {
            "look at the network and try again: what came is kept; or give another mirror with --mirror"
        }
        Origin::Registry(_) if lies => {
            "do not trust that registry or mirror; give another with --registry-mirror"
        }
        Origin::Registry(_) if closed => {
            "only what anybody may pull is fetched; save the image with `skopeo copy --all docker://NAME@DIGEST oci-archive:app.tar`, and name that file as its `archive`"
        }
        Origin::Registry(_) if lacking => {
            "look whether the image's name and digest are right, and whether the registry still has it"
        }
        Origin::Registry(_) => {
            "look at the network and try again: what came is kept; or give a mirror with --registry-mirror"
        }
    }
}
