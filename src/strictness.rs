//! How much a response may break HTTP and still be read.

/// How a client reads responses that break a rule of HTTP.
///
/// Everything that decides where a message ends is strict under both settings: two lengths that differ, a chunk size that is not a
/// number, a lone LF in chunks. The settings differ in everything else that real servers send: a header with white
/// space before its colon, a line that is no header at all, a status such as 999, blanks after a chunk size,
/// `Transfer-Encoding: identity`, a compressed body that was flushed but not finished.
///
/// A client's setting is [`SessionBuilder::strictness`](crate::SessionBuilder::strictness) and
/// [`PoolManagerBuilder::strictness`](crate::PoolManagerBuilder::strictness); a request's own is
/// [`RequestBuilder::strictness`](crate::RequestBuilder::strictness).
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
    /// Accepts what does not decide where a message ends. A line of a head that cannot be read as a header is left out
    /// and counted by [`Response::dropped_lines`](crate::Response::dropped_lines). A response in which a line was left
    /// out, or a header about framing was mended, ends its connection
    /// ([`CloseReason::Tolerated`](crate::CloseReason::Tolerated)).
    #[default]
    Tolerant,
    /// Refuses it with [`ErrorKind::Protocol`](crate::ErrorKind::Protocol). A folded header (RFC 9112, section 5.2) and
    /// a line of a head that ends in a lone LF (section 2.2) are accepted here too.
    Strict,
}

impl Strictness {
    pub(crate) fn is_strict(self) -> bool {
        self == Strictness::Strict
    }
}
