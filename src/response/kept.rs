//! The result of reading a body as a whole.

use crate::error::Reason;

/// The result that later reads are answered from. It has four words, because each response has room for it.
#[derive(Debug)]
pub(super) enum Kept {
    /// The body, and how much of it `Read` has given out.
    Body { bytes: Vec<u8>, read: usize },
    /// The reason why the body cannot be decoded. Nothing of it has been read, so it can still be read as it came.
    Refused(Box<Reason>),
    /// The reason why the rest of the body cannot be read. Without it, later reads would report the end of the body.
    Nothing(Box<Reason>),
}
