//! Where the servers' binaries come from: the user's own, our cache, the official releases, or a build from source.

mod acquire;
mod go;
mod release;
mod tools;
mod wheel;

pub use tools::{Tool, cache_dir};

use crate::{Guard, Result};
use std::{ffi::OsStr, path::PathBuf};

/// Paths of the binaries of one stack.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// etcd.
    pub etcd: PathBuf,
    /// kube-apiserver.
    pub kube_apiserver: PathBuf,
    /// kube-controller-manager, where it is wanted.
    pub kube_controller_manager: Option<PathBuf>,
    /// OpenBao's server.
    pub bao: PathBuf,
}

impl Binaries {
    /// Finds or makes what a stack needs. Says on stderr what it does wherever that takes time.
    ///
    /// # Errors
    /// [`crate::Error::Binary`] with what was tried and what to install.
    pub async fn get(guard: &Guard, controller_manager: bool) -> Result<Self> {
        let releases = release::Releases::new()?;
        let find = async |tool: Tool| acquire::acquire(guard, &releases, tool).await;
        Ok(Self {
            bao: find(Tool::Bao).await?,
            etcd: find(Tool::Etcd).await?,
            kube_apiserver: find(Tool::KubeApiserver).await?,
            kube_controller_manager: match controller_manager {
                true => Some(find(Tool::KubeControllerManager).await?),
                false => None,
            },
        })
    }

    /// One tool alone, such as those that are no part of a stack.
    ///
    /// # Errors
    /// [`crate::Error::Binary`].
    pub async fn tool(guard: &Guard, tool: Tool) -> Result<PathBuf> {
        acquire::acquire(guard, &release::Releases::new()?, tool).await
    }
}

/// `name` in `KUBEBUILDER_ASSETS`, then in `PATH`.
pub(crate) fn on_this_machine(name: &str) -> impl Iterator<Item = PathBuf> {
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = assets.into_iter().chain(std::env::split_paths(&path)).collect();
    let name = name.to_owned();
    folders.into_iter().map(move |folder| folder.join(OsStr::new(&name))).filter(|file| file.is_file())
}
