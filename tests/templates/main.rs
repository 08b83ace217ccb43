//! What `spec.target.template` makes of the values, as people see it in the cluster.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../common/mod.rs"]
mod common;

mod errors;
mod follow;
mod shape;
mod types;

use common::{External, Operator, Place, Result};
use serde_json::{Value, json};

/// A value that must not show in a condition, an event or a log.
const VALUE: &str = "s3cret value! of {{ nobody }}";

/// A place with `db` in Vault.
async fn place(hint: &str) -> Result<(Place, Operator)> {
    let (place, operator) = Place::with_operator(hint).await?;
    place.write("db", json!({"user": "admin", "password": "p&w", "value": VALUE})).await?;
    Ok((place, operator))
}

/// An ExternalSecret of `db`'s user and password whose Secret is made by this template.
fn templated(place: &Place, name: &str, template: Value) -> External {
    let data = [("user", "db#user"), ("password", "db#password")];
    place.external(name, &data).with("/spec", "target", json!({"template": template}))
}

fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

/// A Secret as it stands.
async fn secret_now(place: &Place, name: &str) -> Result<Value> {
    Ok(serde_json::to_value(place.secret(name).await?.ok_or("no such Secret")?)?)
}
