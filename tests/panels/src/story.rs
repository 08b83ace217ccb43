//! What happens, and when.

use crate::world::{CARELESS, REFUSED, World};
use crate::{Result, format, say};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, sleep_until};

/// The story as it was.
#[derive(Debug)]
pub struct Story {
    /// When it began, in seconds of Unix time.
    pub began: f64,
    /// How long it took, in seconds.
    pub length: f64,
    /// The moment that numbers and tables are of, in seconds since the beginning.
    pub moment: f64,
    /// What is marked in the pictures.
    pub phases: Vec<Phase>,
}

/// Something that went on for a while, in seconds since the beginning.
#[derive(Debug)]
pub struct Phase {
    /// What went on.
    pub what: String,
    /// From when.
    pub from: f64,
    /// Until when; as `from` where it was a moment.
    pub to: f64,
}

struct Clock {
    began: Instant,
    at: SystemTime,
}

impl Clock {
    fn now(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Waits until so many seconds have passed, and says what comes then.
    async fn at(&self, seconds: u64, what: &str) -> f64 {
        sleep_until(self.began + Duration::from_secs(seconds)).await;
        say(&format!("{}  {what}", format::clock(self.now())));
        self.now()
    }
}

/// Plays it.
pub async fn play(world: &mut World) -> Result<Story> {
    let clock = Clock { began: Instant::now(), at: SystemTime::now() };
    clock.at(0, "all is well").await;

    let rotation = clock.at(40, "every password is changed in Vault").await;
    world.rotate("second").await?;

    let outage = clock.at(80, "Vault refuses connections").await;
    world.proxy.refuse().await;
    let back = clock.at(110, "Vault is back").await;
    world.proxy.listen_again().await?;

    let refusal = clock.at(150, &format!("{REFUSED} has a secret id that Vault refuses")).await;
    world.secret_id(false).await?;
    let loss = clock.at(160, &format!("three secrets of {CARELESS} lose their property")).await;
    world.property(false).await?;
    let moment = clock.at(205, "the moment of the numbers and tables").await;
    let mended = clock.at(210, "both are mended").await;
    world.secret_id(true).await?;
    world.property(true).await?;

    let handover = clock.at(250, "the leader is stopped, the other takes over").await;
    world.stop_the_leader().await?;
    let length = clock.at(300, "the end").await;

    let phase = |what: &str, from, to| Phase { what: what.to_owned(), from, to };
    Ok(Story {
        began: clock.at.duration_since(UNIX_EPOCH)?.as_secs_f64(),
        length,
        moment,
        phases: vec![
            phase("all passwords change", rotation, rotation),
            phase("Vault refuses connections", outage, back),
            phase(&format!("{REFUSED}: secret id refused"), refusal, mended),
            phase(&format!("{CARELESS}: a property is missing"), loss, mended),
            phase("the leader is stopped", handover, handover),
        ],
    })
}
