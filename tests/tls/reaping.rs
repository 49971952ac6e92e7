//! Idle connections under TLS, looked at while nobody uses them.

use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use hostpool::observe::Closed;
use hostpool::{CloseReason, Listener};

use crate::support::{GIVE_UP, ok};
use crate::tls::{Authority, TlsServer, without_tickets};

struct Closings(Mutex<Sender<(u64, CloseReason)>>);

impl Listener for Closings {
    fn closed(&self, event: &Closed<'_>) {
        let _ = self.0.lock().unwrap().send((event.id, event.reason));
    }
}

/// C34: bytes may be messages of TLS, here new keys, and say nothing until they are read. The end of the stream is one,
/// also behind bytes.
#[test]
fn messages_of_tls_and_the_end_of_the_stream() {
    let authority = Authority::new();
    let (sent, updated) = channel();
    let (go, gone) = channel::<()>();
    let (sent, gone) = (Mutex::new(sent), Mutex::new(gone));
    let server = TlsServer::new(without_tickets(authority.server()), move |peer| {
        peer.request()?;
        peer.send(ok("fine"))?;
        if peer.number == 0 {
            peer.tls.refresh_traffic_keys().unwrap();
            peer.flush()?;
            sent.lock().unwrap().send(()).unwrap();
            peer.request()?;
            return peer.send(ok("fine"));
        }
        let _ = gone.lock().unwrap().recv();
        peer.close()
    });
    let (tell, told) = channel();
    let listener = Closings(Mutex::new(tell));
    let pool = server.builder(&authority.trusted()).listener(listener).reaper(Duration::ZERO).build().unwrap();
    let responses = [(); 2].map(|()| pool.get("/").send().unwrap());
    let ids = [0, 1].map(|at: usize| responses[at].connection().unwrap().id);
    responses.into_iter().for_each(|response| assert_eq!(response.text().unwrap(), "fine"));
    updated.recv_timeout(GIVE_UP).unwrap();
    go.send(()).unwrap();
    assert_eq!(told.recv_timeout(GIVE_UP), Ok((ids[1], CloseReason::PeerClosed)));
    assert_eq!(pool.stats().idle, 1);
    let again = pool.get("/").send().unwrap();
    assert_eq!(again.connection().unwrap().id, ids[0]);
    assert_eq!(again.text().unwrap(), "fine");
}
