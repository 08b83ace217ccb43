//! What every part of the controller shares.

use crate::controller::allowance::LargePlaces;
use crate::controller::api_secrets::Secrets;
use crate::controller::demand::Demand;
use crate::controller::index::Index;
use crate::controller::key::{Id, StoreKey};
use crate::controller::memory::Memory;
use crate::controller::queue::{Lane, Queue};
use crate::controller::settings::Settings;
use crate::controller::stores::Stores;
use crate::controller::workers::Workers;
use crate::sync::brake::Brake;
use crate::telemetry::events::Recorder;
use crate::telemetry::metrics::Metrics;
use jiff::Timestamp;
use kube::Client;
use parking_lot::Mutex;
use std::sync::Arc;

/// The index behind its lock, which is held for moments and never across an await.
pub type SharedIndex = Arc<Mutex<Index>>;

/// What every part of the controller shares.
pub struct Shared {
    /// When it was started.
    pub started: Timestamp,
    /// How it was started.
    pub settings: Settings,
    /// The API server.
    pub client: Client,
    /// Secrets of the API server.
    pub secrets: Secrets,
    /// What the watches have seen.
    pub index: SharedIndex,
    /// ExternalSecrets to look at, grouped by their Vault server.
    pub queue: Queue<Id, u64>,
    /// Stores to validate, grouped by their Vault server.
    pub store_queue: Queue<StoreKey, u64>,
    /// Watches that begin when they are needed.
    pub demand: Arc<Demand>,
    /// Sessions of the stores.
    pub stores: Stores,
    /// Holds deletions back where many come together.
    pub brake: Mutex<Brake<StoreKey, Id>>,
    /// Threads for what computes: templates, and secrets that are large.
    pub workers: Workers,
    /// Places for syncs that read much.
    pub large: LargePlaces,
    /// Publishes events.
    pub recorder: Recorder,
    /// Counts.
    pub metrics: Metrics,
}

impl Shared {
    /// Keeps what a reconcile of `id` learned. Where it failed over what was mended meanwhile, nobody else would wake it.
    pub fn finish(&self, id: Id, memory: Memory) {
        let is_mended = self.index.lock().finish(id, memory);
        if is_mended {
            self.queue.push(id, Lane::Urgent);
        }
    }
}
