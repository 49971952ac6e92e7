//! Requests to an API behind a Unix socket: Docker's, or that of a server of this example if there is no Docker.
//!
//! `cargo run --example docker`, or `DOCKER_HOST=unix:///run/user/1000/docker.sock cargo run --example docker`.

use std::error::Error;

#[cfg(unix)]
fn main() -> Result<(), Box<dyn Error>> {
    use std::time::Duration;

    use hostpool::{Session, UnixConnector};

    let (path, _server) = match docker() {
        Some(path) => (path, None),
        None => scripted::start().map(|(path, folder)| (path, Some(folder)))?,
    };
    println!("socket: {}", path.display());
    let connector = UnixConnector::builder(&path).limit(4).conn_timeout(Duration::from_secs(5)).build()?;
    let session = Session::builder().connector(&connector).base_url("http://docker/").raise_for_status(true).build()?;

    let version: serde_json::Value = session.get("version").send()?.json()?;
    println!("server: {} (API {})", version["Version"], version["ApiVersion"]);
    let containers: Vec<serde_json::Value> = session.get("containers/json").params([("all", 1)]).send()?.json()?;
    for container in &containers {
        println!("{}: {}", container["Names"][0], container["State"]);
    }
    println!("containers: {}, connections opened: {}", containers.len(), connector.pools().stats().created);
    ping(&connector)?;
    Ok(())
}

#[cfg(not(unix))]
fn main() -> Result<(), Box<dyn Error>> {
    println!("this system has no Unix sockets; the example named_pipe is for Windows");
    Ok(())
}

/// Asks by hand, on a connection of the pool. Docker's `attach` and `exec` begin like this: after a 101 the connection is
/// a stream of the container's, which `detach` takes out of the pool.
#[cfg(unix)]
fn ping(connector: &hostpool::UnixConnector) -> Result<(), Box<dyn Error>> {
    use std::io::{BufRead, BufReader, Write};

    let mut stream = connector.connect("http://docker/")?.detach();
    stream.write_all(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")?;
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status)?;
    println!("ping: {}", status.trim_end());
    Ok(())
}

/// Returns the socket of Docker, if it listens.
#[cfg(unix)]
fn docker() -> Option<std::path::PathBuf> {
    let host = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
    let path = std::path::PathBuf::from(host.strip_prefix("unix://")?);
    std::os::unix::net::UnixStream::connect(&path).is_ok().then_some(path)
}

/// A server that answers as Docker does, with less to say.
#[cfg(unix)]
mod scripted {
    use std::io::{self, BufRead, BufReader, Write};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::PathBuf;
    use std::thread;

    pub fn start() -> io::Result<(PathBuf, tempfile::TempDir)> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&path)?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || serve(stream));
            }
        });
        Ok((path, folder))
    }

    fn serve(mut stream: UnixStream) -> io::Result<()> {
        let mut requests = BufReader::new(stream.try_clone()?);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if requests.read_line(&mut head)? == 0 {
                    return Ok(());
                }
            }
            let body = match head.split([' ', '?']).nth(1) {
                Some("/version") => r#"{"Version": "0.0.1", "ApiVersion": "1.47"}"#,
                Some("/containers/json") => r#"[{"Names": ["/web"], "State": "running"}]"#,
                _ => "OK",
            };
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
        }
    }
}
