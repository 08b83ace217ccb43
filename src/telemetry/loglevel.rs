//! `/loglevel`: what is logged, told and changed while the operator runs, from inside of its pod only.

use crate::telemetry::logs::{Level, LevelSwitch};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use clap::ValueEnum;
use std::net::{IpAddr, SocketAddr};

/// Longer than any level.
const MAX_BODY: usize = 64;

/// `GET` tells the level, `PUT` takes another one. Whoever may `kubectl port-forward` to the pod comes from its loopback; to
/// everybody else it is closed, for `debug` tells names of objects.
pub fn routes(switch: LevelSwitch) -> Router {
    Router::new()
        .route("/loglevel", get(tell).put(change))
        .layer(Extension(switch))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn(from_inside))
}

async fn tell(Extension(switch): Extension<LevelSwitch>) -> String {
    format!("{}\n", switch.level().as_str())
}

async fn change(Extension(switch): Extension<LevelSwitch>, body: String) -> Response {
    let text = body.trim();
    let Ok(level) = Level::from_str(text, true) else {
        let told = format!("{text:?} is no log level; send debug, info, warn or error\n");
        return (StatusCode::BAD_REQUEST, told).into_response();
    };
    switch.set(level);
    // At the level of errors, so that it is seen whichever level it is.
    tracing::error!(level_now = level.as_str(), "log level changed");
    format!("{}\n", level.as_str()).into_response()
}

async fn from_inside(ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request, next: Next) -> Response {
    if is_inside(peer.ip()) {
        return next.run(request).await;
    }
    let told = "only from inside of the pod: kubectl port-forward deployment/external-secrets 8082, then \
                curl -X PUT -d debug localhost:8082/loglevel\n";
    (StatusCode::FORBIDDEN, told).into_response()
}

/// On a socket for both families an IPv4 peer comes in IPv6's clothes.
fn is_inside(peer: IpAddr) -> bool {
    peer.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_alone_is_inside() {
        let is_inside = |peer: &str| is_inside(peer.parse().unwrap());
        assert!(["127.0.0.1", "::1", "::ffff:127.0.0.1"].into_iter().all(is_inside));
        assert!(!["10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "0.0.0.0"].into_iter().any(is_inside));
    }
}
