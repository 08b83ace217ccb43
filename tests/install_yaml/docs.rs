//! The commands of docs/installing.md that are marked `# tested`, each run as it stands there, in their order.

use crate::common::Result;
use crate::common::kustomize::in_repository;
use crate::crds_are_served;
use std::path::{Path, PathBuf};
use std::process::Command;
use testbed::{Binaries, Guard, Method, Running};

const MARK: &str = "   # tested";

/// Those that begin with one of these programs or feed one by a pipe.
fn commands(programs: &[&str]) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(in_repository("docs/installing.md"))?;
    let marked = text.lines().filter_map(|line| line.strip_suffix(MARK));
    let is_meant = |command: &&str| {
        let word = command.rsplit(" | ").next().and_then(|last| last.split(' ').next()).unwrap_or_default();
        programs.contains(&word)
    };
    Ok(marked.filter(is_meant).map(str::to_owned).collect())
}

/// A cluster of one's own, as a person at a command line has it.
struct Cluster {
    running: Running,
    home: Guard,
    programs: Vec<PathBuf>,
}

impl Cluster {
    async fn new() -> Result<Self> {
        let (guard, home) = (Guard::new()?, Guard::new()?);
        let binaries = Binaries::get(&guard, false).await?;
        let programs = vec![Binaries::helm(&home).await?, binaries.bao.clone()];
        Ok(Self { running: Running::start(guard, &binaries).await?, home, programs })
    }

    fn run(&self, command: &str) -> Result {
        // The one line that writes outside of the repository.
        let command = command.replace("/tmp", &self.home.dir().to_string_lossy());
        let mut folders: Vec<&Path> = self.programs.iter().filter_map(|program| program.parent()).collect();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let others: Vec<PathBuf> = std::env::split_paths(&path).collect();
        folders.extend(others.iter().map(PathBuf::as_path));
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).current_dir(in_repository("")).envs(self.running.stack().variables());
        for name in ["HOME", "KUBECACHEDIR", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            shell.env(name, self.home.dir().join(name));
        }
        let output = shell.env("PATH", std::env::join_paths(folders)?).output()?;
        if output.status.success() {
            return Ok(());
        }
        let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Err(format!("{command}\n{out}{error}").into())
    }
}

#[test]
fn every_marked_command_has_its_program() -> Result {
    let text = std::fs::read_to_string(in_repository("docs/installing.md"))?;
    let marked = text.lines().filter(|line| line.ends_with(MARK)).count();
    assert_eq!(commands(&["kubectl", "bao", "helm"])?.len(), marked);
    assert!(marked > 12, "{marked}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_commands_of_helm_and_bao() -> Result {
    let cluster = Cluster::new().await?;
    for command in commands(&["helm", "bao"])? {
        cluster.run(&command)?;
    }
    crds_stay(&cluster).await
}

/// By kubectl itself, so only where it is installed; tests/deploy.rs and this file apply the same objects without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_commands_of_kubectl() -> Result {
    let cluster = Cluster::new().await?;
    if !cluster.running.stack().has_kubectl() {
        return Ok(());
    }
    let mut commands = commands(&["kubectl"])?;
    // The two that remove all.
    let last = commands.split_off(commands.len() - 2);
    for command in commands {
        cluster.run(&command)?;
        if command.contains("| kubectl apply --server-side") {
            crds_are_served(cluster.running.stack().kube()).await?;
        }
    }
    crds_stay(&cluster).await?;
    for command in last {
        assert!(command.starts_with("kubectl delete "), "{command}");
        // They wait until all is gone, and a namespace only goes with a controller-manager.
        cluster.run(&format!("{command} --wait=false"))?;
    }
    Ok(())
}

/// After an uninstall: the kinds are still served, and nothing runs.
async fn crds_stay(cluster: &Cluster) -> Result {
    let kube = cluster.running.stack().kube();
    crds_are_served(kube).await?;
    let deployments = kube.request(Method::GET, "/apis/apps/v1/deployments", None).await?;
    assert_eq!(deployments["items"].as_array().map(Vec::len), Some(0));
    Ok(())
}
