//! Servers that a script speaks for, over each kind of stream.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use hostpool::{Session, WebSocket};

use super::frames::{Frames, serve};

/// The server's end of a stream.
pub trait Stream: Read + Write + Send {
    /// Reads so many bytes from the socket, below TLS, and drops them.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "for sockets that are filled"))]
    fn skip(&mut self, len: u64) -> io::Result<()>;

    /// Changes the keys of TLS, and asks the client to change its own (RFC 8446, section 4.6.3).
    fn change_keys(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for TcpStream {
    fn skip(&mut self, len: u64) -> io::Result<()> {
        skip(self, len)
    }
}

#[cfg(unix)]
impl Stream for std::os::unix::net::UnixStream {
    fn skip(&mut self, len: u64) -> io::Result<()> {
        skip(self, len)
    }
}

#[cfg(feature = "rustls")]
impl Stream for rustls::StreamOwned<rustls::ServerConnection, TcpStream> {
    fn skip(&mut self, len: u64) -> io::Result<()> {
        skip(&mut self.sock, len)
    }

    fn change_keys(&mut self) -> io::Result<()> {
        self.conn.refresh_traffic_keys().map_err(io::Error::other)?;
        self.flush()
    }
}

fn skip(stream: &mut impl Read, len: u64) -> io::Result<()> {
    let skipped = io::copy(&mut stream.take(len), &mut io::sink())?;
    if skipped == len { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// The server's side of one connection, over any of them.
pub type Server = Frames<Box<dyn Stream>>;

/// What a server does on one connection after the handshake.
type Script = Arc<dyn Fn(&mut Server) -> io::Result<()> + Send + Sync>;

fn run(stream: impl Stream + 'static, script: &Script) -> io::Result<()> {
    script(&mut Frames::accept(Box::new(stream) as Box<dyn Stream>, "")?)
}

fn plain(script: Script) -> WebSocket {
    let addr = serve(move |stream| run(stream, &script));
    Session::new().ws_connect(format!("ws://{addr}/")).connect().unwrap()
}

#[cfg(feature = "rustls")]
fn secure(script: Script) -> WebSocket {
    let authority = crate::tls::Authority::new();
    let config = Arc::new(authority.server());
    let addr = serve(move |stream: TcpStream| {
        let tls = rustls::ServerConnection::new(config.clone()).map_err(io::Error::other)?;
        run(rustls::StreamOwned::new(tls, stream), &script)
    });
    let session = Session::builder().tls(authority.trusted()).build().unwrap();
    session.ws_connect(format!("wss://{addr}/")).connect().unwrap()
}

#[cfg(unix)]
fn local(script: Script) -> WebSocket {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || run(listener.accept()?.0, &script));
    Session::new().ws_connect(hostpool::Url::unix(&path, "/").unwrap()).connect().unwrap()
}

/// Runs over each kind of stream.
pub fn each(
    script: impl Fn(&mut Server) -> io::Result<()> + Send + Sync + 'static,
    check: impl Fn(&'static str, WebSocket),
) {
    let script: Script = Arc::new(script);
    check("plain", plain(script.clone()));
    #[cfg(feature = "rustls")]
    check("TLS", secure(script.clone()));
    #[cfg(unix)]
    check("a Unix socket", local(script));
}
