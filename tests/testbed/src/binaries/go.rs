//! Servers built as Go tools from the modules in `gotools`.

use super::{Tool, on_this_machine, tools::GoBuild};
use crate::{Error, Guard, Result, progress};
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// A build on a slow machine with an empty module cache.
const LIMIT: Duration = Duration::from_secs(3000);

/// Packages that hold the version of a Kubernetes binary. Unset, it calls itself v0.0.0 and gates features by that.
const VERSION_PACKAGES: [&str; 2] = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"];

/// Minor version of the Kubernetes modules that Helm's go.mod names: what `helm template` takes the cluster for.
const HELMS_KUBERNETES_MINOR: &str = "37";

/// Tags of every build: Prometheus without the ways of finding targets in clouds, each of which brings a client of its own. The
/// other programs don't know the word.
const TAGS: &str = "remove_all_sd";

/// Builds a tool into `work`.
pub(super) async fn build(guard: &Guard, tool: Tool, build: GoBuild, work: &Path) -> Result<PathBuf> {
    let (name, version) = (tool.name(), tool.version());
    let go = on_this_machine("go").next().ok_or_else(|| Error::Binary {
        tool: name,
        why: "there is no `go` to build it with: install Go 1.26 or newer (https://go.dev/dl), or put etcd, kube-apiserver and \
              kube-controller-manager into a folder and set KUBEBUILDER_ASSETS to it"
            .to_owned(),
    })?;
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("gotools").join(build.module);
    let output = work.join(name);
    let mut command = Command::new(go);
    command
        .args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-tags", TAGS, "-ldflags"])
        .arg(linker_flags(version))
        .arg("-o")
        .arg(&output)
        .arg(build.package)
        .current_dir(module)
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .env("GOFLAGS", "");
    let what = format!("building {name} {version} with go (about {}, once)", build.about);
    progress::run(guard, name, &what, &mut command, LIMIT).await?;
    Ok(output)
}

fn linker_flags(version: &str) -> String {
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let mut flags = "-s -w".to_owned();
    for package in VERSION_PACKAGES {
        for (variable, value) in
            [("gitVersion", version), ("gitMajor", major), ("gitMinor", minor), ("gitTreeState", "clean")]
        {
            flags.push_str(&format!(" -X {package}.{variable}={value}"));
        }
    }
    // What the small tools print of themselves.
    for variable in ["main.version", "github.com/rhysd/actionlint.version"] {
        flags.push_str(&format!(" -X {variable}={}", version.trim_start_matches('v')));
    }
    // Helm's own; a linker passes over what a program doesn't have. Without a Kubernetes version, templates see v1.20.
    flags.push_str(&format!(" -X helm.sh/helm/v3/internal/version.version={version}"));
    for package in ["chartutil", "lint/rules"] {
        let variable = format!("helm.sh/helm/v3/pkg/{package}.k8sVersion");
        flags.push_str(&format!(" -X {variable}Major=1 -X {variable}Minor={HELMS_KUBERNETES_MINOR}"));
    }
    let bare = version.trim_start_matches('v');
    flags.push_str(&format!(" -X github.com/prometheus/common/version.Version={bare}"));
    flags
}
