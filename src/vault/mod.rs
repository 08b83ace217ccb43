//! Everything that talks to Vault or OpenBao. Knows nothing of Kubernetes: it gets plain values and gives plain values.
//!
//! ```text
//! Sessions ──open(Connection)──► Session ──read(KvPath)──► KvSecret
//!    │                              │ shared reads, token, 403 and 404 explained
//!    └── Server (one an address and trust): connections, breaker, requests in flight
//! ```

mod answer;
mod auth;
mod breaker;
mod budget;
mod caller;
mod cause;
mod connection;
mod denial;
mod error;
mod http;
mod kv;
mod log_in;
mod login;
mod mounts;
mod pool;
mod reader;
mod renewal;
mod retry;
mod server;
mod session;
mod settings;
mod shared_read;
mod tls;
mod token;
mod tokens;
mod walk;

pub use connection::{ClientIdentity, Connection, RetrySettings};
pub use error::{Action, Down, ErrorKind, Garbled, Gone, Holder, Retry, VaultError};
pub use kv::{KvMetadata, KvPath, KvSecret, KvVersion};
pub use login::{Jwt, JwtIssuer, Login};
pub use pool::{Recovery, SessionId, Sessions};
pub use server::ServerId;
pub use session::{SecretIdLife, Session, Urgency};
pub use settings::{Call, CallObserver, Settings};
