//! Content decoding (DEC).
