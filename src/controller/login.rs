//! From a store's `auth` to the credential that a Vault session logs in with.

use crate::api::{
    AppRoleAuth, JwtAuth, KubernetesAuth, SecretKeySelector, ServiceAccountSelector, ServiceAccountToken, VaultAuth,
};
use crate::controller::error::StoreError;
use crate::controller::method::{KUBERNETES_ACCOUNT, Method, RoleId, Token};
use crate::controller::references::References;
use crate::controller::service_account::{Account, ServiceAccountTokens};
use crate::vault::{ClientIdentity, Jwt, Login};
use secrecy::SecretString;

/// Audience of a ServiceAccount's token for the JWT method where the store names none, as ESO has it.
const JWT_AUDIENCE: &str = "vault";
/// The key of a Secret that a ServiceAccount's token is in, where the store names none.
const TOKEN_KEY: &str = "token";
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
    let login = match Method::of(auth)? {
        Method::Token(token) => Login::token(read(references, "provider.vault.auth.tokenSecretRef", token).await?)?,
        Method::AppRole(auth, role_id) => app_role(auth, role_id, references).await?,
        Method::Kubernetes(auth, token) => kubernetes(auth, token, references).await?,
        Method::Jwt(auth, token) => jwt(auth, token, references).await?,
        Method::UserPass(user) => {
            let password = read(references, "provider.vault.auth.userPass.secretRef", &user.secret_ref).await?;
            Login::user_pass(user.mount(), &user.username, password)?
        }
        Method::Ldap(user) => {
            let password = read(references, "provider.vault.auth.ldap.secretRef", &user.secret_ref).await?;
            Login::ldap(user.mount(), &user.username, password)?
        }
        Method::Cert(cert) => {
            let certificate = read(references, "provider.vault.auth.cert.clientCert", &cert.client_cert).await?;
            let key_pem = read(references, "provider.vault.auth.cert.secretRef", &cert.secret_ref).await?;
            let login = Login::cert(cert.mount(), cert.vault_role.as_deref().filter(|role| !role.is_empty()))?;
            return Ok(Credential { login, identity: Some(identity(&certificate, key_pem)) });
        }
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

async fn app_role(auth: &AppRoleAuth, role_id: RoleId<'_>, references: &References<'_>) -> Result<Login, StoreError> {
    let role_id = match role_id {
        RoleId::Value(role_id) => SecretString::from(role_id),
        RoleId::Secret(role_ref) => read(references, "provider.vault.auth.appRole.roleRef", role_ref).await?,
    };
    let secret_id = read(references, "provider.vault.auth.appRole.secretRef", &auth.secret_ref).await?;
    Ok(Login::app_role(auth.mount(), role_id, secret_id)?)
}

async fn kubernetes(
    auth: &KubernetesAuth,
    token: Token<'_, ServiceAccountSelector>,
    references: &References<'_>,
) -> Result<Login, StoreError> {
    let jwt = match token {
        Token::Account(account) => {
            let failed = |source| StoreError::Reference { field: KUBERNETES_ACCOUNT, source };
            let found = references.service_account(account).await.map_err(failed)?;
            issued(references, found, account.audiences.clone(), TOKEN_SECONDS)
        }
        Token::Secret(secret_ref) => {
            let secret_ref = &with_default_key(secret_ref);
            Jwt::Value(read(references, "provider.vault.auth.kubernetes.secretRef", secret_ref).await?)
        }
    };
    Ok(Login::kubernetes(auth.mount(), &auth.role, jwt)?)
}

/// A Secret of the type kubernetes.io/service-account-token has its token there.
fn with_default_key(secret_ref: &SecretKeySelector) -> SecretKeySelector {
    let key = secret_ref.key.as_deref().filter(|key| !key.is_empty()).unwrap_or(TOKEN_KEY);
    SecretKeySelector { key: Some(key.to_owned()), ..secret_ref.clone() }
}

async fn jwt(
    auth: &JwtAuth,
    token: Token<'_, ServiceAccountToken>,
    references: &References<'_>,
) -> Result<Login, StoreError> {
    const ACCOUNT: &str = "provider.vault.auth.jwt.kubernetesServiceAccountToken.serviceAccountRef";
    let jwt = match token {
        Token::Account(token) => {
            let account = &token.service_account_ref;
            let failed = |source| StoreError::Reference { field: ACCOUNT, source };
            let found = references.service_account(account).await.map_err(failed)?;
            let seconds = token.expiration_seconds.unwrap_or(TOKEN_SECONDS).max(TOKEN_SECONDS);
            issued(references, found, jwt_audiences(token), seconds)
        }
        Token::Secret(secret_ref) => {
            Jwt::Value(read(references, "provider.vault.auth.jwt.secretRef", secret_ref).await?)
        }
    };
    Ok(Login::jwt(auth.mount(), auth.role.as_deref().unwrap_or_default(), jwt)?)
}

/// As ESO has it: those of the ServiceAccount's reference come on top of the token's own, which are `vault` where none are
/// written.
fn jwt_audiences(token: &ServiceAccountToken) -> Vec<String> {
    let mut audiences = token.audiences.clone();
    if audiences.is_empty() {
        audiences.push(JWT_AUDIENCE.to_owned());
    }
    for audience in &token.service_account_ref.audiences {
        if !audiences.contains(audience) {
            audiences.push(audience.clone());
        }
    }
    audiences
}

fn issued(references: &References<'_>, account: Account, audiences: Vec<String>, seconds: i64) -> Jwt {
    let issuer = ServiceAccountTokens { client: references.client.clone(), account, audiences, seconds };
    Jwt::Issued { identity: issuer.identity(), issuer: std::sync::Arc::new(issuer) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audiences_are_those_that_eso_asks_for() {
        let table: [(&[&str], &[&str], &[&str]); 5] = [
            (&[], &[], &["vault"]),
            (&[], &["team"], &["vault", "team"]),
            (&["team"], &[], &["team"]),
            (&["team"], &["other", "team"], &["team", "other"]),
            (&[], &["vault"], &["vault"]),
        ];
        let texts = |audiences: &[&str]| audiences.iter().map(|audience| (*audience).to_owned()).collect::<Vec<_>>();
        for (own, of_account, expected) in table {
            let service_account_ref =
                ServiceAccountSelector { audiences: texts(of_account), ..ServiceAccountSelector::default() };
            let token =
                ServiceAccountToken { service_account_ref, audiences: texts(own), ..ServiceAccountToken::default() };
            assert_eq!(jwt_audiences(&token), texts(expected), "{own:?} {of_account:?}");
        }
    }
}
