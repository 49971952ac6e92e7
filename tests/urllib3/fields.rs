//! Multipart fields (FLD).
