//! WebSockets of other libraries: Python's `websockets`, Node's `ws`, and the fuzzing server of Autobahn.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use hostpool::{Message, PerMessageDeflate, Session, WebSocket};

use super::{Process, free_port};

/// An echo server, which closes with 4000 when it is told so.
const PYTHON: &str = r#"
import asyncio, sys
from websockets.asyncio.server import serve

async def echo(socket):
    await socket.ping()
    async for message in socket:
        if message == "close":
            await socket.close(4000, "as you like")
        elif message == "fragments":
            await socket.send(["a", "b", "", "c"])
        else:
            await socket.send(message)

async def main():
    async with serve(echo, "127.0.0.1", int(sys.argv[1]), max_size=None, subprotocols=["echo"]):
        await asyncio.Future()

asyncio.run(main())
"#;

const NODE: &str = r#"
const { WebSocketServer } = require(process.argv[3]);
const server = new WebSocketServer({
    host: '127.0.0.1', port: Number(process.argv[2]), perMessageDeflate: { threshold: 1024 },
    handleProtocols: (offered) => offered.has('echo') ? 'echo' : false,
});
server.on('connection', (socket) => {
    socket.ping();
    socket.on('message', (data, binary) => {
        const text = binary ? null : data.toString();
        if (text === 'close') socket.close(4000, 'as you like');
        else if (text === 'fragments') {
            for (const [part, fin] of [['a', false], ['b', false], ['', false], ['c', true]]) socket.send(part, { fin });
        } else socket.send(data, { binary });
    });
});
"#;

/// Waits until the server listens, or is gone.
fn listens(process: &mut Process, addr: SocketAddr) {
    while TcpStream::connect(addr).is_err() {
        assert!(process.0.try_wait().unwrap().is_none(), "the server has ended");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The value of a variable that `.ci/run` sets; without it the test is skipped. `none` says that the machine cannot
/// have what the variable names.
pub fn given(name: &str) -> Option<String> {
    let found = std::env::var(name).ok().filter(|value| !value.is_empty());
    if found.as_deref() == Some("none") {
        eprintln!("skipped: there is no {name} on this machine");
        return None;
    }
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name} is not set");
        eprintln!("skipped: {name} is not set");
    }
    found
}

pub fn started(mut command: Command, addr: SocketAddr) -> Process {
    let mut process = Process(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
    listens(&mut process, addr);
    process
}

fn text(socket: &WebSocket, text: &str) {
    socket.send_str(text).unwrap();
    assert_eq!(socket.receive_str().unwrap(), text);
}

/// The same conversation with each server, with and without compression.
fn converse(addr: SocketAddr) {
    let session = Session::new();
    let new = PerMessageDeflate::new;
    let sizes = new().client_max_window_bits(9).server_max_window_bits(10);
    let forgetful = new().client_no_context_takeover(true).server_no_context_takeover(true);
    for compression in [None, Some(new()), Some(sizes), Some(forgetful)] {
        let builder = session.ws_connect(format!("ws://{addr}/")).protocols(["other", "echo"]).compress(compression);
        let socket = builder.connect().unwrap();
        assert_eq!(socket.protocol(), Some("echo"));
        let agreed = socket.response().headers().get("Sec-WebSocket-Extensions");
        assert_eq!(agreed.is_some(), compression.is_some(), "{agreed:?}");
        for sent in ["", "hello", "hello", "h\u{e9}llo \u{1F600}", ""] {
            text(&socket, sent);
        }
        for len in [125, 126, 4000, 65_535, 65_536, 1 << 20] {
            let words = "some words and others ".repeat(len / 22 + 1);
            text(&socket, &words[..len]);
            let bytes: Vec<u8> = (0..len).map(|at| ((at * at) >> 3) as u8).collect();
            socket.send_bytes(&bytes).unwrap();
            assert!(socket.receive_bytes().unwrap() == bytes, "{len}");
        }
        socket.ping("p").unwrap();
        socket.send_str("fragments").unwrap();
        assert_eq!(socket.receive_str().unwrap(), "abc");
        std::thread::scope(|scope| {
            scope.spawn(|| (0..1000).for_each(|at| socket.send_str(&format!("message {at}")).unwrap()));
            for at in 0..1000 {
                assert_eq!(socket.receive_str().unwrap(), format!("message {at}"));
            }
        });
        // Their close, and then one of ours.
        socket.send_str("close").unwrap();
        let Message::Close(frame) = socket.receive().unwrap() else { panic!("no close") };
        assert_eq!((frame.code, &*frame.reason), (4000, "as you like"));
        assert_eq!(socket.receive().unwrap(), Message::Closed);
        let socket = session.ws_connect(format!("ws://{addr}/")).protocols(["echo"]).connect().unwrap();
        text(&socket, "once more");
        assert!(socket.close_with(3001, "enough").unwrap());
        assert_eq!(socket.close_code(), Some(3001));
    }
}

#[test]
fn python() {
    let Some(python) = given("HOSTPOOL_WEBSOCKETS") else { return };
    let addr = free_port();
    let mut command = Command::new(python);
    command.args(["-c", PYTHON, &addr.port().to_string()]);
    let _server = started(command, addr);
    converse(addr);
}

#[test]
fn node() {
    let Some(module) = given("HOSTPOOL_NODE_WS") else { return };
    let addr = free_port();
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("echo.js");
    fs::write(&script, NODE).unwrap();
    let mut command = Command::new("node");
    command.arg(&script).arg(addr.port().to_string()).arg(&module);
    let _server = started(command, addr);
    converse(addr);
}

/// Echoes what the fuzzing server sends in one case.
fn case(session: &Session, url: String) {
    let builder = session.ws_connect(url).compress(PerMessageDeflate::new()).close_timeout(Duration::from_secs(5));
    let socket = builder.connect().unwrap();
    for message in &socket {
        let sent = match message {
            Ok(Message::Text(text)) => socket.send_str(&text),
            Ok(Message::Binary(bytes)) => socket.send_bytes(&bytes),
            Ok(other) => panic!("{other:?}"),
            // The server breaks rules, and sees how the client takes it.
            Err(_) => break,
        };
        if sent.is_err() {
            break;
        }
    }
}

/// All cases, or those that `HOSTPOOL_AUTOBAHN_CASES` names, are as they should be.
#[test]
fn autobahn() {
    let Some(home) = given("HOSTPOOL_AUTOBAHN") else { return };
    let python = given("HOSTPOOL_PYTHON2").expect("the Python that it runs on");
    let cases = std::env::var("HOSTPOOL_AUTOBAHN_CASES").unwrap_or_else(|_| "1.* 2.* 3.* 4.* 5.* 6.* 7.* 10.*".into());
    let cases: Vec<_> = cases.split(' ').collect();
    let (addr, folder) = (free_port(), tempfile::tempdir().unwrap());
    let spec = serde_json::json!({
        "url": format!("ws://{addr}"),
        "outdir": folder.path().join("reports"),
        "cases": cases,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    });
    let file = folder.path().join("spec.json");
    fs::write(&file, spec.to_string()).unwrap();
    let mut command = Command::new(python);
    command.env("PYTHONPATH", &home).current_dir(folder.path());
    command.args(["-c", "from autobahntestsuite.wstest import run; run()", "-m", "fuzzingserver", "-s"]).arg(&file);
    // Without this it also wants port 8080, for pages.
    command.args(["--webport", "0"]);
    let _server = started(command, addr);
    let session = Session::new();
    let count = session.ws_connect(format!("ws://{addr}/getCaseCount")).connect().unwrap();
    let count: u32 = count.receive_str().unwrap().parse().unwrap();
    assert!(count > 0);
    for number in 1..=count {
        case(&session, format!("ws://{addr}/runCase?case={number}&agent=hostpool"));
    }
    case(&session, format!("ws://{addr}/updateReports?agent=hostpool"));
    let index: PathBuf = folder.path().join("reports/index.json");
    let index: serde_json::Value = serde_json::from_slice(&fs::read(index).unwrap()).unwrap();
    let results = index["hostpool"].as_object().unwrap();
    assert_eq!(results.len(), count as usize);
    let good = ["OK", "NON-STRICT", "INFORMATIONAL"];
    let is_good = |result: &serde_json::Value| good.iter().any(|good| result == good);
    let bad: Vec<_> = results
        .iter()
        .filter(|(_, result)| !is_good(&result["behavior"]) || !is_good(&result["behaviorClose"]))
        .map(|(case, result)| format!("{case}: {} {}", result["behavior"], result["behaviorClose"]))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    let strict = results.values().filter(|result| result["behavior"] == "OK").count();
    eprintln!("{count} cases, {strict} of them OK");
}
