//! One request and one response over one transport. This layer knows no pool.
//!
//! Each file uses only files that stand before it here: `wire`, `failure`, `bounds`, `buffers`, `outcome` (the values),
//! `early` (the rules for early responses), `state` (the exchange itself), `receive`, `send`, `upload` (early responses
//! at work) and `run`. `body` reads the response's body after the exchange, with `pattern`, which says where its chunks
//! are expected to end.

mod body;
mod bounds;
mod buffers;
mod early;
mod failure;
mod outcome;
mod pattern;
mod receive;
mod run;
mod send;
mod state;
mod upload;
mod wire;

use buffers::FreeList;

pub(crate) use body::{BodyReader, Io, ONE_CHUNK};
pub(crate) use bounds::Bounds;
pub(crate) use buffers::Buffers;
pub(crate) use failure::is_end;
pub(crate) use outcome::{Ending, Received, Rules, Trace, Upload};
pub(crate) use state::Exchange;
pub(crate) use wire::Wire;

use crate::coding::Spares;
use crate::limits::Limits;

/// The memory and limits that all exchanges of a client share.
#[derive(Debug, Default)]
pub(crate) struct Common {
    pub(crate) buffers: FreeList,
    pub(crate) pumps: Spares,
    pub(crate) limits: Limits,
}

impl Common {
    pub(crate) fn new(limits: Limits) -> Common {
        Common { limits, ..Common::default() }
    }
}
