//! The response object (RSP).
