//! The clients whose connections can send the requests of others.

use std::sync::Arc;

use crate::client::engine::Engine;

/// A client whose connections can send the requests of others: see
/// [`RequestBuilder::connector`](crate::RequestBuilder::connector).
///
/// It is implemented for [`PoolManager`](crate::PoolManager), [`ProxyManager`](crate::ProxyManager),
/// [`TcpConnector`](crate::TcpConnector), [`ProxyConnector`](crate::ProxyConnector) and
/// [`UnixConnector`](crate::UnixConnector), and cannot be implemented for other types.
#[diagnostic::on_unimplemented(message = "`{Self}` is not a connector", note = "give a `hostpool::PoolManager`")]
pub trait Connector: sealed::Pools {}

impl<T: sealed::Pools> Connector for T {}

pub(crate) mod sealed {
    use super::{Arc, Engine};

    #[diagnostic::on_unimplemented(message = "`{Self}` is not a connector", note = "give a `hostpool::PoolManager`")]
    pub trait Pools {
        #[doc(hidden)]
        #[allow(private_interfaces, reason = "the trait cannot be named outside")]
        fn engine(&self) -> &Arc<Engine>;
    }
}
