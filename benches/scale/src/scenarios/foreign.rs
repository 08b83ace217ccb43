//! Secrets that are nobody's concern, while the operator runs and at its start.

use super::{free_port, say, synced};
use crate::Result;
use crate::report::{Foreign, Report};
use crate::world::{Plan, World};
use serde_json::json;

const OBJECTS: usize = 1_000;

/// Measures memory without them, with them, and after a restart with them.
pub async fn run(secrets: usize, report: &mut Report) -> Result {
    say(&format!("foreign: {secrets} Secrets beside {OBJECTS} ExternalSecrets"));
    let world = World::new(Plan::of(OBJECTS)).await?;
    let (operator, _eye) = synced(&world, OBJECTS).await?;
    let before = operator.at_rest().await?;
    let foreign = async |number: usize| {
        let name = format!("foreign-{number:05}");
        let value = "x".repeat(1_000);
        let metadata = json!({"name": name, "labels": {"app.kubernetes.io/managed-by": "somebody-else"}});
        world
            .create(
                &json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"value": value}}),
            )
            .await
    };
    world.each(0..secrets, foreign).await?;
    let with = operator.at_rest().await?;
    operator.stop().await?;
    let operator = world.operator(free_port().await?)?;
    let restarted = operator.at_rest().await?;
    operator.stop().await?;
    say(&format!(
        "  {:.1} MB, with them {:.1} MB, after a restart {:.1} MB",
        before.resident, with.resident, restarted.resident
    ));
    report.foreign = Some(Foreign { secrets, before, with, restarted });
    Ok(())
}
