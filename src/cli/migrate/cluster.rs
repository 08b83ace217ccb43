//! Objects from a cluster. Nothing is written, and no Secret is read.

use super::MigrateError;
use crate::api::names;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::discovery::{Discovery, Scope, verbs};
use kube::{Api, Client, Config};
use serde_json::Value;

/// Objects of one answer.
const PAGE: u32 = 500;

/// Every object of ESO's groups in `namespace`, else in the kubeconfig's, or in all; and the kinds of the whole cluster. With
/// the namespace that was looked at.
pub fn read(namespace: Option<&str>, is_all: bool) -> Result<(Vec<Value>, String), MigrateError> {
    // kube and reqwest share one TLS implementation; a provider that is set already is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let config = Config::infer().await?;
        let namespace = namespace.map_or_else(|| config.default_namespace.clone(), str::to_owned);
        let client = Client::try_from(config)?;
        let objects = list_all(&client, (!is_all).then_some(namespace.as_str())).await?;
        Ok((objects, namespace))
    })
}

async fn list_all(client: &Client, namespace: Option<&str>) -> Result<Vec<Value>, MigrateError> {
    let groups = [names::GROUP, "generators.external-secrets.io"];
    let discovery = Discovery::new(client.clone()).filter(&groups).run().await?;
    let mut objects = Vec::new();
    for group in discovery.groups() {
        // Each kind in its own best version: PushSecret has another than ExternalSecret.
        for (resource, capabilities) in group.resources_by_stability() {
            if !capabilities.supports_operation(verbs::LIST) {
                continue;
            }
            let api: Api<DynamicObject> = match (&capabilities.scope, namespace) {
                (Scope::Namespaced, Some(namespace)) => Api::namespaced_with(client.clone(), namespace, &resource),
                _ => Api::all_with(client.clone(), &resource),
            };
            list(&api, &resource, &mut objects).await?;
        }
    }
    Ok(objects)
}

async fn list(api: &Api<DynamicObject>, resource: &ApiResource, objects: &mut Vec<Value>) -> Result<(), MigrateError> {
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = api.list(&params).await.map_err(|error| failed(resource, &error))?;
        objects.extend(page.items.into_iter().filter_map(|mut object| {
            // Not all API servers say it for each item of a list.
            object.types.get_or_insert_with(|| kube::api::TypeMeta {
                api_version: resource.api_version.clone(),
                kind: resource.kind.clone(),
            });
            serde_json::to_value(object).ok()
        }));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = ListParams::default().limit(PAGE).continue_token(&token),
            None => return Ok(()),
        }
    }
}

fn failed(resource: &ApiResource, error: &kube::Error) -> MigrateError {
    let kind = format!("{}.{}", resource.plural, resource.group);
    let problem = error.to_string();
    let advice = match problem.contains("conversion webhook") {
        true => format!(
            "its CRD asks a webhook of External Secrets Operator that is not there (any more); take that out: kubectl patch \
             crd {kind} --type=merge -p '{{\"spec\":{{\"conversion\":{{\"strategy\":\"None\",\"webhook\":null}}}}}}'"
        ),
        false => "check that you may list it".to_owned(),
    };
    MigrateError::List { kind, problem, advice }
}
