//! Requests and their headers as they arrive (REQ).
