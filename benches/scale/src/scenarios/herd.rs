//! Everything is due at once: the operator comes back after it was away for longer than the interval.

use super::urgent::{Urgent, round};
use super::{PATIENCE, free_port, say, synced};
use crate::Result;
use crate::report::{Herd, Report};
use crate::watch::Eye;
use crate::world::{Plan, World};
use std::collections::HashMap;
use std::time::{Duration, Instant};

const INTERVAL: &str = "2m";
const AWAY: Duration = Duration::from_secs(122);

/// Measures until every object was refreshed, with urgent work meanwhile.
pub async fn run(objects: usize, report: &mut Report) -> Result {
    say(&format!("herd: {objects} ExternalSecrets that fall due while the operator is away for {} s", AWAY.as_secs()));
    let world = World::new(Plan { interval: INTERVAL, ..Plan::of(objects) }).await?;
    let (operator, eye) = synced(&world, objects).await?;
    operator.stop().await?;
    tokio::time::sleep(AWAY).await;
    let old: HashMap<String, Option<String>> = eye.refresh_times();
    let is_new = |name: &str, refreshed: &Option<String>| old.get(name).is_some_and(|before| before != refreshed);
    let secrets = Eye::on_secrets(&world.client).await?;
    let start = Instant::now();
    let operator = world.operator(free_port().await?)?;
    let caught_up = async {
        let all = |eye: &Eye| {
            let done = eye.refresh_times().iter().filter(|(name, refreshed)| is_new(name, refreshed)).count();
            if done >= objects { Ok(Instant::now()) } else { Err(format!("{done} of {objects} refreshed")) }
        };
        eye.until("caught up", PATIENCE, all).await
    };
    let mut urgent = Urgent::default();
    let rounds = async {
        for number in 0.. {
            round(&world, (&eye, &secrets), number, objects, &mut urgent).await?;
        }
        Ok::<(), crate::Failure>(())
    };
    let end = tokio::select! {
        end = caught_up => end?,
        failed = rounds => return failed,
    };
    operator.stop().await?;
    let seconds = end.duration_since(start).as_secs_f64();
    say(&format!("  caught up in {seconds:.1} s; {} rounds of urgent work meanwhile", urgent.new.count()));
    report.herd = Some(Herd { objects, seconds, urgent });
    Ok(())
}
