//! Sockets, with TLS or without.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};

pub enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buf),
            Stream::Unix(stream) => stream.read(buf),
            Stream::Tls(stream) => stream.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(buf),
            Stream::Unix(stream) => stream.write(buf),
            Stream::Tls(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Tls(stream) => stream.flush(),
            _ => Ok(()),
        }
    }
}

/// Opens connections.
pub struct Dialer {
    pub tls: Option<Arc<ClientConfig>>,
    pub unix: Option<PathBuf>,
    /// How long one call may take; a deadline for all of a request the yardstick has not.
    pub bound: Option<Duration>,
}

impl Dialer {
    pub fn open(&self, scheme: &str, host: &str) -> Stream {
        if let Some(path) = &self.unix {
            return Stream::Unix(UnixStream::connect(path).expect("the server listens"));
        }
        let stream = TcpStream::connect(host).expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        if self.bound.is_some() {
            stream.set_read_timeout(self.bound).expect("not zero");
            stream.set_write_timeout(self.bound).expect("not zero");
        }
        if scheme == "http" {
            return Stream::Tcp(stream);
        }
        let config = self.tls.clone().expect("a root certificate");
        let name = host.split(':').next().unwrap_or(host).to_owned().try_into().expect("a name");
        let connection = ClientConnection::new(config, name).expect("a valid configuration");
        Stream::Tls(Box::new(StreamOwned::new(connection, stream)))
    }
}
