//! A .deb from the store -> control data and members, with nothing hostile among them; and locked tools, unpacked
//! and run by their own loader.

mod archive;
mod control;
mod deb;
mod error;
mod members;
mod program;
mod script;
mod spread;
mod tar;
mod toolset;

pub use archive::{Compression, Part, Parts, parse_ar};
pub use control::{Control, control, parse_control};
pub use deb::{Package, unpack};
pub use error::{Fault, UnpackError};
pub use members::{Limits, Member, MemberKind, members_of};
pub use script::written_part;
pub use spread::SpreadError;
pub use toolset::{ToolSet, ToolSetError, bare};
