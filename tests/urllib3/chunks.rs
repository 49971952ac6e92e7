//! Chunked responses (CHK).
