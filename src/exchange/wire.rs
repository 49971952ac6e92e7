//! The transport of a connection.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;

use crate::net::abort::{AbortCell, Interrupt};
use crate::net::stream::Stream;
use crate::net::transport::{Probe, Transport, TransportInfo, Wait};

/// The transport of a connection: a plain socket, or any other transport. The arm for plain sockets saves 190
/// instructions of a kept-alive GET, and only they fill several buffers with one call.
#[derive(Debug)]
pub(crate) enum Wire {
    Stream(Stream),
    Dyn(Arc<Foreign>),
}

/// A transport that does not register itself with an abort cell; `Wire::of` does that. The address of its peer is kept,
/// because each response has it.
#[derive(Debug)]
pub(crate) struct Foreign(Box<dyn Transport>, Option<Box<SocketAddr>>);

impl Interrupt for Foreign {
    fn interrupt(&self) {
        self.0.abort();
    }
}

impl Wire {
    /// Makes a transport into a wire, and lets an abort of `cell` reach it.
    pub(crate) fn of(transport: Box<dyn Transport>, cell: &AbortCell) -> Wire {
        let remote = transport.info().remote.map(Box::new);
        let foreign = Arc::new(Foreign(transport, remote));
        let interrupt: Arc<dyn Interrupt> = foreign.clone();
        cell.register(Arc::downgrade(&interrupt));
        Wire::Dyn(foreign)
    }

    /// Returns the address of the peer, without a call of the system.
    #[inline]
    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        match self {
            Wire::Stream(stream) => stream.remote(),
            Wire::Dyn(foreign) => foreign.1.as_deref().copied(),
        }
    }

    /// Returns whether the transport is a plain socket: one call of it is one call of the system.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Wire::Stream(_))
    }

    /// Looks for input as `probe` does, but leaves a reset of a plain socket for the next receive. So a plain socket is
    /// never `Dead` here.
    pub(crate) fn arrived(&self) -> Probe {
        match self {
            Wire::Stream(stream) if stream.is_readable() => Probe::Readable,
            Wire::Stream(_) => Probe::Quiet,
            Wire::Dyn(foreign) => foreign.0.probe(),
        }
    }

    /// Returns whether `recv_scattered` fills more than one buffer.
    pub(crate) fn scatters(&self) -> bool {
        cfg!(unix) && matches!(self, Wire::Stream(_))
    }

    /// Receives into `bufs`, one after the other. A foreign transport fills the first one that is not empty.
    pub(crate) fn recv_scattered(&self, bufs: &mut [IoSliceMut<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        match self {
            Wire::Stream(stream) => stream.recv_scattered(bufs, wait),
            Wire::Dyn(foreign) => match bufs.iter_mut().find(|buf| !buf.is_empty()) {
                Some(buf) => foreign.0.recv(buf, wait),
                None => Ok(0),
            },
        }
    }
}

impl Transport for Wire {
    fn recv(&self, buf: &mut [u8], wait: &Wait<'_>) -> io::Result<usize> {
        match self {
            Wire::Stream(stream) => stream.recv(buf, wait),
            Wire::Dyn(foreign) => foreign.0.recv(buf, wait),
        }
    }

    fn send(&self, bufs: &[IoSlice<'_>], wait: &Wait<'_>) -> io::Result<usize> {
        match self {
            Wire::Stream(stream) => stream.send(bufs, wait),
            Wire::Dyn(foreign) => foreign.0.send(bufs, wait),
        }
    }

    fn flush(&self, wait: &Wait<'_>) -> io::Result<bool> {
        match self {
            Wire::Stream(_) => Ok(true),
            Wire::Dyn(foreign) => foreign.0.flush(wait),
        }
    }

    fn probe(&self) -> Probe {
        match self {
            Wire::Stream(stream) => stream.probe(),
            Wire::Dyn(foreign) => foreign.0.probe(),
        }
    }

    fn has_buffered(&self) -> bool {
        match self {
            Wire::Stream(stream) => stream.has_buffered(),
            Wire::Dyn(foreign) => foreign.0.has_buffered(),
        }
    }

    fn close_write(&self, wait: &Wait<'_>) -> io::Result<()> {
        match self {
            Wire::Stream(stream) => stream.close_write(wait),
            Wire::Dyn(foreign) => foreign.0.close_write(wait),
        }
    }

    fn abort(&self) {
        match self {
            Wire::Stream(stream) => stream.abort(),
            Wire::Dyn(foreign) => foreign.0.abort(),
        }
    }

    fn info(&self) -> TransportInfo {
        match self {
            Wire::Stream(stream) => stream.info(),
            Wire::Dyn(foreign) => foreign.0.info(),
        }
    }
}
