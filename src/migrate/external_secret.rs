//! ExternalSecret.

use super::{Findings, Schemas, Stores, Verdict};
use crate::api::{
    DeletionPolicy, ExternalSecretSpec, KvVersion as DeclaredVersion, RefreshPolicy, StoreRef, from_slice, names,
};
use crate::sync::due::Schedule;
use crate::sync::keys::Values;
use crate::sync::rewrite::rewrite;
use crate::sync::source::{Source, Want, sources};
use crate::sync::spec::{self, SpecError};
use crate::sync::template::{Parsed, pieces};
use crate::template::Meter;
use crate::vault::KvVersion;
use serde_json::Value;

/// Judges a spec, in its namespace, with the stores that are known.
pub(super) fn judge(schemas: &Schemas, stores: &Stores, namespace: &str, spec: &Value) -> Findings {
    let mut findings = Findings::default();
    for problem in schemas.problems(names::KIND_EXTERNAL_SECRET, spec) {
        findings.add(Verdict::NeedsEdit, problem);
    }
    let spec = match from_slice::<ExternalSecretSpec>("spec", spec.to_string().as_bytes()) {
        Ok(spec) => spec,
        Err(error) => {
            if findings.why.is_empty() {
                findings.add(Verdict::NeedsEdit, error);
            }
            return findings;
        }
    };
    if findings.why.is_empty() {
        refused(&spec, stores, namespace, &mut findings);
    }
    for store in spec::stores(&spec) {
        from_store(stores, namespace, store, &mut findings);
    }
    differences(&spec, &mut findings);
    findings
}

/// What a sync would refuse before it reads anything.
fn refused(spec: &ExternalSecretSpec, stores: &Stores, namespace: &str, findings: &mut Findings) {
    if let Err(error) = spec::check(spec) {
        let verdict = match error {
            SpecError::NotBuilt { .. } => Verdict::NotServed,
            _ => Verdict::NeedsEdit,
        };
        return findings.add(verdict, error);
    }
    match sources(spec) {
        Ok(sources) => sources.iter().for_each(|source| path(source, stores, namespace, findings)),
        Err(error) => findings.add(Verdict::NeedsEdit, error),
    }
    // Merges depend on what is read; the other steps don't.
    let steps = spec.data_from.iter().flat_map(|entry| &entry.rewrite).filter(|step| step.merge.is_none());
    for step in steps {
        if let Err(error) = rewrite(std::slice::from_ref(step), Values::default(), &mut Meter::default()) {
            findings.add(Verdict::NeedsEdit, format!("spec.dataFrom: {error}"));
        }
    }
    if let Some(template) = &spec.target.template
        && let Err(error) = pieces(template, &[]).and_then(|pieces| Parsed::new(&pieces).map(drop))
    {
        findings.add(Verdict::NeedsEdit, format!("spec.target.template: {error}"));
    }
}

/// Whether the path can be read in the store, as that names mount and version.
fn path(source: &Source<'_>, stores: &Stores, namespace: &str, findings: &mut Findings) {
    let store = stores.get(&key(namespace, source.store)).and_then(|store| store.spec.as_ref());
    let Some(vault) = store.and_then(|store| store.provider.vault()) else { return };
    let version = match vault.version {
        DeclaredVersion::V1 => KvVersion::V1,
        DeclaredVersion::V2 => KvVersion::V2,
    };
    if let Err(source_error) = source.want.question(vault.path.as_deref(), version) {
        findings.add(Verdict::NeedsEdit, SpecError::Key { entry: source.place.clone(), source: source_error });
    }
}

fn from_store(stores: &Stores, namespace: &str, store: &StoreRef, findings: &mut Findings) {
    let (kind, name) = (store.kind().as_str(), &store.name);
    match stores.get(&key(namespace, store)) {
        Some(found) if found.findings.verdict == Verdict::NotServed => {
            let why = found.findings.why.first().map(String::as_str).unwrap_or_default();
            findings.add(Verdict::NotServed, format!("its {kind} {name:?} is not served: {why}"));
        }
        Some(_) => {}
        None => findings.why.push(format!("its {kind} {name:?} is not among these objects, so it was not looked at")),
    }
}

fn key(namespace: &str, store: &StoreRef) -> (String, String, String) {
    let kind = store.kind().as_str();
    let namespace = if kind == names::KIND_SECRET_STORE { namespace } else { "" };
    (kind.to_owned(), namespace.to_owned(), store.name.clone())
}

/// What works and is done otherwise than by ESO 2.9.
fn differences(spec: &ExternalSecretSpec, findings: &mut Findings) {
    let is_zero = spec.refresh_policy == RefreshPolicy::Periodic && spec::schedule(spec) == Schedule::OnChange;
    if is_zero {
        findings.add(Verdict::Differs, "spec.refreshInterval is 0: a later change of it is synced, which ESO ignores");
    }
    if spec.target.deletion_policy == DeletionPolicy::Delete {
        findings.add(
            Verdict::Differs,
            "spec.target.deletionPolicy is Delete: where many Secrets of a store would go at once, they stay until a person \
             confirms (see --deletion-brake)",
        );
    }
    let sources = sources(spec).unwrap_or_default();
    for source in &sources {
        if let Want::Value { remote, .. } = &source.want
            && remote.property.is_none()
            && !remote.is_metadata
        {
            findings.add(
                Verdict::Differs,
                format!(
                    "{} takes a whole secret as JSON: ESO writes <, > and & in it as \\u003c, \\u003e and \\u0026, \
                     external-secrets-rs as they are, so such a Secret changes once",
                    source.place
                ),
            );
        }
    }
}
