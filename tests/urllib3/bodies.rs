//! Request bodies and their framing (BODY).
