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

impl Bytes {
    /// Returns the bytes, without a copy if no other body shares them.
    pub(super) fn into_vec(self) -> Vec<u8> {
        match self {
            Bytes::Shared(bytes) => bytes.to_vec(),
            Bytes::Owned(bytes) => Arc::try_unwrap(bytes).unwrap_or_else(|shared| shared.to_vec()),
        }
    }
}

impl Default for Bytes {
    fn default() -> Bytes {
        Bytes::Shared(Arc::from([]))
    }
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
