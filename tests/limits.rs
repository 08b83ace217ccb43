//! What one object may cost the operator: its memory is everybody's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::{External, message, stalled};
use common::place::STORE;
use common::{Place, Result};
use serde_json::json;
use std::time::Duration;
use testbed::holds_for;
use testbed::proxy::Action;

const MIB: usize = 1 << 20;

/// An ExternalSecret of as many values, each the whole of the secret at one of these paths.
fn wholes(name: &str, paths: impl Iterator<Item = String>) -> External {
    let entry = |(n, key): (usize, String)| json!({"secretKey": format!("k{n}"), "remoteRef": {"key": key}});
    External::new(name, paths.enumerate().map(entry).collect())
}

/// A server is whatever a store's owner writes there, and may send what it likes.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_sync_that_reads_too_much_is_given_up_and_not_soon_tried_again() -> Result {
    let (place, operator) = Place::with_operator("limits-read").await?;
    place.store_is(STORE, "True", &[]).await?;
    let data = json!({"data": {"v": "x".repeat(2 * MIB)}, "metadata": {"version": 1}});
    place.proxy.rule(|seen| seen.path.contains("/data/"), Action::json(200, &json!({"data": data})));
    let words = ["more than 16 MiB", "it can hold 1 MiB", "narrow the path", "spec.data["];
    place.apply_external(wholes("many", (0..1000).map(|n| place.key(&n.to_string())))).await?;
    let object = place.failed("many", &words).await?;
    assert_eq!(stalled(&object), Some("InvalidSpec"), "{}", message(&object));
    let reads = place.all_reads();
    // Eight are under way when the limit is met.
    assert!(reads <= 16, "{reads} reads of 2 MiB");

    // One secret is read once, and its value is held once for each key.
    place.apply_external(wholes("copies", (0..1000).map(|_| place.key("one")))).await?;
    place.failed("copies", &words).await?;
    assert_eq!(place.all_reads(), reads + 1);
    for name in ["many", "copies"] {
        assert!(place.secret(name).await?.is_none());
    }
    // After 2 and 4 seconds, others would be.
    holds_for("no further try", Duration::from_secs(7), async || match place.all_reads() {
        seen if seen == reads + 1 => Ok(()),
        _ => Err(place.proxy.summary()),
    })
    .await?;
    assert_eq!(operator.get("/readyz").await?.0, 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_folder_is_walked_once_however_many_look_in_it() -> Result {
    let (place, _operator) = Place::with_operator("limits-walk").await?;
    let policy = format!(
        "path \"kv/data/{0}/*\" {{ capabilities = [\"read\"] }}\npath \"kv/metadata/{0}/*\" {{ capabilities = [\"list\"] }}\n",
        place.name()
    );
    place.stack.vault().write_policy(place.name(), &policy).await?;
    for name in ["red", "blue"] {
        place.write(&format!("team/{name}"), json!({"v": name})).await?;
    }
    let find = |regexp: &str| json!({"find": {"path": place.key("team"), "name": {"regexp": regexp}}});
    let entries = json!([find("red$"), find("blue$"), find("no-such$")]);
    place.apply_external(External::new("found", Vec::new()).with("/spec", "dataFrom", entries)).await?;
    place.ready("found").await?;
    let secret = place.secret("found").await?.unwrap();
    assert_eq!(secret.data.map(|data| data.len()), Some(2));
    let lists = place.proxy.count(|seen| seen.path.contains("/metadata/"));
    assert_eq!(lists, 1, "{}", place.proxy.summary());
    Ok(())
}
