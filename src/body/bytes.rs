//! The bytes of a body that lies in memory.

use std::ops::Deref;
use std::sync::Arc;

/// Bytes that several bodies may share.
#[derive(Clone)]
pub(super) enum Bytes {
    Shared(Arc<[u8]>),
    /// The caller's own buffer: a copy of a large body would double it.
    Owned(Arc<Vec<u8>>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Shared(bytes) => bytes,
            Bytes::Owned(bytes) => bytes,
        }
    }
}
