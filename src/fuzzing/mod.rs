//! Fuzz targets: total functions of bytes that panic where an oracle fails, and do nothing else.
//!
//! `fuzz/` runs each of them under libFuzzer. Here, on every toolchain, each replays its committed corpus and takes a
//! few hundred random inputs.

mod chunked;
mod cookies;
#[cfg(feature = "gzip")]
mod decode;
mod exchange;
mod headers;
mod input;
mod line;
mod netrc;
mod netscape;
mod pool_ops;
mod proxy_env;
mod request_head;
mod resp_head;
mod sent;
mod socks;
#[cfg(feature = "rustls")]
mod tls_stream;
mod url;
#[cfg(feature = "websocket")]
mod ws_frames;
mod www_auth;

pub use chunked::chunked;
pub use cookies::cookies;
#[cfg(feature = "gzip")]
pub use decode::decode;
pub use exchange::exchange;
pub use headers::headers;
pub use netrc::netrc;
pub use netscape::netscape;
pub use pool_ops::pool_ops;
pub use proxy_env::proxy_env;
pub use request_head::request_head;
pub use resp_head::resp_head;
pub use socks::socks;
#[cfg(feature = "rustls")]
pub use tls_stream::tls_stream;
pub use url::url;
#[cfg(feature = "websocket")]
pub use ws_frames::ws_frames;
pub use www_auth::www_auth;

use crate::h1::Limits;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    /// Every file of the corpus, and then bytes by chance. What panics names its input.
    fn run(target: &str, cases: u32, act: fn(&[u8])) {
        let corpora = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus"));
        match corpora.is_dir() {
            true => replay(&corpora.join(target), act),
            false => eprintln!("the published crate is without its corpora: {target} takes bytes by chance alone"),
        }
        let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
        let bytes = proptest::collection::vec(any::<u8>(), 0..256);
        let result = TestRunner::new(config).run(&bytes, |bytes| {
            act(&bytes);
            Ok(())
        });
        result.unwrap_or_else(|error| panic!("{error}"));
    }

    fn replay(folder: &Path, act: fn(&[u8])) {
        let files = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        assert!(!files.is_empty(), "{} is empty", folder.display());
        files.sort_unstable();
        for file in files {
            let bytes = fs::read(&file).unwrap();
            let end = std::panic::catch_unwind(|| act(&bytes));
            assert!(end.is_ok(), "{}", file.display());
        }
    }

    macro_rules! targets {
        ($($name:ident: $cases:expr),* $(,)?) => {$(
            #[test]
            fn $name() {
                run(stringify!($name), $cases, super::$name);
            }
        )*};
    }

    targets! {
        chunked: 500,
        cookies: 500,
        exchange: 500,
        headers: 500,
        netrc: 500,
        netscape: 500,
        pool_ops: 500,
        proxy_env: 500,
        request_head: 500,
        resp_head: 500,
        socks: 500,
        url: 500,
        www_auth: 500,
    }

    #[cfg(feature = "gzip")]
    targets! {
        decode: 500,
    }

    #[cfg(feature = "rustls")]
    targets! {
        tls_stream: 200,
    }

    #[cfg(feature = "websocket")]
    targets! {
        ws_frames: 500,
    }
}
