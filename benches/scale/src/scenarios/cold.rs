//! From nothing to all Ready: first the floor, then the operator, each with servers of its own.

use super::{PATIENCE, free_port, say};
use crate::Result;
use crate::counts::Counts;
use crate::process::Usage;
use crate::report::Report;
use crate::watch::Eye;
use crate::world::{Plan, World};

/// What it took to sync so many objects from nothing.
#[derive(Debug, Clone, Default)]
pub struct Cold {
    /// ExternalSecrets.
    pub objects: usize,
    /// Seconds from exec until the last one was seen Ready.
    pub seconds: f64,
    /// Seconds that the floor took.
    pub floor_seconds: f64,
    /// Processor and memory, once at rest.
    pub usage: Usage,
    /// Seconds of processor that the floor took.
    pub floor_cpu: f64,
    /// Requests.
    pub counts: Counts,
    /// Requests of the floor.
    pub floor_counts: Counts,
}

/// Measures each size.
pub async fn run(sizes: &[usize], report: &mut Report) -> Result {
    for objects in sizes {
        let cold = median(*objects).await?;
        say(&format!(
            "  {objects}: {:.2} s, {:.2} x the floor's {:.2} s; {:.2} s of processor, {:.1} MB ({:.1} at the peak)",
            cold.seconds,
            cold.seconds / cold.floor_seconds,
            cold.floor_seconds,
            cold.usage.cpu,
            cold.usage.resident,
            cold.usage.peak,
        ));
        report.cold.push(cold);
    }
    Ok(())
}

/// Small sizes take seconds, in which a shared machine may do anything: of three pairs, the one with the middle ratio.
async fn median(objects: usize) -> Result<Cold> {
    let times = if objects <= 1_000 { 3 } else { 1 };
    let mut pairs = Vec::new();
    for _ in 0..times {
        pairs.push(one(objects).await?);
    }
    let ratio = |cold: &Cold| cold.seconds / cold.floor_seconds;
    pairs.sort_by(|left, right| ratio(left).total_cmp(&ratio(right)));
    Ok(pairs.swap_remove(times / 2))
}

async fn one(objects: usize) -> Result<Cold> {
    let mut cold = Cold { objects, ..Cold::default() };
    say(&format!("cold: {objects} ExternalSecrets, the floor"));
    let world = World::new(Plan::of(objects)).await?;
    let counting = world.counting().await?;
    let eye = Eye::on_external_secrets(&world.client).await?;
    let before = world.counts().await?;
    let mut floor = world.floor()?;
    let ended = async {
        let mut usage = Usage::default();
        loop {
            tokio::select! {
                ended = floor.ended() => return ended.map(|()| usage),
                () = tokio::time::sleep(std::time::Duration::from_millis(50)) => {}
            }
            usage = floor.usage().unwrap_or(usage);
        }
    };
    cold.floor_cpu = ended.await?.cpu;
    eye.all_ready(objects, PATIENCE).await?;
    cold.floor_seconds = since(floor.began, &eye);
    cold.floor_counts = world.counts().await?.since(&before, counting);
    drop(world);

    say(&format!("cold: {objects} ExternalSecrets, the operator"));
    let world = World::new(Plan::of(objects)).await?;
    let counting = world.counting().await?;
    let eye = Eye::on_external_secrets(&world.client).await?;
    let before = world.counts().await?;
    let operator = world.operator(free_port().await?)?;
    eye.all_ready(objects, PATIENCE).await?;
    cold.seconds = since(operator.began, &eye);
    cold.usage = operator.at_rest().await?;
    cold.counts = world.counts().await?.since(&before, counting);
    say(&format!("  {}", cold.counts.api_text()));
    operator.stop().await?;
    Ok(cold)
}

fn since(began: std::time::Instant, eye: &Eye) -> f64 {
    eye.last_ready().map_or(0.0, |last| last.duration_since(began).as_secs_f64())
}
