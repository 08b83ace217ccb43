//! All that the dashboard and the alerts are about, at once, and a Prometheus that sees it.

use crate::common::{External, Operator, Place, Result, SOON};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use testbed::{Guard, Prometheus, Target, wait_until};

/// Between two scrapes.
const INTERVAL: &str = "500ms";
/// Labels of the target that a cluster's Prometheus would set: the operator's own, not those of the objects.
const TARGET: [(&str, &str); 2] = [("namespace", "operators"), ("pod", "external-secrets-0")];

/// An operator and its Prometheus.
pub struct Scenario {
    /// Where its objects are.
    pub place: Place,
    /// What is scraped.
    pub operator: Operator,
    /// What scrapes.
    pub prometheus: Prometheus,
    broken: String,
}

impl Scenario {
    /// An operator that leads, and a Prometheus with these rules. One ExternalSecret is well, one read well until a moment ago, and one
    /// may not read; of both kinds of store one works, with a secret id that ends, and one is refused.
    pub async fn start(rules: &Path) -> Result<Self> {
        let role = json!({"secret_id_ttl": "1h", "secret_id_num_uses": 9});
        let place = Place::with_role("observability", role).await?;
        let name = place.name();
        let policy = format!(
            "path \"kv/data/{name}/*\" {{ capabilities = [\"read\"] }}\n\
             path \"auth/{}/role/{name}/secret-id/lookup\" {{ capabilities = [\"update\"] }}\n",
            place.role.mount
        );
        place.stack.vault().write_policy(name, &policy).await?;
        let broken = format!("{name}-refused");
        place.apply([place.credentials()]).await?;
        let nobody = json!({"appRole": {"path": place.role.mount, "roleId": "nobody", "secretRef": place.app_role()["appRole"]["secretRef"]}});
        for (name, auth) in [("vault", place.app_role()), ("refused", nobody.clone())] {
            let mut store = place.store_with(name, auth);
            store["spec"]["controller"] = json!(place.name());
            place.apply([store]).await?;
        }
        place.apply([place.cluster_store(name, place.app_role()), place.cluster_store(&broken, nobody)]).await?;

        let election =
            ["--enable-leader-election", "--leader-election-id=observed", "--leader-election-namespace", name];
        let operator = Operator::start_with(&[&["--controller-class", name][..], &election[..]].concat(), None).await?;
        operator.ready().await?;
        let target = Target {
            address: operator.metrics_address().to_owned(),
            labels: TARGET.map(|(name, value)| (name, value.to_owned())).to_vec(),
        };
        let prometheus = Prometheus::start(&Arc::new(Guard::new()?), INTERVAL, &[target], &[rules]).await?;
        let scenario = Self { operator, prometheus, broken, place };
        scenario.play().await?;
        Ok(scenario)
    }

    async fn play(&self) -> Result {
        let place = &self.place;
        for path in ["db", "old"] {
            place.write(path, json!({"password": "s3cret"})).await?;
        }
        let forbidden =
            json!([{"secretKey": "password", "remoteRef": {"key": "of/another/team", "property": "password"}}]);
        let forbidden = External::new("forbidden", Vec::new()).with("/spec", "data", forbidden);
        place.apply_external(place.external("good", &[("password", "db#password")])).await?;
        place.apply_external(place.external("bad", &[("password", "old#password")]).every("1s")).await?;
        place.apply_external(forbidden).await?;
        place.ready("good").await?;
        place.ready("bad").await?;
        place.write("old", json!({"user": "app"})).await?;
        place.failed("bad", &[]).await?;
        place.failed("forbidden", &[]).await?;
        place.cluster_store_is(place.name(), "True", &[]).await?;
        place.cluster_store_is(&self.broken, "False", &[]).await?;
        Ok(())
    }

    /// The series of an expression, as soon as there are any.
    pub async fn series(&self, expression: &str) -> Result<Vec<Value>> {
        let found = wait_until(expression, SOON, async || match self.prometheus.query(expression).await {
            Ok(series) if series.is_empty() => Err("no series".to_owned()),
            Ok(series) => Ok(series),
            Err(error) => Err(error.to_string()),
        });
        Ok(found.await?)
    }

    /// Removes what does not go with the namespace.
    pub async fn end(self) -> Result {
        self.place.delete_cluster_store(self.place.name()).await?;
        self.place.delete_cluster_store(&self.broken).await
    }
}
