//! Three pieces of middleware: a log, a fresh token when the old one is refused, and a list of hosts.
//!
//! `cargo run --example middleware` talks to an http server of its own on loopback.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use hostpool::{Error, Middleware, Next, Request, Response, Result, Session, StatusCode};

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let url = serve()?;
    let session = Session::builder()
        .base_url(&url)
        .middleware(log)
        .with_middleware(Token::default())
        .on_request(only_loopback)
        .build()?;

    println!("The server takes no token but the one it gives out at /token:");
    println!("  {}", session.get("/secret").send()?.text()?);
    println!("The second request has it from the start:");
    println!("  {}", session.get("/secret").send()?.text()?);
    println!("A host that is not on the list is not even looked up:");
    println!("  {}", session.get("http://metadata.example/").send().expect_err("it is not on the list"));
    println!("Nor is one that a redirect leads to:");
    println!("  {}", session.get("/away").send().expect_err("it is not on the list"));
    Ok(())
}

/// Writes down what was asked, what came of it, and how long that took.
fn log(request: Request, next: Next<'_>) -> Result<Response> {
    let asked = format!("{} {}", request.method(), request.url());
    let started = Instant::now();
    let response = next.run(request);
    let outcome = match &response {
        Ok(response) => response.status().to_string(),
        Err(error) => format!("{:?}", error.kind()),
    };
    eprintln!("    [{asked}: {outcome}, {:?}]", started.elapsed());
    response
}

/// Adds a token to each request, and gets a new one where the server refuses it.
#[derive(Default)]
struct Token(Mutex<Option<String>>);

impl Token {
    fn current(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    fn renew(&self, request: &Request, next: Next<'_>) -> Result<String> {
        let token = next.run(Request::new("GET".parse().expect("a method"), request.url().join("/token")?))?.text()?;
        *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(token.clone());
        Ok(token)
    }
}

impl Middleware for Token {
    fn handle(&self, mut request: Request, next: Next<'_>) -> Result<Response> {
        // A body that cannot be sent twice is sent once, with the token that is there.
        let again = request.try_clone();
        if let Some(token) = self.current() {
            request.headers_mut().insert("Authorization", format!("Bearer {token}"))?;
        }
        let mut response = next.run(request)?;
        match again {
            Some(mut again) if response.status() == StatusCode::UNAUTHORIZED => {
                response.release();
                let token = self.renew(&again, next)?;
                again.headers_mut().insert("Authorization", format!("Bearer {token}"))?;
                next.run(again)
            }
            _ => Ok(response),
        }
    }
}

/// Stands in front of every request, redirected ones too.
fn only_loopback(request: &mut Request) -> Result<()> {
    match request.url().origin().host() {
        "127.0.0.1" => Ok(()),
        host => Err(Error::custom(format!("{host} is not on the list"))),
    }
}

/// A server that wants a token, and gives it out.
fn serve() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/", listener.local_addr()?);
    let asked = Arc::new(Mutex::new(0));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let asked = asked.clone();
            // An error is the end of the connection, which is all a connection's thread has to know.
            thread::spawn(move || answer(stream, &asked).unwrap_or_default());
        }
    });
    Ok(url)
}

fn answer(stream: TcpStream, tokens: &Mutex<u32>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let path = head.split(' ').nth(1).unwrap_or_default();
        let mut given_out = tokens.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let known = *given_out > 0 && head.contains(&format!("Authorization: Bearer token-{given_out}\r\n"));
        let (status, extra, body) = match path {
            "/token" => {
                *given_out += 1;
                ("200 OK", "", format!("token-{given_out}"))
            }
            "/away" => ("302 Found", "Location: http://metadata.example/\r\n", String::new()),
            _ if known => ("200 OK", "", "the secret".to_owned()),
            _ => ("401 Unauthorized", "WWW-Authenticate: Bearer\r\n", "no".to_owned()),
        };
        let answer = format!("HTTP/1.1 {status}\r\n{extra}Content-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes())?;
    }
}
