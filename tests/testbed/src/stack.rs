//! The whole stack: started by `testbed exec`, found again by the tests in it.

use crate::{
    Error, Guard, Kube, Namespace, OpenBao, Result, Storage, Vault,
    binaries::{Binaries, on_this_machine},
    control_plane::ControlPlane,
    http,
    pki::Pki,
    vault::KvVersion,
};
use reqwest::Method;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

const DIR: &str = "TESTBED_DIR";
const KUBE_URL: &str = "TESTBED_KUBE_URL";
const VAULT_ADDR: &str = "TESTBED_VAULT_ADDR";
const VAULT_TLS_ADDR: &str = "TESTBED_VAULT_TLS_ADDR";
const VAULT_TOKEN: &str = "TESTBED_VAULT_TOKEN";
const BAO: &str = "TESTBED_BAO";
const CONTROLLER_MANAGER: &str = "TESTBED_CONTROLLER_MANAGER";

/// The mount of the seed's SecretStore, KV v2, there from the start. Tests share it: keep below a path of your own.
pub const SHARED_KV: &str = "kv";
/// The AppRole mount of the seed's SecretStore, there from the start. Tests share it: give roles names of your own.
pub const SHARED_APPROLE: &str = "approle";

/// A started stack; dropping it takes everything down.
pub struct Running {
    stack: Stack,
    control_plane: ControlPlane,
    openbao: OpenBao,
    // Last: what is above stops first, the guard then removes the folder.
    guard: Arc<Guard>,
}

impl Running {
    /// Starts all servers, OpenBao beside the control plane, in the guard's folder.
    ///
    /// # Errors
    /// The first server's that fails; the logs then stay where the message says.
    pub async fn start(guard: Guard, binaries: &Binaries) -> Result<Self> {
        let guard = Arc::new(guard);
        let started = Self::start_all(&guard, binaries).await;
        if started.is_err() {
            guard.keep_logs();
        }
        let (control_plane, openbao, pki) = started?;
        let stack = Stack {
            kube: Kube::new(control_plane.url.clone(), control_plane.kubeconfig.clone(), pki.clone())?,
            vault: openbao.vault().clone(),
            vault_tls_addr: openbao.tls_addr().to_owned(),
            bao: binaries.bao.clone(),
            controller_manager: binaries.kube_controller_manager.is_some(),
            pki,
        };
        Ok(Self { stack, control_plane, openbao, guard })
    }

    async fn start_all(guard: &Arc<Guard>, binaries: &Binaries) -> Result<(ControlPlane, OpenBao, Pki)> {
        let pki = Pki::create(guard.dir().join("pki"))?;
        let openbao = async {
            let openbao = OpenBao::start(guard, binaries.bao.clone(), &pki, Storage::Memory).await?;
            openbao.vault().enable_kv(SHARED_KV, KvVersion::V2).await?;
            openbao.vault().enable_auth("approle", SHARED_APPROLE).await?;
            Ok(openbao)
        };
        let (control_plane, openbao) = tokio::try_join!(ControlPlane::start(guard, &pki, binaries), openbao)?;
        Ok((control_plane, openbao, pki))
    }

    /// The stack as tests see it.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// What keeps the stack's processes from outliving us; `testbed exec` adds its command.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Process ids of kube-apiserver, etcd, kube-controller-manager (where it runs) and OpenBao.
    pub fn process_ids(&self) -> Vec<u32> {
        let mut ids = self.control_plane.process_ids();
        ids.push(self.openbao.process_id());
        ids
    }
}

/// A stack that runs around us.
#[derive(Clone)]
pub struct Stack {
    kube: Kube,
    vault: Vault,
    vault_tls_addr: String,
    bao: PathBuf,
    controller_manager: bool,
    pki: Pki,
}

impl Stack {
    /// The stack that `testbed exec` keeps up around this process.
    ///
    /// # Errors
    /// [`Error::NoStack`] with the command to run where there is none.
    pub fn from_env() -> Result<Self> {
        let pki = Pki::open(PathBuf::from(variable(DIR)?).join("pki"));
        let kubeconfig = PathBuf::from(variable(DIR)?).join("kubeconfig");
        if !kubeconfig.is_file() {
            let why = format!("{} is gone: that stack was taken down", kubeconfig.display());
            return Err(Error::Environment { name: DIR, why });
        }
        Ok(Self {
            kube: Kube::new(variable(KUBE_URL)?, kubeconfig, pki.clone())?,
            vault: Vault::new(http::loopback(&pki)?, variable(VAULT_ADDR)?, variable(VAULT_TOKEN)?),
            vault_tls_addr: variable(VAULT_TLS_ADDR)?,
            bao: PathBuf::from(variable(BAO)?),
            controller_manager: variable(CONTROLLER_MANAGER)? == "true",
            pki,
        })
    }

    /// As [`Stack::from_env`], where that stack also answers.
    pub async fn alive_from_env() -> Option<Self> {
        let stack = Self::from_env().ok()?;
        // /version and not /readyz, which answers no JSON.
        stack.kube.request(Method::GET, "/version", None).await.ok()?;
        stack.vault.request(Method::GET, "sys/health", None).await.ok()?;
        Some(stack)
    }

    /// What a process needs to find this stack: ours for [`Stack::from_env`], `KUBECONFIG` for every Kubernetes client, and
    /// `VAULT_…` and `BAO_…` for people at a command line.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let ca = text(&self.pki.certificate("ca"));
        let dir = self.pki.dir().parent().map(text).unwrap_or_default();
        vec![
            ("KUBECONFIG", text(self.kube.kubeconfig())),
            ("VAULT_ADDR", self.vault.addr().to_owned()),
            ("VAULT_TOKEN", self.vault.token().to_owned()),
            ("VAULT_CACERT", ca.clone()),
            ("BAO_ADDR", self.vault.addr().to_owned()),
            ("BAO_TOKEN", self.vault.token().to_owned()),
            ("BAO_CACERT", ca),
            (DIR, dir),
            (KUBE_URL, self.kube.url().to_owned()),
            (VAULT_ADDR, self.vault.addr().to_owned()),
            (VAULT_TLS_ADDR, self.vault_tls_addr.clone()),
            (VAULT_TOKEN, self.vault.token().to_owned()),
            (BAO, text(&self.bao)),
            (CONTROLLER_MANAGER, self.controller_manager.to_string()),
        ]
    }

    /// The API server, as admin.
    pub fn kube(&self) -> &Kube {
        &self.kube
    }

    /// The shared OpenBao, as root. Never seal it: other tests use it. See [`Stack::own_openbao`].
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The shared OpenBao's TLS address; [`Pki::ca`] of [`Stack::pki`] signed its certificate.
    pub fn vault_tls_addr(&self) -> &str {
        &self.vault_tls_addr
    }

    /// The stack's CA, to trust and to issue from.
    pub fn pki(&self) -> &Pki {
        &self.pki
    }

    /// Whether kube-controller-manager runs: owned objects are collected, deleted namespaces are emptied.
    pub fn has_controller_manager(&self) -> bool {
        self.controller_manager
    }

    /// An OpenBao for one test alone, to seal, kill and restart. Taken down when dropped.
    ///
    /// # Errors
    /// [`Error::Start`] with its log.
    pub async fn own_openbao(&self, storage: Storage) -> Result<OpenBao> {
        let guard = Arc::new(Guard::new()?);
        OpenBao::start(&guard, self.bao.clone(), &self.pki, storage).await
    }

    /// A Kubernetes namespace and a Vault prefix for one test alone, both with a name that starts with `hint`.
    ///
    /// # Errors
    /// Where the API server does not make it.
    pub async fn namespace(&self, hint: &str) -> Result<Namespace> {
        Namespace::create(self, hint).await
    }

    /// The `bao` program, where it can be found: for `bao` commands in tests of documentation.
    pub fn bao(&self) -> &Path {
        &self.bao
    }

    /// Whether `kubectl` can be found.
    pub fn has_kubectl(&self) -> bool {
        on_this_machine("kubectl").next().is_some()
    }
}

fn variable(name: &'static str) -> Result<String> {
    std::env::var(name).map_err(|_| Error::NoStack(name))
}
