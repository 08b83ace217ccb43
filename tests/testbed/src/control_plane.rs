//! etcd, kube-apiserver and, where wanted, kube-controller-manager.

use crate::{
    Guard, Kube, Result,
    binaries::Binaries,
    http,
    pki::{Pki, write_private},
    process::{Server, on_free_ports},
};
use reqwest::{Client, Method};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Far above the seconds a start takes, for machines under load.
const DEADLINE: Duration = Duration::from_secs(90);

/// A running control plane.
pub struct ControlPlane {
    /// `https://127.0.0.1:<port>`.
    pub url: String,
    /// The admin's kubeconfig.
    pub kubeconfig: PathBuf,
    servers: Vec<Server>,
}

impl ControlPlane {
    /// Starts the servers and returns when they are ready.
    ///
    /// # Errors
    /// [`crate::Error::Start`] with the log of the server that failed.
    pub async fn start(guard: &Arc<Guard>, pki: &Pki, binaries: &Binaries) -> Result<Self> {
        let client = http::admin(pki)?;
        let (etcd, etcd_url) = start_etcd(guard, &binaries.etcd, &client).await?;
        let (apiserver, url) = start_apiserver(guard, &binaries.kube_apiserver, pki, &etcd_url, &client).await?;
        let kubeconfig = guard.dir().join("kubeconfig");
        write_private(&kubeconfig, &Kube::admin_kubeconfig(&url, pki))?;
        let mut servers = vec![apiserver, etcd];
        if let Some(program) = &binaries.kube_controller_manager {
            servers.push(start_controller_manager(guard, program, pki, &kubeconfig, &client).await?);
        }
        Ok(Self { url, kubeconfig, servers })
    }

    /// The servers' process ids: kube-apiserver, etcd, and kube-controller-manager where it runs.
    pub fn process_ids(&self) -> Vec<u32> {
        self.servers.iter().map(Server::id).collect()
    }
}

async fn start_etcd(guard: &Arc<Guard>, program: &Path, client: &Client) -> Result<(Server, String)> {
    on_free_ports(async |[client_port, peer_port]| {
        let url = format!("http://127.0.0.1:{client_port}");
        let peer = format!("http://127.0.0.1:{peer_port}");
        let data = guard.dir().join(format!("etcd-{client_port}"));
        let args = [
            "--name=testbed".to_owned(),
            format!("--data-dir={}", data.display()),
            format!("--listen-client-urls={url}"),
            format!("--advertise-client-urls={url}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=testbed={peer}"),
            // It is thrown away: no fsync, and an election of one member needs no second of patience.
            "--unsafe-no-fsync".to_owned(),
            "--heartbeat-interval=20".to_owned(),
            "--election-timeout=200".to_owned(),
            "--quota-backend-bytes=8589934592".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        let mut server = Server::spawn(guard, "etcd", "etcd", program, &args)?;
        answers(&mut server, client, &format!("{url}/health")).await?;
        Ok((server, url))
    })
    .await
}

async fn start_apiserver(
    guard: &Arc<Guard>,
    program: &Path,
    pki: &Pki,
    etcd: &str,
    client: &Client,
) -> Result<(Server, String)> {
    on_free_ports(async |[port]| {
        let url = format!("https://127.0.0.1:{port}");
        let args = [
            format!("--etcd-servers={etcd}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            format!("--tls-cert-file={}", pki.certificate("server").display()),
            format!("--tls-private-key-file={}", pki.key("server").display()),
            format!("--client-ca-file={}", pki.certificate("ca").display()),
            "--authorization-mode=RBAC".to_owned(),
            // As its own issuer it also serves the keys, so JWT auth with OIDC discovery can be tested.
            format!("--service-account-issuer={url}"),
            format!("--service-account-signing-key-file={}", pki.key("service-account").display()),
            format!("--service-account-key-file={}", pki.public_key("service-account").display()),
            "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            "--profiling=false".to_owned(),
        ];
        let mut server = Server::spawn(guard, "kube-apiserver", "kube-apiserver", program, &args)?;
        answers(&mut server, client, &format!("{url}/readyz")).await?;
        Ok((server, url))
    })
    .await
}

async fn start_controller_manager(
    guard: &Arc<Guard>,
    program: &Path,
    pki: &Pki,
    kubeconfig: &Path,
    client: &Client,
) -> Result<Server> {
    on_free_ports(async |[port]| {
        let args = [
            format!("--kubeconfig={}", kubeconfig.display()),
            "--controllers=garbagecollector,namespace".to_owned(),
            "--leader-elect=false".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            format!("--tls-cert-file={}", pki.certificate("server").display()),
            format!("--tls-private-key-file={}", pki.key("server").display()),
            "--profiling=false".to_owned(),
        ];
        let name = "kube-controller-manager";
        let mut server = Server::spawn(guard, name, name, program, &args)?;
        answers(&mut server, client, &format!("https://127.0.0.1:{port}/healthz")).await?;
        Ok(server)
    })
    .await
}

/// Waits for a 200.
async fn answers(server: &mut Server, client: &Client, url: &str) -> Result<()> {
    server
        .ready(DEADLINE, async || {
            let (status, body) =
                http::send(&Method::GET, url, client.get(url)).await.map_err(|error| error.to_string())?;
            // A verbose answer has a line for each check; those in the way start with [-].
            let failing: String = body.lines().filter(|line| line.starts_with("[-]")).collect();
            if status == 200 { Ok(()) } else { Err(format!("{status} {failing}")) }
        })
        .await
}
