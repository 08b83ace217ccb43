//! What the behaviour tests share: a place of one's own in the stack, the operator as a process, manifests and waiting.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]
#![allow(clippy::print_stderr, reason = "the operator's log belongs to a test that failed")]
#![allow(clippy::wrong_self_convention, reason = "`from_store` says where an ExternalSecret reads")]

pub mod crds;
pub mod doc;
pub mod eso;
pub mod foreign;
pub mod helm;
pub mod kstatus;
pub mod kustomize;
pub mod objects;
pub mod operator;
pub mod place;
pub mod stores;

pub use objects::{External, data_of, message, ready_status, stalled};
pub use operator::Operator;
pub use place::Place;

use std::time::Duration;

/// A test's result: `?` on whatever may fail, told with its message.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How long anything may take that should happen at once; a shared machine is slow at times.
pub const SOON: Duration = Duration::from_secs(15);

/// Within this long heals what was mended in Kubernetes, and comes back what was deleted or edited: a promise to users.
pub const HEALED: Duration = Duration::from_secs(5);

/// How long something is watched that should not happen.
pub const A_WHILE: Duration = Duration::from_millis(1500);
