//! The types that a list of statuses is made from.

use http::StatusCode;

/// A status for [`Retry::status_forcelist`](super::Retry::status_forcelist) and
/// [`Retry::is_retry`](super::Retry::is_retry): a number, or a [`StatusCode`].
///
/// It is implemented for `u16`, [`StatusCode`] and references to them, and cannot be implemented for other types.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a status",
    note = "give numbers of the type `u16`, such as `503`, or values of the type `hostpool::StatusCode`"
)]
pub trait IntoStatus: Status {}

impl<T: Status> IntoStatus for T {}

#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a status",
    note = "give numbers of the type `u16`, such as `503`, or values of the type `hostpool::StatusCode`"
)]
pub trait Status {
    #[doc(hidden)]
    fn number(&self) -> u16;
}

impl Status for u16 {
    fn number(&self) -> u16 {
        *self
    }
}

impl Status for StatusCode {
    fn number(&self) -> u16 {
        self.as_u16()
    }
}

impl<T: Status> Status for &T {
    fn number(&self) -> u16 {
        (**self).number()
    }
}
