//! WebSockets through real proxies and over a Unix socket, plain and with TLS to the server, which is Python's
//! `websockets`: 10,000 compressed messages each way at once, and then a close of the server.

use std::net::SocketAddr;
use std::process::Command;

use hostpool::{IntoUrl, Message, PerMessageDeflate, Session, SessionBuilder, Url};

use crate::proxies::{ANYBODY, squid, tinyproxy};
use crate::socks::{dante, microsocks};
use crate::support::GIVE_UP;
use crate::websockets::{given, started};
use crate::{Process, free_port};

const COUNT: usize = 10_000;

/// Sends as many messages as it receives. It closes with 4000 once all have come as they should, with 4001 otherwise.
const PYTHON: &str = r#"
import asyncio, ssl, sys
from websockets.asyncio.server import serve, unix_serve

folder, plain, secure, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])

def message(side, at):
    return f"{side} {at}, " * (at % 9)

async def exchange(socket):
    async def send():
        for at in range(count):
            await socket.send(message("server", at))
    sending = asyncio.create_task(send())
    for at in range(count):
        received = await socket.recv()
        if received != message("client", at):
            await socket.close(4001, f"message {at} is {received[:50]}")
            return
    await sending
    await socket.close(4000, "all have come")

async def main():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")
    async with unix_serve(exchange, f"{folder}/socket"), \
            serve(exchange, "127.0.0.1", secure, ssl=tls), serve(exchange, "127.0.0.1", plain):
        await asyncio.Future()

asyncio.run(main())
"#;

struct Server {
    _process: Process,
    folder: tempfile::TempDir,
    plain: SocketAddr,
    secure: SocketAddr,
    /// The authority of its certificate.
    authority: String,
}

fn server() -> Option<Server> {
    let python = given("HOSTPOOL_WEBSOCKETS")?;
    let (folder, plain, secure) = (tempfile::tempdir().unwrap(), free_port(), free_port());
    let authority = crate::nginx::write_certificates(folder.path());
    let mut command = Command::new(python);
    command.args(["-c", PYTHON]).arg(folder.path());
    command.args([plain.port().to_string(), secure.port().to_string(), COUNT.to_string()]);
    // The plain address is the last that it listens at.
    Some(Server { _process: started(command, plain), folder, plain, secure, authority })
}

fn message(side: &str, at: usize) -> String {
    format!("{side} {at}, ").repeat(at % 9)
}

/// One thread sends, and another receives.
fn exchange(session: &Session, url: impl IntoUrl) {
    let socket = session.ws_connect(url).compress(PerMessageDeflate::new()).connect().unwrap();
    let agreed = socket.response().headers().get("Sec-WebSocket-Extensions");
    assert!(agreed.is_some_and(|agreed| agreed.starts_with("permessage-deflate")), "{agreed:?}");
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| (0..COUNT).try_for_each(|at| socket.send_str(&message("client", at))));
        for at in 0..COUNT {
            assert_eq!(socket.receive().unwrap(), Message::Text(message("server", at)));
        }
        sender.join().unwrap().unwrap();
        let Message::Close(close) = socket.receive().unwrap() else { panic!("a message too many") };
        assert_eq!((close.code, &*close.reason), (4000, "all have come"));
        assert_eq!(socket.receive().unwrap(), Message::Closed);
    });
    assert_eq!(socket.close_code(), Some(4000));
    assert!(socket.exception().is_none(), "{:?}", socket.exception());
    assert!(session.connector().unwrap().stats().in_use == 0, "the slot is back");
}

/// `change` gives the session its way to the server.
fn exchange_both(server: &Server, change: impl Fn(SessionBuilder) -> SessionBuilder) {
    let session = || change(Session::builder().timeout(GIVE_UP));
    exchange(&session().build().unwrap(), format!("ws://{}/", server.plain));
    #[cfg(feature = "rustls")]
    {
        let tls = hostpool::TlsConfig::builder().root_pem(server.authority.as_bytes()).build().unwrap();
        exchange(&session().tls(tls).build().unwrap(), format!("wss://{}/", server.secure));
    }
    let _ = (server.secure, &server.authority);
}

#[test]
fn direct() {
    let Some(server) = server() else { return };
    exchange_both(&server, |builder| builder);
}

#[test]
fn through_squid() {
    let (Some(server), Some(squid)) = (server(), squid(|_| ANYBODY.to_owned())) else { return };
    exchange_both(&server, |builder| builder.proxy(squid.url("")));
}

#[test]
fn through_tinyproxy() {
    let (Some(server), Some(proxy)) = (server(), tinyproxy("BasicAuth user secret")) else { return };
    exchange_both(&server, |builder| builder.proxy(proxy.url("user:secret@")));
}

/// A proxy over TLS, and TLS within TLS.
#[cfg(feature = "rustls")]
#[test]
fn through_stunnel() {
    let (Some(server), Some(proxy)) = (server(), tinyproxy("")) else { return };
    let Some((stunnel, authority)) = crate::proxies::stunnel(&proxy) else { return };
    let tls = hostpool::TlsConfig::builder().root_pem(authority.as_bytes()).build().unwrap();
    let proxy = hostpool::Proxy::parse(&stunnel.url("").replace("http:", "https:")).unwrap().tls(tls);
    exchange_both(&server, |builder| builder.proxy(proxy.clone()));
}

#[test]
fn through_microsocks() {
    let (Some(server), Some(proxy)) = (server(), microsocks(&["-u", "user", "-P", "secret"])) else { return };
    exchange_both(&server, |builder| builder.proxy(proxy.url("socks5h", "user:secret@")));
}

#[test]
fn through_dante() {
    let (Some(server), Some(proxy)) = (server(), dante(free_port().port())) else { return };
    exchange_both(&server, |builder| builder.proxy(proxy.url("socks5", "")));
}

#[test]
fn over_a_unix_socket() {
    let Some(server) = server() else { return };
    let session = Session::builder().timeout(GIVE_UP).build().unwrap();
    exchange(&session, Url::unix(server.folder.path().join("socket"), "/").unwrap());
}
