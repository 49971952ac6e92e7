//! What a response offers: rows RS-01 to RS-20 and B121 to B155 of the checklist.

mod connection;
mod head;
mod json;
mod lines;
mod output;
mod status;
mod text;

use hostpool::{ConnectionPool, Response};

use crate::support::{GIVE_UP, Server, Step, answer};

/// A response of these bytes, behind which the connection stays open.
fn fetch(bytes: impl AsRef<[u8]>) -> (Server, Response) {
    let server = Server::new(vec![[answer(bytes), vec![Step::UntilClosed]].concat()]);
    let pool = ConnectionPool::builder(server.url("")).timeout(GIVE_UP).build().unwrap();
    let response = pool.get("/dir/page?q=1").send().unwrap();
    (server, response)
}

/// A response with that body and, if there is one, that Content-Type.
fn with_type(content_type: &str, body: &[u8]) -> Vec<u8> {
    let field = if content_type.is_empty() { String::new() } else { format!("Content-Type: {content_type}\r\n") };
    [format!("HTTP/1.1 200 OK\r\n{field}Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}
