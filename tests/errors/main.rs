//! What the errors say after the mistakes that people make first, in one table.
//!
//! Some texts have those of the system in them, which are Linux's here.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

mod caller;
mod peer;

use std::error::Error as _;

use hostpool::{ConnectionPool, DialContext, Dialer, Error, Phase, Result, Retry, Target, Transport};

use crate::support::{GIVE_UP, Server, chain};

/// Every secret of the table has this in it.
const CANARY: &str = "canary-7f3a";

/// A dialer that is told that its time is over.
#[derive(Debug)]
struct Late;

impl Dialer for Late {
    fn dial(&self, _: &Target<'_>, context: &DialContext<'_>) -> Result<Box<dyn Transport>> {
        Err(context.timed_out(Phase::Connect))
    }
}

struct Row {
    mistake: &'static str,
    code: &'static str,
    error: Error,
    /// The text of the error. `ADDR` stands for the address of a server, `DIR` for the folder.
    shown: &'static str,
    /// The texts of its sources.
    causes: &'static str,
}

impl Row {
    /// Makes a row. The address of the server, or the folder, is replaced in the texts.
    fn new(mistake: &'static str, code: &'static str, error: Error, shown: &'static str) -> Row {
        Row { mistake, code, error, shown, causes: "" }
    }

    fn causes(self, causes: &'static str) -> Row {
        Row { causes, ..self }
    }
}

fn pool(server: &Server) -> ConnectionPool {
    ConnectionPool::builder(server.url("")).timeout(GIVE_UP).retries(Retry::off()).build().unwrap()
}

/// Checks that each row says what it should, on one line, once in a chain, and without a secret.
fn check(rows: Vec<Row>, replaced: &[(&str, &str)]) {
    let plain = |text: String| replaced.iter().fold(text, |text, (from, to)| text.replace(from, to));
    for Row { mistake, code, error, shown, causes } in rows {
        let expected = if causes.is_empty() { shown.to_owned() } else { format!("{shown}: {causes}") };
        assert_eq!(plain(error.to_string()), shown, "{mistake}");
        assert_eq!(plain(chain(&error)), expected, "{mistake}: the chain");
        assert_eq!((error.code(), error.kind().code()), (code, code), "{mistake}");
        let debugs = [format!("{error:?}"), format!("{error:#?}"), format!("{:#?}", [&error])];
        for text in debugs.iter().chain([&error.to_string(), &chain(&error), &format!("{:?}", error.url())]) {
            assert!(!text.contains(CANARY) && text.len() < 4096, "{mistake}: {text}");
        }
        assert!(!error.to_string().contains(char::is_control), "{mistake}");
        doubles_nothing(mistake, &error);
        assert_eq!(error.method().is_some(), error.url().is_some(), "{mistake}");
    }
}

/// A printer of chains writes no text twice.
fn doubles_nothing(mistake: &str, error: &Error) {
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        assert!(texts.iter().all(|above| !above.contains(&text)), "{mistake}: {text:?} is in {texts:?}");
        texts.push(text);
        cause = error.source();
    }
}
