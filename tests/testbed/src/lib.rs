//! A real control plane and a real OpenBao on loopback, and a faulty proxy before it: for the tests, the bench and the demo.
//!
//! `testbed exec -- cargo test` keeps one stack up around all test binaries. A test takes it from [`Stack::from_env`], makes a
//! [`Namespace`] of its own in it, and waits with [`wait_until`].

mod binaries;
mod control_plane;
mod error;
mod guard;
mod http;
mod kube;
mod kv;
mod namespace;
mod openbao;
mod pki;
mod process;
pub mod progress;
mod prometheus;
pub mod proxy;
mod stack;
mod vault;
mod wait;

pub use binaries::{Binaries, Tool, cache_dir};
pub use error::{Error, Result};
pub use guard::Guard;
pub use kube::Kube;
pub use kv::Kv;
pub use namespace::Namespace;
pub use openbao::{OpenBao, Storage};
pub use pki::{Pair, Pki};
pub use prometheus::{Prometheus, Target};
pub use proxy::Proxy;
pub use reqwest::Method;
pub use stack::{Running, SHARED_APPROLE, SHARED_KV, Stack};
pub use vault::{AppRole, KvVersion, Vault};
pub use wait::{Look, holds_for, poll, wait_until};
