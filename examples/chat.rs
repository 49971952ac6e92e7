//! A chat: one thread reads the terminal, another the socket.
//!
//! ```text
//! cargo run --example chat -- wss://echo.websocket.org
//! ```
//!
//! Each line is sent as a message, and each message is printed. The end of the input (Ctrl-D) closes the WebSocket.

use std::io::{self, BufRead};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use hostpool::{Message, Session, WebSocketReceiver, WebSocketSender};

/// Sends what is typed. A thread that is blocked in the terminal cannot be woken, so `main` does not wait for it.
fn send(sender: &WebSocketSender) -> hostpool::Result<()> {
    for line in io::stdin().lock().lines() {
        sender.send_str(&line?)?;
    }
    sender.close().map(drop)
}

/// Prints what comes until the end of the connection.
fn receive(receiver: &WebSocketReceiver) -> hostpool::Result<()> {
    for message in receiver {
        match message? {
            Message::Text(text) => println!("{text}"),
            Message::Binary(bytes) => println!("({} bytes)", bytes.len()),
            _ => {}
        }
    }
    println!("(closed: {})", receiver.close_code().unwrap_or(1006));
    Ok(())
}

fn run(url: &str) -> hostpool::Result<()> {
    // A ping after half a minute of silence finds out whether the server is still there.
    let socket = Session::new().ws_connect(url).heartbeat(Duration::from_secs(30)).connect()?;
    let (receiver, sender) = socket.split();
    thread::spawn(move || {
        if let Err(error) = send(&sender) {
            eprintln!("{error}");
        }
    });
    receive(&receiver)
}

fn main() -> ExitCode {
    let Some(url) = std::env::args().nth(1) else {
        eprintln!("usage: chat URL");
        return ExitCode::from(2);
    };
    match run(&url) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
