//! The header map (HDR).
