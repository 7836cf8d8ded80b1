//! Images of others, good and bad; images of this tree; and the archives that both become.

#![allow(clippy::unwrap_used)]

mod archives;
mod made;
mod oracle;
mod packing;
mod platforms;
