//! The TLS stream against a real server whose records are bent on their way: what is handed out is what was said, in
//! order, and an end that the server did not announce is none.

use std::io::{self, IoSlice, Read, Write};
use std::sync::{Arc, LazyLock};

use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion};

use super::input::{Input, pieces};
use super::line::{End, Net, Outbox, Peer, lock};
use crate::dial::{DialContext, Dialer, Target, TlsDialer};
use crate::net::abort::AbortCell;
use crate::net::transport::{Probe, Transport, Wait};
use crate::time::{Timeout, Until};
use crate::tls::TlsConfig;
use crate::urls::Url;

/// Who the servers are: a certificate that is its own root, and a configuration for each version of TLS.
struct Identity {
    root: Vec<u8>,
    configs: [Arc<ServerConfig>; 2],
}

/// Signatures of Ed25519 have all the same length, so that an input bends the same byte in every run.
static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let config = |version: &'static SupportedProtocolVersion| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Arc::new(builder.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap())
    };
    let configs = [config(&rustls::version::TLS13), config(&rustls::version::TLS12)];
    Identity { root: certificate.der().to_vec(), configs }
});

/// What is done to one record.
#[derive(Clone, Debug)]
enum Bend {
    Flip {
        at: usize,
        bits: u8,
    },
    Cut(usize),
    Twice,
    Drop,
    /// Comes behind the next.
    Late,
    Garbage(Vec<u8>),
}

struct Server {
    tls: ServerConnection,
    /// Pieces of plaintext, in front of which of them the server says goodbye, and how the stream ends.
    chunks: Vec<Vec<u8>>,
    goodbye: Option<usize>,
    end: Option<End>,
    room: usize,
    breaks: Option<usize>,
    splits: Vec<u8>,
    bends: Vec<(usize, Bend)>,
    records: usize,
    late: Vec<u8>,
    taken: usize,
    spoken: bool,
    /// The streams are not what the two ends made them.
    bent: bool,
    outbox: Outbox,
    heard: Vec<u8>,
}

impl Server {
    fn read(input: &mut Input<'_>) -> Server {
        let shape = input.byte();
        let config = IDENTITY.configs[usize::from(shape & 1)].clone();
        let mut tls = ServerConnection::new(config).unwrap();
        tls.set_buffer_limit(None);
        let chunks: Vec<_> = (0..input.number(4)).map(|number| chunk(number, input.byte())).collect();
        Server {
            tls,
            goodbye: if shape & 2 == 0 { Some(chunks.len()) } else { input.option(5).map(|at| at.min(chunks.len())) },
            chunks,
            end: [Some(End::Eof), None, Some(End::Reset), Some(End::Eof)][usize::from(shape >> 2 & 3)],
            room: if shape & 0x10 == 0 { 0 } else { 1 + input.number(400) },
            breaks: if shape & 0x20 == 0 { None } else { Some(input.number(1000)) },
            splits: if shape & 0x40 == 0 { Vec::new() } else { input.bytes(4).to_vec() },
            bends: (0..if shape & 0x80 == 0 { 0 } else { input.number(4) }).map(|_| Bend::read(input)).collect(),
            records: 0,
            late: Vec::new(),
            taken: 0,
            spoken: false,
            bent: false,
            outbox: Outbox::default(),
            heard: Vec::new(),
        }
    }

    fn plaintext(&self) -> Vec<u8> {
        self.chunks.concat()
    }

    /// Bytes of plaintext in front of the goodbye, if there is one.
    fn said_at_goodbye(&self) -> Option<usize> {
        self.goodbye.map(|at| self.chunks.iter().take(at).map(Vec::len).sum())
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let fed = self.tls.read_tls(&mut bytes).is_ok_and(|len| len > 0);
            if !fed || self.tls.process_new_packets().is_err() {
                break;
            }
            // Everything that can be read is; what ends it is for the client to see.
            let _ = self.tls.reader().read_to_end(&mut self.heard);
        }
        self.pump();
        if !self.tls.is_handshaking() && !self.spoken {
            self.spoken = true;
            self.speak();
        }
    }

    fn speak(&mut self) {
        for at in 0..=self.chunks.len() {
            if self.goodbye == Some(at) {
                self.tls.send_close_notify();
            }
            if let Some(chunk) = self.chunks.get(at) {
                // Refused behind a fatal alert.
                let _ = self.tls.writer().write_all(chunk);
            }
            self.pump();
        }
        if let Some(end) = self.end {
            self.outbox.end(end);
        }
    }

    /// Takes the records out of rustls and bends them.
    fn pump(&mut self) {
        let mut out = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut out).unwrap();
        }
        let mut rest = &out[..];
        let mut bytes = Vec::new();
        let mut cut = false;
        while let [_, _, _, high, low, ..] = rest
            && !cut
        {
            let len = 5 + usize::from(u16::from_be_bytes([*high, *low]));
            let (record, behind) = rest.split_at(len.min(rest.len()));
            rest = behind;
            let late = std::mem::take(&mut self.late);
            bytes.extend([self.bend(record), late].concat());
            cut = self.bends.iter().any(|(at, bend)| *at == self.records && matches!(bend, Bend::Cut(_)));
            self.records += 1;
        }
        pieces(&bytes, &self.splits).for_each(|piece| self.outbox.push(piece));
        if cut {
            self.outbox.end(End::Eof);
        }
    }

    fn bend(&mut self, record: &[u8]) -> Vec<u8> {
        let mut bytes = record.to_vec();
        let bends: Vec<_> =
            self.bends.iter().filter(|(at, _)| *at == self.records).map(|(_, bend)| bend.clone()).collect();
        self.bent |= !bends.is_empty();
        for bend in bends {
            match bend {
                Bend::Flip { at, bits } => {
                    let len = bytes.len().max(1);
                    bytes.get_mut(at % len).into_iter().for_each(|byte| *byte ^= bits);
                }
                Bend::Cut(len) => bytes.truncate(len),
                Bend::Twice => bytes.extend_from_within(..),
                Bend::Drop => bytes.clear(),
                Bend::Late => self.late.append(&mut bytes),
                Bend::Garbage(garbage) => bytes.splice(..0, garbage).for_each(drop),
            }
        }
        bytes
    }
}

/// Plaintext that shows where it comes from.
fn chunk(number: usize, len: u8) -> Vec<u8> {
    let len = match len {
        // Several records, and more than rustls holds at once.
        240..=255 => 3000 * usize::from(len - 239),
        len => usize::from(len),
    };
    (0..len).map(|at| (at / 3 + 31 * number) as u8).collect()
}

impl Bend {
    fn read(input: &mut Input<'_>) -> (usize, Bend) {
        let record = input.number(15);
        let bend = match input.byte() % 6 {
            0 => Bend::Flip { at: input.number(1200), bits: input.byte() | 1 },
            1 => Bend::Cut(input.number(300)),
            2 => Bend::Twice,
            3 => Bend::Drop,
            4 => Bend::Late,
            _ => Bend::Garbage(input.bytes(64).to_vec()),
        };
        (record, bend)
    }
}

impl Peer for Server {
    fn send(&mut self, bytes: &[u8], watched: bool) -> io::Result<usize> {
        let room = if self.room == 0 { bytes.len() } else { self.room };
        let left = self.breaks.map_or(usize::MAX, |breaks| breaks.saturating_sub(self.taken));
        match bytes.len().min(room).min(left) {
            0 => {
                self.bent = true;
                Err(io::ErrorKind::ConnectionReset.into())
            }
            // The last few bytes of a piece have no room while there is input.
            len if watched && len < bytes.len() && !self.outbox.is_empty() => Ok(0),
            len => {
                self.taken += len;
                self.take(&bytes[..len]);
                Ok(len)
            }
        }
    }

    fn recv(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.outbox.recv(buf)
    }

    fn probe(&mut self) -> Probe {
        self.outbox.probe()
    }
}

struct World {
    net: Net<Server>,
    stream: Box<dyn Transport>,
    /// What the server says in all, and where it says goodbye.
    plaintext: Vec<u8>,
    goodbye: Option<usize>,
    got: Vec<u8>,
    said: Vec<u8>,
}

pub fn tls_stream(data: &[u8]) {
    let mut input = Input::new(data);
    let server = Server::read(&mut input);
    let (plaintext, goodbye) = (server.plaintext(), server.said_at_goodbye());
    let net = Net::new([server]);
    let tls = TlsConfig::builder().root_der(IDENTITY.root.clone()).build().unwrap();
    let url = Url::parse("https://localhost/").unwrap();
    let cell = AbortCell::new();
    let context = DialContext::begin(Until::NEVER, &Timeout::new(), &cell);
    net.begin();
    let dialed = TlsDialer::new(net.clone(), tls).dial(&Target::from(&url), &context);
    match dialed {
        Err(error) => assert!(net.peers().iter().any(|peer| lock(peer).bent), "{error:?}"),
        Ok(stream) => {
            let mut world = World { net: net.clone(), stream, plaintext, goodbye, got: Vec::new(), said: Vec::new() };
            for _ in 0..32 {
                if input.is_empty() {
                    break;
                }
                world.step(&mut input, &context);
            }
            world.drain(&context);
        }
    }
    assert_eq!(net.alive(), 0);
}

impl World {
    fn step(&mut self, input: &mut Input<'_>, context: &DialContext<'_>) {
        self.net.begin();
        let op = input.byte();
        let watched = Wait { watch_input: op & 0x80 != 0, ..context.wait() };
        match op % 8 {
            0..=2 => drop(self.recv(input.number(400).max(1), &context.wait())),
            3 => drop(self.recv(50_000, &context.wait())),
            4 | 5 => {
                let bytes = vec![op; 1 + input.number(600)];
                let sent = self.stream.send(&[IoSlice::new(&bytes[..1]), IoSlice::new(&bytes[1..])], &watched);
                if let Ok(len) = sent {
                    assert!(len <= bytes.len() && (len > 0 || watched.watch_input), "{len} bytes sent");
                    self.said.extend_from_slice(&bytes[..len]);
                }
            }
            6 => drop(self.stream.flush(&watched)),
            _ => {
                let probe = self.stream.probe();
                let buffered = self.stream.has_buffered();
                assert!(probe != Probe::Readable || buffered, "what can be read is held");
            }
        }
        let peers = self.net.peers();
        let server = lock(&peers[0]);
        assert!(self.said.starts_with(&server.heard) || server.bent, "the server hears what was not said");
    }

    /// Whether there may be more.
    fn recv(&mut self, most: usize, wait: &Wait<'_>) -> bool {
        let mut buf = vec![0; most];
        let result = self.stream.recv(&mut buf, wait);
        let bent = lock(&self.net.peers()[0]).bent;
        match result {
            Ok(0) => {
                assert_eq!(Some(self.got.len()), self.goodbye, "an end that the server did not announce");
                false
            }
            Ok(len) => {
                let most = self.goodbye.unwrap_or(self.plaintext.len());
                assert!(self.plaintext[self.got.len()..most].starts_with(&buf[..len]), "what the server did not say");
                self.got.extend_from_slice(&buf[..len]);
                true
            }
            Err(error) => {
                let all = self.goodbye.is_none() && self.got == self.plaintext;
                assert!(bent || all, "{error:?} behind {} bytes", self.got.len());
                false
            }
        }
    }

    /// To the end, and beyond it once.
    fn drain(mut self, context: &DialContext<'_>) {
        self.net.begin();
        while self.recv(20_000, &context.wait()) {}
        self.recv(1, &context.wait());
    }
}
