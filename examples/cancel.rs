//! Ends calls: one page by its own deadline, and all that still run when enough has come, or when the user says so.
//!
//!     cargo run --example cancel -- http://example.com/ http://example.org/ ...
//!
//! All URLs are asked for at once. The first answer is printed, and the others are cancelled. Enter ends everything.

use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use hostpool::{Bound, CancelToken, ErrorKind, Session};

fn main() -> ExitCode {
    let urls: Vec<String> = std::env::args().skip(1).collect();
    if urls.is_empty() {
        eprintln!("give some URLs");
        return ExitCode::FAILURE;
    }
    let (session, all) = (Session::new(), CancelToken::new());

    // The thread stays blocked in its read when the program ends.
    let of_user = all.clone();
    thread::spawn(move || {
        if let Ok(1..) = std::io::stdin().read_line(&mut String::new()) {
            of_user.cancel();
        }
    });

    let (tell, told) = channel();
    for url in urls {
        // Fires with all others, and has a deadline of its own.
        let token = all.child_with_timeout(Duration::from_secs(10));
        let (request, tell) = (session.get(&url).cancel_with(&token), tell.clone());
        thread::spawn(move || {
            let answer = request.send().and_then(|response| response.bytes());
            let _ = tell.send((url, answer));
        });
    }
    drop(tell);

    let mut found = false;
    for (url, answer) in told {
        match answer {
            Ok(body) => {
                println!("{url}: {} bytes", body.len());
                found = true;
                all.cancel();
            }
            Err(error) => match error.kind() {
                ErrorKind::Cancelled => println!("{url}: not needed any more, {}", error.phase()),
                ErrorKind::Timeout(Bound::Token) => println!("{url}: too slow, {}", error.phase()),
                _ => println!("{url}: {error}"),
            },
        }
    }
    if found { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
