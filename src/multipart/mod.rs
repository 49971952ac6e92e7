//! Forms with files: `multipart/form-data` (RFC 7578), as browsers send it.
//!
//! A [`Form`] is a list of [`Part`]s: texts, bytes, files and readers. It is streamed, so no more than a buffer of it
//! is in memory, however long its parts are.

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
