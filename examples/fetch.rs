//! Fetches URLs: `cargo run --example fetch -- [-i] [-o FILE] [-t SECONDS] URL...`
//!
//! Prints each body, or saves it to FILE, with `-i` behind its head. What goes wrong is said on standard error, and the
//! exit status is 1 then.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use hostpool::{Response, Session};

const USAGE: &str = "usage: fetch [-i] [-o FILE] [-t SECONDS] URL...";

#[derive(Default)]
struct Options {
    head: bool,
    output: Option<PathBuf>,
    timeout: Option<Duration>,
    urls: Vec<String>,
}

fn main() -> ExitCode {
    let options = match parse() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("fetch: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let session = Session::new();
    let mut failed = false;
    for url in &options.urls {
        if let Err(error) = fetch(&session, url, &options) {
            // The error names the request, and its sources say why it failed.
            eprint!("fetch: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprint!(": {error}");
                cause = error.source();
            }
            eprintln!();
            failed = true;
        }
    }
    ExitCode::from(u8::from(failed))
}

fn parse() -> Result<Options, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('i') | Long("include") => options.head = true,
            Short('o') | Long("output") => options.output = Some(parser.value()?.into()),
            Short('t') | Long("timeout") => options.timeout = Some(seconds(parser.value()?.parse()?)?),
            Value(url) => options.urls.push(url.string()?),
            _ => return Err(argument.unexpected()),
        }
    }
    match (options.urls.len(), &options.output) {
        (0, _) => Err("no URL is given".into()),
        (2.., Some(_)) => Err("one FILE cannot hold several URLs".into()),
        _ => Ok(options),
    }
}

fn seconds(seconds: f64) -> Result<Duration, lexopt::Error> {
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string().into())
}

fn fetch(session: &Session, url: &str, options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let mut request = session.get(url);
    if let Some(timeout) = options.timeout {
        request = request.timeout(timeout);
    }
    let mut response = request.send()?;
    let mut output: Box<dyn Write> = match &options.output {
        Some(path) => Box::new(File::create(path)?),
        None => Box::new(io::stdout().lock()),
    };
    if options.head {
        write_head(&mut output, &response)?;
    }
    let length = io::copy(&mut response, &mut output)?;
    output.flush()?;
    if let Some(path) = &options.output {
        println!("{}: {length} bytes, {}", path.display(), response.status());
    }
    match response.ok() {
        true => Ok(()),
        false => Err(format!("the server answered {}", response.status()).into()),
    }
}

fn write_head(output: &mut impl Write, response: &Response) -> io::Result<()> {
    writeln!(output, "{:?} {} {}", response.version(), response.status().as_u16(), response.reason())?;
    for field in response.headers().iter() {
        writeln!(output, "{}: {}", field.name(), field.value())?;
    }
    writeln!(output)
}
