//! The content codings that a request's body can be sent in.

/// A coding that bodies can be put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Deflate,
    Gzip,
}

impl Coding {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Coding::Deflate => "deflate",
            Coding::Gzip => "gzip",
        }
    }

    /// Returns the coding with this name in a Content-Encoding.
    pub(crate) fn of(name: &[u8]) -> Option<Coding> {
        [Coding::Deflate, Coding::Gzip].into_iter().find(|coding| name.eq_ignore_ascii_case(coding.name().as_bytes()))
    }
}
