//! permessage-deflate (RFC 7692).

mod deflater;
mod inflater;
mod negotiation;
#[cfg(test)]
mod tests;

pub(crate) use deflater::Deflater;
pub(crate) use inflater::Inflater;
pub(crate) use negotiation::Agreed;
pub use negotiation::PerMessageDeflate;
