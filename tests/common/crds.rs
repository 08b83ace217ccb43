//! The CRDs of this build in the stack's cluster, once for all tests.

use super::{Result, SOON};
use external_secrets_rs::api;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use testbed::wait_until;
use tokio::sync::OnceCell;

/// Installs the CRDs where they are not there yet, and waits until the API server serves them. Many processes may do so at
/// once: a server-side apply of what stands already changes nothing.
pub async fn install(client: &Client) -> Result {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    INSTALLED.get_or_try_init(|| apply_all(client)).await.copied()
}

async fn apply_all(client: &Client) -> Result {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    for crd in api::all() {
        let params = PatchParams::apply("testbed").force();
        crds.patch(&crd.name_any(), &params, &Patch::Apply(&crd)).await?;
    }
    for crd in api::all() {
        let name = crd.name_any();
        wait_until(&format!("CRD {name} to be established"), SOON, async || {
            let crd = crds.get(&name).await.map_err(|error| error.to_string())?;
            let conditions = crd.status.and_then(|status| status.conditions).unwrap_or_default();
            let is_served = conditions.iter().any(|one| one.type_ == "Established" && one.status == "True");
            if is_served { Ok(()) } else { Err(format!("{conditions:?}")) }
        })
        .await?;
    }
    Ok(())
}
