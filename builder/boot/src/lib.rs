//! Kernel + initrd + command line -> a unified kernel image, and the EFI system partition it is started from.

mod error;
mod esp;
mod initrd;
mod uki;

pub use error::BootError;
pub use esp::{Esp, EspFile, write_esp};
pub use initrd::initrd;
pub use uki::{Uki, section};
