//! What a 404 proves, and mounts that don't fit the store.

use external_secrets_rs::vault::{ErrorKind, Gone, KvPath, KvVersion};
use serde_json::json;

use crate::vault_support::{Result, Rig, read};

#[tokio::test]
async fn gone_is_only_what_is_certainly_gone() -> Result {
    let rig = Rig::new("gone", json!({})).await?;
    let session = rig.session();
    let gone = async |path: &KvPath| read(&session, path).await.unwrap_err().gone();

    assert_eq!(gone(&rig.path("never")).await, Some(Gone::Missing), "the server says what the mount is");
    assert_eq!(rig.proxy.count(|seen| seen.path.contains("/ui/mounts/")), 1);
    assert_eq!(gone(&rig.path("never-either")).await, Some(Gone::Missing));
    assert_eq!(rig.proxy.count(|seen| seen.path.contains("/ui/mounts/")), 1, "and is asked once");

    rig.kv.write("a", json!({"k": 1})).await?;
    rig.kv.write("a", json!({"k": 2})).await?;
    rig.kv.delete("a").await?;
    assert_eq!(gone(&rig.path("a")).await, Some(Gone::Deleted));
    rig.kv.destroy("a", &[2]).await?;
    assert_eq!(gone(&rig.path("a")).await, Some(Gone::Destroyed));
    for pinned in [2, 9] {
        let path = KvPath { pinned: Some(pinned), ..rig.path("a") };
        let error = read(&session, &path).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NoSuchVersion { .. }), "{error}");
        assert_eq!(error.gone(), None, "{error}");
    }

    let v1 = rig.vault.enable_kv(&format!("{}/v1", rig.name), testbed::KvVersion::V1).await?;
    assert_eq!(gone(&KvPath::latest(KvVersion::V1, v1.read_path("never"))).await, Some(Gone::Missing));
    Ok(())
}

#[tokio::test]
async fn a_mount_that_does_not_fit_the_store_is_named_with_the_fix() -> Result {
    let rig = Rig::new("mounts", json!({})).await?;
    let name = &rig.name;
    rig.vault.allow_reading(name, &[&format!("{name}/*"), "cubbyhole/*", "nowhere/*"]).await?;
    let v1 = rig.vault.enable_kv(&format!("{name}/v1"), testbed::KvVersion::V1).await?;
    v1.write("data/trap", json!({"k": "v"})).await?;
    let session = rig.session();
    let text = async |version, path: &str| {
        let error = read(&session, &KvPath::latest(version, path)).await.unwrap_err();
        assert_eq!(error.gone(), None, "{error}");
        error.to_string()
    };
    let v2_fix = format!("the mount \"{name}/kv\" is KV v2: set `version: v2` in the store's provider.vault");
    let v1_fix = format!("the mount \"{name}/v1\" is KV v1: set `version: v1` in the store's provider.vault");
    assert_eq!(text(KvVersion::V1, &format!("{name}/kv/a")).await, v2_fix);
    assert_eq!(text(KvVersion::V2, &format!("{name}/v1/data/a")).await, v1_fix);
    assert_eq!(text(KvVersion::V2, &format!("{name}/v1/data/trap")).await, v1_fix, "a 200, but of a v1 secret");
    assert!(text(KvVersion::V2, "cubbyhole/data/a").await.contains("\"cubbyhole\" engine, not KV"));
    assert!(text(KvVersion::V2, "nowhere/data/a").await.contains("nothing is mounted at \"nowhere/data/a\""));

    session.check_mount(KvVersion::V2, &format!("{name}/kv/data/any")).await?;
    session.check_mount(KvVersion::V2, "kv-of-others/data/any").await?;
    assert_eq!(session.check_mount(KvVersion::V2, &format!("{name}/v1/data")).await.unwrap_err().to_string(), v1_fix);
    Ok(())
}
