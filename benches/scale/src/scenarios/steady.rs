//! 300 ExternalSecrets refreshed every 10 s, and nothing changes.

use super::{say, synced};
use crate::Result;
use crate::process::Usage;
use crate::report::{Report, Spent};
use crate::world::{Plan, World};
use std::time::Duration;

const OBJECTS: usize = 300;

/// Counts what a while of refreshes costs.
pub async fn run(during: Duration, report: &mut Report) -> Result {
    say(&format!("steady: {OBJECTS} ExternalSecrets refreshed every 10 s, for {} s", during.as_secs()));
    let world = World::new(Plan { interval: "10s", ..Plan::of(OBJECTS) }).await?;
    let (operator, _eye) = synced(&world, OBJECTS).await?;
    let counting = world.counting().await?;
    let (start, before) = (operator.usage()?, world.counts().await?);
    tokio::time::sleep(during).await;
    let (end, counts) = (operator.usage()?, world.counts().await?.since(&before, counting));
    operator.stop().await?;
    let usage = Usage { cpu: end.cpu - start.cpu, ..end };
    say(&format!("  {:.2} s of processor; {} Vault requests; {}", usage.cpu, counts.vault, counts.api_text()));
    report.steady = Some((during, Spent { objects: OBJECTS, usage, counts }));
    Ok(())
}
