//! URLs (URL).
