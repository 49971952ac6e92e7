//! Servers that speak another protocol after the head, over TCP, a Unix socket and TLS.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;

use hostpool::{ClientBuilder, PoolManager, PoolManagerBuilder};

use crate::support::read_head;

pub const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n";

/// What lies below the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Tcp,
    #[cfg(unix)]
    Unix,
    #[cfg(feature = "rustls")]
    Tls,
}

pub const KINDS: &[Kind] = &[
    Kind::Tcp,
    #[cfg(unix)]
    Kind::Unix,
    #[cfg(feature = "rustls")]
    Kind::Tls,
];

/// The server's end of a connection.
pub trait Stream: Read + Write + Send {
    /// Ends the direction to the client in an orderly way.
    fn finish(&mut self) -> io::Result<()>;
    /// Ends the connection without a word.
    fn cut(&mut self);
}

impl Stream for TcpStream {
    fn finish(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn cut(&mut self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

#[cfg(unix)]
impl Stream for UnixStream {
    fn finish(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn cut(&mut self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

/// The server's end of a TLS connection, for one thread.
#[cfg(feature = "rustls")]
struct Tls(rustls::StreamOwned<rustls::ServerConnection, TcpStream>);

#[cfg(feature = "rustls")]
impl Read for Tls {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

#[cfg(feature = "rustls")]
impl Write for Tls {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(feature = "rustls")]
impl Stream for Tls {
    fn finish(&mut self) -> io::Result<()> {
        self.0.conn.send_close_notify();
        self.0.flush()
    }

    fn cut(&mut self) {
        let _ = self.0.sock.shutdown(Shutdown::Both);
    }
}

type Serve = dyn Fn(&mut dyn Stream) -> io::Result<()> + Send + Sync;

/// A running server, and a client that reaches it.
pub struct Peer {
    pub url: String,
    #[cfg(feature = "rustls")]
    tls: hostpool::TlsConfig,
    #[cfg(unix)]
    folder: Option<std::path::PathBuf>,
}

impl Peer {
    /// A server that does this with each connection, from the first byte of the request on.
    pub fn new(kind: Kind, serve: impl Fn(&mut dyn Stream) -> io::Result<()> + Send + Sync + 'static) -> Peer {
        let serve: Arc<Serve> = Arc::new(serve);
        #[cfg(feature = "rustls")]
        let authority = crate::tls::Authority::new();
        #[cfg(feature = "rustls")]
        let (tls, config) = (authority.trusted(), Arc::new(authority.server()));
        #[cfg(unix)]
        let mut folder = None;
        let url = match kind {
            Kind::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let url = format!("http://{}/", listener.local_addr().unwrap());
                each(listener, serve, |listener| {
                    listener.accept().map(|(stream, _)| Box::new(stream) as Box<dyn Stream>)
                });
                url
            }
            #[cfg(unix)]
            Kind::Unix => {
                let path = std::env::temp_dir().join(format!("hostpool-up-{}", unique()));
                let listener = UnixListener::bind(&path).unwrap();
                let url = hostpool::Url::unix(&path, "/").unwrap().to_string();
                folder = Some(path);
                each(listener, serve, |listener| {
                    listener.accept().map(|(stream, _)| Box::new(stream) as Box<dyn Stream>)
                });
                url
            }
            #[cfg(feature = "rustls")]
            Kind::Tls => {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let url = format!("https://{}/", listener.local_addr().unwrap());
                each(listener, serve, move |listener| {
                    let (stream, _) = listener.accept()?;
                    let tls = rustls::ServerConnection::new(config.clone()).map_err(io::Error::other)?;
                    Ok(Box::new(Tls(rustls::StreamOwned::new(tls, stream))) as Box<dyn Stream>)
                });
                url
            }
        };
        Peer {
            url,
            #[cfg(feature = "rustls")]
            tls,
            #[cfg(unix)]
            folder,
        }
    }

    /// A server that switches, and does this with the connection then.
    pub fn switching(kind: Kind, serve: impl Fn(&mut dyn Stream) -> io::Result<()> + Send + Sync + 'static) -> Peer {
        Peer::new(kind, move |stream| {
            read_head(&mut &mut *stream)?;
            stream.write_all(SWITCH)?;
            serve(stream)
        })
    }

    /// The settings of a client for this server.
    pub fn pools(&self) -> PoolManagerBuilder {
        let builder: ClientBuilder<PoolManager> = PoolManager::builder();
        #[cfg(feature = "rustls")]
        let builder = builder.tls(self.tls.clone());
        builder
    }

    /// A connection that this server has switched.
    pub fn upgraded(&self) -> hostpool::Upgraded {
        let pools = self.pools().build().unwrap();
        pools.get(&self.url).upgrade_to("test").send().unwrap().upgrade().unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(path) = &self.folder {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(unix)]
fn unique() -> String {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Serves each connection in a thread of its own, until the process ends.
fn each<L: Send + 'static>(
    listener: L,
    serve: Arc<Serve>,
    accept: impl Fn(&L) -> io::Result<Box<dyn Stream>> + Send + 'static,
) {
    thread::spawn(move || {
        while let Ok(mut stream) = accept(&listener) {
            let serve = serve.clone();
            thread::spawn(move || serve(&mut *stream));
        }
    });
}
