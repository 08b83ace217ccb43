//! JWT: `POST auth/<mount>/login {role, jwt}`.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::super::connection::Fingerprinter;
use super::super::error::VaultError;
use super::{Jwt, Principal, Request};

#[derive(Debug, Clone)]
pub(in super::super) struct JwtLogin {
    mount: String,
    role: String,
    jwt: Jwt,
}

impl JwtLogin {
    pub(super) fn new(mount: &str, role: &str, jwt: Jwt) -> Result<Self, VaultError> {
        Self::at(super::mount_path(mount, "jwt"), role, jwt)
    }

    /// The kubernetes method speaks the same words under another mount.
    pub(super) fn at(mount: String, role: &str, jwt: Jwt) -> Result<Self, VaultError> {
        Ok(Self { mount, role: role.trim().to_owned(), jwt: jwt.trimmed()? })
    }

    pub(super) fn principal(&self) -> Principal<'_> {
        Principal::new(&self.mount, &self.role)
    }

    pub(super) async fn request(&self) -> Result<Request, VaultError> {
        let jwt = self.jwt.get(&self.mount).await?;
        let mut body = json!({ "jwt": jwt.expose_secret() });
        if !self.role.is_empty()
            && let Some(fields) = body.as_object_mut()
        {
            fields.insert("role".to_owned(), self.role.as_str().into());
        }
        Ok(Request::new(format!("auth/{}/login", self.mount), &body))
    }

    pub(super) fn fingerprint(&self, print: &mut Fingerprinter) {
        print.field(b"jwt").field(self.mount.as_bytes()).field(self.role.as_bytes());
        match &self.jwt {
            Jwt::Value(jwt) => print.field(b"value").field(jwt.expose_secret().as_bytes()),
            Jwt::Issued { identity, .. } => print.field(b"issued").field(identity.as_bytes()),
        };
    }
}

impl Jwt {
    fn trimmed(self) -> Result<Self, VaultError> {
        Ok(match self {
            Self::Value(jwt) => Self::Value(super::trimmed("JWT", &jwt)?),
            issued @ Self::Issued { .. } => issued,
        })
    }

    async fn get(&self, mount: &str) -> Result<SecretString, VaultError> {
        match self {
            Self::Value(jwt) => Ok(jwt.clone()),
            Self::Issued { issuer, .. } => {
                let issued = issuer.issue().await;
                let jwt = issued.map_err(|problem| VaultError::credential_unavailable(mount, problem))?;
                super::trimmed("JWT", &jwt)
            }
        }
    }
}
