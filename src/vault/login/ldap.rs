//! LDAP: `POST auth/<mount>/login/<username> {password}`; the server binds to a directory with it.

use secrecy::SecretString;

use super::super::connection::Fingerprinter;
use super::super::error::VaultError;
use super::user_pass::UserPass;
use super::{Principal, Request};

#[derive(Debug, Clone)]
pub(in super::super) struct Ldap(UserPass);

impl Ldap {
    pub(super) fn new(mount: &str, username: &str, password: SecretString) -> Result<Self, VaultError> {
        UserPass::at(super::mount_path(mount, "ldap"), username, password).map(Self)
    }

    pub(super) fn principal(&self) -> Principal<'_> {
        self.0.principal()
    }

    pub(super) fn request(&self) -> Request {
        self.0.request()
    }

    pub(super) fn fingerprint(&self, print: &mut Fingerprinter) {
        self.0.fingerprint(print.field(b"ldap"));
    }
}
