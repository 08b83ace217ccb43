//! A token that somebody else made.

use secrecy::{ExposeSecret, SecretString};

use super::super::connection::Fingerprinter;
use super::super::error::VaultError;

#[derive(Debug, Clone)]
pub(in super::super) struct Token {
    token: SecretString,
}

impl Token {
    pub(super) fn new(token: SecretString) -> Result<Self, VaultError> {
        Ok(Self { token: super::trimmed("token", &token)? })
    }

    pub(in super::super) fn token(&self) -> &SecretString {
        &self.token
    }

    pub(super) fn fingerprint(&self, print: &mut Fingerprinter) {
        print.field(b"token").field(self.token.expose_secret().as_bytes());
    }
}
