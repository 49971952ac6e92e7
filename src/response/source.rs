//! The response that an iterator reads from.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::Response;

/// A response that is lent to an iterator, or owned by it.
pub(super) enum Source<'a> {
    Lent(&'a mut Response),
    Own(Response),
}

impl Deref for Source<'_> {
    type Target = Response;

    fn deref(&self) -> &Response {
        match self {
            Source::Lent(response) => response,
            Source::Own(response) => response,
        }
    }
}

impl DerefMut for Source<'_> {
    fn deref_mut(&mut self) -> &mut Response {
        match self {
            Source::Lent(response) => response,
            Source::Own(response) => response,
        }
    }
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Response::fmt(self, f)
    }
}
