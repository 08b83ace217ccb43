//! What the README tells people to apply works as it stands, but for the server and the role id, which are this cluster's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{Operator, Place, Result};
use serde_json::json;

const README: &str = include_str!("../README.md");

#[tokio::test]
async fn its_manifests_make_the_secret() -> Result {
    let place = Place::with_role("readme", json!({})).await?;
    place.stack.vault().allow_reading(place.name(), &["kv/data/database/config"]).await?;
    place.kv.write("database/config", json!({"username": "app", "password": "one"})).await?;
    let operator = Operator::start(place.name()).await?;
    let credentials = common::place::secret("vault-approle-secret", &[("secretID", &place.role.secret_id)]);
    place.apply([credentials]).await?;
    let manifests = manifests();
    assert_eq!(manifests.len(), 2, "a SecretStore and an ExternalSecret");
    for manifest in manifests {
        let own = manifest
            .replace("https://vault.example.com:8200", place.stack.vault().addr())
            .replace("a1b2c3d4-e5f6-7890-1234-abcdef123456", &place.role.role_id);
        place.namespace.apply(&own).await?;
    }
    place.ready("my-app-db-credentials").await?;
    let secret = place.secret("db-credentials").await?.expect("the Secret");
    assert_eq!(common::data_of(&secret).keys().map(String::as_str).collect::<Vec<_>>(), ["password", "username"]);
    assert_eq!(operator.complaints(), Vec::<String>::new());
    Ok(())
}

/// What it shows of `kubectl describe` is what a mistyped property gives.
#[tokio::test]
async fn its_message_is_the_operators() -> Result {
    let (place, _operator) = Place::with_operator("readme-message").await?;
    place.write("database/config", json!({"username": "app", "password": "one"})).await?;
    let told = README.split("    Message:  ").nth(1).and_then(|rest| rest.split("```").next()).expect("a message");
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    let path = place.read_at("database/config").replace("/v1/", "");
    let told = told.replace("kv/data/database/config", &path);
    place
        .apply_external(
            place.external("db", &[("username", "database/config#username"), ("password", "database/config#pasword")]),
        )
        .await?;
    let object = place.failed("db", &["pasword"]).await?;
    assert_eq!(common::message(&object), told);
    Ok(())
}

/// The blocks of YAML.
fn manifests() -> Vec<&'static str> {
    README.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}
