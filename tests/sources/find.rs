//! `dataFrom.find`: what is found, its limits, and that it is all or nothing.

use super::Expected::{Data, Error};
use super::common::objects::{External, stalled};
use super::common::{Operator, Place, Result, SOON};
use super::{check, data_from};
use serde_json::{Value, json};
use std::time::Duration;
use testbed::proxy::Action;
use testbed::{KvVersion, wait_until};

/// A place with stores `v2` and `v1` on mounts of its own that hold the same: `team/a/db`, `team/b/db`, `team/web`, `other`.
async fn folders(hint: &str) -> Result<(Place, Operator, testbed::Kv)> {
    let (place, operator) = Place::with_operator(hint).await?;
    let new = place.namespace.kv("new", KvVersion::V2).await?;
    let old = place.namespace.kv("old", KvVersion::V1).await?;
    for path in ["team/a/db", "team/b/db", "team/web", "other"] {
        new.write(path, json!({"at": path})).await?;
        old.write(path, json!({"at": path})).await?;
    }
    place.apply([place.store_at("v2", Some(new.mount()), "v2"), place.store_at("v1", Some(old.mount()), "v1")]).await?;
    Ok((place, operator, new))
}

fn find(name: &str, find: Value) -> External {
    data_from(name, json!([{"find": find}]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn find_takes_all_secrets_whose_path_matches() -> Result {
    let (place, _operator, new) = folders("find").await?;
    new.write("team/deleted", json!({"at": "deleted"})).await?;
    new.delete("team/deleted").await?;
    new.write("team/destroyed", json!({"at": "destroyed"})).await?;
    new.destroy("team/destroyed", &[1]).await?;
    let dbs = json!({"name": {"regexp": ".*/db$"}});
    let below = json!({"path": "team", "name": {"regexp": "^team/[ab]/"}});
    let folder = json!({"path": "team/"});
    let everything = json!({"name": {"regexp": ".*"}});
    let stripped = json!([{"find": below, "rewrite": [{"regexp": {"source": ".*/(.)/db", "target": "db-$1"}}]}]);
    let two: &[_] = &[("team_a_db", r#"{"at":"team/a/db"}"#), ("team_b_db", r#"{"at":"team/b/db"}"#)];
    let three: &[_] = &[two[0], two[1], ("team_web", r#"{"at":"team/web"}"#)];
    let all: &[_] = &[two[0], two[1], three[2], ("other", r#"{"at":"other"}"#)];
    for version in ["v2", "v1"] {
        let name = |what: &str| format!("{what}-{version}");
        let names = ["dbs", "below", "folder", "everything"].map(name);
        let rows = [(dbs.clone(), two), (below.clone(), two), (folder.clone(), three), (everything.clone(), all)];
        let externals =
            names.iter().zip(&rows).map(|(name, (wanted, _))| find(name, wanted.clone()).from_store(version).into());
        place.apply(externals).await?;
        for (name, (_, data)) in names.iter().zip(rows) {
            place.holds(name, data).await.map_err(|error| format!("{name}: {error}"))?;
        }
        let name = name("stripped");
        place.apply_external(data_from(&name, stripped.clone()).from_store(version)).await?;
        place.holds(&name, &[("db-a", two[0].1), ("db-b", two[1].1)]).await?;
    }

    // A regular expression that can't be is refused when it is applied.
    let refused =
        place.apply_external(find("look-around", json!({"name": {"regexp": "(?=x)"}}))).await.unwrap_err().to_string();
    assert!(refused.contains("dataFrom[0].find.name.regexp") && refused.contains("RE2"), "{refused}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn find_by_tags_wants_all_of_them_and_the_name_too() -> Result {
    let (place, _operator, new) = folders("tags").await?;
    new.write_metadata("team/a/db", json!({"env": "prod", "tier": "1"})).await?;
    new.write_metadata("team/b/db", json!({"env": "prod"})).await?;
    new.write_metadata("team/web", json!({"env": "test", "tier": "1"})).await?;
    new.write_metadata("other", json!({"env": "prod", "tier": "1"})).await?;
    let tags = |name: &str, wanted: Value| find(name, wanted).from_store("v2");
    let both = json!({"tags": {"env": "prod", "tier": "1"}});
    let named = json!({"path": "team", "name": {"regexp": "db"}, "tags": {"tier": "1"}});
    check(
        &place,
        vec![
            (
                "prod",
                tags("prod", json!({"tags": {"env": "prod"}})),
                Data(&[
                    ("team_a_db", r#"{"at":"team/a/db"}"#),
                    ("team_b_db", r#"{"at":"team/b/db"}"#),
                    ("other", r#"{"at":"other"}"#),
                ]),
            ),
            (
                "both",
                tags("both", both),
                Data(&[("team_a_db", r#"{"at":"team/a/db"}"#), ("other", r#"{"at":"other"}"#)]),
            ),
            ("named", tags("named", named), Data(&[("team_a_db", r#"{"at":"team/a/db"}"#)])),
            (
                "old",
                find("old", json!({"tags": {"env": "prod"}})).from_store("v1"),
                Error(&["spec.dataFrom[0].find", "KV v1", "tags"]),
            ),
        ],
    )
    .await
}

/// What finds nothing must not empty a Secret that it filled before.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn find_that_finds_nothing_any_more_keeps_the_secret() -> Result {
    let (place, _operator, new) = folders("nothing").await?;
    place
        .apply_external(find("web", json!({"path": "team", "name": {"regexp": "web"}})).from_store("v2").every("1s"))
        .await?;
    place.apply_external(find("never", json!({"path": "nowhere"})).from_store("v2")).await?;
    let web = &[("team_web", r#"{"at":"team/web"}"#)];
    place.holds("web", web).await?;
    new.delete_metadata("team/web").await?;
    place.failed("web", &["spec.dataFrom[0].find", "nothing"]).await?;
    place.holds("web", web).await?;
    place.failed("never", &["nothing"]).await?;
    assert!(place.secret("never").await?.is_none());
    // It heals by itself.
    new.write("team/web", json!({"at": "again"})).await?;
    place.holds("web", &[("team_web", r#"{"at":"again"}"#)]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn find_keeps_its_limits_and_says_so() -> Result {
    let (place, _operator) = Place::with_operator("limits").await?;
    let deep = place.namespace.kv("deep", KvVersion::V2).await?;
    let wide = place.namespace.kv("wide", KvVersion::V2).await?;
    let levels = |count: usize| (1..=count).map(|level| level.to_string()).collect::<Vec<_>>().join("/");
    deep.write(&format!("fits/{}/x", levels(14)), json!({"v": "x"})).await?;
    deep.write(&format!("deeper/{}/x", levels(17)), json!({"v": "x"})).await?;
    for n in 0..24 {
        wide.write(&format!("s{n:02}"), json!({"n": n})).await?;
    }
    place
        .apply([place.store_at("deep", Some(deep.mount()), "v2"), place.store_at("wide", Some(wide.mount()), "v2")])
        .await?;
    place.apply_external(find("fits", json!({"path": "fits"})).from_store("deep")).await?;
    place.apply_external(find("deeper", json!({"path": "deeper"})).from_store("deep")).await?;
    place.ready("fits").await?;
    place.failed("deeper", &["16 levels"]).await?;

    // No more than 8 requests at a time.
    place.proxy.reset();
    let reads = format!("/v1/{}/data/", wide.mount());
    let slow = place.proxy.rule(move |seen| seen.path.starts_with(&reads), Action::Delay(Duration::from_millis(100)));
    place.apply_external(find("wide", json!({"path": "", "name": {"regexp": "^s"}})).from_store("wide")).await?;
    place.ready("wide").await?;
    assert_eq!(place.secret("wide").await?.unwrap().data.unwrap().len(), 24);
    let peak = place.proxy.peak_in_flight();
    assert!((2..=8).contains(&peak), "{peak} at once");
    place.proxy.remove(slow);

    // One folder with 10,001 names: told, and none of them is read.
    let names: Vec<String> = (0..10_001).map(|n| format!("n{n}")).collect();
    let list = format!("/v1/{}/metadata", wide.mount());
    place.proxy.rule(move |seen| seen.path.starts_with(&list), Action::json(200, &json!({"data": {"keys": names}})));
    place.proxy.reset();
    place.apply_external(find("many", json!({"path": "", "name": {"regexp": "^n"}})).from_store("wide")).await?;
    place.failed("many", &["10,000 names"]).await?;
    assert_eq!(place.proxy.count(|seen| seen.path.contains("/data/")), 0, "{}", place.proxy.summary());
    Ok(())
}

/// Half a list must not look as if the rest were gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn find_takes_all_or_nothing() -> Result {
    let (place, _operator, new) = folders("all-or-nothing").await?;
    place.apply_external(find("team", json!({"path": "team"})).from_store("v2").every("1s")).await?;
    let secret = place.ready("team").await.map(|_| place.secret("team"))?.await?.unwrap();
    let folder = format!("/v1/{}/metadata/team/b", new.mount());
    let read = format!("/v1/{}", new.read_path("team/web"));
    for (path, status, word) in [(folder.clone(), 403, "denied"), (folder, 502, "502"), (read, 500, "500")] {
        let broken =
            place.proxy.rule(move |seen| seen.path.starts_with(&path), Action::refuse(status, "permission denied"));
        place.failed("team", &[word]).await?;
        let now = place.secret("team").await?.unwrap();
        assert_eq!(now.metadata.resource_version, secret.metadata.resource_version, "written from half a list");
        place.proxy.remove(broken);
        wait_until("the end of it", SOON, async || {
            let object = place.ready("team").await.map_err(|error| error.to_string())?;
            if stalled(&object).is_none() { Ok(()) } else { Err("stalled".to_owned()) }
        })
        .await?;
    }
    Ok(())
}
