//! Urgent work, one piece after the other, and how long each took as a user sees it.

use super::PATIENCE;
use crate::Result;
use crate::watch::Eye;
use crate::world::{World, name_of};
use serde_json::json;
use std::time::{Duration, Instant};

/// How long pieces of one sort took, shortest first.
#[derive(Debug, Clone, Default)]
pub struct Latencies(Vec<Duration>);

/// The three sorts.
#[derive(Debug, Clone, Default)]
pub struct Urgent {
    /// A new ExternalSecret is Ready.
    pub new: Latencies,
    /// A deleted target is back.
    pub deleted: Latencies,
    /// A changed spec is synced.
    pub changed: Latencies,
}

impl Latencies {
    fn add(&mut self, took: Duration) {
        let at = self.0.partition_point(|known| *known < took);
        self.0.insert(at, took);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that this share of them did not exceed (nearest rank), in milliseconds.
    pub fn percentile(&self, share: f64) -> f64 {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).map_or(0.0, |took| took.as_secs_f64() * 1e3)
    }
}

/// One round: a new object, a deleted target and a changed spec.
pub async fn round(world: &World, eyes: (&Eye, &Eye), number: usize, objects: usize, told: &mut Urgent) -> Result {
    let (externals, secrets) = eyes;
    // Far from each other, and another one each time.
    let (deleted, changed) = (name_of((number * 7) % objects), name_of((number * 7 + 3) % objects));

    let name = format!("new-{number:05}");
    let start = Instant::now();
    world.create(&world.external_named(&name, number % objects)).await?;
    let ready = |eye: &Eye| eye.get(&name).and_then(|seen| seen.ready).ok_or_else(|| format!("{name} is not Ready"));
    told.new.add(externals.until("a new object", PATIENCE, ready).await?.duration_since(start));

    let old = secrets.get(&deleted).map(|seen| seen.uid).unwrap_or_default();
    let start = Instant::now();
    world.delete_secret(&deleted).await?;
    let back = |eye: &Eye| {
        let seen = eye.get(&deleted).filter(|seen| seen.uid != old);
        seen.and_then(|seen| seen.made).ok_or_else(|| format!("{deleted} is gone"))
    };
    told.deleted.add(secrets.until("a deleted target", PATIENCE, back).await?.duration_since(start));

    let generation = externals.get(&changed).map_or(1, |seen| seen.generation);
    let mut spec = world.external(number).pointer("/spec/data").cloned().unwrap_or_default();
    if let Some(key) = spec.pointer_mut("/0/secretKey") {
        *key = json!(format!("username-{number}"));
    }
    let start = Instant::now();
    world.patch(&changed, &json!({"spec": {"data": spec}})).await?;
    let synced = |eye: &Eye| {
        let seen = eye.get(&changed).filter(|seen| seen.generation > generation);
        seen.and_then(|seen| seen.ready).ok_or_else(|| format!("{changed} is not synced"))
    };
    told.changed.add(externals.until("a changed spec", PATIENCE, synced).await?.duration_since(start));
    Ok(())
}
