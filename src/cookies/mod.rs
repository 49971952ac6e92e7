//! Cookies: reads Set-Cookie fields, keeps their cookies, and decides which cookies a request carries.
//!
//! The rules are those of RFC 6265bis; where it leaves a choice, the stricter one is taken. `rules` says what a cookie
//! may be, `parse` reads fields, `place` says which hosts and paths a cookie is for, `store` keeps cookies by `site`, and
//! `ranks` decides which of them are removed first. These are pure. [`CookieJar`] is a store with a lock and a clock, and
//! `file` and `netscape` write it as JSON and as a `cookies.txt`. A session asks a [`CookieStore`].

mod cookie;
mod cookie_store;
mod disk;
#[cfg(feature = "json")]
mod file;
mod jar;
mod netscape;
mod parse;
mod place;
mod ranks;
mod rules;
mod site;
mod store;
#[cfg(test)]
mod store_tests;
#[cfg(all(test, feature = "json"))]
mod vectors;

pub use cookie::{Cookie, CookieBuilder, SameSite};
pub(crate) use cookie_store::shared_store;
pub use cookie_store::{CookieRequest, CookieStore, NoCookies};
pub use jar::{CookieJar, CookieJarBuilder};
