//! The state of connections (CONN).
