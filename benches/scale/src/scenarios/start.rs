//! From exec to ready, beside a local API server, with one object.

use super::{PATIENCE, free_port, say};
use crate::Result;
use crate::report::Report;
use crate::world::{Plan, World};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const STARTS: usize = 10;

/// Starts it ten times, and takes the median.
pub async fn run(report: &mut Report) -> Result {
    say(&format!("start: {STARTS} times"));
    let world = World::new(Plan::of(1)).await?;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let port = free_port().await?;
        let operator = world.operator(port)?;
        ready(port, operator.began).await.map_err(|error| format!("{error}: {}", operator.log()))?;
        times.push(operator.began.elapsed());
        report.idle = Some(operator.at_rest().await?);
        operator.stop().await?;
    }
    times.sort();
    report.start = times.get(STARTS / 2).copied();
    report.binary = std::fs::metadata(std::env::current_exe()?.with_file_name("external-secrets"))?.len();
    Ok(())
}

/// Asks `/readyz` until it answers 200.
async fn ready(port: u16, began: Instant) -> Result {
    while began.elapsed() < PATIENCE {
        if let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await {
            stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            if answer.starts_with("HTTP/1.1 200") {
                return Ok(());
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Err("it never became ready".into())
}
