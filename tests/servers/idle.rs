//! Connections that wait between two requests, and the lookups and dials that open them.
