//! New and changed objects while all others are refreshed as fast as the machine can.

use super::urgent::{Urgent, round};
use super::{say, synced};
use crate::Result;
use crate::report::{Prompt, Report};
use crate::watch::Eye;
use crate::world::{Plan, World};
use std::time::Instant;

/// Every object asks to be refreshed each second, which is more than the machine can.
const INTERVAL: &str = "1s";

/// Does rounds of urgent work beside the refreshes.
pub async fn run(objects: usize, rounds: usize, report: &mut Report) -> Result {
    say(&format!(
        "prompt: {objects} ExternalSecrets refreshed without a pause, {rounds} rounds of urgent work beside them"
    ));
    let world = World::new(Plan { interval: INTERVAL, ..Plan::of(objects) }).await?;
    let (operator, eye) = synced(&world, objects).await?;
    let secrets = Eye::on_secrets(&world.client).await?;
    let there = |eye: &Eye| if eye.count(|_| true) >= objects { Ok(()) } else { Err("listing".to_owned()) };
    secrets.until("Secrets", super::PATIENCE, there).await?;
    let (start, before) = (Instant::now(), world.counts().await?);
    let mut urgent = Urgent::default();
    for number in 0..rounds {
        round(&world, (&eye, &secrets), number, objects, &mut urgent).await?;
    }
    let reads = world.counts().await?.reads - before.reads;
    let refreshes = reads / start.elapsed().as_secs_f64();
    operator.stop().await?;
    for (what, told) in [("new", &urgent.new), ("deleted", &urgent.deleted), ("changed", &urgent.changed)] {
        say(&format!("  {what}: median {:.0} ms, p99 {:.0} ms", told.percentile(0.5), told.percentile(0.99)));
    }
    say(&format!("  {refreshes:.0} reads a second beside them"));
    report.prompt = Some(Prompt { objects, urgent, reads_per_second: refreshes });
    Ok(())
}
