//! Flux's CRDs, out of the Go modules of its controllers: nothing of theirs is kept in this repository.

use crate::common::{Result, SOON};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use testbed::{Guard, Kube, Method, wait_until};

/// Module, its sum as in go.sum, and the CRD. The newest whose go.mod the Go that the tests need can read.
const CRDS: [(&str, &str, &str); 3] = [
    (
        "github.com/fluxcd/source-controller@v1.9.6",
        "h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc=",
        "source.toolkit.fluxcd.io_ocirepositories.yaml",
    ),
    (
        "github.com/fluxcd/kustomize-controller@v1.9.6",
        "h1:XB+G3A0mky0j5uVHZWv4oSlS2RvZBoNIUhstIvY0JKE=",
        "kustomize.toolkit.fluxcd.io_kustomizations.yaml",
    ),
    (
        "github.com/fluxcd/helm-controller@v1.4.0",
        "h1:rkm8rmB6Na7eNc4pJOnvtXEaJ19iKluRtayHKjBxcUM=",
        "helm.toolkit.fluxcd.io_helmreleases.yaml",
    ),
];

/// Installs them, and waits until the API server serves the kinds.
pub async fn install(kube: &Kube) -> Result {
    let guard = Guard::new()?;
    for (module, sum, file) in CRDS {
        let text = std::fs::read_to_string(download(module, sum, guard.dir())?.join("config/crd/bases").join(file))?;
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

/// Where an object is posted to be judged, and not kept.
pub fn strict_dry_run(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let plural = match text("/kind") {
        "OCIRepository" => "ocirepositories",
        "HelmRelease" => "helmreleases",
        "Kustomization" => "kustomizations",
        kind => panic!("no such kind in the test: {kind}"),
    };
    let (version, namespace) = (text("/apiVersion"), text("/metadata/namespace"));
    format!("/apis/{version}/namespaces/{namespace}/{plural}?dryRun=All&fieldValidation=Strict")
}
