//! Requests with a body to servers that answer early, refuse, or close.
