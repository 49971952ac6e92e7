//! A server's end of a connection, for tests that script it.

use std::io::{self, IoSlice, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::super::deflate::Agreed;
use super::super::settings::{Opened, Settings};
use super::super::{PerMessageDeflate, WebSocket};
pub(super) use super::frames::{Frame, frame, read_frame};
use crate::error::ResponseHead;
use crate::net::duplex::Duplex;
use crate::net::transport::{Probe, Transport, Wait};
use crate::response::ConnectionInfo;
use crate::urls::Url;

/// The other end. It speaks in frames that the test writes.
pub(super) struct Peer(pub(super) TcpStream);

/// Returns a WebSocket and its other end.
pub(super) fn pair(settings: Settings) -> (WebSocket, Peer) {
    compressing(settings, false)
}

/// The same over a socket of this crate, whose receiver can be woken. Its send buffer is small. `change` is called before
/// the WebSocket begins.
pub(super) fn waking(settings: Settings, change: impl FnOnce(&Duplex)) -> (WebSocket, Peer) {
    let (stream, peer) = sockets();
    socket2::SockRef::from(&stream).set_send_buffer_size(16 * 1024).unwrap();
    let duplex = Duplex::of(stream);
    change(&duplex);
    (open(duplex, settings, None), peer)
}

/// The same over a standard socket, as a dialer of the caller's gives one. A receive hears a wake after up to 100 ms.
pub(super) fn calling(settings: Settings) -> (WebSocket, Peer) {
    small(settings, |stream| Box::new(stream))
}

/// The same over a transport of the caller's, whose receiver hears no wake.
pub(super) fn of_the_caller(settings: Settings) -> (WebSocket, Peer) {
    small(settings, |stream| Box::new(Deaf(stream)))
}

fn small(settings: Settings, transport: impl FnOnce(TcpStream) -> Box<dyn Transport>) -> (WebSocket, Peer) {
    let (stream, peer) = sockets();
    socket2::SockRef::from(&stream).set_send_buffer_size(16 * 1024).unwrap();
    (open(Duplex::over(transport(stream)), settings, None), peer)
}

#[derive(Debug)]
struct Deaf(TcpStream);

impl Transport for Deaf {
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        self.0.recv(buf, &Wait { is_receive: false, ..*wait })
    }

    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        Transport::send(&self.0, bufs, wait)
    }

    fn probe(&self) -> Probe {
        self.0.probe()
    }

    fn close_write(&self, wait: &Wait<'_>) -> io::Result<()> {
        self.0.close_write(wait)
    }

    fn abort(&self) {
        self.0.abort();
    }
}

/// The same with compression.
pub(super) fn compressing(settings: Settings, on: bool) -> (WebSocket, Peer) {
    let (stream, peer) = sockets();
    let agreed = on.then(|| PerMessageDeflate::new().accept("permessage-deflate").unwrap().unwrap());
    (open(Duplex::over(Box::new(stream)), settings, agreed), peer)
}

fn sockets() -> (TcpStream, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    stream.set_nodelay(true).unwrap();
    let (peer, _) = listener.accept().unwrap();
    peer.set_nodelay(true).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    (stream, Peer(peer))
}

fn open(duplex: Duplex, settings: Settings, agreed: Option<Agreed>) -> WebSocket {
    let url = Url::parse("http://h/").unwrap();
    let head = ResponseHead {
        status: http::StatusCode::SWITCHING_PROTOCOLS,
        version: http::Version::HTTP_11,
        reason: "".into(),
        method: http::Method::GET,
        url: url.clone(),
        headers: crate::Headers::new(),
        body: Vec::new(),
        request_body_complete: true,
    };
    let (remote, local, tls, tunnel) = (None, None, None, None);
    let connection = ConnectionInfo { id: 1, remote, local, encrypted: false, tls, reused: false, tunnel };
    let opened = Opened { settings, url, protocol: None, agreed, token: None, head, connection: Some(connection) };
    WebSocket::open(duplex, opened)
}

impl Peer {
    pub(super) fn send(&mut self, first: u8, payload: &[u8]) {
        self.0.write_all(&frame(first, payload)).unwrap();
    }

    pub(super) fn send_close(&mut self, code: u16, reason: &str) {
        self.send(0x88, &[&code.to_be_bytes(), reason.as_bytes()].concat());
    }

    /// Reads one frame, or `None` at the end of the stream.
    pub(super) fn get(&mut self) -> Option<Frame> {
        read_frame(&mut self.0).unwrap()
    }

    #[track_caller]
    pub(super) fn expect(&mut self, first: u8, payload: &[u8]) {
        let got = self.get().expect("the connection has ended");
        assert_eq!((got.first, &got.payload[..]), (first, payload));
    }

    #[track_caller]
    pub(super) fn expect_close(&mut self, code: u16) {
        let got = self.get().expect("the connection has ended");
        assert_eq!((got.first, &got.payload[..2]), (0x88, &code.to_be_bytes()[..]));
    }

    /// The client has ended its direction, by an orderly end.
    #[track_caller]
    pub(super) fn expect_end(&mut self) {
        assert_eq!(self.get(), None);
    }
}
