//! The chart with real Helm: what it renders for which value, what it refuses, and an installation from its first day to its last on a
//! control plane of its own, since CRDs and cluster roles are the whole cluster's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;
#[path = "helm/install.rs"]
mod install;
#[path = "helm/readme.rs"]
mod readme;
#[path = "helm/schema.rs"]
mod schema;
#[path = "helm/values.rs"]
mod values;

use common::Result;
use common::helm::{Helm, NAME, chart, folder, of_kind};
use common::kustomize::{documents, in_repository};
use serde_json::Value;

#[tokio::test]
async fn lints_and_renders_the_repositorys_objects() -> Result {
    let helm = Helm::new().await?;
    helm.run(&["lint", "--strict", &chart()])?;
    let rendered = helm.template(&[])?;
    let manifests = documents(&in_repository("deploy/manifests"))?;
    let role = rendered.iter().find(|one| one["kind"] == "ClusterRole" && one["metadata"]["name"] == NAME);
    assert_eq!(role.expect("the operator's role")["rules"], of_kind(&manifests, "ClusterRole")["rules"]);
    let pod =
        |objects: &[Value], field: &str| of_kind(objects, "Deployment")["spec"]["template"]["spec"][field].clone();
    for field in ["terminationGracePeriodSeconds", "securityContext", "automountServiceAccountToken"] {
        assert_eq!(pod(&rendered, field), pod(&manifests, field), "{field}");
    }
    for field in ["resources", "imagePullPolicy", "env"] {
        assert_eq!(pod(&rendered, "containers")[0][field], pod(&manifests, "containers")[0][field], "{field}");
    }
    let spread = |objects: &[Value]| pod(objects, "topologySpreadConstraints")[0]["whenUnsatisfiable"].clone();
    assert_eq!(spread(&rendered), spread(&manifests));
    let crds: Vec<_> = rendered.iter().filter(|one| one["kind"] == "CustomResourceDefinition").collect();
    assert_eq!(crds.len(), 3);
    for crd in crds {
        assert_eq!(crd["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
        let name = crd["metadata"]["name"].as_str().unwrap().split('.').next().unwrap();
        let file = in_repository(&format!("crds/external-secrets.io_{name}.yaml"));
        let file: Value = serde_saphyr::from_str(&std::fs::read_to_string(file)?)?;
        assert!(crd["spec"] == file["spec"], "{name} is rendered as it is in crds/");
    }
    Ok(())
}

/// The chart can't read files outside of its folder, so it has copies.
#[tokio::test]
async fn the_chart_has_what_is_in_observability() -> Result {
    for file in ["dashboard.json", "prometheus-rule.yaml"] {
        let (from, to) = (in_repository("deploy/observability").join(file), folder().join("files").join(file));
        if std::env::var_os("WRITE_CHART_DOCS").is_some() {
            std::fs::copy(&from, &to)?;
        }
        let is_same = std::fs::read_to_string(from)? == std::fs::read_to_string(to)?;
        assert!(is_same, "the chart's files/{file} is not deploy/observability's: run `make chart-docs`");
    }
    let all = "crds.enabled=false,grafanaDashboard.enabled=true,prometheusRule.enabled=true";
    let rendered = Helm::new().await?.template(&["--set", all])?;
    let dashboard = of_kind(&rendered, "ConfigMap")["data"]["external-secrets-rs.json"].as_str().unwrap();
    let file = std::fs::read_to_string(in_repository("deploy/observability/dashboard.json"))?;
    assert!(serde_json::from_str::<Value>(dashboard)? == serde_json::from_str::<Value>(&file)?, "the dashboard");
    let rule = std::fs::read_to_string(in_repository("deploy/observability/prometheus-rule.yaml"))?;
    let rule: Value = serde_saphyr::from_str(&rule)?;
    assert_eq!(of_kind(&rendered, "PrometheusRule")["spec"], rule["spec"]);
    Ok(())
}
