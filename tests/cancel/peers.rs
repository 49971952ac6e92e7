//! What the peer and the next caller see of a cancelled call.

use std::io::{ErrorKind as IoErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;

use hostpool::{Body, CancelToken, ConnectionPool, ErrorKind, Phase, Session};

use crate::support::{GIVE_UP, Server, Step, answers, ok, without_hanging};
#[cfg(target_os = "linux")]
use crate::support::{Swallowing, eventually};

/// An endless body, which tells each time that it is read.
struct Endless(std::sync::mpsc::Sender<()>);

impl Read for Endless {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let _ = self.0.send(());
        buf.fill(b'x');
        Ok(buf.len())
    }
}

/// A peer that does not answer is connected to. After the cancel it comes to life, and the POST never arrives.
#[cfg(target_os = "linux")]
#[test]
fn a_peer_that_wakes_up_later() {
    let peer = Swallowing::new();
    let (session, token) = (Session::new(), CancelToken::new());
    let request = session.post(format!("http://{}/", peer.addr)).data("never").cancel_with(&token);
    let call = thread::spawn(move || request.send());
    eventually("the dial", || session.connector().unwrap().stats().dialing == 1 || call.is_finished());
    token.cancel();
    let error = without_hanging(move || call.join().unwrap()).unwrap_err();
    assert!(error.is_cancelled() && !error.maybe_processed(), "{error:?}");
    // All that the peer gets now: the connections that filled its queue, and no byte on any.
    let listener = peer.wake();
    listener.set_nonblocking(true).unwrap();
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                stream.set_read_timeout(Some(GIVE_UP)).unwrap();
                let mut bytes = Vec::new();
                let _ = stream.read_to_end(&mut bytes);
                assert!(bytes.is_empty());
            }
            Err(error) if error.kind() == IoErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The peer of an upload that is cancelled sees its end, and no more than what was sent before the cancel returned.
#[test]
fn the_end_of_an_upload() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let token = CancelToken::new();
    let (tell, told) = channel();
    let request = Session::new().put(url).data(Body::reader(Endless(tell))).cancel_with(&token);
    let call = thread::spawn(move || request.send());
    let mut stream: TcpStream = listener.accept().unwrap().0;
    stream.read_exact(&mut [0; 1]).unwrap();
    // The rest stands still because the peer reads nothing more.
    token.cancel();
    let error = without_hanging(move || call.join().unwrap()).unwrap_err();
    assert!(error.is_cancelled() && error.phase() == Phase::Send, "{error:?}");
    // The body is dropped with the call: nothing reads from it any more.
    while told.try_recv().is_ok() {}
    assert!(told.recv().is_err());
    // What lies in the buffers of the system, and then the end.
    stream.set_read_timeout(Some(GIVE_UP)).unwrap();
    let mut piece = vec![0; 1 << 16];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == IoErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The peer of a response that stands still sees the end as soon as the call is cancelled.
#[test]
fn the_end_of_a_quiet_response() {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n".to_vec();
    let server =
        Server::with(move |_| vec![Step::Request, Step::Send(head.clone()), Step::UntilClosed, Step::Tell("end")]);
    let (session, token) = (Session::new(), CancelToken::new());
    let mut response = session.get(server.url("/")).cancel_with(&token).send().unwrap();
    let mut byte = [0; 1];
    response.read_exact(&mut byte).unwrap();
    let read = thread::spawn(move || response.bytes());
    token.cancel();
    let error = without_hanging(move || read.join().unwrap()).unwrap_err();
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::Cancelled, Phase::Body), "{error:?}");
    server.wait_for("end");
}

/// A response whose rest has arrived is complete after a fire, and the next call never meets a connection that was shut
/// down.
#[test]
fn a_response_in_the_buffers() {
    for head in ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"]
    {
        let answer = format!("HTTP/1.1 200 OK\r\n{head}");
        let server = Server::with(move |n| if n == 0 { answers(answer.clone()) } else { answers(ok("next")) });
        let pool = ConnectionPool::builder(server.url("")).limit(1).build().unwrap();
        let token = CancelToken::new();
        let mut response = pool.get("/").cancel_with(&token).send().unwrap();
        let mut byte = [0; 1];
        response.read_exact(&mut byte).unwrap();
        token.cancel();
        assert_eq!(response.bytes().unwrap(), b"ello", "{head}");
        // Over the same connection if the fire has not ended it, and else over another one.
        for _ in 0..2 {
            let text = pool.get("/").send().unwrap().text().unwrap();
            assert!(["hello", "next"].contains(&&*text), "{head}: {text}");
        }
        assert_eq!(pool.stats().in_use, 0, "{head}");
    }
}
