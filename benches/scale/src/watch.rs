//! What a user sees, and when: an eye on ExternalSecrets and Secrets of the bench's namespace.

use crate::Result;
use crate::world::NAMESPACE;
use kube::Client;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// What is known of one object.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// When it became Ready in its newest generation; none while it is not.
    pub ready: Option<Instant>,
    /// `status.refreshTime`.
    pub refreshed: Option<String>,
    /// `status.observedGeneration`, where it is Ready.
    pub generation: i64,
    /// The uid.
    pub uid: String,
    /// When it was last seen to be made.
    pub made: Option<Instant>,
}

/// What is known of all objects of one kind, by name.
#[derive(Clone)]
pub struct Eye {
    seen: Arc<Mutex<HashMap<String, Seen>>>,
    changed: watch::Receiver<u64>,
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    uid: String,
    #[serde(default)]
    generation: i64,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    conditions: Vec<Condition>,
    observed_generation: i64,
    refresh_time: Option<String>,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    type_: String,
    object: Object,
}

impl Eye {
    /// Watches ExternalSecrets.
    pub async fn on_external_secrets(client: &Client) -> Result<Self> {
        Self::on(client, format!("/apis/external-secrets.io/v1/namespaces/{NAMESPACE}/externalsecrets")).await
    }

    /// Watches Secrets.
    pub async fn on_secrets(client: &Client) -> Result<Self> {
        Self::on(client, format!("/api/v1/namespaces/{NAMESPACE}/secrets")).await
    }

    async fn on(client: &Client, path: String) -> Result<Self> {
        // Longer than any scenario, and from the present on: what was there before comes as if it was made now.
        let request = http::Request::get(format!("{path}?watch=1&timeoutSeconds=7200")).body(Vec::new())?;
        let lines = client.request_stream(request).await?;
        let seen: Arc<Mutex<HashMap<String, Seen>>> = Arc::default();
        let (sender, changed) = watch::channel(0);
        let known = seen.clone();
        tokio::spawn(async move {
            let mut lines = std::pin::pin!(lines);
            while let Ok(Some(line)) = next_line(&mut lines).await {
                if let Ok(event) = serde_json::from_slice::<Event>(&line) {
                    note(&mut held(&known), event);
                    sender.send_modify(|count| *count += 1);
                }
            }
        });
        Ok(Self { seen, changed })
    }

    /// What is known of one object.
    pub fn get(&self, name: &str) -> Option<Seen> {
        held(&self.seen).get(name).cloned()
    }

    /// How many fulfil a condition.
    pub fn count(&self, meant: impl Fn(&Seen) -> bool) -> usize {
        held(&self.seen).values().filter(|seen| meant(seen)).count()
    }

    /// `status.refreshTime` of each.
    pub fn refresh_times(&self) -> HashMap<String, Option<String>> {
        held(&self.seen).iter().map(|(name, seen)| (name.clone(), seen.refreshed.clone())).collect()
    }

    /// When the last of them became Ready.
    pub fn last_ready(&self) -> Option<Instant> {
        held(&self.seen).values().filter_map(|seen| seen.ready).max()
    }

    /// Waits until `look` answers; tells how far it is every ten seconds.
    pub async fn until<T>(
        &self,
        what: &str,
        within: Duration,
        look: impl Fn(&Self) -> std::result::Result<T, String>,
    ) -> Result<T> {
        let end = Instant::now() + within;
        let mut tell = Instant::now() + Duration::from_secs(10);
        let mut changed = self.changed.clone();
        loop {
            let last = match look(self) {
                Ok(found) => return Ok(found),
                Err(last) => last,
            };
            if Instant::now() > end {
                return Err(format!("{what}: not within {within:?}; {last}").into());
            }
            if Instant::now() > tell {
                testbed::progress::say(&format!("bench:     {what}: {last}"));
                tell += Duration::from_secs(10);
            }
            let _ = tokio::time::timeout(Duration::from_millis(100), changed.changed()).await;
        }
    }

    /// Waits until `count` objects are Ready.
    pub async fn all_ready(&self, count: usize, within: Duration) -> Result {
        self.until("Ready", within, |eye| {
            let ready = eye.count(|seen| seen.ready.is_some());
            if ready >= count { Ok(()) } else { Err(format!("{ready} of {count}")) }
        })
        .await
    }
}

async fn next_line<R>(lines: &mut std::pin::Pin<&mut R>) -> std::io::Result<Option<Vec<u8>>>
where
    R: futures::AsyncBufRead,
{
    use futures::io::AsyncBufReadExt;
    let mut line = Vec::new();
    let read = lines.as_mut().read_until(b'\n', &mut line).await?;
    Ok((read > 0).then_some(line))
}

fn note(seen: &mut HashMap<String, Seen>, event: Event) {
    let Object { metadata, status } = event.object;
    if event.type_ == "DELETED" {
        seen.remove(&metadata.name);
        return;
    }
    let now = Instant::now();
    let entry = seen.entry(metadata.name).or_default();
    if entry.uid != metadata.uid {
        *entry = Seen { uid: metadata.uid, made: Some(now), ..Seen::default() };
    }
    let is_ready = status.observed_generation == metadata.generation
        && status.conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True");
    match is_ready {
        false => entry.ready = None,
        true if entry.ready.is_none() || entry.generation != metadata.generation => entry.ready = Some(now),
        true => {}
    }
    entry.generation = metadata.generation;
    entry.refreshed = status.refresh_time;
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
