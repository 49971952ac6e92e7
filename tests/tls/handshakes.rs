//! Handshakes that break off, stall or are none.

use super::*;

/// C14, C16, C17, C20, A12.10: what a server says in place of a handshake.
#[test]
fn broken_handshakes() {
    let script = |bytes: &[u8], end: Step| vec![Step::Bytes(1), Step::Send(bytes.to_vec()), end];
    let records = |record: &[u8]| record.repeat(100_000);
    let end = || Step::Send(Vec::new());
    let http = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    let table = [
        ("C14", script(http, Step::UntilClosed), "does not speak TLS"),
        ("C14 and closes", script(http, end()), "does not speak TLS"),
        ("C14 another protocol", script(b"SSH-2.0-OpenSSH\r\n", Step::UntilClosed), "does not speak TLS"),
        ("C17 end", script(b"", Step::HalfClose), "ended"),
        ("C17 end inside a record", script(&[22, 3, 3, 0, 100, 2, 0], Step::HalfClose), "ended"),
        ("C17 close_notify", script(&[21, 3, 3, 0, 2, 1, 0], Step::HalfClose), "ended"),
        ("C17 close_notify, again and again", script(&records(&[21, 3, 3, 0, 2, 1, 0]), Step::UntilClosed), ""),
        ("alert", script(&[21, 3, 3, 0, 2, 2, 40], Step::UntilClosed), "HandshakeFailure"),
        ("C20 garbage in a record", script(&[22, 3, 3, 0, 5, 1, 2, 3, 4, 5], Step::UntilClosed), ""),
        ("C20 too large a record", script(&[22, 3, 3, 0xff, 0xff], Step::UntilClosed), ""),
        ("C20 too large a message", script(&[22, 3, 3, 0, 4, 2, 0xff, 0xff, 0xff], Step::UntilClosed), ""),
        ("C20 empty handshake records", script(&records(&[22, 3, 3, 0, 0]), Step::UntilClosed), ""),
        ("C20 empty data records", script(&records(&[23, 3, 3, 0, 0]), Step::UntilClosed), ""),
        ("C20 change_cipher_specs", script(&records(&[20, 3, 3, 0, 1, 1]), Step::UntilClosed), ""),
        ("C20 warnings", script(&records(&[21, 3, 3, 0, 2, 1, 90]), Step::UntilClosed), ""),
    ];
    for (row, script, said) in table {
        within_patience(move || {
            let server = Server::new(vec![script]);
            let pool = ConnectionPool::builder(&format!("https://{}", server.addr)).build().unwrap();
            let error = pool.get("/").send().expect_err(row);
            assert_refused(row, &pool, &error, ErrorKind::Tls);
            assert!(error.to_string().contains(said), "{row}: {error}");
            let hint = error.to_string().contains("http rather than https");
            assert_eq!(hint, row.starts_with("C14"), "{row}: {error}");
        });
    }
}

/// C16: a handshake that makes no progress ends in time, and costs no processor.
#[test]
fn slow_handshakes() {
    let limit = Duration::from_millis(600);
    // The start of a ServerHello.
    let mut drip = vec![22, 3, 3, 0x10, 0, 2, 0, 0x0f, 0xf0, 3, 3];
    drip.resize(1000, 7);
    let silence = vec![Step::Bytes(1), Step::UntilClosed];
    let trickle = vec![Step::Bytes(1), Step::Drip(drip, Duration::from_millis(20))];
    // Nobody vouches for it yet, so rustls takes it for a warning.
    let goodbye = vec![Step::Bytes(1), Step::Send(vec![21, 3, 3, 0, 2, 1, 0]), Step::UntilClosed];
    let connect = Timeout::new().connect(limit);
    let table = [
        ("silence", silence.clone(), connect, Bound::Connect),
        ("C16 trickle", trickle.clone(), connect, Bound::Connect),
        ("C17 close_notify without an end", goodbye, connect, Bound::Connect),
        ("silence, total", silence, Timeout::from(limit), Bound::Total),
        ("C16 trickle, total", trickle, Timeout::from(limit), Bound::Total),
    ];
    for (row, script, timeout, bound) in table {
        within_patience(move || {
            let server = Server::new(vec![script]);
            let pool = ConnectionPool::builder(&format!("https://{}", server.addr)).build().unwrap();
            let before = processor_time();
            let error = pool.get("/").timeout(timeout).send().expect_err(row);
            let spent = processor_time() - before;
            assert_refused(row, &pool, &error, ErrorKind::Timeout(bound));
            assert!(spent < limit / 2, "{row}: {spent:?}");
        });
    }
}
