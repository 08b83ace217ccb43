//! A Prometheus server that scrapes what a test or the pictures of the dashboard started. All of it is on loopback.

use crate::{
    Binaries, Error, Guard, Result, Tool, http,
    process::{Server, on_free_ports},
};
use reqwest::{Client, Method, Url};
use serde_json::{Map, Value, json};
use std::{fs, path::Path, sync::Arc, time::Duration};

const DEADLINE: Duration = Duration::from_secs(60);

/// What is scraped.
#[derive(Clone, Debug)]
pub struct Target {
    /// `127.0.0.1:<port>`, whose `/metrics` is read.
    pub address: String,
    /// Labels that its series get, as a cluster's Prometheus gives them `namespace` and `pod`. A label of that name which a series has
    /// already goes to `exported_…`, for that is what Prometheus does unless it is told otherwise.
    pub labels: Vec<(&'static str, String)>,
}

/// A running Prometheus, killed when dropped.
pub struct Prometheus {
    server: Server,
    client: Client,
    base: Url,
}

impl Prometheus {
    /// Starts a server that scrapes `targets` and evaluates `rules` every `interval`, such as `500ms`. Its data is in the guard's folder.
    ///
    /// # Errors
    /// [`Error::Binary`] where there is no Prometheus to be had, [`Error::Start`] with its log where it does not start.
    pub async fn start(guard: &Arc<Guard>, interval: &str, targets: &[Target], rules: &[&Path]) -> Result<Self> {
        let program = Binaries::tool(guard, Tool::Prometheus).await?;
        let config = guard.dir().join("prometheus.json");
        fs::write(&config, configuration(interval, targets, rules).to_string()).map_err(Error::io("write", &config))?;
        let client = http::plain()?;
        on_free_ports(async |[port]| {
            let base = Url::parse(&format!("http://127.0.0.1:{port}/"))
                .map_err(|error| Error::Unexpected { what: "an address".to_owned(), why: error.to_string() })?;
            let args = [
                format!("--config.file={}", config.display()),
                format!("--storage.tsdb.path={}", guard.dir().join("prometheus").display()),
                format!("--web.listen-address=127.0.0.1:{port}"),
                "--log.level=warn".to_owned(),
            ];
            let server = Server::spawn(guard, "prometheus", &format!("prometheus-{port}"), &program, &args)?;
            let mut started = Self { server, client: client.clone(), base };
            let ready = started.url("-/ready", &[])?;
            let probe = async || match http::send(&Method::GET, ready.as_str(), client.get(ready.clone())).await {
                Ok((200, _)) => Ok(()),
                Ok((status, body)) => Err(format!("{status} {body}")),
                Err(error) => Err(error.to_string()),
            };
            started.server.ready(DEADLINE, probe).await?;
            Ok(started)
        })
        .await
    }

    /// The `data` of an endpoint below `api/v1`, such as `("parse_query", &[("query", "up")])`.
    ///
    /// # Errors
    /// [`Error::Answer`] with what Prometheus says, such as where a query does not parse.
    pub async fn get(&self, endpoint: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let url = self.url(&format!("api/v1/{endpoint}"), parameters)?;
        let mut answer = http::json(&Method::GET, url.as_str(), self.client.get(url.clone())).await?;
        Ok(answer.get_mut("data").map(Value::take).unwrap_or_default())
    }

    /// The series of a query now, each with `metric` and `value`.
    ///
    /// # Errors
    /// As [`Prometheus::get`].
    pub async fn query(&self, expression: &str) -> Result<Vec<Value>> {
        let mut data = self.get("query", &[("query", expression)]).await?;
        match data.get_mut("result").map(Value::take) {
            Some(Value::Array(series)) => Ok(series),
            other => Err(Error::Unexpected { what: expression.to_owned(), why: format!("no series: {other:?}") }),
        }
    }

    fn url(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Url> {
        let url = self.base.join(path).and_then(|url| match parameters {
            [] => Ok(url),
            _ => Url::parse_with_params(url.as_str(), parameters),
        });
        url.map_err(|error| Error::Unexpected { what: path.to_owned(), why: error.to_string() })
    }
}

/// JSON is YAML too.
fn configuration(interval: &str, targets: &[Target], rules: &[&Path]) -> Value {
    let scraped = targets.iter().map(|target| {
        let labels: Map<_, _> = target.labels.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        json!({"targets": [target.address], "labels": labels})
    });
    json!({
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": rules,
        "scrape_configs": [{"job_name": "external-secrets", "static_configs": scraped.collect::<Vec<_>>()}],
    })
}
