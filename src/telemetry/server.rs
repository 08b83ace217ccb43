//! The two HTTP servers: health for the kubelet, metrics for Prometheus.

use crate::telemetry::loglevel;
use crate::telemetry::logs::LevelSwitch;
use crate::telemetry::readiness::Readiness;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Where a server listens: `host:port`, `:port` for every interface, or `0` for not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenAddress {
    /// Not at all.
    Off,
    /// Every interface, IPv6 and IPv4.
    AllInterfaces(u16),
    /// This address only.
    One(SocketAddr),
}

/// Why a server can't listen.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Not an address.
    #[error("{0:?} is not an address to listen on; write \":8080\", \"127.0.0.1:8080\", or \"0\" for none")]
    Address(String),
    /// The system refuses it.
    #[error("can't listen on {address}: {source}; is another process using it?")]
    Bind {
        /// Where.
        address: ListenAddress,
        /// What the system said.
        source: std::io::Error,
    },
}

impl FromStr for ListenAddress {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        let bad = || ListenError::Address(text.to_owned());
        match text.strip_prefix(':') {
            _ if text == "0" => Ok(Self::Off),
            Some(port) => port.parse().map(Self::AllInterfaces).map_err(|_| bad()),
            None => text.replacen("localhost:", "127.0.0.1:", 1).parse().map(Self::One).map_err(|_| bad()),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("0"),
            Self::AllInterfaces(port) => write!(f, ":{port}"),
            Self::One(address) => address.fmt(f),
        }
    }
}

impl ListenAddress {
    /// Opens the socket; nothing where the address is `0`.
    pub async fn bind(self) -> Result<Option<TcpListener>, ListenError> {
        let bound = match self {
            Self::Off => return Ok(None),
            Self::One(address) => TcpListener::bind(address).await,
            Self::AllInterfaces(port) => match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
                // A node without IPv6.
                Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
                    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
                }
                bound => bound,
            },
        };
        bound.map(Some).map_err(|source| ListenError::Bind { address: self, source })
    }
}

/// `/healthz`: the process runs. `/readyz`: it has seen every object once; until then the answer names what it waits for.
/// `/loglevel`, from inside of the pod: what is logged.
pub fn health(readiness: Readiness, switch: LevelSwitch) -> Router {
    let ready = move || {
        let waiting = readiness.waiting_for();
        async move {
            if waiting.is_empty() {
                (StatusCode::OK, "ok\n".to_owned())
            } else {
                (StatusCode::SERVICE_UNAVAILABLE, format!("waiting for: {}\n", waiting.join(", ")))
            }
        }
    };
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .merge(loglevel::routes(switch))
}

/// `/metrics`, in Prometheus' text format, as `render` gives it.
pub fn metrics(render: impl Fn() -> String + Clone + Send + Sync + 'static) -> Router {
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Router::new().route("/metrics", get(move || std::future::ready((content_type, render()))))
}

/// Serves `router`, which is `what`, until `stop`.
pub async fn serve(what: &'static str, listener: Option<TcpListener>, router: Router, stop: CancellationToken) {
    let Some(listener) = listener else { return };
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "serving {what}");
    }
    let router = router.into_make_service_with_connect_info::<SocketAddr>();
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await {
        tracing::error!(%error, "an HTTP server of the operator ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_esos_flags_write_them() {
        assert_eq!(":8080".parse::<ListenAddress>().unwrap(), ListenAddress::AllInterfaces(8080));
        assert_eq!("0".parse::<ListenAddress>().unwrap(), ListenAddress::Off);
        let one = ListenAddress::One(SocketAddr::from(([127, 0, 0, 1], 9000)));
        assert_eq!("127.0.0.1:9000".parse::<ListenAddress>().unwrap(), one);
        assert_eq!("localhost:9000".parse::<ListenAddress>().unwrap(), one);
        for bad in ["", "8080", ":", ":99999", "host"] {
            assert!(bad.parse::<ListenAddress>().is_err(), "{bad:?}");
        }
    }
}
