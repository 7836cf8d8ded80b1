//! Where releases come from, and what is believed of them: a web server, a folder, a bundle or a USB stick.
//!
//! ```text
//! Supply (http, folder, bundle)  bytes of a file or of a stretch of a blob; nothing of it is trusted
//! trust     metadata from any supply -> what is signed; the state of trust is kept on /var
//! choose    a release and what the device has -> the way with the fewest bytes
//! Stream    that way -> bytes of root, verity and UKI in order, each verified before it is handed out
//! ```

mod budget;
mod bundle;
mod choose;
mod chunked;
mod error;
mod folder;
mod frame;
mod http;
mod keep;
mod offer;
mod old;
mod open;
mod stream;
mod trust;
mod usb;

use std::collections::VecDeque;
use std::rc::Rc;

use geminios_update_format::Digest;
use geminios_update_format::release::{Blob, Range};

pub use budget::Meter;
pub use bundle::Bundle;
pub use choose::{Chosen, Way, Written, choose};
pub use error::SupplyError;
pub use folder::Folder;
pub use frame::Decoder;
pub use http::{Http, Limits, Patience};
pub(crate) use keep::keep;
pub use offer::{Offer, notes, offered};
pub use old::{CHUNK, Old, OldImage, ReadAt};
pub use open::{Place, Web, at_path, at_url};
pub use stream::Stream;
pub use trust::{Trust, release};
pub use usb::{Stick, Sticks, UsbSticks, on_sticks};

/// Prints a line for people.
pub type Tell = Rc<dyn Fn(&str)>;

/// A stretch of a blob: all of it, or a part of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    pub blob: Blob,
    pub range: Range,
}

impl Want {
    pub fn all(blob: Blob) -> Self {
        Want { blob, range: Range { offset: 0, length: blob.size } }
    }

    fn is_all(&self) -> bool {
        self.range == Want::all(self.blob).range
    }
}

/// A repository, wherever it lies. What it gives is not yet believed.
pub trait Supply {
    /// For messages.
    fn place(&self) -> String;

    /// A whole file of at most `most` bytes; None if it is not there.
    ///
    /// # Errors
    /// It is longer, or cannot be got.
    fn file(&mut self, name: &str, most: u64) -> Result<Option<Vec<u8>>, SupplyError>;

    /// Whether it has this. A bundle leaves out whole encodings; of a server one finds out by asking.
    fn has(&mut self, _: &Want) -> bool {
        true
    }

    /// What will be asked for next, in order, so that a link can bring it without a pause. A hint only.
    fn expect(&mut self, _: VecDeque<Want>) {}

    /// Exactly the bytes of the stretch, as they lie there.
    ///
    /// # Errors
    /// They cannot be got.
    fn stretch(&mut self, want: &Want) -> Result<Vec<u8>, SupplyError>;
}

/// A whole blob as it was signed. What came damaged is asked for once more: a link may flip bits, a server change its mind.
///
/// # Errors
/// It cannot be got, or is another twice.
pub fn blob(supply: &mut dyn Supply, wanted: &Blob) -> Result<Vec<u8>, SupplyError> {
    let mut try_once = || {
        let bytes = supply.stretch(&Want::all(*wanted))?;
        let seen = Digest::of(&bytes);
        if seen == wanted.sha256 {
            return Ok(bytes);
        }
        Err(SupplyError::Damaged { file: wanted.path(), place: supply.place(), seen: seen.to_string() })
    };
    match try_once() {
        Err(SupplyError::Damaged { .. } | SupplyError::Length { .. }) => try_once(),
        result => result,
    }
}
