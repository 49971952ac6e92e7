//! Credentials, as the servers at both ends of redirects see them.

mod basic;
