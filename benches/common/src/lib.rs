//! What the benchmarks share: what a client has to do, the workloads, the measuring and the lines that come out.
//!
//! A client is a small program around [`main`]. It runs one workload in one process against the server of
//! `benches/server`, checks what came and over how many connections, and prints one line of `key=value`.

mod alloc;
mod clients;
mod measure;
mod run;
mod server;
mod workload;

pub use alloc::{Heap, heap};
pub use clients::{Client, Fields, Handle, Setup, Source};
pub use measure::fields;
pub use run::main;
pub use workload::{Cores, Via, Work, Workload};

/// How many bytes a download is read in.
pub const PIECE: usize = 64 * 1024;
