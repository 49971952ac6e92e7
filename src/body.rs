//! Bodies of requests.

use std::fmt;
use std::sync::Arc;

/// The body of a request.
///
/// Cloning is cheap, and a body can be sent again: the bytes are shared.
///
/// ```
/// use hostpool::Body;
///
/// assert_eq!(Body::from("text").len(), 4);
/// assert_eq!(Body::from(vec![0u8; 100]).len(), 100);
/// assert!(Body::empty().is_empty());
/// ```
#[derive(Clone, Default)]
pub struct Body(Option<Arc<[u8]>>);

impl Body {
    /// No body: nothing is sent behind the head.
    pub const fn empty() -> Body {
        Body(None)
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl fmt::Debug for Body {
    /// The length only: bodies carry secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.len())
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body(Some(bytes.into()))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body::from(text.into_bytes())
    }
}

impl From<Arc<[u8]>> for Body {
    fn from(bytes: Arc<[u8]>) -> Body {
        Body(Some(bytes))
    }
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Body {
        Body(Some(bytes.into()))
    }
}

impl<const N: usize> From<&[u8; N]> for Body {
    fn from(bytes: &[u8; N]) -> Body {
        Body::from(bytes.as_slice())
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Body {
        Body::from(text.as_bytes())
    }
}
