//! The operator as people run it: the binary, as a child process that is stopped by SIGTERM.

use super::{Result, SOON};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use testbed::wait_until;

/// A stop that takes longer than this is killed, and told by [`Operator::stop`] as a failure.
const STOP: Duration = Duration::from_secs(30);

/// A running operator; stopped when dropped.
pub struct Operator {
    child: Child,
    log: Log,
    /// They end when the process has.
    readers: Vec<JoinHandle<()>>,
    /// `127.0.0.1:<port>` of `/healthz` and `/readyz`.
    health: String,
    /// `127.0.0.1:<port>` of `/metrics`.
    metrics: String,
}

/// How an operator ended.
pub struct Stopped {
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// From SIGTERM to the end.
    pub took: Duration,
    /// All it wrote.
    pub log: String,
}

type Log = Arc<Mutex<String>>;

impl Operator {
    /// An operator of one namespace, with the admin's rights, that has seen every object once.
    pub async fn start(namespace: &str) -> Result<Self> {
        let operator = Self::start_with(&["--namespace", namespace], None).await?;
        operator.ready().await?;
        Ok(operator)
    }

    /// An operator with these arguments after `run` and the usual ones, ready or not.
    pub async fn start_with(args: &[&str], kubeconfig: Option<&Path>) -> Result<Self> {
        let kubeconfig = kubeconfig.map(|path| ("KUBECONFIG", path.as_os_str()));
        Self::start_in(args, kubeconfig).await
    }

    /// As [`Operator::start_with`], with these variables in its environment.
    pub async fn start_in<V: AsRef<OsStr>>(
        args: &[&str],
        variables: impl IntoIterator<Item = (&str, V)>,
    ) -> Result<Self> {
        let mut command = binary(&["run", "--metrics-addr=127.0.0.1:0", "--live-addr=127.0.0.1:0", "--loglevel=debug"]);
        command.args(args).envs(variables);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let log = Log::default();
        let readers = vec![collect(child.stdout.take(), &log), collect(child.stderr.take(), &log)];
        let mut operator = Self { child, log, readers, health: String::new(), metrics: String::new() };
        operator.health = operator.address("serving health").await?;
        operator.metrics = operator.address("serving metrics").await?;
        Ok(operator)
    }

    async fn address(&self, what: &str) -> Result<String> {
        let found = wait_until(what, SOON, async || {
            let line = self.lines().into_iter().find(|line| line["message"] == what);
            let address = line.and_then(|line| line["address"].as_str().map(str::to_owned));
            address.ok_or_else(|| self.log())
        });
        Ok(found.await?)
    }

    /// Waits until `/readyz` says ok.
    pub async fn ready(&self) -> Result {
        wait_until("the operator's /readyz", SOON, async || match self.get("/readyz").await {
            Ok((200, _)) => Ok(()),
            Ok((status, body)) => Err(format!("{status} {body}\n{}", self.log())),
            Err(error) => Err(format!("{error}\n{}", self.log())),
        })
        .await?;
        Ok(())
    }

    /// Status and body of `/healthz`, `/readyz` or `/metrics`.
    pub async fn get(&self, path: &str) -> Result<(u16, String)> {
        let address = if path == "/metrics" { &self.metrics } else { &self.health };
        let answer =
            reqwest::Client::builder().no_proxy().build()?.get(format!("http://{address}{path}")).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// `127.0.0.1:<port>` of `/metrics`.
    pub fn metrics_address(&self) -> &str {
        &self.metrics
    }

    /// Status and body of a PUT to `/loglevel`.
    pub async fn put_log_level(&self, level: &str) -> Result<(u16, String)> {
        let url = format!("http://{}/loglevel", self.health);
        let client = reqwest::Client::builder().no_proxy().build()?;
        let answer = client.put(url).body(level.to_owned()).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// All it has written so far, of both streams.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it has written, to the last word, once it has ended.
    fn whole_log(&mut self) -> String {
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        self.log()
    }

    /// The log's lines that are JSON, which all should be.
    pub fn lines(&self) -> Vec<serde_json::Value> {
        self.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// What needs a look: the log's lines of level WARN and ERROR.
    pub fn complaints(&self) -> Vec<String> {
        let is_loud = |line: &serde_json::Value| line["level"] == "WARN" || line["level"] == "ERROR";
        self.lines().iter().filter(|line| is_loud(line)).map(ToString::to_string).collect()
    }

    /// Stops it as the kubelet does, and tells how that went.
    pub fn stop(mut self) -> Result<Stopped> {
        let start = Instant::now();
        let code = self.terminate()?;
        Ok(Stopped { code, took: start.elapsed(), log: self.whole_log() })
    }

    /// Ends it as a node that loses its power does.
    pub fn kill(mut self) -> Result {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits until it ends of itself.
    pub async fn ended(mut self, within: Duration) -> Result<Stopped> {
        let (start, end) = (Instant::now(), Instant::now() + within);
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait()? {
                let code = status.code();
                return Ok(Stopped { code, took: start.elapsed(), log: self.whole_log() });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(format!("the operator did not end within {within:?}\n{}", self.log()).into())
    }

    /// SIGTERM now; the end is waited for by [`Operator::stop`] or drop.
    pub fn signal(&self) -> Result {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        if status.success() { Ok(()) } else { Err("kill failed".into()) }
    }

    fn terminate(&mut self) -> Result<Option<i32>> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status.code());
        }
        self.signal()?;
        let end = Instant::now() + STOP;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.child.kill()?;
        self.child.wait()?;
        Err(format!("the operator did not stop within {STOP:?} of a SIGTERM\n{}", self.log()).into())
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let ended = self.terminate();
        if std::thread::panicking() {
            eprintln!("log of the operator:\n{}", self.log());
        } else if let Err(error) = ended {
            eprintln!("{error}");
        }
    }
}

/// The binary with these arguments, and nothing of this machine's that changes what it does.
pub fn binary(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_external-secrets"));
    command.args(args);
    let foreign = std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("OTEL_"));
    foreign.chain(["RUST_LOG", "POD_NAME"].map(Into::into)).for_each(|name| {
        command.env_remove(name);
    });
    command
}

fn collect(stream: Option<impl Read + Send + 'static>, log: &Log) -> JoinHandle<()> {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        let Some(stream) = stream else { return };
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push_str(&line);
            log.push('\n');
        }
    })
}
