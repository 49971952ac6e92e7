//! Content codings, charsets, JSON, cookies and credentials as servers send them.
