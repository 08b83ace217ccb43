//! Starts the parts, and stops them in order.

use crate::api::StoreKind;
use crate::controller::allowance::LargePlaces;
use crate::controller::api_secrets::Secrets;
use crate::controller::demand::Demand;
use crate::controller::key::{Id, StoreKey};
use crate::controller::queue::{Lane, Limits, Queue};
use crate::controller::settings::Settings;
use crate::controller::shared::{Shared, SharedIndex};
use crate::controller::stores::Stores;
use crate::controller::workers::Workers;
use crate::controller::{external_secret, secret_store, wake, watch};
use crate::sync::brake::Brake;
use crate::sync::due::{self, Due};
use crate::telemetry::events::Recorder;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::readiness::Readiness;
use crate::vault::{self, Sessions};
use jiff::Timestamp;
use kube::Client;
use parking_lot::Mutex;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::watch::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Places of a Vault server that only urgent work may take: a quarter.
const RESERVED: usize = 4;
/// Stores of one server that are validated at the same time.
const STORES_AT_ONCE: usize = 16;
/// Syncs that are under way at a stop may end within this long.
const DRAIN: Duration = Duration::from_secs(20);
/// Tokens are revoked at a stop within this long.
const REVOKE: Duration = Duration::from_secs(5);
/// A job that broke down is tried again after this long.
const AFTER_PANIC: Duration = Duration::from_secs(60);

/// The controller, ready to run.
pub struct Controller {
    shared: Arc<Shared>,
    sessions: Sessions,
}

impl Controller {
    /// Puts the parts together, to run on the Tokio runtime of the caller. Nothing is sent yet.
    pub fn new(settings: Settings, client: Client, metrics: Metrics) -> Self {
        let observer = Some(metrics.call_observer());
        let sessions = Sessions::new(vault::Settings { observer, ..vault::Settings::default() }, Handle::current());
        let index: SharedIndex = Arc::default();
        let secrets = Secrets::new(client.clone());
        let demand: Arc<Demand> = Arc::default();
        let limits = Limits { running: settings.concurrent, reserved: settings.concurrent / RESERVED };
        let shared = Shared {
            started: Timestamp::now(),
            stores: Stores::new(client.clone(), sessions.clone(), index.clone(), demand.clone(), &settings),
            demand,
            recorder: Recorder::new(client.clone(), settings.instance.clone()),
            queue: Queue::new(limits),
            brake: Mutex::new(Brake::new(settings.deletion_brake)),
            workers: Workers::default(),
            large: LargePlaces::default(),
            store_queue: Queue::new(Limits { running: STORES_AT_ONCE, reserved: 0 }),
            secrets,
            index,
            client,
            metrics,
            settings,
        };
        Self { shared: Arc::new(shared), sessions }
    }

    /// Everything that is counted, in Prometheus' text format.
    pub fn render_metrics(&self) -> impl Fn() -> String + Clone + Send + Sync + 'static {
        let shared = self.shared.clone();
        move || super::exposition::render(&shared)
    }

    /// Runs until `stop`, then lets what is under way end and revokes every token.
    pub async fn run(self, readiness: Readiness, stop: CancellationToken) {
        let Self { shared, sessions } = self;
        let mut watches = JoinSet::new();
        let started = Arc::new(AtomicBool::new(false));
        let listed = start_watches(&shared, &started, &readiness, &mut watches);
        let first_lists = async {
            for mut listed in listed {
                let _ = listed.wait_for(|listed| *listed).await;
            }
        };
        tokio::select! {
            () = first_lists => {}
            () = stop.cancelled() => return,
        }
        seed(&shared, &started);
        let stores = tokio::spawn(dispatch_stores(shared.clone(), stop.clone()));
        let recoveries = tokio::spawn(follow_recoveries(shared.clone(), sessions.clone()));
        dispatch(shared, stop).await;
        watches.abort_all();
        recoveries.abort();
        let _ = stores.await;
        sessions.shutdown(REVOKE).await;
        tracing::info!("stopped");
    }
}

/// Starts every watch; Secrets after ExternalSecrets. Answers what to wait for.
fn start_watches(
    shared: &Arc<Shared>,
    started: &watch::Started,
    readiness: &Readiness,
    watches: &mut JoinSet<()>,
) -> Vec<Receiver<bool>> {
    let mut receivers = Vec::new();
    let mut listed = || {
        let (sender, receiver): (Sender<bool>, Receiver<bool>) = channel(false);
        receivers.push(receiver.clone());
        (sender, receiver)
    };
    let (sender, mut objects_listed) = listed();
    let gate = readiness.gate("the list of ExternalSecrets");
    watches.spawn(watch::external_secrets(shared.clone(), started.clone(), gate, sender));
    let (sender, _) = listed();
    let gate = readiness.gate("the list of SecretStores");
    let api = watch::namespaced_stores(shared);
    watches.spawn(watch::stores(shared.clone(), started.clone(), StoreKind::SecretStore, api, gate, sender));
    if shared.settings.namespace.is_none() {
        let (sender, _) = listed();
        let gate = readiness.gate("the list of ClusterSecretStores");
        let api = watch::cluster_stores(shared);
        watches.spawn(watch::stores(shared.clone(), started.clone(), StoreKind::ClusterSecretStore, api, gate, sender));
    }
    let (sender, _) = listed();
    let gate = readiness.gate("the list of Secrets");
    let secrets = watch::secrets(shared.clone(), started.clone(), gate, sender);
    watches.spawn(async move {
        let _ = objects_listed.wait_for(|listed| *listed).await;
        secrets.await;
    });
    watches.spawn(watch::config_maps(shared.clone(), started.clone()));
    watches.spawn(watch::service_accounts(shared.clone(), started.clone()));
    if shared.settings.namespace.is_none() {
        watches.spawn(watch::namespaces(shared.clone(), started.clone()));
    }
    receivers
}

/// Fills the queues once the first lists are complete. What is new, changed or drifted goes first; what fell due while nobody ran is
/// spread; the rest keeps its time.
fn seed(shared: &Shared, started: &AtomicBool) {
    let now = Instant::now();
    let (dues, stores) = {
        let index = shared.index.lock();
        let stores: Vec<StoreKey> = index.stores().map(|(key, _)| key.clone()).collect();
        started.store(true, Ordering::Release);
        (index.first_dues(now), stores)
    };
    let overdue = dues.iter().filter(|(.., due, by_the_clock)| *due == Due::Now && *by_the_clock).count();
    let hasher = RandomState::new();
    for (id, schedule, due, by_the_clock) in dues {
        match due {
            Due::Now if by_the_clock => {
                shared.queue.schedule(id, now + due::spread(schedule, hasher.hash_one(id), overdue));
            }
            Due::Now => shared.queue.push(id, Lane::Urgent),
            Due::At(at) => shared.queue.schedule(id, at),
            Due::Idle => {}
        }
    }
    for store in stores {
        shared.store_queue.push(store, Lane::Urgent);
    }
}

/// Takes ExternalSecrets from the queue and works on them, until `stop`.
async fn dispatch(shared: Arc<Shared>, stop: CancellationToken) {
    let jobs = TaskTracker::new();
    loop {
        let next = shared.queue.next(|id| shared.index.lock().group_of(*id));
        let (id, lane) = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            next = next => next,
        };
        let place = Place { shared: shared.clone(), queue: |shared| &shared.queue, key: id, next: None };
        jobs.spawn(async move {
            let next = external_secret::reconcile(&place.shared, id, lane).await;
            place.leave(next);
        });
    }
    jobs.close();
    let _ = tokio::time::timeout(DRAIN, jobs.wait()).await;
}

/// A place in a queue that is given back however the job ends.
struct Place<K: Key> {
    shared: Arc<Shared>,
    queue: fn(&Shared) -> &Queue<K, u64>,
    key: K,
    next: Option<Instant>,
}

/// A key of one of the queues.
trait Key: Clone + Ord + Hash {
    /// The object as people know it.
    fn told(&self, shared: &Shared) -> String;
}

impl Key for Id {
    fn told(&self, shared: &Shared) -> String {
        let key = shared.index.lock().key_of(*self).map(|key| key.to_string());
        format!("ExternalSecret {}", key.unwrap_or_default())
    }
}

impl Key for StoreKey {
    fn told(&self, _: &Shared) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.kind().as_str(), self.name),
            None => format!("{} {}", self.kind().as_str(), self.name),
        }
    }
}

impl<K: Key> Place<K> {
    /// Gives the place back, with the time at which the object is due next.
    fn leave(mut self, next: Option<Instant>) {
        self.next = next;
    }
}

impl<K: Key> Drop for Place<K> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(
                object = self.key.told(&self.shared),
                "a job broke down, which is a fault of the operator; the object is tried again in a minute"
            );
            self.next = Some(Instant::now() + AFTER_PANIC);
        }
        (self.queue)(&self.shared).done(self.key.clone(), self.next);
    }
}

/// Takes stores from their queue and validates them, until `stop`.
async fn dispatch_stores(shared: Arc<Shared>, stop: CancellationToken) {
    let jobs = TaskTracker::new();
    loop {
        let (key, _) = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            next = shared.store_queue.next(|key| shared.index.lock().group_of_store(key)) => next,
        };
        let place = Place { shared: shared.clone(), queue: |shared| &shared.store_queue, key, next: None };
        jobs.spawn(async move {
            let next = secret_store::reconcile(&place.shared, &place.key).await;
            place.leave(next);
        });
    }
    jobs.close();
    let _ = tokio::time::timeout(DRAIN, jobs.wait()).await;
}

/// Wakes whoever waited for a server or a session that works again.
async fn follow_recoveries(shared: Arc<Shared>, sessions: Sessions) {
    use tokio::sync::broadcast::error::RecvError;
    let mut recoveries = sessions.recoveries();
    loop {
        let recovery = match recoveries.recv().await {
            Ok(recovery) => Some(recovery),
            Err(RecvError::Lagged(_)) => None,
            Err(RecvError::Closed) => return,
        };
        for store in shared.stores.recovered(recovery.as_ref()) {
            let wakes = shared.index.lock().mend_dependents(&store, true);
            wake::wake(&shared, wakes);
            shared.store_queue.push(store, Lane::Urgent);
        }
    }
}
