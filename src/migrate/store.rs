//! SecretStore and ClusterSecretStore.

use super::{Findings, Schemas, Store, Verdict};
use crate::api::{SecretStoreSpec, VaultAuth, from_slice, names};
use crate::controller::error::{ReferenceError, StoreError};
use crate::controller::method::{KUBERNETES_ACCOUNT, Method};
use crate::sync::conditions;
use serde_json::Value;

/// Judges a store's spec. `namespace` is its own, where it has one.
pub(super) fn judge(schemas: &Schemas, kind: &str, namespace: Option<&str>, spec: &Value) -> Store {
    let mut findings = Findings::default();
    let read = from_slice::<SecretStoreSpec>("spec", spec.to_string().as_bytes());
    // First of all, for nothing else matters then.
    if let Ok(foreign) = &read
        && let (None, Some(provider)) = (foreign.provider.vault(), foreign.provider.foreign())
    {
        findings.add(Verdict::NotServed, StoreError::NotVault { provider: provider.to_owned() });
        return Store { findings, spec: None };
    }
    for problem in schemas.problems(kind, spec) {
        findings.add(Verdict::NeedsEdit, problem);
    }
    let spec_read = match read {
        Ok(spec) => spec,
        Err(error) => {
            if findings.why.is_empty() {
                findings.add(Verdict::NeedsEdit, error);
            }
            return Store { findings, spec: None };
        }
    };
    if let Err(error) = conditions::check(&spec_read.conditions) {
        findings.add(Verdict::NeedsEdit, error);
    }
    match spec_read.provider.vault().map(|vault| vault.auth.as_ref()) {
        Some(Some(auth)) => login(auth, &mut findings),
        Some(None) => findings.add(Verdict::NeedsEdit, StoreError::Missing { field: "provider.vault.auth" }),
        None => {}
    }
    if kind == names::KIND_SECRET_STORE {
        foreign(spec, "spec", namespace.unwrap_or_default(), &mut findings);
    }
    Store { findings, spec: Some(spec_read) }
}

/// The login method, as the operator finds it.
fn login(auth: &VaultAuth, findings: &mut Findings) {
    let Err(error) = Method::of(auth) else { return };
    let verdict = match error {
        StoreError::NotBuilt { .. } => Verdict::NotServed,
        _ => Verdict::NeedsEdit,
    };
    let is_own_token = matches!(error, StoreError::Missing { field } if field == KUBERNETES_ACCOUNT);
    let why = if is_own_token { " (ESO logs in with its own token there, external-secrets-rs never does)" } else { "" };
    findings.add(verdict, format!("{error}{why}"));
}

/// References of a SecretStore that leave its namespace, wherever they stand.
fn foreign(value: &Value, place: &str, own: &str, findings: &mut Findings) {
    match value {
        Value::Object(fields) => {
            // A reference has a name, or a key; `namespace` beside others is Vault's.
            let is_reference = fields.contains_key("name") || fields.contains_key("key");
            let namespace = fields.get("namespace").and_then(Value::as_str).filter(|_| is_reference);
            if let Some(namespace) = namespace.filter(|namespace| !namespace.is_empty() && *namespace != own) {
                let error = ReferenceError::ForeignNamespace { namespace: namespace.to_owned(), own: own.to_owned() };
                findings.add(Verdict::NeedsEdit, format!("{place}: {error}"));
            }
            fields.iter().for_each(|(name, value)| foreign(value, &format!("{place}.{name}"), own, findings));
        }
        Value::Array(items) => items.iter().for_each(|value| foreign(value, place, own, findings)),
        _ => {}
    }
}
