//! ESO's finalizers: no operator of ESO is left to take them off, so ours does when an object goes, and sets none itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{A_WHILE, HEALED, Operator, Place, Result};
use external_secrets_rs::api::{ExternalSecret, SecretStore};
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use testbed::holds_for;

const ON_EXTERNAL_SECRETS: &str = "externalsecrets.external-secrets.io/externalsecret-cleanup";
const ON_STORES: &str = "secretstore.externalsecrets.io/finalizer";

fn with_finalizers(object: impl Into<Value>, finalizers: &[&str]) -> Value {
    let mut object = object.into();
    object["metadata"]["finalizers"] = json!(finalizers);
    object
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn go_with_their_objects_and_not_before() -> Result {
    let (place, operator) = Place::with_operator("finalizers").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let external = place.external("db", &[("password", "db#password")]).every("1s");
    place
        .apply([with_finalizers(place.store("vault"), &[ON_STORES]), with_finalizers(external, &[ON_EXTERNAL_SECRETS])])
        .await?;
    let object = place.ready("db").await?;
    assert_eq!(object.metadata.finalizers.unwrap_or_default(), [ON_EXTERNAL_SECRETS], "ESO may still run here");

    place.delete::<ExternalSecret>("db").await?;
    place.gone::<ExternalSecret>("db", HEALED).await?;
    place.delete::<SecretStore>("vault").await?;
    place.gone::<SecretStore>("vault", HEALED).await?;
    assert_eq!(operator.complaints(), Vec::<String>::new());
    Ok(())
}

/// What hung since ESO was uninstalled ends when ours starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn of_what_was_on_its_way_out_before() -> Result {
    let (place, operator) = Place::with_operator("hanging").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let external = place.external("db", &[("password", "db#password")]);
    place.apply([with_finalizers(external, &[ON_EXTERNAL_SECRETS])]).await?;
    place.ready("db").await?;
    operator.stop()?;
    place.apply([with_finalizers(place.store("vault"), &[ON_STORES])]).await?;
    place.delete::<ExternalSecret>("db").await?;
    place.delete::<SecretStore>("vault").await?;
    assert!(place.api::<ExternalSecret>().get_opt("db").await?.is_some(), "it hangs");

    let _operator = Operator::start(place.name()).await?;
    place.gone::<ExternalSecret>("db", HEALED).await?;
    place.gone::<SecretStore>("vault", HEALED).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn of_others_stay() -> Result {
    let (place, _operator) = Place::with_operator("others").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let external = place.external("db", &[("password", "db#password")]).every("1s");
    place.apply([with_finalizers(external, &["example.com/theirs", ON_EXTERNAL_SECRETS])]).await?;
    place.ready("db").await?;
    place.delete::<ExternalSecret>("db").await?;
    testbed::wait_until("ESO's finalizer alone to go", HEALED, async || {
        let object = place.api::<ExternalSecret>().get("db").await.map_err(|error| error.to_string())?;
        match object.metadata.finalizers.unwrap_or_default().as_slice() {
            [theirs] if theirs == "example.com/theirs" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await?;

    // While it waits for theirs it is on its way out: neither refreshed nor restored.
    let reads = place.reads("db");
    place.delete::<Secret>("db").await?;
    holds_for(
        "no read",
        A_WHILE,
        async || if place.reads("db") == reads { Ok(()) } else { Err(place.proxy.summary()) },
    )
    .await?;
    place.stays_absent("db").await?;
    place.patch::<ExternalSecret>("db", json!({"metadata": {"finalizers": null}})).await?;
    place.gone::<ExternalSecret>("db", HEALED).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn none_are_set() -> Result {
    let (place, _operator) = Place::with_operator("none").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    place.apply_external(place.external("db", &[("password", "db#password")])).await?;
    assert_eq!(place.ready("db").await?.metadata.finalizers, None);
    assert_eq!(place.store_is("vault", "True", &[]).await?.metadata.finalizers, None);
    assert_eq!(place.secret("db").await?.unwrap().metadata.finalizers, None);
    Ok(())
}
