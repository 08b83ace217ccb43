//! A program under measurement: its time of processor and its memory, as the kernel counts them.

use crate::Result;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use testbed::{Guard, wait_until};
use tokio::process::{Child, Command};

/// `USER_HZ`, which is 100 on every Linux that Rust knows.
const TICKS_PER_SECOND: f64 = 100.0;
/// How long a program may take to end.
const STOP: Duration = Duration::from_secs(60);

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Seconds of processor time, in user and kernel mode.
    pub cpu: f64,
    /// Resident memory now, MB (of a million bytes).
    pub resident: f64,
    /// The most it ever was.
    pub peak: f64,
}

/// A running program.
pub struct Process {
    child: Child,
    id: u32,
    log: PathBuf,
    /// When it was started.
    pub began: Instant,
}

impl Process {
    /// Starts `program`, its output in `<name>.log` of the guard's folder.
    pub fn start(guard: &Guard, name: &str, program: &Path, args: &[String], kubeconfig: &Path) -> Result<Self> {
        let log = guard.dir().join(name).with_extension("log");
        let output = File::create(&log)?;
        let mut command = Command::new(program);
        command.args(args).env("KUBECONFIG", kubeconfig).stdin(Stdio::null()).kill_on_drop(true);
        command.stdout(output.try_clone()?).stderr(output);
        // Preloaded into the programs under measurement only: benches/heap.py and comparisons of allocators.
        if let Some(library) = std::env::var_os("SCALE_PRELOAD") {
            command.env("LD_PRELOAD", library);
        }
        let began = Instant::now();
        let child = command.spawn().map_err(|error| format!("{}: {error}; run make bench", program.display()))?;
        let id = child.id().unwrap_or_default();
        guard.add_process(id);
        Ok(Self { child, id, log, began })
    }

    /// What it has used so far.
    pub fn usage(&self) -> Result<Usage> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id))?;
        // The second field, in parentheses, may hold spaces.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id))?;
        let megabytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() * 1024.0 / 1e6
        };
        Ok(Usage {
            cpu: (ticks(11) + ticks(12)) / TICKS_PER_SECOND,
            resident: megabytes("VmRSS:"),
            peak: megabytes("VmHWM:"),
        })
    }

    /// What it has used once it is at rest: no more than 10 ms of processor within half a second.
    pub async fn at_rest(&self) -> Result<Usage> {
        let mut last = self.usage()?;
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = self.usage()?;
            if now.cpu - last.cpu <= 0.01 {
                return Ok(now);
            }
            last = now;
        }
    }

    /// Waits for its end by itself.
    pub async fn ended(&mut self) -> Result {
        let status = self.child.wait().await?;
        if status.success() {
            return Ok(());
        }
        Err(format!("it ended with {status}: {}", self.log()).into())
    }

    /// Asks it to stop, as the kubelet does, and waits for its end.
    pub async fn stop(mut self) -> Result {
        if let Some(pid) = i32::try_from(self.id).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM)?;
        }
        wait_until("the program's end", STOP, async || match self.child.try_wait() {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err("it still runs".to_owned()),
            Err(error) => Err(error.to_string()),
        })
        .await?;
        Ok(())
    }

    /// What it printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}
