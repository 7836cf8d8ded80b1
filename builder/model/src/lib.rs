//! What a profile, board, overlay and lock *are*: parsed, checked, located in their file. No I/O.
//!
//! Every description file goes through the same door: text and its path in, a checked value or a
//! [`Diagnostic`] that names the file, the line and the remedy out.

mod arch;
mod board;
mod data;
mod diagnostic;
mod digest;
mod document;
mod image;
mod image_name;
mod located;
mod lock;
mod locked_image;
mod overlay;
mod path;
mod profile;
mod program;
mod progress;
mod scripts;
mod stanza;
mod tools;

pub use arch::Arch;
pub use board::{Board, BootBackend, Firmware, Machine};
pub use data::{DataFormats, Updates};
pub use diagnostic::{Diagnostic, Source};
pub use digest::{Digest, DigestError, Hasher};
pub use document::{Document, parse, schema};
pub use image::{ImageWish, OverlayImage};
pub use image_name::{ImageName, ImageNameError};
pub use located::Located;
pub use lock::{ArchiveState, LOCK_FORMAT, Lock, LockedPackage, LockedScript};
pub use locked_image::{BlobKind, LockedBlob, LockedImage};
pub use overlay::{
    Alternative, Directory, Group, InitrdWish, Link, Overlay, OwnerOverride, Port, Prune, Replace, Units,
    User, Without,
};
pub use path::{TreePath, TreePathError};
pub use profile::{Archive, Budget, Profile, Sizes};
pub use program::{GoWish, Program, ProgramPlace};
pub use progress::{Progress, Silent, Unit};
pub use scripts::{ClassifiedScript, ScriptKind, ScriptTable};
pub use tools::{GoPin, Tool, ToolTable};
