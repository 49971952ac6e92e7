//! The names of codings in Content-Encoding and Accept-Encoding.

#[cfg(feature = "brotli")]
use super::brotli;
use super::stage::Stage;
#[cfg(feature = "zstd")]
use super::zstd;
#[cfg(feature = "gzip")]
use super::{deflate, gzip};
use crate::headers::trim;

/// Most codings of one body, in all its Content-Encoding fields together. No server needs two, and each more multiplies
/// what a small body can grow to.
const MOST: usize = 5;

/// The value of Accept-Encoding of a client that decodes.
pub(crate) const ACCEPTED: &str = match (cfg!(feature = "gzip"), cfg!(feature = "brotli"), cfg!(feature = "zstd")) {
    (true, true, true) => "gzip, deflate, br, zstd",
    (true, true, false) => "gzip, deflate, br",
    (true, false, true) => "gzip, deflate, zstd",
    (true, false, false) => "gzip, deflate",
    (false, true, true) => "br, zstd",
    (false, true, false) => "br",
    (false, false, true) => "zstd",
    (false, false, false) => "identity",
};

/// Tokens that servers put into Content-Encoding and that are no content codings: the framing of S3 uploads, transfer
/// encodings of mail, and names that mean "nothing".
const NO_CODINGS: [&str; 6] = ["identity", "aws-chunked", "none", "binary", "7bit", "8bit"];

/// Beginnings of the names of charsets. Some servers put charsets into Content-Encoding, and no content coding of the
/// IANA registry begins like this.
const CHARSETS: [&str; 20] = [
    "utf-",
    "utf8",
    "utf_",
    "iso-8859",
    "iso8859",
    "iso_8859",
    "iso-2022",
    "us-ascii",
    "ascii",
    "latin",
    "windows-",
    "cp1",
    "cp9",
    "gb2312",
    "gbk",
    "gb18030",
    "big5",
    "shift_jis",
    "euc-",
    "koi8-",
];

/// A coding and its name, which is compared without case (RFC 9110, section 8.4.1).
pub(super) struct Known {
    pub(super) name: &'static str,
    stage: fn() -> Box<dyn Stage>,
}

/// The codings that are compiled in.
pub(super) const KNOWN: &[Known] = &[
    #[cfg(feature = "gzip")]
    Known { name: "gzip", stage: gzip::stage },
    // `x-gzip` is the older name of gzip (RFC 9110, section 8.4.1.3).
    #[cfg(feature = "gzip")]
    Known { name: "x-gzip", stage: gzip::stage },
    #[cfg(feature = "gzip")]
    Known { name: "deflate", stage: deflate::stage },
    #[cfg(feature = "brotli")]
    Known { name: "br", stage: brotli::stage },
    #[cfg(feature = "zstd")]
    Known { name: "zstd", stage: zstd::stage },
];

/// Why a body is neither decoded nor returned as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// More codings than one body may have.
    TooMany,
    /// The field names a known coding, and this token, which is not known.
    Unknown(Box<[u8]>),
}

/// The codings of a body in the order they were applied, all of them compiled in, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Codings {
    /// Indexes into [`KNOWN`].
    list: [u8; MOST],
    len: u8,
}

impl Codings {
    /// Returns the codings that all Content-Encoding fields name. Empty elements and tokens that are no content coding
    /// are skipped.
    ///
    /// If no named coding is known here (it is unknown, or not compiled in), nothing is decoded and the bytes stay as
    /// they came. An unknown token beside a known coding is refused: a body that is decoded in part, or not at all,
    /// would pass coded bytes off as the content.
    pub(crate) fn of<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<Option<Codings>, Refused> {
        let mut codings = Codings { list: [0; MOST], len: 0 };
        let (mut count, mut unknown) = (0, None);
        for name in values.flat_map(|value| value.split(|&byte| byte == b',')).map(trim) {
            if name.is_empty() || is_no_coding(name) {
                continue;
            }
            let is_this = |known: &Known| known.name.as_bytes().eq_ignore_ascii_case(name);
            let Some(place) = KNOWN.iter().position(is_this) else {
                unknown = unknown.or(Some(name));
                continue;
            };
            if let Some(slot) = codings.list.get_mut(count) {
                *slot = place as u8;
            }
            count += 1;
        }
        codings.len = count.min(MOST) as u8;
        match (count, unknown) {
            (0, _) => Ok(None),
            (_, Some(name)) => Err(Refused::Unknown(name.into())),
            (1..=MOST, None) => Ok(Some(codings)),
            (_, None) => Err(Refused::TooMany),
        }
    }

    /// Makes the decoders in the order of undoing: the coding that was applied last comes first.
    pub(super) fn stages(&self) -> impl Iterator<Item = Box<dyn Stage>> {
        let applied = self.list.iter().take(usize::from(self.len)).rev();
        applied.filter_map(|&place| KNOWN.get(usize::from(place))).map(|known| (known.stage)())
    }
}

fn is_no_coding(name: &[u8]) -> bool {
    let begins =
        |front: &&str| name.get(..front.len()).is_some_and(|start| start.eq_ignore_ascii_case(front.as_bytes()));
    NO_CODINGS.iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes())) || CHARSETS.iter().any(begins)
}
