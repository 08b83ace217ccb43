//! `make demo`: the seed's manifests on a real control plane and a real OpenBao, step by step, each with the time it took.
//!
//! Ends by itself: 0 where every step was reached, 1 with what was seen instead where one was not. With KEEP=1 all is left running
//! until Ctrl-C.

mod cluster;
mod operator;
mod screen;
mod seed;
mod set_up;
mod steps;

use set_up::Demo;
use std::{process::ExitCode, time::Instant};
use testbed::Result;

#[tokio::main]
async fn main() -> ExitCode {
    screen::title("external-secrets-rs: from Vault to a Kubernetes Secret");
    let mut demo = match Demo::start().await {
        Ok(demo) => demo,
        Err(error) => return failed(&error.to_string()),
    };
    if let Err(error) = tell(&mut demo).await {
        let code = failed(&error.to_string());
        screen::line("");
        screen::line("The operator's last lines:");
        demo.operator.last_lines().iter().for_each(|line| screen::line(line));
        return code;
    }
    ExitCode::SUCCESS
}

async fn tell(demo: &mut Demo) -> Result<()> {
    let start = Instant::now();
    let steps = steps::run(demo).await?;
    let took = start.elapsed();
    screen::line("");
    screen::title(&format!("All {steps} steps in {}", screen::seconds(took)));
    steps::cost(demo);
    screen::line("Times are measured by looking every 25 ms; the operator is a debug build.");
    let keep = std::env::var("KEEP").is_ok_and(|keep| !keep.is_empty() && keep != "0");
    if keep {
        return demo.keep().await;
    }
    screen::line("KEEP=1 make demo leaves everything running for you to try.");
    demo.stop().await
}

fn failed(text: &str) -> ExitCode {
    screen::failed(text);
    ExitCode::FAILURE
}
