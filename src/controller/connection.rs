//! From a store's spec to the values that a Vault session is opened with.

use crate::api::{AppRoleAuth, SecretStoreSpec, VaultAuth, VaultProvider};
use crate::controller::error::StoreError;
use crate::controller::references::References;
use crate::vault::{Connection, Login, RetrySettings};
use secrecy::SecretString;

/// Everything that a session for this store needs, with each reference read.
pub async fn connection(
    spec: &SecretStoreSpec,
    vault: &VaultProvider,
    references: &References<'_>,
) -> Result<Connection, StoreError> {
    check(vault)?;
    let auth = vault.auth.as_ref().ok_or(StoreError::Missing { field: "provider.vault.auth" })?;
    let login = login(auth, references).await?;
    Ok(Connection {
        namespace: vault.namespace.clone().filter(|namespace| !namespace.is_empty()),
        auth_namespace: auth.namespace.clone().filter(|namespace| !namespace.is_empty()),
        ca_bundle: vault.ca_bundle.as_ref().map(|bundle| bundle.0.clone()).filter(|bundle| !bundle.is_empty()),
        retry: retry(spec),
        ..Connection::new(vault.server.clone(), login)
    })
}

/// Refuses what is not built, rather than connect in another way than was asked for.
fn check(vault: &VaultProvider) -> Result<(), StoreError> {
    let unbuilt = [
        (vault.ca_provider.is_some(), "provider.vault.caProvider", "put the certificates into caBundle"),
        (vault.tls != Default::default(), "provider.vault.tls", "remove the field"),
        (vault.read_your_writes, "provider.vault.readYourWrites", "remove the field"),
        (vault.forward_inconsistent, "provider.vault.forwardInconsistent", "remove the field"),
        (vault.headers != Default::default(), "provider.vault.headers", "remove the field"),
    ];
    match unbuilt.into_iter().find(|(is_asked, ..)| *is_asked) {
        Some((_, field, advice)) => Err(StoreError::NotBuilt { field, advice }),
        None => Ok(()),
    }
}

async fn login(auth: &VaultAuth, references: &References<'_>) -> Result<Login, StoreError> {
    if let Some(app_role) = &auth.app_role {
        return self::app_role(app_role, references).await;
    }
    Err(StoreError::NotBuilt { field: "this method of provider.vault.auth", advice: "use auth.appRole" })
}

async fn app_role(auth: &AppRoleAuth, references: &References<'_>) -> Result<Login, StoreError> {
    const ROLE_REF: &str = "provider.vault.auth.appRole.roleRef";
    const SECRET_REF: &str = "provider.vault.auth.appRole.secretRef";
    let refused = |field| move |source| StoreError::Reference { field, source };
    let role_id = match (auth.role_id(), &auth.role_ref) {
        (Some(role_id), _) => SecretString::from(role_id),
        (None, Some(role_ref)) => references.text(role_ref).await.map_err(refused(ROLE_REF))?,
        (None, None) => return Err(StoreError::Missing { field: "provider.vault.auth.appRole.roleId" }),
    };
    let secret_id = references.text(&auth.secret_ref).await.map_err(refused(SECRET_REF))?;
    Ok(Login::app_role(auth.mount(), role_id, secret_id)?)
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
