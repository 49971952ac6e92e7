//! Requests over streams that are not sockets of this crate: the pipes of a child process, and a socket of std.
//!
//! `cargo run --example child` starts itself once more as an HTTP server that speaks on its standard input and output,
//! as `ssh host docker system dial-stdio` does.

use std::env;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use hostpool::{ConnectionPool, DialContext, IoTransport, Target, Transport, dialer_fn};

fn main() -> Result<(), Box<dyn Error>> {
    if env::args().nth(1).as_deref() == Some("serve") {
        return Ok(serve(&mut io::stdin().lock(), &mut io::stdout())?);
    }
    let pool = ConnectionPool::builder("http://child").dialer(dialer_fn(child)).build()?;
    for _ in 0..2 {
        // The bounds of a request hold, although a pipe has no deadlines.
        let response = pool.get("/hello").timeout(Duration::from_secs(10)).send()?;
        println!("over pipes: {}", response.text()?);
    }
    println!("connections opened: {}", pool.stats().created);

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        let (stream, _) = listener.accept()?;
        serve(&mut io::BufReader::new(&stream), &mut &stream)
    });
    let dialer = dialer_fn(move |_, context| {
        let stream = TcpStream::connect(address).map_err(|error| context.failed(error))?;
        stream.set_nodelay(true).map_err(|error| context.failed(error))?;
        Ok(Box::new(stream))
    });
    let pool = ConnectionPool::builder("http://anywhere").dialer(dialer).build()?;
    println!("over a socket of std: {}", pool.get("/hello").send()?.text()?);
    Ok(())
}

/// Starts a server as a child process, and connects to it by its pipes.
fn child(_: &Target<'_>, context: &DialContext<'_>) -> hostpool::Result<Box<dyn Transport>> {
    let start = || {
        let program = env::current_exe()?;
        Command::new(program).arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    };
    let mut child = start().map_err(|error| context.failed(error))?;
    let (Some(stdout), Some(stdin)) = (child.stdout.take(), child.stdin.take()) else {
        return Err(context.failed(io::Error::other("the child has no pipes")));
    };
    Ok(Box::new(IoTransport::new(stdout, stdin).on_end(move || {
        let _ = child.kill();
        let _ = child.wait();
    })))
}

/// Answers each request with the path that it asks for.
fn serve(requests: &mut impl BufRead, responses: &mut impl Write) -> io::Result<()> {
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if requests.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let path = head.split(' ').nth(1).unwrap_or_default();
        write!(responses, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len())?;
        responses.flush()?;
    }
}
