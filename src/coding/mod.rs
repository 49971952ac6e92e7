//! Content codings (RFC 9110, section 8.4.1): coded bytes in, the body out.
//!
//! Decoders are pulled: a step takes from a slice, gives into a slice, and holds little between steps, so that it is
//! the caller who says how much is decoded. What each holds besides is its window, into which br and zstd may decode
//! ahead: 32 KiB for gzip and deflate, up to 8 MiB for zstd and 16 MiB for br. A body that is cut, or that breaks its
//! format, is an error, never an end.

mod chain;
mod pump;

#[cfg(feature = "brotli")]
mod brotli;
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
    Known { name: "deflate", stage: inflate::stage },
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

    /// Whether coded data may end here.
    fn is_whole(&self) -> bool;

    /// Says that they ended elsewhere.
    fn cut(&self) -> &'static str;

    /// Starts again with another body. False if this is better made anew.
    fn restart(&mut self) -> bool {
        false
    }
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

/// More codings than one body may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

/// The codings of a body in the order they were applied, all of them compiled in, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Codings {
    /// Places in [`KNOWN`].
    list: [u8; MOST],
    len: u8,
}

impl Codings {
    /// Those that the values of all Content-Encoding fields name. `identity` and empty elements are none. With one that
    /// is not known, or not compiled in, there is nothing to undo: the bytes stay as they came, whatever else is named.
    pub(crate) fn of<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<Option<Codings>, TooMany> {
        let mut codings = Codings { list: [0; MOST], len: 0 };
        let mut count = 0;
        for name in values.flat_map(|value| value.split(|&byte| byte == b',')).map(trim) {
            if name.is_empty() || name.eq_ignore_ascii_case(b"identity") {
                continue;
            }
            let is_this = |known: &Known| known.name.as_bytes().eq_ignore_ascii_case(name);
            let Some(place) = KNOWN.iter().position(is_this) else { return Ok(None) };
            if let Some(slot) = codings.list.get_mut(count) {
                *slot = place as u8;
            }
            count += 1;
        }
        codings.len = count.min(MOST) as u8;
        match count {
            0 => Ok(None),
            1..=MOST => Ok(Some(codings)),
            _ => Err(TooMany),
        }
    }

    /// As they are undone: the last one first.
    fn stages(&self) -> impl Iterator<Item = Box<dyn Stage>> {
        let applied = self.list.iter().take(usize::from(self.len)).rev();
        applied.filter_map(|&place| KNOWN.get(usize::from(place))).map(|known| (known.stage)())
    }
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
