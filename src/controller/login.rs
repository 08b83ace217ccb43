//! From a store's `auth` to the credential that a Vault session logs in with.

use crate::api::{AppRoleAuth, JwtAuth, KubernetesAuth, SecretKeySelector, VaultAuth};
use crate::controller::error::StoreError;
use crate::controller::references::References;
use crate::controller::service_account::ServiceAccountTokens;
use crate::vault::{ClientIdentity, Jwt, Login};
use secrecy::SecretString;

/// Audience of a ServiceAccount's token for the JWT method where the store names none, as ESO has it.
const JWT_AUDIENCE: &str = "vault";
/// How long a ServiceAccount's token lives: it is used once, at once. The API server's minimum.
const TOKEN_SECONDS: i64 = 600;

/// A login, and the client certificate where that is the credential.
pub struct Credential {
    /// How to log in.
    pub login: Login,
    /// Shown in the TLS handshake.
    pub identity: Option<ClientIdentity>,
}

/// The credential of whichever method `auth` names.
pub async fn credential(auth: &VaultAuth, references: &References<'_>) -> Result<Credential, StoreError> {
    let login = if let Some(token) = &auth.token_secret_ref {
        Login::token(read(references, "provider.vault.auth.tokenSecretRef", token).await?)?
    } else if let Some(app_role) = &auth.app_role {
        self::app_role(app_role, references).await?
    } else if let Some(kubernetes) = &auth.kubernetes {
        self::kubernetes(kubernetes, references).await?
    } else if let Some(jwt) = &auth.jwt {
        self::jwt(jwt, references).await?
    } else if let Some(user) = &auth.user_pass {
        let password = read(references, "provider.vault.auth.userPass.secretRef", &user.secret_ref).await?;
        Login::user_pass(user.mount(), &user.username, password)?
    } else if let Some(user) = &auth.ldap {
        let password = read(references, "provider.vault.auth.ldap.secretRef", &user.secret_ref).await?;
        Login::ldap(user.mount(), &user.username, password)?
    } else if let Some(cert) = &auth.cert {
        let certificate = read(references, "provider.vault.auth.cert.clientCert", &cert.client_cert).await?;
        let key_pem = read(references, "provider.vault.auth.cert.secretRef", &cert.secret_ref).await?;
        let login = Login::cert(cert.mount(), cert.vault_role.as_deref().filter(|role| !role.is_empty()))?;
        return Ok(Credential { login, identity: Some(identity(&certificate, key_pem)) });
    } else {
        return Err(unsupported(auth));
    };
    Ok(Credential { login, identity: None })
}

/// A client certificate from its two texts.
pub fn identity(certificate: &SecretString, key_pem: SecretString) -> ClientIdentity {
    use secrecy::ExposeSecret;
    ClientIdentity { cert_pem: certificate.expose_secret().as_bytes().to_vec(), key_pem }
}

/// The text that a reference leads to, with the field's name in the error.
pub async fn read(
    references: &References<'_>,
    field: &'static str,
    selector: &SecretKeySelector,
) -> Result<SecretString, StoreError> {
    references.text(selector).await.map_err(|source| StoreError::Reference { field, source })
}

fn unsupported(auth: &VaultAuth) -> StoreError {
    const OTHERS: &str = "use tokenSecretRef, appRole, kubernetes, jwt, userPass, ldap or cert";
    let field = match (&auth.iam, &auth.gcp) {
        (Some(_), _) => "provider.vault.auth.iam",
        (_, Some(_)) => "provider.vault.auth.gcp",
        _ => return StoreError::Missing { field: "a login method under provider.vault.auth" },
    };
    StoreError::NotBuilt { field, advice: OTHERS }
}

async fn app_role(auth: &AppRoleAuth, references: &References<'_>) -> Result<Login, StoreError> {
    let role_id = match (auth.role_id(), &auth.role_ref) {
        (Some(role_id), _) => SecretString::from(role_id),
        (None, Some(role_ref)) => read(references, "provider.vault.auth.appRole.roleRef", role_ref).await?,
        (None, None) => return Err(StoreError::Missing { field: "provider.vault.auth.appRole.roleId" }),
    };
    let secret_id = read(references, "provider.vault.auth.appRole.secretRef", &auth.secret_ref).await?;
    Ok(Login::app_role(auth.mount(), role_id, secret_id)?)
}

async fn kubernetes(auth: &KubernetesAuth, references: &References<'_>) -> Result<Login, StoreError> {
    const ACCOUNT: &str = "provider.vault.auth.kubernetes.serviceAccountRef";
    let jwt = match (&auth.service_account_ref, &auth.secret_ref) {
        (Some(account), _) => {
            let key = references
                .service_account(account)
                .map_err(|source| StoreError::Reference { field: ACCOUNT, source })?;
            issued(references, key, account.audiences.clone(), TOKEN_SECONDS)
        }
        (None, Some(secret_ref)) => {
            Jwt::Value(read(references, "provider.vault.auth.kubernetes.secretRef", secret_ref).await?)
        }
        // The operator's own token would be worth more to a server than any store's owner may hand out.
        (None, None) => return Err(StoreError::Missing { field: ACCOUNT }),
    };
    Ok(Login::kubernetes(auth.mount(), &auth.role, jwt)?)
}

async fn jwt(auth: &JwtAuth, references: &References<'_>) -> Result<Login, StoreError> {
    const ACCOUNT: &str = "provider.vault.auth.jwt.kubernetesServiceAccountToken.serviceAccountRef";
    let jwt = match (&auth.kubernetes_service_account_token, &auth.secret_ref) {
        (Some(token), _) => {
            let account = &token.service_account_ref;
            let key = references
                .service_account(account)
                .map_err(|source| StoreError::Reference { field: ACCOUNT, source })?;
            let mut audiences = [account.audiences.as_slice(), token.audiences.as_slice()].concat();
            if audiences.is_empty() {
                audiences.push(JWT_AUDIENCE.to_owned());
            }
            issued(references, key, audiences, token.expiration_seconds.unwrap_or(TOKEN_SECONDS).max(TOKEN_SECONDS))
        }
        (None, Some(secret_ref)) => {
            Jwt::Value(read(references, "provider.vault.auth.jwt.secretRef", secret_ref).await?)
        }
        (None, None) => return Err(StoreError::Missing { field: "provider.vault.auth.jwt.secretRef" }),
    };
    Ok(Login::jwt(auth.mount(), auth.role.as_deref().unwrap_or_default(), jwt)?)
}

fn issued(
    references: &References<'_>,
    account: crate::controller::key::ObjectKey,
    audiences: Vec<String>,
    seconds: i64,
) -> Jwt {
    let issuer = ServiceAccountTokens { client: references.client.clone(), account, audiences, seconds };
    Jwt::Issued { identity: issuer.identity(), issuer: std::sync::Arc::new(issuer) }
}
