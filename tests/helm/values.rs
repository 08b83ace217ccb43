//! What each value of the chart does, and that none was forgotten.

use crate::common::Result;
use crate::common::helm::{Helm, NAME, chart, folder, of_kind};
use serde_json::Value;
use std::collections::BTreeSet;

/// What must be in the rendering (or not, after `!`) for a value; read as one line of JSON without spaces. Without the value it is
/// the other way round.
const VALUES: &[(&str, &str)] = &[
    ("image.tag=v9", r#""image":"external-secrets-rs:v9""#),
    ("image.repository=r/x", r#""image":"r/x:0.1.0""#),
    (
        "image.digest=sha256:0123456789abcdef0123456789abcdef",
        r#""image":"external-secrets-rs@sha256:0123456789abcdef0123456789abcdef""#,
    ),
    ("image.pullPolicy=Always", r#""imagePullPolicy":"Always""#),
    ("imagePullSecrets[0].name=pull", r#""imagePullSecrets":[{"name":"pull"}]"#),
    ("global.imagePullSecrets[0].name=pull", r#""imagePullSecrets":[{"name":"pull"}]"#),
    ("nameOverride=other", r#""app.kubernetes.io/name":"other""#),
    ("fullnameOverride=other", r#""serviceAccountName":"other""#),
    ("namespaceOverride=other", r#""namespace":"other""#),
    ("commonLabels.team=a", r#""team":"a""#),
    ("replicaCount=3", r#""replicas":3"#),
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
    ("extraArgs.deletion-brake=1000000", "--deletion-brake=1000000\""),
    ("extraArgs.log-format=text", "--log-format=text"),
    ("serviceAccount.name=sa", r#""serviceAccountName":"sa""#),
    ("serviceAccount.create=false,serviceAccount.name=mine", r#"!"kind":"ServiceAccount","metadata""#),
    ("serviceAccount.create=false,rbac.create=false", r#""serviceAccountName":"default""#),
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
    ("podSecurityContext.runAsNonRoot=false", r#""runAsNonRoot":false"#),
    ("podSecurityContext.runAsUser=1000640000", r#""runAsUser":1000640000"#),
    ("podSecurityContext.runAsGroup=1000", r#""runAsGroup":1000"#),
    ("podSecurityContext.seccompProfile.type=Localhost", r#""seccompProfile":{"type":"Localhost"}"#),
    ("securityContext.runAsUser=1000", r#""runAsUser":1000"#),
    ("securityContext.enabled=false", "!readOnlyRootFilesystem"),
    ("securityContext.allowPrivilegeEscalation=true", r#""allowPrivilegeEscalation":true"#),
    ("securityContext.readOnlyRootFilesystem=false", r#""readOnlyRootFilesystem":false"#),
    ("securityContext.runAsNonRoot=false", r#""runAsNonRoot":false"#),
    ("securityContext.capabilities.drop[0]=CHOWN", r#""drop":["CHOWN"]"#),
    ("securityContext.seccompProfile.type=Localhost", r#""seccompProfile":{"type":"Localhost"}"#),
    ("resources.limits.memory=1Gi", r#""limits":{"memory":"1Gi"}"#),
    ("resources.requests.cpu=1", r#""cpu":1"#),
    ("resources.requests.memory=1Gi", r#""memory":"1Gi""#),
    ("podAnnotations.a=b", r#""annotations":{"a":"b"}"#),
    ("global.podAnnotations.a=b", r#""annotations":{"a":"b"}"#),
    ("podLabels.a=b", r#""a":"b""#),
    ("global.podLabels.a=b", r#""a":"b""#),
    ("deploymentAnnotations.a=b", r#""annotations":{"a":"b"}"#),
    ("nodeSelector.a=b", r#""nodeSelector":{"a":"b"}"#),
    ("global.nodeSelector.a=b", r#""nodeSelector":{"a":"b"}"#),
    ("tolerations[0].key=a", r#""tolerations":[{"key":"a"}]"#),
    ("global.tolerations[0].key=a", r#""tolerations":[{"key":"a"}]"#),
    ("global.affinity.nodeAffinity.a=b", r#""affinity":{"nodeAffinity":{"a":"b"}}"#),
    ("global.topologySpreadConstraints[0].maxSkew=1", r#""topologySpreadConstraints":[{"maxSkew":1}]"#),
    ("global.hostAliases[0].ip=1.2.3.4", r#""hostAliases":[{"ip":"1.2.3.4"}]"#),
    ("affinity.nodeAffinity.a=b", r#""affinity":{"nodeAffinity":{"a":"b"}}"#),
    ("topologySpreadConstraints[0].maxSkew=1", r#""topologySpreadConstraints":[{"maxSkew":1}]"#),
    ("priorityClassName=high", r#""priorityClassName":"high""#),
    ("runtimeClassName=gvisor", r#""runtimeClassName":"gvisor""#),
    ("schedulerName=other", r#""schedulerName":"other""#),
    ("hostNetwork=true", r#""hostNetwork":true"#),
    ("hostNetwork=true", r#""dnsPolicy":"ClusterFirstWithHostNet""#),
    ("hostNetwork=true,dnsPolicy=Default", r#""dnsPolicy":"Default""#),
    ("hostAliases[0].ip=1.2.3.4", r#""hostAliases":[{"ip":"1.2.3.4"}]"#),
    ("dnsPolicy=Default", r#""dnsPolicy":"Default""#),
    ("dnsConfig.searches[0]=a", r#""dnsConfig":{"searches":["a"]}"#),
    ("terminationGracePeriodSeconds=60", r#""terminationGracePeriodSeconds":60"#),
    ("podSpecExtra.hostUsers=false", r#""hostUsers":false"#),
    ("podSpecExtra.automountServiceAccountToken=false", r#"!"automountServiceAccountToken":true"#),
    ("extraEnv[0].name=A", r#"{"name":"A"}"#),
    ("extraVolumes[0].name=v", r#""volumes":[{"name":"v"}]"#),
    ("extraVolumeMounts[0].name=v", r#""volumeMounts":[{"name":"v"}]"#),
    ("extraInitContainers[0].name=i", r#""initContainers":[{"name":"i"}]"#),
    ("extraContainers[0].name=side", r#"{"name":"side"}"#),
    ("extraObjects[0].kind=X{{ .Release.Name }}", r#"{"kind":"Xexternal-secrets"}"#),
    ("livenessProbe.enabled=false", "!livenessProbe"),
    ("livenessProbe.spec.port=9000", "--live-addr=:9000"),
    ("livenessProbe.spec.address=0.0.0.0", "--live-addr=0.0.0.0:8082"),
    ("livenessProbe.spec.address=::", "--live-addr=[::]:8082"),
    ("livenessProbe.spec.timeoutSeconds=99", r#""timeoutSeconds":99"#),
    ("livenessProbe.spec.failureThreshold=99", r#""failureThreshold":99"#),
    ("livenessProbe.spec.periodSeconds=99", r#""periodSeconds":99"#),
    ("livenessProbe.spec.successThreshold=99", r#""successThreshold":99"#),
    ("livenessProbe.spec.initialDelaySeconds=99", r#""initialDelaySeconds":99"#),
    ("livenessProbe.spec.httpGet.port=9001", "--live-addr=:9001"),
    ("livenessProbe.spec.httpGet.path=/other", r#""path":"/other""#),
    ("readinessProbe.enabled=false", "!readinessProbe"),
    ("readinessProbe.spec.timeoutSeconds=99", r#""timeoutSeconds":99"#),
    ("readinessProbe.spec.failureThreshold=99", r#""failureThreshold":99"#),
    ("readinessProbe.spec.periodSeconds=99", r#""periodSeconds":99"#),
    ("readinessProbe.spec.successThreshold=99", r#""successThreshold":99"#),
    ("readinessProbe.spec.initialDelaySeconds=99", r#""initialDelaySeconds":99"#),
    ("livenessProbe.spec.port=9002,readinessProbe.spec.httpGet.port=9002", r#""port":9002"#),
    ("readinessProbe.spec.httpGet.path=/other", r#""path":"/other""#),
    ("podDisruptionBudget.enabled=true", r#""maxUnavailable":1"#),
    ("podDisruptionBudget.enabled=true,podDisruptionBudget.minAvailable=2", r#""minAvailable":2"#),
    ("podDisruptionBudget.enabled=true,podDisruptionBudget.maxUnavailable=50%", r#""maxUnavailable":"50%""#),
    ("podDisruptionBudget.enabled=true,podDisruptionBudget.maxUnavailable=null", r#""maxUnavailable":1"#),
    ("podDisruptionBudget.enabled=true,podDisruptionBudget.nameOverride=mine", r#""name":"mine""#),
    ("networkPolicy.enabled=true", r#""policyTypes":["Ingress"]"#),
    ("networkPolicy.enabled=true", r#""ingress":[{"ports":[{"port":"metrics","protocol":"TCP"}]}]"#),
    ("networkPolicy.enabled=true,networkPolicy.ingress[0].ports[0].port=1", r#""ingress":[{"ports":[{"port":1}]}]"#),
    ("networkPolicy.enabled=true,networkPolicy.egress[0].ports[0].port=443", r#""egress":[{"ports":[{"port":443}]}]"#),
    ("metrics.listen.port=9090", "--metrics-addr=:9090"),
    ("metrics.service.enabled=true,metrics.service.port=81", r#""port":81"#),
    ("metrics.service.enabled=true,metrics.service.annotations.a=b", r#""annotations":{"a":"b"}"#),
    ("grafanaDashboard.enabled=true", r#""grafana_dashboard":"1""#),
    ("grafanaDashboard.enabled=true,grafanaDashboard.sidecarLabel=a", r#""a":"1""#),
    ("grafanaDashboard.enabled=true,grafanaDashboard.sidecarLabelValue=b", r#""grafana_dashboard":"b""#),
    ("grafanaDashboard.enabled=true,grafanaDashboard.annotations.a=b", r#""annotations":{"a":"b"}"#),
    ("grafanaDashboard.enabled=true,grafanaDashboard.extraLabels.a=b", r#""a":"b""#),
];

/// The same for the kinds of the Prometheus operator, which are made where the cluster has them.
const MONITORING: &[(&str, &str)] = &[
    ("serviceMonitor.enabled=true", r#""kind":"ServiceMonitor""#),
    ("serviceMonitor.enabled=true", r#""kind":"Service","#),
    ("serviceMonitor.enabled=true,serviceMonitor.renderMode=alwaysRender", r#""kind":"ServiceMonitor""#),
    ("serviceMonitor.enabled=true,serviceMonitor.namespace=other", r#""namespace":"other""#),
    ("serviceMonitor.enabled=true,serviceMonitor.additionalLabels.a=b", r#""a":"b""#),
    ("serviceMonitor.enabled=true,serviceMonitor.interval=9s", r#""interval":"9s""#),
    ("serviceMonitor.enabled=true,serviceMonitor.scrapeTimeout=9s", r#""scrapeTimeout":"9s""#),
    ("serviceMonitor.enabled=true,serviceMonitor.honorLabels=true", r#""honorLabels":true"#),
    (
        "serviceMonitor.enabled=true,serviceMonitor.metricRelabelings[0].action=a",
        r#""metricRelabelings":[{"action":"a"}]"#,
    ),
    ("serviceMonitor.enabled=true,serviceMonitor.relabelings[0].action=a", r#""relabelings":[{"action":"a"}]"#),
    ("prometheusRule.enabled=true", r#""kind":"PrometheusRule""#),
    ("prometheusRule.enabled=true,prometheusRule.namespace=other", r#""namespace":"other""#),
    ("prometheusRule.enabled=true,prometheusRule.additionalLabels.a=b", r#""a":"b""#),
];

/// The same for the CRDs.
const CRDS: &[(&str, &str)] = &[
    ("installCRDs=false", "!CustomResourceDefinition"),
    ("crds.enabled=false", "!CustomResourceDefinition"),
    ("crds.keep=false", "!helm.sh/resource-policy"),
    ("crds.createClusterSecretStore=false", r#"!"name":"clustersecretstores.external-secrets.io""#),
    ("crds.createSecretStore=false", r#"!"name":"secretstores.external-secrets.io""#),
    ("crds.keep=false,crds.annotations.a=b", r#""annotations":{"a":"b"}"#),
];

#[tokio::test]
async fn each_value_does_what_it_says() -> Result {
    let helm = Helm::new().await?;
    let api = "monitoring.coreos.com/v1/ServiceMonitor";
    check(&helm, VALUES, &["--set", "crds.enabled=false"])?;
    check(&helm, MONITORING, &["--set", "crds.enabled=false", "--api-versions", api])?;
    check(&helm, CRDS, &[])?;
    let without = helm.template(&["--set", "crds.enabled=false,serviceMonitor.enabled=true"])?;
    assert!(without.iter().all(|one| one["kind"] != "ServiceMonitor"), "the cluster has no such kind");
    Ok(())
}

fn check(helm: &Helm, rows: &[(&str, &str)], always: &[&str]) -> Result {
    let render = |more: &[&str]| {
        Ok::<_, Box<dyn std::error::Error>>(serde_json::to_string(&helm.template(&[always, more].concat())?)?)
    };
    let holds = |text: &str, wanted: &str| match wanted.strip_prefix('!') {
        Some(absent) => !text.contains(absent),
        None => text.contains(wanted),
    };
    let default = render(&[])?;
    for (value, wanted) in rows {
        assert!(!holds(&default, wanted), "{value}: {wanted} holds without the value too, so the row shows nothing");
        let text = render(&["--set", value])?;
        assert!(holds(&text, wanted), "{value}: {wanted} does not hold: {text}");
    }
    Ok(())
}

/// Maps are put one on the other: no key is there twice, which helm-controller refuses, and no label hides one that a selector needs.
#[tokio::test]
async fn a_label_that_is_set_twice_is_there_once() -> Result {
    let helm = Helm::new().await?;
    let everywhere = [
        "commonLabels",
        "podLabels",
        "global.podLabels",
        "serviceAccount.extraLabels",
        "serviceMonitor.additionalLabels",
        "prometheusRule.additionalLabels",
        "grafanaDashboard.extraLabels",
    ];
    let mut set: Vec<String> =
        everywhere.iter().map(|map| format!("{map}.team=a,{map}.app\\.kubernetes\\.io/name=mine")).collect();
    set.push("commonLabels.app\\.kubernetes\\.io/managed-by=x,podSpecExtra.terminationGracePeriodSeconds=7".to_owned());
    set.push("serviceMonitor.renderMode=alwaysRender,crds.enabled=false".to_owned());
    for kind in [
        "serviceMonitor",
        "prometheusRule",
        "grafanaDashboard",
        "podDisruptionBudget",
        "networkPolicy",
        "metrics.service",
    ] {
        set.push(format!("{kind}.enabled=true"));
    }
    let text = helm.run(&["template", NAME, &chart(), "--set", &set.join(",")])?;
    // The parser refuses a key that is there twice.
    let rendered = serde_saphyr::from_multiple::<Value>(&text)?;
    let rendered: Vec<Value> = rendered.into_iter().filter(|document| !document.is_null()).collect();
    assert!(serde_saphyr::from_str::<Value>("{a: 1, a: 2}").is_err(), "it does refuse one");
    let deployment = of_kind(&rendered, "Deployment");
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    for (key, value) in deployment["spec"]["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&labels[key], value);
    }
    assert_eq!(deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"], 7);
    assert!(rendered.iter().all(|one| one["metadata"]["labels"]["team"] == "a"), "{text}");
    Ok(())
}

/// A release's name may have 53 characters, a Service's name and a label 63.
#[tokio::test]
async fn a_long_name_is_cut() -> Result {
    let helm = Helm::new().await?;
    let long = "external-secrets-of-a-team-with-a-very-long-name-yes1";
    assert_eq!(long.len(), 53);
    let wide = "a".repeat(70);
    let set = format!("crds.enabled=false,metrics.service.enabled=true,fullnameOverride={wide},nameOverride={wide}");
    for set in ["crds.enabled=false,metrics.service.enabled=true", &set] {
        let text = helm.run(&["template", long, &chart(), "--set", set])?;
        for object in serde_saphyr::from_multiple::<Value>(&text)?.iter().filter(|one| !one.is_null()) {
            if object["kind"] == "Service" {
                assert!(object["metadata"]["name"].as_str().unwrap().len() <= 63, "{}", object["metadata"]);
            }
            for (key, value) in object["metadata"]["labels"].as_object().unwrap() {
                assert!(value.as_str().unwrap().len() <= 63, "{key}: {value}");
            }
        }
    }
    Ok(())
}

/// The paths of what has no keys of its own.
fn leaves(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value.as_object().filter(|map| !map.is_empty()) {
        Some(map) => {
            for (key, value) in map {
                leaves(value, &if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, found);
            }
        }
        None => {
            found.insert(path.to_owned());
        }
    }
}

#[test]
fn every_value_has_a_row() -> Result {
    let values: Value = serde_saphyr::from_str(&std::fs::read_to_string(folder().join("values.yaml"))?)?;
    let mut all = BTreeSet::new();
    leaves(&values, "", &mut all);
    assert!(all.len() > 120, "{all:?}");
    let rows = [VALUES, MONITORING, CRDS].concat();
    let set: Vec<&str> =
        rows.iter().flat_map(|(values, _)| values.split(',')).filter_map(|one| one.split('=').next()).collect();
    let is_set = |leaf: &String| {
        let rest = |path: &&str| {
            path.strip_prefix(leaf.as_str()).is_some_and(|rest| matches!(rest.chars().next(), None | Some('.' | '[')))
        };
        set.iter().any(rest)
    };
    let forgotten: Vec<_> = all.iter().filter(|leaf| !is_set(leaf)).collect();
    assert!(forgotten.is_empty(), "no row sets {forgotten:?}");
    Ok(())
}
