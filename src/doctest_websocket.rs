// The other end of the examples of WebSockets in the documentation, which include this file: it is no module of the crate.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use base64::Engine as _;
use sha1::Digest as _;

/// The URL of a server that sends each message back, answers pings, and speaks the subprotocol `chat`.
pub fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    url
}

fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0].to_ascii_lowercase());
        // The key is the one value whose case counts.
        if head.ends_with(b"sec-websocket-key: ") {
            let mut key = [0; 24];
            stream.read_exact(&mut key)?;
            let hash = sha1::Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
            let accept = base64::engine::general_purpose::STANDARD.encode(hash);
            let lines = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket";
            write!(stream, "{lines}\r\nSec-WebSocket-Accept: {accept}\r\n")?;
        }
    }
    let chats = String::from_utf8_lossy(&head).contains("sec-websocket-protocol: chat");
    stream.write_all(if chats { b"Sec-WebSocket-Protocol: chat\r\n\r\n" } else { b"\r\n" })?;
    loop {
        // Messages of examples are short.
        let (mut start, mut mask) = ([0; 2], [0; 4]);
        stream.read_exact(&mut start)?;
        stream.read_exact(&mut mask)?;
        let mut frame = vec![0; usize::from(start[1] & 0x7F)];
        stream.read_exact(&mut frame)?;
        frame.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        let first = if start[0] == 0x89 { 0x8A } else { start[0] };
        frame.splice(..0, [first, start[1] & 0x7F]);
        // A pong is not answered.
        if first != 0x8A || start[0] == 0x89 {
            stream.write_all(&frame)?;
        }
        if first == 0x88 {
            return Ok(());
        }
    }
}
