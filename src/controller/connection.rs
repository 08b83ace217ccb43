//! From a store's spec to the values that a Vault session is opened with.

use crate::api::{CaProviderType, SecretKeySelector, SecretStoreSpec, VaultProvider};
use crate::controller::error::StoreError;
use crate::controller::login::{credential, identity, read};
use crate::controller::references::References;
use crate::vault::{ClientIdentity, Connection, RetrySettings};

/// Everything that a session for this store needs, with each reference read.
pub async fn connection(
    spec: &SecretStoreSpec,
    vault: &VaultProvider,
    references: &References<'_>,
) -> Result<Connection, StoreError> {
    let auth = vault.auth.as_ref().ok_or(StoreError::Missing { field: "provider.vault.auth" })?;
    let credential = credential(auth, references).await?;
    let client_identity = match credential.identity {
        Some(identity) => Some(identity),
        None => client_certificate(vault, references).await?,
    };
    let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    Ok(Connection {
        namespace: some(&vault.namespace),
        auth_namespace: some(&auth.namespace),
        ca_bundle: ca_bundle(vault, references).await?,
        client_identity,
        headers: vault.headers.0.clone(),
        read_your_writes: vault.read_your_writes,
        forward_inconsistent: vault.forward_inconsistent,
        retry: retry(spec),
        ..Connection::new(vault.server.clone(), credential.login)
    })
}

/// Whether some reference of a ClusterSecretStore means the namespace of whichever ExternalSecret uses it: then it can't be
/// checked by itself, and each namespace has a session of its own.
pub fn depends_on_referent(vault: &VaultProvider) -> bool {
    let Some(auth) = &vault.auth else { return false };
    let accounts = auth.kubernetes.iter().filter_map(|auth| auth.service_account_ref.as_ref());
    let token_accounts = auth.jwt.iter().filter_map(|auth| auth.kubernetes_service_account_token.as_ref());
    let mut accounts = accounts.chain(token_accounts.map(|token| &token.service_account_ref));
    let is_open = |namespace: Option<&str>| namespace.is_none_or(str::is_empty);
    secrets(vault).into_iter().any(|(_, namespace)| is_open(namespace))
        || accounts.any(|account| is_open(account.namespace.as_deref()))
        || vault.ca_provider.as_ref().is_some_and(|provider| is_open(provider.namespace.as_deref()))
}

/// The Secrets that a provider is read from, by name, and namespace where the reference says one.
pub fn secrets(vault: &VaultProvider) -> Vec<(&str, Option<&str>)> {
    let Some(auth) = &vault.auth else { return Vec::new() };
    let app_role = auth.app_role.iter().flat_map(|auth| [Some(&auth.secret_ref), auth.role_ref.as_ref()]).flatten();
    let kubernetes = auth.kubernetes.iter().filter_map(|auth| auth.secret_ref.as_ref());
    let jwt = auth.jwt.iter().filter_map(|auth| auth.secret_ref.as_ref());
    let passwords =
        auth.user_pass.iter().map(|auth| &auth.secret_ref).chain(auth.ldap.iter().map(|auth| &auth.secret_ref));
    let cert = auth.cert.iter().flat_map(|auth| [&auth.client_cert, &auth.secret_ref]);
    let tls = [&vault.tls.cert_secret_ref, &vault.tls.key_secret_ref].into_iter().flatten();
    let selectors = auth
        .token_secret_ref
        .iter()
        .chain(app_role)
        .chain(kubernetes)
        .chain(jwt)
        .chain(passwords)
        .chain(cert)
        .chain(tls);
    let selected =
        selectors.map(|selector: &SecretKeySelector| (selector.name.as_str(), selector.namespace.as_deref()));
    let provider = vault.ca_provider.iter().filter(|provider| provider.type_ == CaProviderType::Secret);
    selected.chain(provider.map(|provider| (provider.name.as_str(), provider.namespace.as_deref()))).collect()
}

async fn ca_bundle(vault: &VaultProvider, references: &References<'_>) -> Result<Option<Vec<u8>>, StoreError> {
    if let Some(bundle) = vault.ca_bundle.as_ref().filter(|bundle| !bundle.0.is_empty()) {
        return Ok(Some(bundle.0.clone()));
    }
    let Some(provider) = &vault.ca_provider else { return Ok(None) };
    let failed = |source| StoreError::Reference { field: "provider.vault.caProvider", source };
    references.certificates(provider).await.map(Some).map_err(failed)
}

async fn client_certificate(
    vault: &VaultProvider,
    references: &References<'_>,
) -> Result<Option<ClientIdentity>, StoreError> {
    match (&vault.tls.cert_secret_ref, &vault.tls.key_secret_ref) {
        (Some(cert), Some(key)) => {
            let cert = read(references, "provider.vault.tls.certSecretRef", cert).await?;
            let key = read(references, "provider.vault.tls.keySecretRef", key).await?;
            Ok(Some(identity(&cert, key)))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(StoreError::Missing { field: "provider.vault.tls.keySecretRef" }),
        (None, Some(_)) => Err(StoreError::Missing { field: "provider.vault.tls.certSecretRef" }),
    }
}

fn retry(spec: &SecretStoreSpec) -> RetrySettings {
    let default = RetrySettings::default();
    let settings = spec.retry_settings.as_ref();
    RetrySettings {
        max_retries: settings
            .and_then(|settings| settings.max_retries)
            .map_or(default.max_retries, |retries| u32::try_from(retries).unwrap_or_default()),
        interval: settings
            .and_then(|settings| settings.retry_interval)
            .map_or(default.interval, crate::api::GoDuration::as_std),
    }
}
