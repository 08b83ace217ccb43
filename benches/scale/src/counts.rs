//! How many requests the servers have answered, by their own counters: whatever the program under measurement says of itself
//! does not matter.

use crate::Result;
use kube::Client;
use std::collections::BTreeMap;
use testbed::Vault;

/// What the operator asks for; the API server's own traffic is about other kinds.
const RESOURCES: [&str; 6] =
    ["externalsecrets", "secretstores", "clustersecretstores", "secrets", "configmaps", "events"];

/// Counters of one moment.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Requests to the API server by verb and resource; watches that run count too.
    pub api: BTreeMap<String, f64>,
    /// Requests to Vault, logins among them.
    pub vault: f64,
    /// Reads of KV secrets.
    pub reads: f64,
}

impl Counts {
    /// The counters now.
    pub async fn now(client: &Client, vault: &Vault) -> Result<Self> {
        let request = http::Request::get("/metrics").body(Vec::new())?;
        let text = client.request_text(request).await?;
        let mut api = BTreeMap::new();
        for (name, labels, value) in text.lines().filter_map(sample) {
            let is_running = name == "apiserver_longrunning_requests" && label(labels, "verb") == "WATCH";
            let resource = label(labels, "resource");
            if (name == "apiserver_request_total" || is_running) && RESOURCES.contains(&resource) {
                let subresource = label(labels, "subresource");
                let what = if subresource.is_empty() { String::new() } else { format!("/{subresource}") };
                *api.entry(format!("{} {resource}{what}", label(labels, "verb"))).or_default() += value;
            }
        }
        let requests = vault.metric("vault_core_handle_request_count").await?;
        let logins = vault.metric("vault_core_handle_login_request_count").await?;
        let mut reads = 0.0;
        for mount in ["kv", "bench"] {
            reads += vault.metric(&format!("vault_route_read_{mount}__count")).await?;
        }
        Ok(Self { api, vault: requests + logins, reads })
    }

    /// What was asked since `before`, without what the counting itself asked.
    pub fn since(&self, before: &Self, counting: f64) -> Self {
        let api = self.api.iter().map(|(what, count)| (what.clone(), count - before.api.get(what).unwrap_or(&0.0)));
        Self {
            api: api.filter(|(_, count)| *count != 0.0).collect(),
            vault: self.vault - before.vault - counting,
            reads: self.reads - before.reads,
        }
    }

    /// Requests to the API server in all.
    pub fn api_total(&self) -> f64 {
        self.api.values().sum()
    }

    /// Requests to the API server by kind, most first.
    pub fn api_text(&self) -> String {
        let mut counts: Vec<_> = self.api.iter().collect();
        counts.sort_by(|left, right| right.1.total_cmp(left.1));
        counts.iter().map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
    }
}

/// One line of Prometheus' text format: name, labels as they stand, value.
fn sample(line: &str) -> Option<(&str, &str, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = series.split_once('{')?;
    Some((name, labels, value.parse().ok()?))
}

fn label<'a>(labels: &'a str, name: &str) -> &'a str {
    let start = |(at, _): &(usize, &str)| *at == 0 || labels.as_bytes().get(at - 1) == Some(&b',');
    let pattern = format!("{name}=\"");
    let found = labels.match_indices(&pattern).find(start);
    found.and_then(|(at, _)| labels.get(at + pattern.len()..)?.split('"').next()).unwrap_or_default()
}
