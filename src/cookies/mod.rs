//! Cookies: reading Set-Cookie, keeping what it says, and saying which of it goes along with a request.
//!
//! The rules are those of RFC 6265bis, and where it leaves a choice, the stricter one. `parse` reads fields, `place`
//! tells where cookies belong, `store` keeps them and `ranks` says which of them go first; these are pure. [`CookieJar`] puts a lock and a clock round a store,
//! and `file` its contents into JSON. Whatever keeps cookies for a session is a [`CookieStore`].

mod cookie;
mod cookie_store;
#[cfg(feature = "json")]
mod file;
mod jar;
mod parse;
mod place;
mod ranks;
mod rules;
mod store;
#[cfg(test)]
mod store_tests;
#[cfg(all(test, feature = "json"))]
mod vectors;

pub use cookie::{Cookie, CookieBuilder, SameSite};
pub use cookie_store::{CookieRequest, CookieStore, NoCookies};
pub use jar::{CookieJar, CookieJarBuilder};
