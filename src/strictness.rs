//! The setting for responses that break a rule of HTTP.

/// Decides how a client reads responses that break a rule of HTTP.
///
/// Both settings are strict about everything that decides where a message ends: two lengths that differ, a chunk size
/// that is not a number, a lone LF in chunks. The settings differ in other things that real servers send: a header with
/// white space before its colon, a line that is not a header, a status such as 999, blanks after a chunk size,
/// `Transfer-Encoding: identity`, a compressed body that was flushed but not finished.
///
/// [`SessionBuilder::strictness`](crate::SessionBuilder::strictness) and
/// [`PoolManagerBuilder::strictness`](crate::PoolManagerBuilder::strictness) set it for a client, and
/// [`RequestBuilder::strictness`](crate::RequestBuilder::strictness) for one request.
///
/// ```
/// use hostpool::{PoolManager, Strictness};
///
/// assert_eq!(Strictness::default(), Strictness::Tolerant);
/// let pools = PoolManager::builder().strictness(Strictness::Strict).build()?;
/// # Ok::<(), hostpool::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Strictness {
    /// Accepts a broken rule that does not decide where a message ends. A line of a head that cannot be read as a
    /// header is dropped and counted by [`Response::dropped_lines`](crate::Response::dropped_lines). If a line was
    /// dropped, or a header about framing was repaired, the connection is closed after the response
    /// ([`CloseReason::Tolerated`](crate::CloseReason::Tolerated)).
    #[default]
    Tolerant,
    /// Refuses a response that breaks a rule with [`ErrorKind::Protocol`](crate::ErrorKind::Protocol). A folded header
    /// (RFC 9112, section 5.2) and a line of a head that ends in a lone LF (section 2.2) are still accepted.
    Strict,
}

impl Strictness {
    pub(crate) fn is_strict(self) -> bool {
        self == Strictness::Strict
    }
}
