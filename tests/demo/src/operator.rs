//! The operator as a child process: the program that was built beside this one.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use testbed::{Error, Guard, Result, wait_until};
use tokio::process::{Child, Command};

/// Syncs under way may end within 20 s and tokens are revoked within 5: far more than the demo leaves to do.
const STOP: Duration = Duration::from_secs(30);
/// Lines of its log that are shown where a step fails.
const TAIL: usize = 12;

/// A running operator.
pub struct Operator {
    child: Child,
    log: PathBuf,
}

impl Operator {
    /// Where the program is.
    ///
    /// # Errors
    /// Where it has not been built.
    pub fn program() -> Result<PathBuf> {
        let own = std::env::current_exe();
        let own = own.map_err(|source| Error::Io { what: "find", path: "this program".into(), source })?;
        let program = own.with_file_name("external-secrets");
        if program.is_file() {
            return Ok(program);
        }
        let why = "it is not there: `make` builds it before it runs this program".to_owned();
        Err(Error::Unexpected { what: program.display().to_string(), why })
    }

    /// Starts it with the rights of `kubeconfig` and these further arguments, its log as `<name>.log` in the guard's folder.
    ///
    /// # Errors
    /// Where it can't be run.
    pub fn start(guard: &Guard, kubeconfig: &std::path::Path, name: &str, args: &[&str]) -> Result<Self> {
        let log = guard.dir().join(name).with_extension("log");
        let io = |what, path: &std::path::Path| {
            let path = path.to_owned();
            move |source| Error::Io { what, path, source }
        };
        let file = File::create(&log).map_err(io("write", &log))?;
        let errors = file.try_clone().map_err(io("write", &log))?;
        let program = Self::program()?;
        let child = Command::new(&program)
            .args(["run", "--metrics-addr=127.0.0.1:0", "--live-addr=127.0.0.1:0", "--log-format=text"])
            .args(args)
            .env("KUBECONFIG", kubeconfig)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .map_err(io("run", &program))?;
        guard.add_process(child.id().unwrap_or_default());
        Ok(Self { child, log })
    }

    /// Waits until `/readyz` says that it has seen every object once.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with what it waits for.
    pub async fn ready(&mut self, within: Duration) -> Result<()> {
        let client = reqwest::Client::builder().no_proxy().build();
        let client =
            client.map_err(|error| Error::Unexpected { what: "an HTTP client".to_owned(), why: error.to_string() })?;
        wait_until("the operator to be ready", within, async || {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("it ended: {status}"));
            }
            let address = self.address("serving health").ok_or("its log does not tell yet where it serves /readyz")?;
            let answer =
                client.get(format!("http://{address}/readyz")).send().await.map_err(|error| error.to_string())?;
            let (status, body) = (answer.status(), answer.text().await.unwrap_or_default());
            if status.is_success() { Ok(()) } else { Err(format!("{status}: {body}")) }
        })
        .await
    }

    /// Where it serves what: the port is chosen by the system and told in the log.
    pub fn address(&self, what: &str) -> Option<String> {
        let log = self.log();
        let line = log.lines().find(|line| line.contains(what))?;
        let address = line.split_whitespace().find_map(|word| word.strip_prefix("address="))?;
        Some(address.to_owned())
    }

    /// Its log so far.
    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of its log.
    pub fn last_lines(&self) -> Vec<String> {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(TAIL)).map(|line| (*line).to_owned()).collect()
    }

    /// Asks it to stop, as the kubelet does, and waits for its end.
    ///
    /// # Errors
    /// [`Error::TimedOut`] where it does not end.
    pub async fn stop(&mut self) -> Result<ExitStatus> {
        if let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            // It may have ended by itself a moment ago, which the wait below tells.
            let _ = kill_process(pid, Signal::TERM);
        }
        wait_until("the operator's end", STOP, async || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err("it still runs".to_owned()),
            Err(error) => Err(error.to_string()),
        })
        .await
    }
}
