//! Content codings (RFC 9110, section 8.4.1): coded bytes in, the body out.
//!
//! The caller decides how much is decoded: a step takes from a slice, gives into a slice, and holds little between
//! steps. Besides, each decoder holds its window, into which br and zstd may decode ahead: 32 KiB for gzip and deflate,
//! up to 8 MiB for zstd and 16 MiB for br. A body that breaks its format is an error. So is a body that is cut, unless
//! it ends where a block ends and the framing proves that the server sent no more: see [`Ending`].

#[cfg(feature = "brotli")]
mod brotli;
mod chain;
mod codings;
#[cfg(feature = "gzip")]
mod deflate;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "gzip")]
mod inflate;
mod pump;
mod stage;
#[cfg(test)]
mod tests;
#[cfg(feature = "zstd")]
mod zstd;

pub(crate) use chain::{Need, Step};
pub(crate) use codings::{ACCEPTED, Codings, Refused};
pub(crate) use pump::{Pump, Spares};
pub(crate) use stage::{Corrupt, Ending};
