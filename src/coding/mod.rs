//! Content codings (RFC 9110, section 8.4.1): coded bytes in, the body out.
//!
//! Decoders are pulled: a step takes from a slice, gives into a slice, and holds little between steps, so that it is
//! the caller who says how much is decoded. What each holds besides is its window, into which br and zstd may decode
//! ahead: 32 KiB for gzip and deflate, up to 8 MiB for zstd and 16 MiB for br. A body that breaks its format is an error.
//! So is one that is cut, unless it ends where a block ends and the framing proves that the server sent no more: see
//! [`Ending`].

mod chain;
mod pump;

#[cfg(feature = "brotli")]
mod brotli;
#[cfg(feature = "gzip")]
mod deflate;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "gzip")]
mod inflate;
#[cfg(test)]
mod tests;
#[cfg(feature = "zstd")]
mod zstd;

pub(crate) use chain::{Next, Step};
pub(crate) use pump::{Pump, Spares};

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
struct Known {
    name: &'static str,
    stage: fn() -> Box<dyn Stage>,
}

/// What is compiled in.
const KNOWN: &[Known] = &[
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

/// One coding, undone.
trait Stage: Send + Sync {
    /// Decodes until the input is used up, the output, which is not empty, is full, or there is a fault. It is not
    /// called again then.
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Progress;

    /// Says where the coded data stands, after the last of it. It is not called again, nor is `step`.
    fn end(&mut self) -> End;

    /// Says that the data ended too early.
    fn cut(&self) -> &'static str;

    /// Starts again with another body. False if this is better made anew.
    fn restart(&mut self) -> bool {
        false
    }
}

/// Says where coded data has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Where it may.
    Whole,
    /// After a block: all data so far has been given, but the last block is missing, or the trailer is missing or short.
    AfterBlock,
    /// Anywhere else: a part of a block, or a trailer that contradicts the data.
    #[cfg_attr(
        not(any(feature = "gzip", feature = "brotli", feature = "zstd")),
        expect(dead_code, reason = "nothing is decoded")
    )]
    Inside,
}

/// Says what follows the input of a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// More input may follow.
    Open,
    /// Nothing follows. The data has to be whole.
    Strict,
    /// Nothing follows, and the framing proves that the server sent no more. Data that ends after a block is taken: servers
    /// that flush and never finish, or leave the trailer out, are common.
    Proven,
}

/// What a step took and gave, and the fault behind that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    consumed: usize,
    produced: usize,
    fault: Option<Corrupt>,
}

/// The data is not what its coding says, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrupt(pub(crate) &'static str);

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
    fn stages(&self) -> impl Iterator<Item = Box<dyn Stage>> {
        let applied = self.list.iter().take(usize::from(self.len)).rev();
        applied.filter_map(|&place| KNOWN.get(usize::from(place))).map(|known| (known.stage)())
    }
}

fn is_no_coding(name: &[u8]) -> bool {
    let begins =
        |front: &&str| name.get(..front.len()).is_some_and(|start| start.eq_ignore_ascii_case(front.as_bytes()));
    NO_CODINGS.iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes())) || CHARSETS.iter().any(begins)
}

/// Bytes that are passed over behind the end of coded data: servers pad. What is longer is no padding.
#[cfg(any(feature = "gzip", feature = "brotli"))]
const SURPLUS: usize = 64 * 1024;

/// Counts what stands behind the end of coded data.
#[cfg(any(feature = "gzip", feature = "brotli"))]
#[derive(Debug, Default)]
struct Surplus(usize);

#[cfg(any(feature = "gzip", feature = "brotli"))]
impl Surplus {
    fn pass(&mut self, len: usize) -> Option<Corrupt> {
        self.0 = self.0.saturating_add(len);
        (self.0 > SURPLUS).then_some(Corrupt("the coded data has ended, and more follows"))
    }
}
