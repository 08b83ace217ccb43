//! The Vault policies of docs/security.md, as they stand there but for this test's names, are all that the operator needs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::{External, condition};
use common::place::STORE;
use common::{Operator, Place, Result, SOON};
use serde_json::{Value, json};
use testbed::{KvVersion, SHARED_KV};

const DOC: &str = include_str!("../docs/security.md");

/// Every rule of the page, with the test's mounts, prefix and role.
fn policy(place: &Place, old: &str) -> String {
    let blocks: Vec<&str> = DOC.split("```hcl\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 3, "reading, finding, the secret id");
    let role = &place.role;
    let own = blocks.concat().replace("auth/approle/role/my-app/", &format!("auth/{}/role/{}/", role.mount, role.name));
    let own = own.replace("kv1/my-app/", &format!("{old}/my-app/")).replace("\"kv/", &format!("\"{SHARED_KV}/"));
    own.replace("my-app", place.name()).replace(&format!("{old}/{}", place.name()), &format!("{old}/my-app"))
}

fn from(name: &str, entry: Value) -> External {
    External::new(name, Vec::new()).with("/spec", "dataFrom", json!([entry]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn its_policies_are_enough() -> Result {
    let place = Place::with_role("security-doc", json!({"secret_id_ttl": "1h"})).await?;
    let old = place.namespace.kv("old", KvVersion::V1).await?;
    place.stack.vault().write_policy(place.name(), &policy(&place, old.mount())).await?;
    place.write("db", json!({"password": "one"})).await?;
    place.kv.write_metadata(&place.key("db"), json!({"team": "a"})).await?;
    old.write("my-app/db", json!({"password": "old"})).await?;
    place.apply([place.credentials(), place.store(STORE), place.store_at("old", Some(old.mount()), "v1")]).await?;
    let _operator = Operator::start(place.name()).await?;

    let (key, prefix) = (place.key("db"), place.name());
    let strip = json!([{"regexp": {"source": ".*/", "target": ""}}]);
    let rows = [
        (place.external("value", &[("password", "db#password")]), "password", "one"),
        (from("extract", json!({"extract": {"key": key}})), "password", "one"),
        (from("metadata", json!({"extract": {"key": key, "metadataPolicy": "Fetch"}})), "team", "a"),
        (
            from("names", json!({"find": {"path": prefix, "name": {"regexp": ".*"}}, "rewrite": strip})),
            "db",
            r#"{"password":"one"}"#,
        ),
        (
            from("tags", json!({"find": {"path": prefix, "tags": {"team": "a"}}, "rewrite": strip})),
            "db",
            r#"{"password":"one"}"#,
        ),
        (from("v1", json!({"extract": {"key": "my-app/db"}})).from_store("old"), "password", "old"),
    ];
    place.apply(rows.iter().map(|(external, ..)| external.clone().into())).await?;
    for (external, secret_key, value) in rows {
        let name = Value::from(external)["metadata"]["name"].as_str().expect("a name").to_owned();
        place.ready(&name).await.map_err(|error| format!("{name}: {error}"))?;
        let secret = place.secret(&name).await?.expect("the Secret");
        assert_eq!(common::data_of(&secret).get(secret_key).map(String::as_str), Some(value), "{name}");
    }
    let store = place.store_status_within(STORE, "True", &[], SOON).await?;
    assert_eq!(condition(&store, "CredentialsExpiring")["status"], "True", "the secret id was looked up: {store}");
    Ok(())
}
