mod error;
mod headers;
mod sync;
mod time;
mod url;
pub use error::*;
pub use headers::{Header, Headers, InvalidHeader};
pub use time::Timeout;
pub use url::{InvalidUrl, Origin, Url};
