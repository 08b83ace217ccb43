//! What the server says of a token: the answers to a login, a renewal and a look-up.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::error::Holder;

/// `auth` of a login's or renewal's answer.
#[derive(Deserialize)]
pub(super) struct Auth {
    #[serde(deserialize_with = "secret")]
    pub(super) client_token: SecretString,
    #[serde(default)]
    pub(super) lease_duration: u64,
    #[serde(default)]
    pub(super) renewable: bool,
    pub(super) token_type: Option<String>,
    #[serde(default)]
    pub(super) num_uses: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) policies: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) metadata: Names,
}

impl Auth {
    /// A login that asks for a second factor has none yet.
    pub(super) fn has_token(&self) -> bool {
        !self.client_token.expose_secret().is_empty()
    }
}

/// Answers with `auth`.
#[derive(Deserialize)]
pub(super) struct Authed {
    pub(super) auth: Option<Auth>,
}

/// `data` of `auth/token/lookup-self`.
#[derive(Deserialize)]
pub(super) struct LookedUp {
    #[serde(default)]
    pub(super) ttl: u64,
    #[serde(default)]
    pub(super) creation_ttl: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) period: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) renewable: bool,
    #[serde(default)]
    pub(super) num_uses: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) policies: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) identity_policies: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) meta: Names,
}

/// Answers with `data` of a look-up.
#[derive(Deserialize)]
pub(super) struct LookedUpData {
    pub(super) data: LookedUp,
}

impl LookedUp {
    /// Whose it is, with all policies: those of its identity stand apart here.
    pub(super) fn holder(&self) -> Holder {
        let policies = self.policies.iter().chain(&self.identity_policies).cloned().collect();
        Holder { who: self.meta.who(), policies }
    }
}

/// What the auth methods write into a token's metadata.
#[derive(Default, Deserialize)]
pub(super) struct Names {
    pub(super) role_name: Option<String>,
    pub(super) role: Option<String>,
    pub(super) username: Option<String>,
    pub(super) cert_name: Option<String>,
}

impl Names {
    pub(super) fn who(&self) -> String {
        let named = |kind: &str, name: &Option<String>| name.as_ref().map(|name| format!("{kind} {name:?}"));
        named("role", &self.role_name)
            .or_else(|| named("role", &self.role))
            .or_else(|| named("user", &self.username))
            .or_else(|| named("certificate role", &self.cert_name))
            .unwrap_or_default()
    }
}

fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// `null` counts as not there.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
