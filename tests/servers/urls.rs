//! URLs, redirects, retries and the errors that name them.
