//! Forms with files: `multipart/form-data` (RFC 7578), as browsers send it.
//!
//! A [`Form`] is a list of [`Part`]s, which may be texts, bytes, files and readers. It is streamed: however long its
//! parts are, no more than a buffer of them is held in memory.

mod form;
mod from;
mod media;
mod part;
mod stream;
#[cfg(test)]
mod tests;

pub(crate) use form::FORM_TYPE;
pub use form::Form;
pub use part::Part;
