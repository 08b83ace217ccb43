//! A cluster as External Secrets Operator (ESO) leaves it: CRDs in the shape of its own, in a control plane of a test's own.

use super::{Place, Result, SOON};
use external_secrets_rs::api;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::GroupVersionKind;
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use testbed::{Binaries, Guard, KvVersion, Proxy, Running, SHARED_KV, Stack, wait_until};

/// A place in a stack of its own, with ESO's kind of CRDs in it. `collects` starts the garbage collector too.
pub async fn place(hint: &str, collects: bool) -> Result<(Running, Place)> {
    let guard = Guard::new()?;
    let binaries = Binaries::get(&guard, collects).await?;
    let running = Running::start(guard, &binaries).await?;
    let stack = running.stack().clone();
    let client = client(&stack).await?;
    install(&client).await?;
    let namespace = stack.namespace(hint).await?;
    let paths = [format!("{SHARED_KV}/data/{}/*", namespace.name()), format!("{}/*", namespace.name())];
    let role = namespace.reader(&[&paths[0], &paths[1]], json!({})).await?;
    let proxy = Proxy::start(stack.vault().addr()).await?;
    let kv = stack.vault().kv(SHARED_KV, KvVersion::V2);
    Ok((running, Place { stack, namespace, client, kv, role, proxy }))
}

/// The admin of a stack that is not the tests' common one.
pub async fn client(stack: &Stack) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(stack.kube().kubeconfig())?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

/// Its CRDs of the kinds that are served here.
pub fn crds() -> Vec<Value> {
    api::all().iter().map(|crd| as_eso_has_it(serde_json::to_value(crd).unwrap())).collect()
}

async fn install(client: &Client) -> Result {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for crd in crds() {
        api.create(&PostParams::default(), &serde_json::from_value(crd)?).await?;
    }
    served(client).await
}

/// Waits until all kinds can be listed.
pub async fn served(client: &Client) -> Result {
    for crd in api::all() {
        let kind = GroupVersionKind::gvk("external-secrets.io", "v1", &crd.spec.names.kind);
        let objects: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from_gvk(&kind));
        wait_until(&crd.spec.names.kind, SOON, async || objects.list(&ListParams::default()).await).await?;
    }
    Ok(())
}

/// One of our CRDs in the shape of ESO's: one version, no rules, no columns, a status without our fields and with its own
/// condition types, its defaults, and none of the fields that ESO does not have.
fn as_eso_has_it(mut crd: Value) -> Value {
    let versions = crd["spec"]["versions"].as_array_mut().unwrap();
    versions.retain(|version| version["name"] == "v1");
    let version = &mut versions[0];
    version.as_object_mut().unwrap().remove("additionalPrinterColumns");
    version.as_object_mut().unwrap().remove("selectableFields");
    let schema = &mut version["schema"]["openAPIV3Schema"];
    without(schema, "x-kubernetes-validations");
    let is_store = schema["properties"]["spec"]["properties"].get("provider").is_some();
    let types =
        if is_store { json!({"type": "string"}) } else { json!({"type": "string", "enum": ["Ready", "Deleted"]}) };
    let text = json!({"type": "string"});
    let condition = json!({"type": "object", "required": ["status", "type"], "properties": {
        "type": types, "status": text, "reason": text, "message": text, "lastTransitionTime": {"type": "string", "format": "date-time"},
    }});
    let mut status = json!({"type": "object", "properties": {"conditions": {"type": "array", "items": condition}}});
    let fields = status["properties"].as_object_mut().unwrap();
    if is_store {
        fields.insert("capabilities".to_owned(), text);
    } else {
        fields.insert("refreshTime".to_owned(), json!({"type": "string", "format": "date-time", "nullable": true}));
        fields.insert("syncedResourceVersion".to_owned(), text);
        fields.insert(
            "binding".to_owned(),
            json!({"type": "object", "properties": {"name": {"type": "string", "default": ""}}}),
        );
    }
    schema["properties"]["status"] = status;
    if !is_store {
        let spec = &mut schema["properties"]["spec"]["properties"];
        spec["refreshInterval"]["default"] = json!("1h0m0s");
        spec["target"]["default"] = json!({"creationPolicy": "Owner", "deletionPolicy": "Retain"});
        spec["target"]["properties"]["creationPolicy"]["default"] = json!("Owner");
        spec["target"]["properties"]["deletionPolicy"]["default"] = json!("Retain");
        let entry = &mut spec["data"]["items"];
        entry["properties"].as_object_mut().unwrap().remove("remoteKey");
        entry["required"] = json!(["remoteRef", "secretKey"]);
        let remote = &mut entry["properties"]["remoteRef"]["properties"];
        remote["conversionStrategy"]["default"] = json!("Default");
        remote["decodingStrategy"]["default"] = json!("None");
        remote["metadataPolicy"]["default"] = json!("None");
        for remote in ["extract", "find"] {
            let remote = &mut spec["dataFrom"]["items"]["properties"][remote]["properties"];
            remote["conversionStrategy"]["default"] = json!("Default");
            remote["decodingStrategy"]["default"] = json!("None");
        }
    }
    crd
}

/// Removes a key wherever it is.
fn without(value: &mut Value, key: &str) {
    match value {
        Value::Object(fields) => {
            fields.remove(key);
            fields.values_mut().for_each(|value| without(value, key));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| without(value, key)),
        _ => {}
    }
}
