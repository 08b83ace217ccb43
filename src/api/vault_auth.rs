//! `spec.provider.vault.auth`: the ways to log in.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{
    reference::{SecretKeySelector, ServiceAccountSelector},
    vault_auth_cloud::{GcpAuth, IamAuth},
};

/// How to log in; exactly one method.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "(has(self.tokenSecretRef) ? 1 : 0) + (has(self.appRole) ? 1 : 0) + (has(self.kubernetes) ? 1 : 0) \
     + (has(self.userPass) ? 1 : 0) + (has(self.ldap) ? 1 : 0) + (has(self.jwt) ? 1 : 0) + (has(self.cert) ? 1 : 0) \
     + (has(self.iam) ? 1 : 0) + (has(self.gcp) ? 1 : 0) == 1"
).message(
    "set exactly one way to log in: tokenSecretRef, appRole, kubernetes, userPass, ldap, jwt, cert, iam or gcp"
))]
pub struct VaultAuth {
    /// Vault namespace to log in at, where it isn't the store's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// With a token that stands in a Secret. It is never revoked here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret_ref: Option<SecretKeySelector>,
    /// With an AppRole's role id and secret id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_role: Option<AppRoleAuth>,
    /// With a ServiceAccount's token, by Vault's Kubernetes method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<KubernetesAuth>,
    /// With a user name and password, by Vault's userpass method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_pass: Option<UserPassAuth>,
    /// With a user name and password, by Vault's LDAP method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ldap: Option<LdapAuth>,
    /// With a signed token, by Vault's JWT/OIDC method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<JwtAuth>,
    /// With a TLS certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<CertAuth>,
    /// With an AWS identity. Kept for manifests from External Secrets Operator; external-secrets-rs doesn't log in this
    /// way and says so in the Ready condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam: Option<Box<IamAuth>>,
    /// With a Google Cloud identity. Kept for manifests from External Secrets Operator; external-secrets-rs doesn't
    /// log in this way and says so in the Ready condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcp: Option<Box<GcpAuth>>,
}

/// With an AppRole's role id and secret id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "((has(self.roleId) && self.roleId != '') ? 1 : 0) + ((has(self.roleID) && self.roleID != '') ? 1 : 0) \
     + (has(self.roleRef) ? 1 : 0) == 1"
).message("say which role in exactly one way: roleId (roleID means the same), or roleRef to a Secret that holds it"))]
pub struct AppRoleAuth {
    /// Mount of the method, `approle` where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The role's id, for example `a1b2c3d4-e5f6-7890-1234-abcdef123456`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub role_id: Option<String>,
    /// The same as `roleId`, in the spelling of many manifests.
    #[serde(default, rename = "roleID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub role_id_alias: Option<String>,
    /// The Secret that holds the role's id, in place of `roleId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_ref: Option<SecretKeySelector>,
    /// The Secret that holds the secret id.
    pub secret_ref: SecretKeySelector,
}

impl AppRoleAuth {
    /// Mount of the method where none is written.
    pub const DEFAULT_MOUNT: &str = "approle";

    /// Mount of the method.
    pub fn mount(&self) -> &str {
        mount(self.path.as_deref(), Self::DEFAULT_MOUNT)
    }

    /// The role's id in either spelling; None where it stands in a Secret (`role_ref`).
    pub fn role_id(&self) -> Option<&str> {
        [&self.role_id, &self.role_id_alias].into_iter().flatten().map(String::as_str).find(|id| !id.is_empty())
    }
}

/// With a ServiceAccount's token, by Vault's Kubernetes method.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.serviceAccountRef) && has(self.secretRef))").message(
    "set serviceAccountRef or secretRef, not both; the operator's own ServiceAccount never logs in for a store"
))]
pub struct KubernetesAuth {
    /// Mount of the method, `kubernetes` where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount_path: Option<String>,
    /// Role in Vault to log in as.
    pub role: String,
    /// The ServiceAccount whose token is requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_ref: Option<ServiceAccountSelector>,
    /// A Secret that holds a ServiceAccount's token; its key is `token` where none is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeySelector>,
}

impl KubernetesAuth {
    /// Mount of the method where none is written.
    pub const DEFAULT_MOUNT: &str = "kubernetes";

    /// Mount of the method.
    pub fn mount(&self) -> &str {
        mount(self.mount_path.as_deref(), Self::DEFAULT_MOUNT)
    }
}

/// With a user name and password, by Vault's userpass method.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserPassAuth {
    /// Mount of the method, `userpass` where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The user's name.
    pub username: String,
    /// The Secret that holds the password.
    #[serde(default)]
    pub secret_ref: SecretKeySelector,
}

impl UserPassAuth {
    /// Mount of the method where none is written.
    pub const DEFAULT_MOUNT: &str = "userpass";

    /// Mount of the method.
    pub fn mount(&self) -> &str {
        mount(self.path.as_deref(), Self::DEFAULT_MOUNT)
    }
}

/// With a user name and password, by Vault's LDAP method.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LdapAuth {
    /// Mount of the method, `ldap` where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The user's name.
    pub username: String,
    /// The Secret that holds the password.
    #[serde(default)]
    pub secret_ref: SecretKeySelector,
}

impl LdapAuth {
    /// Mount of the method where none is written.
    pub const DEFAULT_MOUNT: &str = "ldap";

    /// Mount of the method.
    pub fn mount(&self) -> &str {
        mount(self.path.as_deref(), Self::DEFAULT_MOUNT)
    }
}

/// With a signed token, by Vault's JWT/OIDC method.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.secretRef) != has(self.kubernetesServiceAccountToken)").message(
    "set exactly one of secretRef and kubernetesServiceAccountToken"
))]
pub struct JwtAuth {
    /// Mount of the method, `jwt` where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Role in Vault to log in as; the method's default role where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The Secret that holds the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeySelector>,
    /// Requests a ServiceAccount's token and logs in with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_service_account_token: Option<ServiceAccountToken>,
}

impl JwtAuth {
    /// Mount of the method where none is written.
    pub const DEFAULT_MOUNT: &str = "jwt";

    /// Mount of the method.
    pub fn mount(&self) -> &str {
        mount(self.path.as_deref(), Self::DEFAULT_MOUNT)
    }
}

/// A ServiceAccount's token, requested when it is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountToken {
    /// The ServiceAccount.
    pub service_account_ref: ServiceAccountSelector,
    /// Audiences of the token, beside those of `serviceAccountRef`; absent, `vault`. Where the token must not do for a
    /// Vault with that audience, write here which it is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub audiences: Vec<String>,
    /// How long the token lasts, in seconds; 600 where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_seconds: Option<i64>,
}

/// With a TLS certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertAuth {
    /// Mount of the method, `cert` where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Role in Vault to log in as; any that the certificate fits where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_role: Option<String>,
    /// The Secret that holds the certificate (PEM).
    #[serde(default)]
    pub client_cert: SecretKeySelector,
    /// The Secret that holds its private key (PEM).
    #[serde(default)]
    pub secret_ref: SecretKeySelector,
}

impl CertAuth {
    /// Mount of the method where none is written.
    pub const DEFAULT_MOUNT: &str = "cert";

    /// Mount of the method.
    pub fn mount(&self) -> &str {
        mount(self.path.as_deref(), Self::DEFAULT_MOUNT)
    }
}

fn mount<'a>(path: Option<&'a str>, default: &'a str) -> &'a str {
    path.filter(|path| !path.is_empty()).unwrap_or(default)
}
