//! Timeouts (TO).
