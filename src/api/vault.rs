//! `spec.provider.vault`: the server, the mount, and how its certificate is checked.

use std::{collections::BTreeMap, fmt};

use k8s_openapi::ByteString;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    policy::is_default,
    reference::{CaProvider, SecretKeySelector},
    schema,
    vault_auth::VaultAuth,
};

/// HashiCorp Vault or OpenBao, its key/value engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultProvider {
    /// Address of the server, for example `https://vault.example.com:8200`.
    #[schemars(length(max = 2048), regex(pattern = r"^[hH][tT][tT][pP][sS]?://[^/\s].*$"))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[hH][tT][tT][pP][sS]?://[^/\s].*$')").message(
        "must be the address of the server with its scheme, for example https://vault.example.com:8200"
    ))]
    pub server: String,
    /// Mount of the key/value engine, for example `kv`; `kv/data` means the same with version v2. Absent, each key has to
    /// begin with its mount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Version of the key/value engine, `v2` (also where this is absent) or `v1`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub version: KvVersion,
    /// Vault namespace, for example `team-a` (Vault Enterprise and OpenBao).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Certificates that the server's own is checked against: PEM, base64 over it. Absent, `caProvider`, or else those
    /// of the operator's image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::base64")]
    pub ca_bundle: Option<ByteString>,
    /// Where such certificates stand in a Secret or ConfigMap. `caBundle` wins over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_provider: Option<CaProvider>,
    /// A certificate to show to the server, where it asks for one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tls: VaultTls,
    /// Vault Enterprise: never read from a node that hasn't caught up with what this operator has seen.
    #[serde(default, skip_serializing_if = "is_default")]
    pub read_your_writes: bool,
    /// Vault Enterprise: let a node that hasn't caught up pass the request to the active one; with `readYourWrites`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub forward_inconsistent: bool,
    /// Headers to send with each request.
    #[serde(default, skip_serializing_if = "is_default")]
    pub headers: Headers,
    /// How to log in; exactly one method. A store without one, as ESO has it for a Vault Agent that adds its own token, is
    /// kept and told in the Ready condition; external-secrets-rs logs in itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<VaultAuth>,
    /// Writing with check-and-set. Kept for manifests from External Secrets Operator's PushSecret; it has no effect on
    /// reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_and_set: Option<CheckAndSet>,
}

/// Version of the key/value engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KvVersion {
    /// Without versions and metadata.
    V1,
    /// With both.
    #[default]
    V2,
}

/// A certificate to show to the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.certSecretRef) == has(self.keySecretRef)").message(
    "set both certSecretRef and keySecretRef, or neither"
))]
pub struct VaultTls {
    /// The Secret with the certificate (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<SecretKeySelector>,
    /// The Secret with its private key (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_secret_ref: Option<SecretKeySelector>,
}

/// Headers by name. A type of its own so that no header's value, which may be a credential, shows in a Debug print.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Headers(pub BTreeMap<String, String>);

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Writing with check-and-set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckAndSet {
    /// Whether writes must name the version they replace.
    #[serde(default, skip_serializing_if = "is_default")]
    pub required: bool,
}
