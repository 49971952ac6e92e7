//! The cookie jar through its public API. What needs a clock of its own stands beside the code.

#[path = "../support/alloc.rs"]
mod alloc;
mod costs;
mod editing;
#[cfg(feature = "json")]
mod files;
mod limits;
mod netscape;
mod rules;

use hostpool::{CookieJar, CookieRequest, CookieStore, Url};

fn url(text: &str) -> Url {
    Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The Cookie field of a request; nothing where there is none.
fn sent(jar: &CookieJar, to: &str) -> String {
    let header = jar.cookie_header(&CookieRequest::new(&url(to)));
    assert!(header.as_ref().is_none_or(|header| !header.is_empty()));
    String::from_utf8(header.unwrap_or_default()).unwrap()
}
