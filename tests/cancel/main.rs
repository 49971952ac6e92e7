//! Calls that another thread ends, or that a deadline ends: where they were, and what they leave.

#[path = "../support/mod.rs"]
mod support;

mod checks;
mod complete;
mod everybody;
mod foreign;
mod peers;
mod phases;
