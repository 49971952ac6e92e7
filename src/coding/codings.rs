//! The names of codings in Content-Encoding and Accept-Encoding.

#[cfg(feature = "brotli")]
use super::brotli;
use super::stage::Stage;
#[cfg(feature = "zstd")]
use super::zstd;
#[cfg(feature = "gzip")]
use super::{deflate, gzip};
use crate::headers::trim;

/// Codings of one body, in all its Content-Encoding fields together. Nobody needs two; each more multiplies what a
/// small body can grow to.
const MOST: usize = 5;

/// What a client that decodes says in Accept-Encoding.
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

/// Tokens that servers put into Content-Encoding and that are no content coding: the framing of S3 uploads, transfer
/// encodings of mail, and names that say "nothing".
const NO_CODINGS: [&str; 6] = ["identity", "aws-chunked", "none", "binary", "7bit", "8bit"];

/// How the names of charsets begin, which some servers send there too. No content coding of the IANA registry does.
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

/// A coding by its name, which is without case (RFC 9110, section 8.4.1).
pub(super) struct Known {
    pub(super) name: &'static str,
    stage: fn() -> Box<dyn Stage>,
}

/// What is compiled in.
pub(super) const KNOWN: &[Known] = &[
    #[cfg(feature = "gzip")]
    Known { name: "gzip", stage: gzip::stage },
    // The older name of the same (RFC 9110, section 8.4.1.3).
    #[cfg(feature = "gzip")]
    Known { name: "x-gzip", stage: gzip::stage },
    #[cfg(feature = "gzip")]
    Known { name: "deflate", stage: deflate::stage },
    #[cfg(feature = "brotli")]
    Known { name: "br", stage: brotli::stage },
    #[cfg(feature = "zstd")]
    Known { name: "zstd", stage: zstd::stage },
];

/// Says why a body is neither decoded nor given as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// More codings than one body may have.
    TooMany,
    /// The field has a known coding, and this token, which is not known.
    Unknown(Box<[u8]>),
}

/// The codings of a body in the order they were applied, all of them compiled in, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Codings {
    /// Places in [`KNOWN`].
    list: [u8; MOST],
    len: u8,
}

impl Codings {
    /// Returns the codings that all Content-Encoding fields name. Empty elements and tokens that are no content coding are
    /// skipped.
    ///
    /// Where nothing that is named is known here (an unknown coding, or one that is not compiled in), there is nothing to
    /// undo and the bytes stay as they came. An unknown token beside a known coding is refused: undoing only a part would
    /// pass coded bytes off as the content, and so would undoing nothing.
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

    /// As they are undone: the last one first.
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
