//! An OpenBao server: plain HTTP and TLS on loopback, initialised and unsealed.

use crate::{
    Error, Guard, Result, Vault, http,
    pki::{Pki, write_private},
    process::{Server, on_free_ports},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{path::PathBuf, sync::Arc, time::Duration};

const DEADLINE: Duration = Duration::from_secs(60);

/// Where an OpenBao keeps its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In memory: fastest, gone with the process.
    Memory,
    /// In files (raft, of one node; a second slower): outlives [`OpenBao::kill`] and [`OpenBao::restart`].
    Files,
}

/// A running OpenBao, killed when dropped.
pub struct OpenBao {
    server: Server,
    guard: Arc<Guard>,
    program: PathBuf,
    config: PathBuf,
    tls_addr: String,
    unseal_key: String,
    vault: Vault,
}

impl OpenBao {
    /// Starts a server, initialises it with one unseal key and unseals it.
    ///
    /// # Errors
    /// [`crate::Error::Start`] with its log.
    pub async fn start(guard: &Arc<Guard>, program: PathBuf, pki: &Pki, storage: Storage) -> Result<Self> {
        let client = http::loopback(pki)?;
        on_free_ports(async |[port, tls_port, cluster_port]| {
            let config = guard.dir().join(format!("bao-{port}.json"));
            let data = guard.dir().join(format!("bao-{port}"));
            std::fs::create_dir_all(&data).map_err(Error::io("make the folder", &data))?;
            let storage = match storage {
                Storage::Memory => json!({"inmem": {}}),
                Storage::Files => json!({"raft": {"path": data, "node_id": "testbed", "performance_multiplier": "1"}}),
            };
            write_private(&config, &configuration(pki, &storage, [port, tls_port, cluster_port]).to_string())?;
            let sealed = Vault::new(client.clone(), format!("http://127.0.0.1:{port}"), String::new());
            let server = serve(guard, &program, &config, &sealed).await?;
            let keys = json!({"secret_shares": 1, "secret_threshold": 1});
            let keys = sealed.request(Method::PUT, "sys/init", Some(keys)).await?;
            let bao = Self {
                server,
                guard: Arc::clone(guard),
                program: program.clone(),
                config,
                tls_addr: format!("https://127.0.0.1:{tls_port}"),
                unseal_key: http::text(&keys, "/keys_base64/0")?,
                vault: sealed.with_token(http::text(&keys, "/root_token")?),
            };
            bao.unseal().await?;
            Ok(bao)
        })
        .await
    }

    /// `http://127.0.0.1:<port>`; stays the same over a restart.
    pub fn addr(&self) -> &str {
        self.vault.addr()
    }

    /// `https://127.0.0.1:<port>`, its certificate signed by the stack's CA; asks for, but does not require, a client certificate.
    pub fn tls_addr(&self) -> &str {
        &self.tls_addr
    }

    /// A client with the root token.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The server's process id.
    pub fn process_id(&self) -> u32 {
        self.server.id()
    }

    /// What the server has logged so far.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn log(&self) -> Result<String> {
        self.server.log()
    }

    /// Seals it: it answers 503 from now on.
    ///
    /// # Errors
    /// Where the server does not do it.
    pub async fn seal(&self) -> Result<()> {
        self.vault.request(Method::PUT, "sys/seal", None).await.map(drop)
    }

    /// Unseals it.
    ///
    /// # Errors
    /// Where the server does not do it.
    pub async fn unseal(&self) -> Result<()> {
        self.vault.request(Method::PUT, "sys/unseal", Some(json!({"key": self.unseal_key}))).await?;
        // Requests get a 503 until the mounts stand, a moment after the answer to the last key.
        crate::wait_until("an unsealed OpenBao", DEADLINE, async || {
            self.vault.request(Method::GET, "sys/health", None).await.map(drop)
        })
        .await
    }

    /// Kills it as a crash would: connections are refused from now on.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Kills it if it runs, starts it again on the same addresses, and leaves it sealed.
    ///
    /// # Errors
    /// [`crate::Error::Start`] with its log.
    pub async fn restart_sealed(&mut self) -> Result<()> {
        self.server.kill();
        self.server = serve(&self.guard, &self.program, &self.config, &self.vault).await?;
        Ok(())
    }

    /// As [`OpenBao::restart_sealed`], and unseals it. With [`Storage::Memory`] nothing is left to unseal.
    ///
    /// # Errors
    /// [`crate::Error::Start`] with its log.
    pub async fn restart(&mut self) -> Result<()> {
        self.restart_sealed().await?;
        self.unseal().await
    }
}

/// Starts the process and waits until it answers, sealed or not.
async fn serve(
    guard: &Arc<Guard>,
    program: &std::path::Path,
    config: &std::path::Path,
    vault: &Vault,
) -> Result<Server> {
    let args = ["server".to_owned(), format!("-config={}", config.display())];
    let log = config.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut server = Server::spawn(guard, "bao", &log, program, &args)?;
    server.ready(DEADLINE, async || vault.request(Method::GET, "sys/seal-status", None).await.map(drop)).await?;
    Ok(server)
}

fn configuration(pki: &Pki, storage: &Value, [port, tls_port, cluster_port]: [u16; 3]) -> Value {
    let cluster = format!("127.0.0.1:{cluster_port}");
    json!({
        "storage": storage,
        "listener": [
            {"tcp": {"address": format!("127.0.0.1:{port}"), "cluster_address": cluster, "tls_disable": true}},
            {"tcp": {
                "address": format!("127.0.0.1:{tls_port}"),
                "cluster_address": cluster,
                "tls_cert_file": pki.certificate("server"),
                "tls_key_file": pki.key("server"),
            }},
        ],
        "api_addr": format!("http://127.0.0.1:{port}"),
        "cluster_addr": format!("https://{cluster}"),
        "telemetry": {"prometheus_retention_time": "24h", "disable_hostname": true},
    })
}
