//! Whether and how a body is compressed.

use super::Body;
use super::coding::Coding;
use crate::error::Result;
#[cfg(not(feature = "gzip"))]
use crate::error::{Error, Phase};

/// Whether the body of a request is compressed: see [`RequestBuilder::compress`](crate::RequestBuilder::compress).
///
/// | | body | `Content-Encoding` |
/// |---|---|---|
/// | `Off` | sent as given | the caller's, about a body that is coded already |
/// | `Deflate`, `Gzip` | compressed | added, unless the caller has it; another coding there is an error |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compress {
    /// Does not compress, whatever a header says.
    #[default]
    #[doc(alias = "None")]
    #[doc(alias = "False")]
    Off,
    /// Compresses by deflate, in the zlib format (RFC 9110, section 8.4.1.2).
    #[doc(alias = "True")]
    Deflate,
    /// Compresses by gzip (RFC 9110, section 8.4.1.3).
    Gzip,
}

impl Body {
    /// Returns the same body in that coding. Bytes are compressed at once, any other body while it is sent.
    #[cfg(feature = "gzip")]
    pub(crate) fn compress(self, coding: Coding) -> Result<Body> {
        use super::encoder::Encoded;

        let (content, progress, in_memory) = (self.content, self.progress.clone(), self.as_bytes().is_some());
        let mut encoded = Encoded::new(coding, self.into_input()?);
        let body = if in_memory { Body::from(encoded.rest()?) } else { Body::composite(encoded) };
        Ok(Body { content, coding: Some(coding), progress, ..body })
    }

    #[cfg(not(feature = "gzip"))]
    pub(crate) fn compress(self, _: Coding) -> Result<Body> {
        let why = "compressing a body needs the feature gzip";
        Err(Error::unsupported(why, Phase::Prepare))
    }
}
