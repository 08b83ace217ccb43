//! The chart with real Helm: what it renders for which value, what it refuses, and an installation from its first day to its last on a
//! control plane of its own, since CRDs and cluster roles are the whole cluster's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;
#[path = "helm/install.rs"]
mod install;

use common::Result;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use testbed::{Binaries, Guard, Tool};

/// Release and namespace of every call.
const NAME: &str = "external-secrets";

/// Helm with a home of its own.
struct Helm {
    program: PathBuf,
    home: Guard,
    kubeconfig: Option<PathBuf>,
}

impl Helm {
    async fn new() -> Result<Self> {
        let home = Guard::new()?;
        Ok(Self { program: Binaries::tool(&home, Tool::Helm).await?, home, kubeconfig: None })
    }

    /// Standard output, or standard error as the error.
    fn run(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(name, self.home.dir().join("helm"));
        }
        command.env("KUBECONFIG", self.kubeconfig.as_deref().unwrap_or(Path::new("/dev/null")));
        let output = command.args(args).args(["--namespace", NAME]).output()?;
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout)?);
        }
        Err(format!("helm {args:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }

    fn template(&self, args: &[&str]) -> Result<Vec<Value>> {
        let text = self.run(&[&["template", NAME, &chart()], args].concat())?;
        let documents = serde_saphyr::from_multiple::<Value>(&text)?;
        Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/helm/external-secrets-rs")
}

fn chart() -> String {
    folder().to_string_lossy().into_owned()
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    documents.iter().find(|one| one["kind"] == kind).unwrap_or_else(|| panic!("no {kind} is rendered"))
}

#[tokio::test]
async fn lints_and_renders_the_repositorys_objects() -> Result {
    let helm = Helm::new().await?;
    helm.run(&["lint", "--strict", &chart()])?;
    let rendered = helm.template(&[])?;
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/manifests/rbac.yaml");
    let manifests = serde_saphyr::from_multiple::<Value>(&std::fs::read_to_string(manifests)?)?;
    let role = rendered.iter().find(|one| one["kind"] == "ClusterRole" && one["metadata"]["name"] == NAME);
    assert_eq!(role.expect("the operator's role")["rules"], of_kind(&manifests, "ClusterRole")["rules"]);
    let crds: Vec<_> = rendered.iter().filter(|one| one["kind"] == "CustomResourceDefinition").collect();
    assert_eq!(crds.len(), 3);
    for crd in crds {
        assert_eq!(crd["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
        let name = crd["metadata"]["name"].as_str().unwrap().split('.').next().unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("crds/external-secrets.io_{name}.yaml"));
        let file: Value = serde_saphyr::from_str(&std::fs::read_to_string(file)?)?;
        assert!(crd["spec"] == file["spec"], "{name} is rendered as it is in crds/");
    }
    Ok(())
}

/// What must be in the rendering (or not, after `!`) for a value; read as one line of JSON without spaces.
const VALUES: &[(&str, &str)] = &[
    ("image.tag=9", r#""image":"external-secrets-rs:9""#),
    ("image.repository=r/x", r#""image":"r/x:0.1.0""#),
    ("image.digest=sha256:1", r#""image":"external-secrets-rs@sha256:1""#),
    ("image.pullPolicy=Always", r#""imagePullPolicy":"Always""#),
    ("imagePullSecrets[0].name=pull", r#""imagePullSecrets":[{"name":"pull"}]"#),
    ("global.imagePullSecrets[0].name=pull", r#""imagePullSecrets":[{"name":"pull"}]"#),
    ("nameOverride=other", r#""app.kubernetes.io/name":"other""#),
    ("fullnameOverride=other", r#""serviceAccountName":"other""#),
    ("namespaceOverride=other", r#""namespace":"other""#),
    ("commonLabels.team=a", r#""team":"a""#),
    ("replicaCount=3", r#""replicas":3"#),
    ("leaderElect=true", r#""strategy":{"type":"RollingUpdate"}"#),
    ("leaderElect=true", r#"["get","update"]"#),
    ("leaderElect=false", "!leader-election"),
    ("leaderElect=false", r#""strategy":{"type":"Recreate"}"#),
    ("leaderElectionID=mine", "--leader-election-id=mine"),
    ("leaderElectionID=mine", r#""resourceNames":["mine"]"#),
    ("leaderElectionLeaseDuration=30s", "--leader-election-lease-duration=30s"),
    ("leaderElectionRenewDeadline=9s", "--leader-election-renew-deadline=9s"),
    ("leaderElectionRetryPeriod=1s", "--leader-election-retry-period=1s"),
    ("strategy.rollingUpdate.maxSurge=2", r#""strategy":{"rollingUpdate":{"maxSurge":2}}"#),
    ("replicaCount=0", r#""replicas":0"#),
    ("revisionHistoryLimit=3", r#""revisionHistoryLimit":3"#),
    ("controllerClass=mine", "--controller-class=mine"),
    ("scopedNamespace=one", "--namespace=one"),
    ("scopedRBAC=true", "--namespace=external-secrets"),
    ("scopedRBAC=true", "!ClusterRole"),
    ("concurrent=5", "--concurrent=5"),
    ("storeRequeueInterval=1m", "--store-requeue-interval=1m"),
    ("log.level=debug", "--loglevel=debug"),
    ("extraArgs.deletion-brake=10", "--deletion-brake=10"),
    ("extraArgs.deletion-brake=0", "--deletion-brake=0"),
    ("serviceAccount.name=sa", r#""serviceAccountName":"sa""#),
    ("serviceAccount.create=false", r#""serviceAccountName":"default""#),
    ("serviceAccount.automount=false", r#"!"automountServiceAccountToken":true"#),
    ("serviceAccount.annotations.a=b", r#""annotations":{"a":"b"}"#),
    ("serviceAccount.extraLabels.a=b", r#""a":"b""#),
    ("rbac.create=false", "!rbac.authorization.k8s.io"),
    ("rbac.serviceAccountTokenCreate=false", "!serviceaccounts/token"),
    ("rbac.aggregateToView=false", "!aggregate-to-view"),
    ("rbac.aggregateToEdit=false", "!aggregate-to-edit"),
    ("rbac.aggregateToAdmin=false", "!aggregate-to-admin"),
    ("podSecurityContext.fsGroup=7", r#""fsGroup":7"#),
    ("podSecurityContext.enabled=false", "!runAsUser"),
    ("securityContext.runAsUser=1000", r#""runAsUser":1000"#),
    ("securityContext.enabled=false", "!readOnlyRootFilesystem"),
    ("resources.limits.memory=1Gi", r#""limits":{"memory":"1Gi"}"#),
    ("podAnnotations.a=b", r#""annotations":{"a":"b"}"#),
    ("global.podAnnotations.a=b", r#""annotations":{"a":"b"}"#),
    ("podLabels.a=b", r#""a":"b""#),
    ("global.podLabels.a=b", r#""a":"b""#),
    ("deploymentAnnotations.a=b", r#""annotations":{"a":"b"}"#),
    ("nodeSelector.a=b", r#""nodeSelector":{"a":"b"}"#),
    ("global.nodeSelector.a=b", r#""nodeSelector":{"a":"b"}"#),
    ("tolerations[0].key=a", r#""tolerations":[{"key":"a"}]"#),
    ("global.tolerations[0].key=a", r#""tolerations":[{"key":"a"}]"#),
    ("affinity.nodeAffinity.a=b", r#""affinity":{"nodeAffinity":{"a":"b"}}"#),
    ("topologySpreadConstraints[0].maxSkew=1", r#""topologySpreadConstraints":[{"maxSkew":1}]"#),
    ("priorityClassName=high", r#""priorityClassName":"high""#),
    ("runtimeClassName=gvisor", r#""runtimeClassName":"gvisor""#),
    ("schedulerName=other", r#""schedulerName":"other""#),
    ("hostNetwork=true", r#""hostNetwork":true"#),
    ("hostAliases[0].ip=1.2.3.4", r#""hostAliases":[{"ip":"1.2.3.4"}]"#),
    ("dnsPolicy=Default", r#""dnsPolicy":"Default""#),
    ("dnsConfig.searches[0]=a", r#""dnsConfig":{"searches":["a"]}"#),
    ("podSpecExtra.hostUsers=false", r#""hostUsers":false"#),
    ("extraEnv[0].name=A", r#"{"name":"A"}"#),
    ("extraVolumes[0].name=v", r#""volumes":[{"name":"v"}]"#),
    ("extraVolumeMounts[0].name=v", r#""volumeMounts":[{"name":"v"}]"#),
    ("extraInitContainers[0].name=i", r#""initContainers":[{"name":"i"}]"#),
    ("extraContainers[0].name=side", r#"{"name":"side"}"#),
    ("extraObjects[0].kind=X{{ .Release.Name }}", r#"{"kind":"Xexternal-secrets"}"#),
    ("livenessProbe.enabled=false", "!livenessProbe"),
    ("livenessProbe.spec.port=9000", "--live-addr=:9000"),
    ("livenessProbe.spec.httpGet.port=9001", "--live-addr=:9001"),
    ("readinessProbe.enabled=false", "!readinessProbe"),
    ("readinessProbe.spec.periodSeconds=99", r#""periodSeconds":99"#),
    ("podDisruptionBudget.enabled=true", r#""minAvailable":1"#),
    ("podDisruptionBudget.enabled=true,podDisruptionBudget.maxUnavailable=1", r#""maxUnavailable":1"#),
    ("networkPolicy.enabled=true", r#""policyTypes":["Ingress"]"#),
    ("networkPolicy.enabled=true,networkPolicy.egress[0].ports[0].port=443", r#""egress":[{"ports":[{"port":443}]}]"#),
    ("metrics.listen.port=9090", "--metrics-addr=:9090"),
    ("metrics.service.enabled=true,metrics.service.port=81", r#""port":81"#),
    ("grafanaDashboard.enabled=false", "!external-secrets-dashboard"),
    ("grafanaDashboard.enabled=true", r#""grafana_dashboard":"1""#),
    ("grafanaDashboard.enabled=true,grafanaDashboard.sidecarLabel=a", r#""a":"1""#),
    ("grafanaDashboard.enabled=true,grafanaDashboard.sidecarLabelValue=b", r#""grafana_dashboard":"b""#),
    ("grafanaDashboard.enabled=true,grafanaDashboard.annotations.a=b", r#""annotations":{"a":"b"}"#),
    ("grafanaDashboard.enabled=true,grafanaDashboard.extraLabels.a=b", r#""a":"b""#),
    ("serviceMonitor.enabled=true", "!ServiceMonitor"),
    ("serviceMonitor.enabled=true,serviceMonitor.renderMode=alwaysRender", r#""kind":"ServiceMonitor""#),
    (
        "serviceMonitor.enabled=true,serviceMonitor.renderMode=alwaysRender,serviceMonitor.interval=9s",
        r#""interval":"9s""#,
    ),
];

#[tokio::test]
async fn each_value_does_what_it_says() -> Result {
    let helm = Helm::new().await?;
    for (value, wanted) in VALUES {
        let rendered = helm.template(&["--set", "crds.enabled=false", "--set", value])?;
        let text = serde_json::to_string(&rendered)?;
        match wanted.strip_prefix('!') {
            Some(absent) => assert!(!text.contains(absent), "{value}: {absent} is in {text}"),
            None => assert!(text.contains(wanted), "{value}: {wanted} is not in {text}"),
        }
    }
    for value in ["installCRDs=false", "crds.enabled=false"] {
        let rendered = helm.template(&["--set", value])?;
        assert!(rendered.iter().all(|one| one["kind"] != "CustomResourceDefinition"), "{value}");
    }
    let few = helm.template(&["--set", "crds.keep=false,crds.annotations.a=b,crds.createClusterSecretStore=false"])?;
    let crds: Vec<_> = few.iter().filter(|one| one["kind"] == "CustomResourceDefinition").collect();
    assert_eq!(crds.len(), 2);
    assert!(crds.iter().all(|crd| crd["metadata"]["annotations"] == serde_json::json!({"a": "b"})), "without keep");
    Ok(())
}

/// The chart can't read files outside of its folder.
#[tokio::test]
async fn the_dashboard_is_the_repositorys() -> Result {
    let rendered = Helm::new().await?.template(&["--set", "crds.enabled=false,grafanaDashboard.enabled=true"])?;
    let dashboard = of_kind(&rendered, "ConfigMap")["data"]["external-secrets-rs.json"].as_str().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/observability/dashboard.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    assert!(serde_json::from_str::<Value>(dashboard)? == file, "files/dashboard.json is deploy/observability's");
    Ok(())
}

#[tokio::test]
async fn a_typo_is_refused_by_name() -> Result {
    let helm = Helm::new().await?;
    for (value, word) in [
        ("replicaCuont=1", "replicaCuont"),
        ("serviceAccount.nmae=a", "nmae"),
        ("log.level=loud", "log"),
        ("leaderElect=false,replicaCount=2", "set leaderElect to true"),
        ("metrics.listen.secure.enabled=true", "secure"),
        ("image.repository=ghcr.io/external-secrets/external-secrets", "image.repository"),
    ] {
        let refused = helm.template(&["--set", value]).expect_err(value).to_string();
        assert!(refused.contains(word), "{value}: {refused}");
    }
    Ok(())
}
