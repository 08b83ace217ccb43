//! 1,000 ExternalSecrets that read one path are refreshed together.

use super::{say, synced};
use crate::Result;
use crate::process::Usage;
use crate::report::{Report, Spent};
use crate::world::{Plan, World};
use std::time::Duration;

const OBJECTS: usize = 1_000;

/// Counts the reads.
pub async fn run(during: Duration, report: &mut Report) -> Result {
    say(&format!("shared: {OBJECTS} ExternalSecrets on one path refreshed every 10 s, for {} s", during.as_secs()));
    let world = World::new(Plan { interval: "10s", one_path: true, ..Plan::of(OBJECTS) }).await?;
    let (operator, _eye) = synced(&world, OBJECTS).await?;
    let counting = world.counting().await?;
    let (start, before) = (operator.usage()?, world.counts().await?);
    tokio::time::sleep(during).await;
    let (end, counts) = (operator.usage()?, world.counts().await?.since(&before, counting));
    operator.stop().await?;
    let usage = Usage { cpu: end.cpu - start.cpu, ..end };
    say(&format!("  {} Vault requests", counts.vault));
    report.shared = Some((during, Spent { objects: OBJECTS, usage, counts }));
    Ok(())
}
