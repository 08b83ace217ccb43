//! With capacity to spare a refresh comes at its interval: how early the earliest and how late the latest was.

use super::{say, synced};
use crate::Result;
use crate::report::Report;
use crate::world::{Plan, World};
use std::collections::HashMap;
use std::time::{Duration, Instant};

const OBJECTS: usize = 200;
const INTERVAL: &str = "5s";
const SECONDS: f64 = 5.0;

/// Compares the times of reads of each path, as the proxy before Vault saw them.
pub async fn run(during: Duration, report: &mut Report) -> Result {
    say(&format!("on time: {OBJECTS} ExternalSecrets refreshed every {INTERVAL}, for {} s", during.as_secs()));
    let world = World::new(Plan { interval: INTERVAL, timed: true, ..Plan::of(OBJECTS) }).await?;
    let (operator, _eye) = synced(&world, OBJECTS).await?;
    tokio::time::sleep(during).await;
    operator.stop().await?;
    let requests = world.proxy.as_ref().map(testbed::Proxy::requests).unwrap_or_default();
    let mut reads: HashMap<String, Vec<Instant>> = HashMap::new();
    for seen in requests.into_iter().filter(|seen| seen.path.contains("/kv/data/")) {
        reads.entry(seen.path).or_default().push(seen.at);
    }
    let gaps = reads.values().flat_map(|times| times.iter().zip(times.iter().skip(1)));
    let mut late: Vec<f64> = gaps.map(|(one, next)| next.duration_since(*one).as_secs_f64() - SECONDS).collect();
    late.sort_by(f64::total_cmp);
    let (Some(first), Some(last)) = (late.first(), late.last()) else { return Err("no path was read twice".into()) };
    say(&format!("  {} refreshes, {:+.0} to {:+.0} ms off their interval", late.len(), first * 1e3, last * 1e3));
    report.on_time = Some((late.len(), *first, *last));
    Ok(())
}
