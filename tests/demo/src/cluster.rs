//! The cluster as `kubectl` shows it: tables that the API server prints, and excerpts of `describe`.

use crate::{screen, seed};
use base64::{Engine, engine::general_purpose::STANDARD};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::Value;
use testbed::{Error, Kube, Method, Result};

/// Asks for what `kubectl get` prints.
const TABLE: &str = "application/json;as=Table;g=meta.k8s.io;v=v1";
/// Between two columns, as in `kubectl get`.
const GAP: usize = 3;
/// Columns of the screen that a table may take.
const ROOM: usize = 77;

/// The API server, as admin.
pub struct Cluster {
    kube: Kube,
    tables: Client,
}

/// A Secret as the demo compares it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// Another one for each object of that name.
    pub uid: String,
    /// Another one for each write.
    pub resource_version: String,
    /// The value of its key `password`.
    pub password: String,
}

impl Cluster {
    /// A second client beside the testbed's own, which can't ask for tables.
    ///
    /// # Errors
    /// Where the kubeconfig can't be used.
    pub async fn new(kube: Kube) -> Result<Self> {
        let unusable = |why: String| Error::Unexpected { what: kube.kubeconfig().display().to_string(), why };
        let kubeconfig = Kubeconfig::read_from(kube.kubeconfig()).map_err(|error| unusable(error.to_string()))?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let tables = Client::try_from(config.map_err(|error| unusable(error.to_string()))?);
        Ok(Self { tables: tables.map_err(|error| unusable(error.to_string()))?, kube })
    }

    /// The testbed's client.
    pub fn kube(&self) -> &Kube {
        &self.kube
    }

    /// The ExternalSecret.
    ///
    /// # Errors
    /// 404 where it is not there.
    pub async fn external_secret(&self) -> Result<Value> {
        self.kube.request(Method::GET, &custom("externalsecrets", seed::EXTERNAL_SECRET), None).await
    }

    /// The target.
    ///
    /// # Errors
    /// 404 where it is not there, and [`Error::Unexpected`] where it lacks a key.
    pub async fn secret(&self) -> Result<Secret> {
        let path = secret(seed::TARGET);
        let found = self.kube.request(Method::GET, &path, None).await?;
        let text = |pointer: &str| found.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let value = |key: &str| String::from_utf8(STANDARD.decode(text(&format!("/data/{key}"))?).ok()?).ok();
        let parts = (text("/metadata/uid"), text("/metadata/resourceVersion"), value("username"), value("password"));
        let (Some(uid), Some(resource_version), Some(_), Some(password)) = parts else {
            return Err(Error::Unexpected { what: path, why: "it lacks a key".to_owned() });
        };
        Ok(Secret { uid, resource_version, password })
    }

    /// Deletes the target.
    ///
    /// # Errors
    /// 404 where it is not there.
    pub async fn delete_secret(&self) -> Result<()> {
        self.kube.request(Method::DELETE, &secret(seed::TARGET), None).await.map(drop)
    }

    /// Shows `kubectl get` of the SecretStore.
    ///
    /// # Errors
    /// Where the API server does not print it.
    pub async fn show_store(&self) -> Result<()> {
        let path = custom("secretstores", seed::STORE);
        self.show(&format!("kubectl get secretstore {}", seed::STORE), &path, &[]).await
    }

    /// Shows `kubectl get` of the ExternalSecret, without the columns that don't fit.
    ///
    /// # Errors
    /// Where the API server does not print it.
    pub async fn show_external_secret(&self) -> Result<()> {
        let path = custom("externalsecrets", seed::EXTERNAL_SECRET);
        let spare = ["StoreType", "Refresh Interval"];
        self.show(&format!("kubectl get es {}", seed::EXTERNAL_SECRET), &path, &spare).await
    }

    /// Shows `kubectl get` of the target.
    ///
    /// # Errors
    /// Where the API server does not print it.
    pub async fn show_secret(&self) -> Result<()> {
        self.show(&format!("kubectl get secret {}", seed::TARGET), &secret(seed::TARGET), &[]).await
    }

    /// Prints a table of the API server, as wide as the screen: without the `spare` columns where it is wider.
    async fn show(&self, command: &str, path: &str, spare: &[&str]) -> Result<()> {
        let table = self.table(path).await?;
        let all = columns(&table, &[]);
        let (shown, remark) = if width(&all) <= ROOM {
            (all, String::new())
        } else {
            (columns(&table, spare), format!("{} columns left out, to fit", spare.len()))
        };
        screen::command(command, &remark);
        let rows = shown.first().map_or(0, Vec::len);
        for row in 0..rows {
            let cells = shown.iter().filter_map(|column| column.get(row).map(|cell| (cell, widest(column))));
            let line: String = cells.map(|(cell, wide)| format!("{cell:0$}", wide + GAP)).collect();
            screen::plain(line.trim_end());
        }
        Ok(())
    }

    async fn table(&self, path: &str) -> Result<Value> {
        let failed = |why: String| Error::Unexpected { what: format!("the table of {path}"), why };
        let request = http::Request::get(path).header(http::header::ACCEPT, TABLE).body(Vec::new());
        let request = request.map_err(|error| failed(error.to_string()))?;
        self.tables.request(request).await.map_err(|error| failed(error.to_string()))
    }

    /// Shows conditions and the newest events of the ExternalSecret, laid out as in `kubectl describe`.
    ///
    /// # Errors
    /// Where the API server does not answer.
    pub async fn describe(&self, newest_events: usize) -> Result<()> {
        let object = self.external_secret().await?;
        let path = format!(
            "/api/v1/namespaces/{}/events?fieldSelector=involvedObject.name%3D{}",
            seed::NAMESPACE,
            seed::EXTERNAL_SECRET
        );
        let events = self.kube.request(Method::GET, &path, None).await?;
        screen::command(&format!("kubectl describe es {}", seed::EXTERNAL_SECRET), "conditions and last event");
        screen::plain("Conditions:");
        for condition in object.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten() {
            for field in ["type", "status", "reason", "message"] {
                let text = condition.get(field).and_then(Value::as_str).unwrap_or_default();
                let label = format!(
                    "  {}{}:",
                    field.get(..1).unwrap_or_default().to_uppercase(),
                    field.get(1..).unwrap_or_default()
                );
                screen::wrapped(&label, text, 13);
            }
        }
        screen::plain("Events:");
        let mut events: Vec<&Value> = events.get("items").and_then(Value::as_array).into_iter().flatten().collect();
        events.sort_by_key(|event| event.get("eventTime").and_then(Value::as_str).unwrap_or_default());
        for event in events.iter().rev().take(newest_events).rev() {
            let text = |field: &str| event.get(field).and_then(Value::as_str).unwrap_or_default();
            screen::wrapped(&format!("  {}  {}", text("type"), text("reason")), text("message"), 25);
        }
        Ok(())
    }
}

/// Status, and message, of a condition `Ready` that is about the spec as it stands.
///
/// # Errors
/// What was seen instead.
pub fn ready(object: &Value) -> Result<(bool, String), String> {
    let status = object.get("status").cloned().unwrap_or_default();
    if status.get("observedGeneration") != object.pointer("/metadata/generation") {
        return Err(format!("a status about an older spec: {status}"));
    }
    let conditions = status.get("conditions").and_then(Value::as_array).into_iter().flatten();
    let ready = conditions.into_iter().find(|condition| condition.get("type").is_some_and(|type_| type_ == "Ready"));
    let ready = ready.ok_or_else(|| format!("no condition Ready: {status}"))?;
    let text = |field: &str| ready.get(field).and_then(Value::as_str).unwrap_or_default();
    Ok((text("status") == "True", text("message").to_owned()))
}

/// Heading and cells of each column that `kubectl get` shows by default, but those in `without`.
fn columns(table: &Value, without: &[&str]) -> Vec<Vec<String>> {
    let definitions = table.get("columnDefinitions").and_then(Value::as_array).cloned().unwrap_or_default();
    let rows = table.get("rows").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut columns = Vec::new();
    for (number, definition) in definitions.iter().enumerate() {
        let name = definition.get("name").and_then(Value::as_str).unwrap_or_default();
        let is_default = definition.get("priority").and_then(Value::as_i64).unwrap_or_default() == 0;
        if !is_default || without.contains(&name) {
            continue;
        }
        let cells = rows.iter().map(|row| match row.pointer(&format!("/cells/{number}")) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        });
        columns.push(std::iter::once(name.to_uppercase()).chain(cells).collect());
    }
    columns
}

fn widest(column: &[String]) -> usize {
    column.iter().map(|cell| cell.chars().count()).max().unwrap_or_default()
}

fn width(columns: &[Vec<String>]) -> usize {
    columns.iter().map(|column| widest(column) + GAP).sum::<usize>().saturating_sub(GAP)
}

fn custom(plural: &str, name: &str) -> String {
    format!("/apis/external-secrets.io/v1/namespaces/{}/{plural}/{name}", seed::NAMESPACE)
}

fn secret(name: &str) -> String {
    format!("/api/v1/namespaces/{}/secrets/{name}", seed::NAMESPACE)
}
