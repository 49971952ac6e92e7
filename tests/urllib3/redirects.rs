//! Redirects (RED).
