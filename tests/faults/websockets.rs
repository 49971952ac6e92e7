//! WebSockets whose server breaks rules, stalls or vanishes: rows A16, C81, C83 and C84.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hostpool::{
    Bound, ErrorKind, Limit, Message, PerMessageDeflate, Session, SessionBuilder, WebSocket, WebSocketBuilder,
};

use crate::frames::{Frames, frame};
use crate::invariants::{CANARY, exclusive, presentable, settled};
use crate::rows::LATE;
use crate::support::GIVE_UP;

const CLOSE: u8 = 8;
/// What the server does after the handshake, in order. At the end it closes.
#[derive(Clone)]
enum Step {
    Send(Vec<u8>),
    /// Reads up to a frame with this opcode, and notes the code of a close.
    Until(u8),
    /// Reads nothing until the client has done its part.
    Hold,
    /// Sends this without end, and reads nothing, until the client closes.
    Flood(Vec<u8>),
    /// Reads until the client ends its direction.
    Rest,
    Reset,
}

/// What the client does before it receives up to the end.
#[derive(Clone, Copy, PartialEq)]
enum Act {
    Nothing,
    Close,
    /// Sends a message that does not fit.
    Send,
    /// The same, while another thread receives.
    SendAndReceive,
}

/// What `receive` returns at the end.
#[derive(Clone, Debug, PartialEq)]
enum End {
    Fails(ErrorKind),
    Close(u16),
}

#[derive(Clone)]
struct Row {
    id: &'static str,
    script: Vec<Step>,
    act: Act,
    settings: fn(WebSocketBuilder) -> WebSocketBuilder,
    /// Texts before the end. `None` is not asked.
    texts: Option<&'static [&'static str]>,
    end: End,
    code: u16,
    /// The code of the close frame that the server gets, if it reads one.
    seen: Option<u16>,
}

impl Row {
    fn new(id: &'static str, script: Vec<Step>, end: End, code: u16) -> Row {
        let (act, settings) = (Act::Nothing, (|builder| builder) as fn(_) -> _);
        Row { id, script, act, settings, texts: Some(&[]), end, code, seen: None }
    }

    fn act(self, act: Act) -> Row {
        Row { act, ..self }
    }

    fn with(self, settings: fn(WebSocketBuilder) -> WebSocketBuilder) -> Row {
        Row { settings, ..self }
    }

    fn texts(self, texts: impl Into<Option<&'static [&'static str]>>) -> Row {
        Row { texts: texts.into(), ..self }
    }

    fn seen(self, code: u16) -> Row {
        Row { seen: Some(code), ..self }
    }

    fn run(self) {
        let id = self.id;
        let host = Host::new(self.script.clone());
        let builder: SessionBuilder = Session::builder().limit(1).pool_timeout(GIVE_UP).timeout(GIVE_UP);
        let session = builder.build().unwrap();
        let url = |path: &str| format!("ws://user:{CANARY}@{}/{path}?token={CANARY}", host.addr);
        let started = Instant::now();
        let socket = (self.settings)(session.ws_connect(url("row"))).connect().unwrap();
        let (texts, end) = self.act_and_receive(&socket);
        assert!(started.elapsed() < LATE, "{id}: {:?}", started.elapsed());
        assert_eq!(end, self.end, "{id}");
        if let Some(expected) = self.texts {
            assert_eq!(texts, expected, "{id}");
        }
        self.is_over(&socket);
        host.done.send(()).unwrap();
        drop(socket);
        settled(id, session.connector().unwrap().stats());
        assert_eq!(host.seen.recv().unwrap(), self.seen, "{id}: the close that the server saw");
        let clean = session.ws_connect(url("clean")).connect().unwrap();
        clean.send_str("clean").unwrap();
        assert_eq!(clean.receive_str().unwrap(), "clean", "{id}");
        assert!(clean.close().unwrap() && clean.close_code() == Some(1000), "{id}");
        settled(id, session.connector().unwrap().stats());
        host.thread.join().unwrap();
    }

    fn act_and_receive(&self, socket: &WebSocket) -> (Vec<String>, End) {
        let send = || {
            // More than all buffers hold.
            let error = socket.send_bytes(vec![7; 64 << 20]).unwrap_err();
            presentable(self.id, &error);
            assert_eq!(error.kind(), &ErrorKind::Timeout(Bound::Write), "{}", self.id);
        };
        match self.act {
            Act::Nothing => {}
            Act::Close => assert!(socket.close().unwrap(), "{}", self.id),
            Act::Send => send(),
            Act::SendAndReceive => {
                return thread::scope(|scope| {
                    let receiver = scope.spawn(|| self.receive(socket));
                    send();
                    receiver.join().unwrap()
                });
            }
        }
        self.receive(socket)
    }

    fn receive(&self, socket: &WebSocket) -> (Vec<String>, End) {
        let mut texts = Vec::new();
        let end = loop {
            match socket.receive() {
                Ok(Message::Text(text)) => texts.push(text),
                Ok(Message::Close(frame)) => break End::Close(frame.code),
                Ok(other) => assert!(matches!(other, Message::Binary(_)), "{}: {other:?}", self.id),
                Err(error) => {
                    presentable(self.id, &error);
                    break End::Fails(error.kind().clone());
                }
            }
        };
        (texts, end)
    }

    /// The end stays the end.
    fn is_over(&self, socket: &WebSocket) {
        let id = self.id;
        for _ in 0..2 {
            assert_eq!(socket.receive().unwrap(), Message::Closed, "{id}");
            assert!(socket.send_str("late").is_err() && socket.ping("late").is_err(), "{id}");
            assert!(!socket.close().unwrap(), "{id}");
        }
        assert!(socket.is_closed(), "{id}");
        assert_eq!(socket.close_code(), Some(self.code), "{id}");
        let failure = socket.exception().map(|error| error.kind().clone());
        let expected = if let End::Fails(kind) = &self.end { Some(kind.clone()) } else { None };
        assert_eq!(failure, expected, "{id}");
    }
}

/// A server for two connections: one follows the script, the next one echoes.
struct Host {
    addr: SocketAddr,
    /// The client has done its part.
    done: Sender<()>,
    seen: Receiver<Option<u16>>,
    thread: JoinHandle<()>,
}

impl Host {
    fn new(script: Vec<Step>) -> Host {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let ((done, held), (tell, seen)) = (mpsc::channel(), mpsc::channel());
        let thread = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            tell.send(follow(stream, script, &held).unwrap()).unwrap();
            let (stream, _) = listener.accept().unwrap();
            Frames::accept(stream, "").and_then(|mut frames| frames.echo(0)).unwrap();
        });
        Host { addr, done, seen, thread }
    }
}

/// Returns the code of the close frame that has come, 1005 for one without.
fn follow(stream: TcpStream, script: Vec<Step>, held: &Receiver<()>) -> io::Result<Option<u16>> {
    let compresses = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let compresses =
        script.iter().any(|step| matches!(step, Step::Send(bytes) if bytes[0] == 0xC2)).then_some(compresses);
    let mut frames = Frames::accept(stream, compresses.unwrap_or_default())?;
    let mut seen = None;
    for step in script {
        match step {
            Step::Send(bytes) => frames.0.write_all(&bytes)?,
            Step::Until(opcode) => {
                let frame = loop {
                    let frame = frames.get()?.ok_or(io::ErrorKind::UnexpectedEof)?;
                    if frame.first & 0x0F == opcode {
                        break frame;
                    }
                };
                if opcode == CLOSE {
                    seen = Some(frame.payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code)));
                }
            }
            Step::Hold => held.recv().map_err(io::Error::other)?,
            Step::Flood(bytes) => while frames.0.write_all(&bytes).is_ok() {},
            // The client may end it by a reset.
            Step::Rest => drop(frames.0.read_to_end(&mut Vec::new())),
            Step::Reset => {
                socket2::SockRef::from(&frames.0).set_linger(Some(Duration::ZERO))?;
                return Ok(seen);
            }
        }
    }
    Ok(seen)
}

fn run(rows: Vec<Row>) {
    let exclusive = exclusive();
    for row in rows {
        exclusive.row(row.id, move || row.run());
    }
}

fn send(bytes: impl Into<Vec<u8>>) -> Step {
    Step::Send(bytes.into())
}

fn text(text: &str) -> Step {
    send(frame(0x81, text.as_bytes()))
}

fn close(code: u16) -> Step {
    send(frame(0x88, &code.to_be_bytes()))
}

fn head(first: u8, len: u64) -> Step {
    send([&[first, 127], &len.to_be_bytes()[..]].concat())
}

/// The connection ends without a close frame.
#[test]
fn losses() {
    let lost = |id, script| Row::new(id, script, End::Fails(ErrorKind::web_socket(1006)), 1006);
    let before: &[&str] = &["before"];
    run(vec![
        lost("C81 FIN", vec![]),
        lost("C81 FIN after a message", vec![text("before")]).texts(before),
        lost("C81 FIN in the head of a frame", vec![text("before"), send([0x82, 126, 0])]).texts(before),
        lost("C81 FIN in a payload", vec![text("before"), send([0x81, 5, b'h'])]).texts(before),
        lost("C81 FIN between fragments", vec![send(frame(0x01, b"half"))]),
        lost("C81 FIN in a close", vec![send([0x88, 2, 3])]),
        // What has come before it may be lost by the reset.
        lost("C81 RST", vec![text("before"), Step::Reset]).texts(None),
        lost("C81 RST between fragments", vec![send(frame(0x01, b"half")), Step::Reset]),
        lost("C81 FIN in answer to a close", vec![Step::Until(CLOSE)]).act(Act::Close).seen(1000),
        lost("C81 RST in answer to a close", vec![Step::Until(CLOSE), Step::Reset]).act(Act::Close).seen(1000),
    ]);
}

/// The server does not do its part of a close, or nothing at all.
#[test]
fn stalls() {
    let close_late = || End::Fails(ErrorKind::Timeout(Bound::Close));
    let closing = |id, script| {
        let row = Row::new(id, script, close_late(), 1006).act(Act::Close).texts(None);
        row.with(|builder| builder.close_timeout(Duration::from_millis(100)))
    };
    let beats = |builder: WebSocketBuilder| builder.heartbeat(Duration::from_millis(30));
    let vanished = || End::Fails(ErrorKind::Timeout(Bound::Heartbeat));
    run(vec![
        closing("C83 no answer", vec![Step::Until(CLOSE), Step::Hold]).seen(1000),
        closing("C83 nothing is read", vec![Step::Hold]),
        closing("C83 pings in place of an answer", vec![Step::Flood(frame(0x89, b"are you there"))]),
        closing("C83 messages in place of an answer", vec![Step::Flood(frame(0x82, &[7; 3000]))]),
        closing("C83 half a frame in place of an answer", vec![send([0x82, 126, 0xFF]), Step::Hold]),
        Row::new(
            "C83 an answer, and no end",
            vec![Step::Until(CLOSE), close(1000), Step::Hold],
            End::Close(1000),
            1000,
        )
        .act(Act::Close)
        .with(|builder| builder.close_timeout(Duration::from_millis(100)))
        .seen(1000),
        Row::new("A16.11 nothing comes", vec![Step::Hold], vanished(), 1006).with(beats),
        Row::new("A16.11 nothing comes inside a message", vec![send([0x81, 9, b'h']), Step::Hold], vanished(), 1006)
            .with(beats),
    ]);
}

/// A send that cannot go on while the server sends without end.
#[test]
fn sends_against_a_flood() {
    let late = |id, flood, act| {
        let row = Row::new(id, vec![Step::Flood(flood)], End::Fails(ErrorKind::Timeout(Bound::Write)), 1006).act(act);
        row.with(|builder| builder.send_timeout(Duration::from_millis(100))).texts(None)
    };
    run(vec![
        late("C84 messages", frame(0x82, &[7; 3000]), Act::Send),
        late("C84 messages that are received", frame(0x82, &[7; 3000]), Act::SendAndReceive),
        late("C84 pings that are received", frame(0x89, b"are you there"), Act::SendAndReceive),
    ]);
}

/// Each broken rule ends the connection with its close code.
#[test]
fn broken_rules() {
    let told = |id, bytes: Step, kind, code: u16| {
        let script = vec![text("before"), bytes, Step::Until(CLOSE), Step::Rest];
        Row::new(id, script, End::Fails(kind), code).texts(&["before"][..]).seen(code)
    };
    let broken = |id, bytes, code| told(id, send(bytes), ErrorKind::web_socket(code), code);
    let frame_limit = || ErrorKind::LimitExceeded(Limit::Frame);
    let small = |builder: WebSocketBuilder| builder.max_frame_size(100).max_msg_size(150);
    let fragments = [frame(0x02, b"x"), frame(0x00, b"x").repeat(131_072)].concat();
    let halves = [frame(0x02, &[0; 100]), frame(0x80, &[0; 51])].concat();
    let message_limit = || ErrorKind::LimitExceeded(Limit::Message);
    run(vec![
        broken("A16 masked", frame(0x81, b"").iter().map(|byte| byte | 0x80).collect(), 1002),
        broken("A16 RSV1", frame(0xC1, b"x"), 1002),
        broken("A16 opcode 3", frame(0x83, b"x"), 1002),
        broken("A16 a ping in fragments", frame(0x09, b"x"), 1002),
        broken("A16 a ping of 126 bytes", frame(0x89, &[0; 126]), 1002),
        broken("A16 a continuation of nothing", frame(0x80, b"x"), 1002),
        broken("A16 a length in too many bytes", vec![0x81, 126, 0, 1, b'x'], 1002),
        broken("A16 a close of one byte", frame(0x88, b"x"), 1002),
        broken("A16 a close of 1006", frame(0x88, b"\x03\xEE"), 1002),
        broken("A16.8 a surrogate", frame(0x01, b"\xED\xA0"), 1007),
        broken("A16.8 five bytes", frame(0x01, b"\xF8"), 1007),
        told("A16.4 2^63 bytes", head(0x82, 1 << 63), ErrorKind::web_socket(1002), 1002),
        told("A16.4 2^64-1 bytes", head(0x82, u64::MAX), ErrorKind::web_socket(1002), 1002),
        told("A16.4 2^63-1 bytes", head(0x82, u64::MAX >> 1), frame_limit(), 1009),
        told("A16.4 one more than the limit", send(frame(0x82, &[0; 101])), frame_limit(), 1009).with(small),
        told("A16.4 one more in two frames", send(halves), message_limit(), 1009).with(small),
        told("A16.5 fragments without end", send(fragments), ErrorKind::LimitExceeded(Limit::Fragments), 1009),
        told("A16.5 a bomb", send(bomb()), message_limit(), 1009)
            .with(|builder| builder.compress(PerMessageDeflate::new()).max_msg_size(1 << 20)),
    ]);
}

/// A compressed message of 2 MiB, in few bytes.
fn bomb() -> Vec<u8> {
    let mut deflate = flate2::Compress::new(flate2::Compression::best(), false);
    let (mut wire, zeros) = (Vec::with_capacity(20_000), vec![0; 1 << 20]);
    for _ in 0..2 {
        deflate.compress_vec(&zeros, &mut wire, flate2::FlushCompress::None).unwrap();
    }
    deflate.compress_vec(&[], &mut wire, flate2::FlushCompress::Sync).unwrap();
    wire.truncate(wire.len() - 4);
    frame(0xC2, &wire)
}
