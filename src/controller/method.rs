//! Which login method a store's `auth` names: pure, so that a store can be judged without logging in.

use crate::api::{
    AppRoleAuth, CertAuth, JwtAuth, KubernetesAuth, LdapAuth, SecretKeySelector, ServiceAccountSelector,
    ServiceAccountToken, UserPassAuth, VaultAuth,
};
use crate::controller::error::StoreError;

/// The field of the account that a store logs in as by the method kubernetes.
pub const KUBERNETES_ACCOUNT: &str = "provider.vault.auth.kubernetes.serviceAccountRef";

/// A method, with all that it needs.
#[derive(Debug)]
pub enum Method<'a> {
    /// A token as it is.
    Token(&'a SecretKeySelector),
    /// AppRole, with where its role id stands.
    AppRole(&'a AppRoleAuth, RoleId<'a>),
    /// A ServiceAccount's token, reviewed by Kubernetes.
    Kubernetes(&'a KubernetesAuth, Token<'a, ServiceAccountSelector>),
    /// A JSON web token, proven by its signature.
    Jwt(&'a JwtAuth, Token<'a, ServiceAccountToken>),
    /// A name and a password.
    UserPass(&'a UserPassAuth),
    /// The same, of a directory.
    Ldap(&'a LdapAuth),
    /// A client certificate.
    Cert(&'a CertAuth),
}

/// Where a role id stands.
#[derive(Debug)]
pub enum RoleId<'a> {
    /// In the store.
    Value(&'a str),
    /// In a Secret.
    Secret(&'a SecretKeySelector),
}

/// Where a JSON web token comes from.
#[derive(Debug)]
pub enum Token<'a, Account> {
    /// Issued for a ServiceAccount.
    Account(&'a Account),
    /// From a Secret.
    Secret(&'a SecretKeySelector),
}

impl<'a> Method<'a> {
    /// The method that `auth` names; what is missing where it is not complete, and what to use where we don't have it.
    pub fn of(auth: &'a VaultAuth) -> Result<Self, StoreError> {
        if let Some(token) = &auth.token_secret_ref {
            Ok(Self::Token(token))
        } else if let Some(app_role) = &auth.app_role {
            role_id(app_role).map(|role_id| Self::AppRole(app_role, role_id))
        } else if let Some(kubernetes) = &auth.kubernetes {
            // The operator's own token would be worth more to a server than any store's owner may hand out.
            token(&kubernetes.service_account_ref, &kubernetes.secret_ref, KUBERNETES_ACCOUNT)
                .map(|token| Self::Kubernetes(kubernetes, token))
        } else if let Some(jwt) = &auth.jwt {
            token(&jwt.kubernetes_service_account_token, &jwt.secret_ref, "provider.vault.auth.jwt.secretRef")
                .map(|token| Self::Jwt(jwt, token))
        } else if let Some(user) = &auth.user_pass {
            Ok(Self::UserPass(user))
        } else if let Some(user) = &auth.ldap {
            Ok(Self::Ldap(user))
        } else if let Some(cert) = &auth.cert {
            Ok(Self::Cert(cert))
        } else {
            Err(unsupported(auth))
        }
    }
}

fn role_id(auth: &AppRoleAuth) -> Result<RoleId<'_>, StoreError> {
    let value = auth.role_id().map(RoleId::Value).or(auth.role_ref.as_ref().map(RoleId::Secret));
    value.ok_or(StoreError::Missing { field: "provider.vault.auth.appRole.roleId" })
}

fn token<'a, Account>(
    account: &'a Option<Account>,
    secret: &'a Option<SecretKeySelector>,
    field: &'static str,
) -> Result<Token<'a, Account>, StoreError> {
    let token = account.as_ref().map(Token::Account).or(secret.as_ref().map(Token::Secret));
    token.ok_or(StoreError::Missing { field })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::from_slice;

    fn refusal(auth: &str) -> String {
        let auth: VaultAuth = from_slice("auth", auth.as_bytes()).unwrap();
        Method::of(&auth).map(|method| format!("{method:?}")).unwrap_err().to_string()
    }

    #[test]
    fn what_is_missing_or_not_built_is_named() {
        for (auth, field) in [
            ("{}", "a login method under provider.vault.auth"),
            (r#"{"appRole": {"secretRef": {"name": "s"}}}"#, "appRole.roleId"),
            (r#"{"kubernetes": {"role": "r", "mountPath": "kubernetes"}}"#, KUBERNETES_ACCOUNT),
            (r#"{"jwt": {"path": "jwt"}}"#, "jwt.secretRef"),
            (r#"{"iam": {"vaultRole": "r"}}"#, "provider.vault.auth.iam"),
            (r#"{"gcp": {"role": "r"}}"#, "provider.vault.auth.gcp"),
        ] {
            let refusal = refusal(auth);
            assert!(refusal.contains(field), "{auth}: {refusal}");
        }
    }
}
