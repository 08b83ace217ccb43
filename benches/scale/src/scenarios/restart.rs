//! Stopped and started with everything synced and nothing due: what an upgrade of the operator costs.

use super::{free_port, say, synced};
use crate::Result;
use crate::report::{Report, Spent};
use crate::world::{Plan, World};

/// Syncs, stops, starts and counts until it is at rest again.
pub async fn run(objects: usize, report: &mut Report) -> Result {
    say(&format!("restart: {objects} synced ExternalSecrets"));
    let world = World::new(Plan::of(objects)).await?;
    let (operator, _eye) = synced(&world, objects).await?;
    operator.at_rest().await?;
    operator.stop().await?;
    let counting = world.counting().await?;
    let before = world.counts().await?;
    let operator = world.operator(free_port().await?)?;
    let usage = operator.at_rest().await?;
    let counts = world.counts().await?.since(&before, counting);
    operator.stop().await?;
    say(&format!("  {:.2} s of processor; {}; {} reads", usage.cpu, counts.api_text(), counts.reads));
    report.restart = Some(Spent { objects, usage, counts });
    Ok(())
}
