//! What is measured, one file a scenario. Each has servers of its own, so that none finds the leftovers of another.

mod cold;
mod foreign;
mod herd;
mod on_time;
mod prompt;
mod restart;
mod shared;
mod start;
mod steady;
mod urgent;

pub use cold::Cold;
pub use urgent::{Latencies, Urgent};

use crate::Result;
use crate::report::Report;
use crate::world::World;
use std::time::Duration;

/// How long anything may take before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(900);

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Objects that are synced from nothing, in turn.
    pub cold: &'static [usize],
    /// Objects of the restart.
    pub restart: usize,
    /// Objects that are refreshed as fast as the machine can.
    pub prompt: usize,
    /// Rounds of urgent work beside them.
    pub rounds: usize,
    /// Objects that fall due at once.
    pub herd: usize,
    /// Secrets that are nobody's concern.
    pub foreign: usize,
    /// How long refreshes are watched.
    pub steady: Duration,
}

/// All of it.
pub const WHOLE: Sizes = Sizes {
    cold: &[100, 1_000, 5_000, 10_000],
    restart: 5_000,
    prompt: 10_000,
    rounds: 200,
    herd: 10_000,
    foreign: 20_000,
    steady: Duration::from_secs(60),
};

/// A few minutes.
pub const SHORT: Sizes = Sizes {
    cold: &[100, 1_000],
    restart: 1_000,
    prompt: 1_000,
    rounds: 50,
    herd: 1_000,
    foreign: 2_000,
    steady: Duration::from_secs(30),
};

/// A scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Name {
    /// From exec to ready
    Start,
    /// From nothing to all Ready, beside the floor
    Cold,
    /// Stopped and started, with nothing due
    Restart,
    /// 300 objects refreshed every 10 s
    Steady,
    /// 1,000 objects on one path
    Shared,
    /// Refreshes keep their times
    OnTime,
    /// Secrets that are nobody's concern
    Foreign,
    /// New and changed objects beside refreshes without end
    Prompt,
    /// Everything due at once
    Herd,
}

impl Name {
    /// In the order of the report.
    pub const ALL: [Self; 9] = [
        Self::Start,
        Self::Cold,
        Self::Restart,
        Self::Steady,
        Self::Shared,
        Self::OnTime,
        Self::Foreign,
        Self::Prompt,
        Self::Herd,
    ];

    /// Measures it.
    pub async fn run(self, sizes: &Sizes, report: &mut Report) -> Result {
        match self {
            Self::Start => start::run(report).await,
            Self::Cold => cold::run(sizes.cold, report).await,
            Self::Restart => restart::run(sizes.restart, report).await,
            Self::Steady => steady::run(sizes.steady, report).await,
            Self::Shared => shared::run(sizes.steady, report).await,
            Self::OnTime => on_time::run(sizes.steady, report).await,
            Self::Foreign => foreign::run(sizes.foreign, report).await,
            Self::Prompt => prompt::run(sizes.prompt, sizes.rounds, report).await,
            Self::Herd => herd::run(sizes.herd, report).await,
        }
    }
}

/// Says on the terminal what is going on.
fn say(text: &str) {
    testbed::progress::say(&format!("bench: {text}"));
}

/// A port that nobody listens on.
async fn free_port() -> Result<u16> {
    Ok(tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port())
}

/// Starts the operator and waits until every object is Ready.
async fn synced(world: &World, objects: usize) -> Result<(crate::process::Process, crate::watch::Eye)> {
    let eye = crate::watch::Eye::on_external_secrets(&world.client).await?;
    let operator = world.operator(free_port().await?)?;
    eye.all_ready(objects, PATIENCE).await?;
    Ok((operator, eye))
}
