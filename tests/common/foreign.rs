//! CRDs of others, out of the Go modules of their controllers: nothing of theirs is kept in this repository.

use super::{Result, SOON};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use testbed::{Guard, Kube, Method, wait_until};

/// Where a CRD is: the newest whose go.mod the Go that the tests need can read.
pub struct Crd {
    module: &'static str,
    /// The module's, as in go.sum.
    sum: &'static str,
    file: &'static str,
}

/// The kinds of `deploy/flux`.
pub const FLUX: [Crd; 3] = [
    Crd {
        module: "github.com/fluxcd/source-controller@v1.9.6",
        sum: "h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc=",
        file: "config/crd/bases/source.toolkit.fluxcd.io_ocirepositories.yaml",
    },
    Crd {
        module: "github.com/fluxcd/kustomize-controller@v1.9.6",
        sum: "h1:XB+G3A0mky0j5uVHZWv4oSlS2RvZBoNIUhstIvY0JKE=",
        file: "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml",
    },
    Crd {
        module: "github.com/fluxcd/helm-controller@v1.4.0",
        sum: "h1:rkm8rmB6Na7eNc4pJOnvtXEaJ19iKluRtayHKjBxcUM=",
        file: "config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml",
    },
];

/// The kinds of the Prometheus operator that the chart and `deploy/observability` have.
pub const MONITORING: [Crd; 2] = [
    monitoring("example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml"),
    monitoring("example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"),
];

const fn monitoring(file: &'static str) -> Crd {
    Crd {
        module: "github.com/prometheus-operator/prometheus-operator@v0.92.0",
        sum: "h1:tAbsod3+9sQsxDeAvLP27dAe9terToht5M+YdDwLGP0=",
        file,
    }
}

/// Installs them, and waits until the API server serves the kinds.
pub async fn install(kube: &Kube, crds: &[Crd]) -> Result {
    let guard = Guard::new()?;
    for Crd { module, sum, file } in crds {
        let text = std::fs::read_to_string(download(module, sum, guard.dir())?.join(file))?;
        for crd in kube.apply(&text, "default").await? {
            served(kube, &crd).await?;
        }
    }
    Ok(())
}

async fn served(kube: &Kube, crd: &Value) -> Result {
    let spec = &crd["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for version in spec["versions"].as_array().into_iter().flatten().filter(|version| version["served"] == true) {
        let path =
            format!("/apis/{}/{}/{}", text(&spec["group"]), text(&version["name"]), text(&spec["names"]["plural"]));
        wait_until(&path, SOON, async || {
            let listed = kube.request(Method::GET, &path, None).await;
            listed.map(|_| ()).map_err(|error| error.to_string())
        })
        .await?;
    }
    Ok(())
}

/// A module's folder. The sum is checked here, so no checksum database has to be asked.
fn download(module: &str, sum: &str, dir: &Path) -> Result<PathBuf> {
    let mut go = Command::new("go");
    go.args(["mod", "download", "-json", module]).current_dir(dir).env("GOSUMDB", "off").env("GOWORK", "off");
    let output = go.output().map_err(|error| format!("the tests need Go: {error}"))?;
    let told: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("go mod download {module}: {error}: {}", String::from_utf8_lossy(&output.stderr)))?;
    match (told["Dir"].as_str(), told["Sum"] == sum) {
        (Some(dir), true) => Ok(PathBuf::from(dir)),
        (Some(_), false) => Err(format!("{module} has the sum {}, not {sum}", told["Sum"]).into()),
        (None, _) => Err(format!("go mod download {module}: {}", told["Error"]).into()),
    }
}
