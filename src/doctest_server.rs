// The other end of the examples in the documentation, which include this file: it is no module of the crate.

use std::io::{Read, Write};

/// The URL of a server that answers every request with these bytes.
pub fn serve(response: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                while stream.read(&mut [0; 4096]).is_ok_and(|len| len > 0)
                    && stream.write_all(response.as_bytes()).is_ok()
                {}
            });
        }
    });
    url
}
