//! The floor: the same clients, the same number of requests under way, and for each ExternalSecret just the requests that
//! nobody can do without. It watches nothing, decides nothing and remembers nothing.

use crate::Result;
use crate::world::NAMESPACE;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::stream::{self, StreamExt, TryStreamExt};
use k8s_openapi::jiff::Timestamp;
use kube::{Client, Config};
use serde_json::{Value, json};

/// As the operator's default.
const PARALLEL: usize = 16;
/// The answer to a write without the object, as the operator asks for it.
const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

/// Where Vault is.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Its address
    #[arg(long)]
    vault: String,
    /// An AppRole
    #[arg(long)]
    role_id: String,
    /// Its secret id
    #[arg(long)]
    secret_id: String,
}

struct Floor {
    kube: Client,
    vault: reqwest::Client,
    server: String,
    token: String,
}

/// Syncs every ExternalSecret once.
pub async fn run(args: Args) -> Result {
    let kube = Client::try_from(Config::infer().await?)?;
    let vault = reqwest::Client::builder().no_proxy().build()?;
    let login = json!({"role_id": args.role_id, "secret_id": args.secret_id});
    let url = format!("{}/v1/auth/approle/login", args.vault);
    let answer: Value = vault.post(url).json(&login).send().await?.error_for_status()?.json().await?;
    let floor = Floor { kube, vault, server: args.vault, token: text(&answer, "/auth/client_token")? };
    let path = format!("/apis/external-secrets.io/v1/namespaces/{NAMESPACE}/externalsecrets");
    let list: Value =
        serde_json::from_str(&floor.kube.request_text(http::Request::get(path).body(Vec::new())?).await?)?;
    let objects = list.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let synced = stream::iter(&objects).map(|object| floor.sync(object));
    synced.buffer_unordered(PARALLEL).try_for_each(|()| async { Ok(()) }).await
}

impl Floor {
    async fn sync(&self, object: &Value) -> Result {
        let (name, uid) = (text(object, "/metadata/name")?, text(object, "/metadata/uid")?);
        let path = text(object, "/spec/data/0/remoteRef/key")?;
        let request = self.vault.get(format!("{}/v1/kv/data/{path}", self.server)).header("X-Vault-Token", &self.token);
        let answer: Value = request.send().await?.error_for_status()?.json().await?;
        let written =
            self.create(&secret(&name, &uid, &answer)?, &format!("/api/v1/namespaces/{NAMESPACE}/secrets")).await?;
        let events = format!("/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events");
        self.create(&event(&name, &uid), &events).await?;
        let path = format!("/apis/external-secrets.io/v1/namespaces/{NAMESPACE}/externalsecrets/{name}/status");
        self.send("PATCH", &path, "application/merge-patch+json", &status(&uid, &written)).await.map(drop)
    }

    async fn create(&self, object: &Value, path: &str) -> Result<Value> {
        self.send("POST", path, "application/json", object).await
    }

    async fn send(&self, method: &str, path: &str, content: &str, body: &Value) -> Result<Value> {
        let request = http::Request::builder().method(method).uri(path);
        let request = request.header("Content-Type", content).header("Accept", METADATA_ONLY);
        let text = self.kube.request_text(request.body(serde_json::to_vec(body)?)?).await?;
        Ok(serde_json::from_str(&text)?)
    }
}

fn secret(name: &str, uid: &str, answer: &Value) -> Result<Value> {
    let value = |key: &str| text(answer, &format!("/data/data/{key}")).map(|value| STANDARD.encode(value));
    let owner = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": name, "uid": uid,
        "controller": true, "blockOwnerDeletion": true,
    });
    let labels = json!({"reconcile.external-secrets.io/managed": "true"});
    Ok(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels, "ownerReferences": [owner]},
        "data": {"username": value("username")?, "password": value("password")?},
    }))
}

fn event(name: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event",
        "metadata": {"name": format!("{name}.floor"), "namespace": NAMESPACE},
        "action": "Sync", "reason": "Created", "type": "Normal", "note": format!("created Secret \"{name}\""),
        "eventTime": k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime(Timestamp::now()),
        "reportingController": "floor", "reportingInstance": "floor",
        "regarding": {
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "namespace": NAMESPACE, "name": name, "uid": uid,
        },
    })
}

fn status(uid: &str, written: &Value) -> Value {
    let now = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::now());
    let version = |field: &str| written.pointer(&format!("/metadata/{field}")).cloned().unwrap_or_default();
    let ready = json!({
        "type": "Ready", "status": "True", "reason": "SecretSynced", "message": "secret synced", "lastTransitionTime": now,
    });
    json!({
        "metadata": {"uid": uid},
        "status": {
            "conditions": [ready], "observedGeneration": 1, "refreshTime": now,
            "target": {"uid": version("uid"), "resourceVersion": version("resourceVersion")},
        },
    })
}

fn text(value: &Value, pointer: &str) -> Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    Ok(found.ok_or_else(|| format!("an answer lacks {pointer}"))?.to_owned())
}
