//! Fetches a URL through a proxy, and says what the proxy has answered.
//!
//!     cargo run --example proxy -- http://user:secret@proxy.example:3128 https://www.example.com/
//!
//! The proxy may be `http`, `https` or at a Unix socket (`http+unix://%2Frun%2Fproxy.sock`). `https` URLs go through a
//! tunnel. With `--ca FILE` the certificate of an `https` proxy is verified by that file.

use std::error::Error as _;
use std::process::ExitCode;

use hostpool::{Error, ErrorKind, Phase, Proxy, Session, TlsConfig};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (mut ca, mut others) = (None, Vec::new());
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--ca" => ca = arguments.next(),
            _ => others.push(argument),
        }
    }
    let [proxy, url] = &others[..] else {
        eprintln!("give the URL of a proxy, and that of a page");
        return ExitCode::FAILURE;
    };
    match fetch(proxy, url, ca.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            explain(&error);
            ExitCode::FAILURE
        }
    }
}

fn fetch(proxy: &str, url: &str, ca: Option<&str>) -> hostpool::Result<()> {
    let mut proxy = Proxy::parse(proxy)?;
    if let Some(ca) = ca {
        proxy = proxy.tls(TlsConfig::builder().root_file(ca).build()?);
    }
    let session = Session::builder().proxy(proxy).build()?;
    let response = session.get(url).send()?;
    println!("{} {}", response.status(), response.url());
    if let Some(connection) = response.connection() {
        println!("over connection {} to {:?}", connection.id, connection.remote);
        if let Some(tunnel) = &connection.tunnel {
            println!("through a tunnel, opened with {}:", tunnel.status());
            for field in tunnel.headers().iter() {
                println!("  {}: {}", field.name(), String::from_utf8_lossy(field.bytes()));
            }
        }
    }
    println!("{} bytes", response.bytes()?.len());
    Ok(())
}

/// Says whose fault it is: the proxy's, or that of the server after it.
fn explain(error: &Error) {
    eprintln!("{error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because {error}");
        cause = error.source();
    }
    match (error.kind(), error.phase()) {
        (ErrorKind::ProxyRefused { .. }, _) => {
            let Some(head) = error.head() else { return };
            eprintln!("The proxy says: {}", String::from_utf8_lossy(head.body()));
        }
        (_, Phase::Proxy) => eprintln!("The proxy cannot be reached, or does not keep to its protocol."),
        _ => eprintln!("The proxy does its part. The server after it does not."),
    }
}
