//! A server as a child process: its log, whether it lives, and waiting until it answers.

use crate::{
    Error, Guard, Result,
    wait::{Look, poll},
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

/// How many lines of a log go into a message.
const TAIL: usize = 20;
/// How many other ports are tried where somebody took ours between choosing and binding.
const PORT_TRIES: usize = 5;
/// Variables by which the servers would be configured behind our back.
const CONFIGURING: [&str; 3] = ["ETCD_", "BAO_", "VAULT_"];

/// A running server, killed when dropped.
pub struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
    guard: Arc<Guard>,
}

impl Server {
    /// Starts `program` with its output in `<name>.log` of the guard's folder.
    ///
    /// # Errors
    /// [`Error::Io`] where the log can't be written or the program can't be run.
    pub fn spawn(guard: &Arc<Guard>, name: &'static str, log: &str, program: &Path, args: &[String]) -> Result<Self> {
        let log = guard.dir().join(log).with_extension("log");
        let out = File::options().create(true).append(true).open(&log).map_err(Error::io("write", &log))?;
        let err = out.try_clone().map_err(Error::io("write", &log))?;
        let mut command = Command::new(program);
        command.args(args).current_dir(guard.dir()).stdin(Stdio::null()).stdout(out).stderr(err);
        for (variable, _) in std::env::vars_os() {
            if CONFIGURING.iter().any(|prefix| variable.as_encoded_bytes().starts_with(prefix.as_bytes())) {
                command.env_remove(variable);
            }
        }
        let child = guard.spawn(&mut command)?;
        Ok(Self { name, child, log, guard: Arc::clone(guard) })
    }

    /// Waits until `probe` is well. A server that ends meanwhile is told at once, with the end of its log.
    ///
    /// # Errors
    /// [`Error::Start`].
    pub async fn ready<E: std::fmt::Display>(
        &mut self,
        within: Duration,
        mut probe: impl AsyncFnMut() -> Result<(), E>,
    ) -> Result<()> {
        let (name, log, child) = (self.name, self.log.clone(), &mut self.child);
        let failed = |why: String| Error::Start { process: name, why, tail: tail(&log), log: log.clone() };
        let answer = poll(name, within, async || {
            if let Ok(Some(status)) = child.try_wait() {
                return Look::Never(failed(format!("ended at its start ({status})")));
            }
            match probe().await {
                Ok(()) => Look::Done(()),
                Err(seen) => Look::NotYet(seen.to_string()),
            }
        })
        .await;
        answer.map_err(|error| match error {
            Error::TimedOut { last, .. } => failed(format!("did not answer within {within:?} ({last})")),
            other => other,
        })
    }

    /// Kills the server (SIGKILL, as a crash would) and waits for its end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.guard.forget(self.child.id());
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The log so far.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn log(&self) -> Result<String> {
        fs::read_to_string(&self.log).map_err(Error::io("read", &self.log))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(TAIL)).map(|line| format!("  {line}\n")).collect()
}

/// Runs `start` with free ports, and again with others where one was taken in between.
///
/// # Errors
/// What `start` returned last.
pub async fn on_free_ports<const N: usize, T>(mut start: impl AsyncFnMut([u16; N]) -> Result<T>) -> Result<T> {
    let mut tries = PORT_TRIES;
    loop {
        tries -= 1;
        match start(free_ports()?).await {
            Err(Error::Start { tail, .. }) if tries > 0 && is_port_taken(&tail) => {}
            other => return other,
        }
    }
}

fn is_port_taken(log: &str) -> bool {
    let log = log.to_ascii_lowercase();
    log.contains("address already in use") || log.contains("port is already in use")
}

/// Ports of 127.0.0.1 that were free a moment ago; all are held until the last is chosen, so they differ.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(Error::io("listen on", "127.0.0.1"))?;
        *port = listener.local_addr().map_err(Error::io("listen on", "127.0.0.1"))?.port();
        held.push(listener);
    }
    Ok(ports)
}
