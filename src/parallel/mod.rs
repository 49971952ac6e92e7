//! Requests on threads of their client: one by one, as [`Pending`], or many, as a [`Batch`].
//!
//! The threads are those of [`Workers`](crate::workers::Workers), one set for each client. The result of a [`Pending`]
//! comes over a channel, and those of a [`Batch`] come into an inbox.

mod batch;
mod inbox;
mod pending;
mod results;
mod running;
mod seat;
mod task;

pub use batch::Batch;
pub use pending::Pending;
pub(crate) use pending::submit;
