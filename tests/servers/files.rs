//! Downloads, saved files, and forms made of files.

mod downloads;
mod forms;
mod saving;
mod types;

use hostpool::{ConnectionPool, Headers, Method, PoolManager, RequestBuilder, Session};

use crate::support::{GIVE_UP, Server};

/// Makes a request for `/` of the server.
type Make<'a> = &'a dyn Fn(Method) -> RequestBuilder;

/// Runs `row` with each kind of client, which has these header fields as its defaults.
fn each_client(server: &Server, fields: &[(&str, &str)], mut row: impl FnMut(&str, Make<'_>)) {
    let headers = Headers::from_pairs(fields.iter().copied()).unwrap();
    let url = server.url("/");
    let session = Session::builder().headers(headers.clone()).timeout(GIVE_UP).build().unwrap();
    row("session", &|method| session.request(method, &*url));
    let manager = PoolManager::builder().headers(headers.clone()).timeout(GIVE_UP).build().unwrap();
    row("manager", &|method| manager.request(method, &*url));
    let pool = ConnectionPool::builder(&url).headers(headers).timeout(GIVE_UP).build().unwrap();
    row("pool", &|method| pool.request(method, "/"));
}

/// The last request that the server saw, as bytes.
fn last(server: &Server) -> Vec<u8> {
    server.seen.requests.lock().unwrap().last().expect("a request").1.clone()
}

/// The names in a folder.
fn names(folder: &std::path::Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
