//! The testbed's own certificate authority, and all keys of one stack.

use crate::{Error, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Names that every server certificate is valid for. 10.96.0.1 is the `kubernetes` Service of the testbed's range.
const SERVER_NAMES: [&str; 5] = ["localhost", "127.0.0.1", "10.96.0.1", "kubernetes.default.svc", "kubernetes.default"];

/// A folder with a CA and what it signed: `<name>.crt` and `<name>.key`, PEM.
#[derive(Clone)]
pub struct Pki {
    dir: PathBuf,
}

/// A certificate and its key, PEM.
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its key, PKCS#8.
    pub key: String,
}

impl Pki {
    /// Makes the CA, `server`, the `admin` client (group `system:masters`), and `service-account` (a bare key pair) in `dir`.
    ///
    /// # Errors
    /// [`Error::Certificate`], [`Error::Io`].
    pub fn create(dir: PathBuf) -> Result<Self> {
        fs::create_dir_all(&dir).map_err(Error::io("make the folder", &dir))?;
        let pki = Self { dir };
        let key = KeyPair::generate()?;
        let ca = ca_params().self_signed(&key)?;
        pki.write("ca", &Pair { certificate: ca.pem(), key: key.serialize_pem() })?;
        pki.write("server", &pki.issue_server(&SERVER_NAMES)?)?;
        pki.write("admin", &pki.issue_client("testbed-admin", &["system:masters"])?)?;
        let tokens = KeyPair::generate()?;
        write_private(&pki.key("service-account"), &tokens.serialize_pem())?;
        write_private(&pki.public_key("service-account"), &tokens.public_key_pem())?;
        Ok(pki)
    }

    /// Opens the folder of a running stack.
    pub fn open(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Path of a certificate of this folder.
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.dir.join(name).with_extension("crt")
    }

    /// Path of a key of this folder.
    pub fn key(&self, name: &str) -> PathBuf {
        self.dir.join(name).with_extension("key")
    }

    /// Path of a bare public key of this folder.
    pub fn public_key(&self, name: &str) -> PathBuf {
        self.dir.join(name).with_extension("pub")
    }

    /// The CA's certificate, PEM: for `caBundle`, `caProvider`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn ca(&self) -> Result<String> {
        read(&self.certificate("ca"))
    }

    /// A pair of this folder.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn pair(&self, name: &str) -> Result<Pair> {
        Ok(Pair { certificate: read(&self.certificate(name))?, key: read(&self.key(name))? })
    }

    /// A client certificate: `name` becomes the user, `groups` the groups that Kubernetes sees.
    ///
    /// # Errors
    /// [`Error::Certificate`], [`Error::Io`].
    pub fn issue_client(&self, name: &str, groups: &[&str]) -> Result<Pair> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        for group in groups {
            params.distinguished_name.push(DnType::OrganizationName, *group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params)
    }

    /// A server certificate for these host names and addresses.
    ///
    /// # Errors
    /// [`Error::Certificate`], [`Error::Io`].
    pub fn issue_server(&self, names: &[&str]) -> Result<Pair> {
        let mut params = CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())?;
        params.distinguished_name.push(DnType::CommonName, "testbed-server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params)
    }

    fn issue(&self, mut params: CertificateParams) -> Result<Pair> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let issuer = Issuer::new(ca_params(), KeyPair::from_pem(&read(&self.key("ca"))?)?);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?;
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    fn write(&self, name: &str, pair: &Pair) -> Result<()> {
        let path = self.certificate(name);
        fs::write(&path, &pair.certificate).map_err(Error::io("write", &path))?;
        write_private(&self.key(name), &pair.key)
    }
}

/// The CA's parameters; a CA read back from its key signs with the same name.
fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "external-secrets-rs testbed CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(Error::io("read", path))
}

/// Writes a file that its user alone can read.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    let open = fs::File::options().create(true).write(true).truncate(true).mode(0o600).open(path);
    open.and_then(|mut file| file.write_all(text.as_bytes())).map_err(Error::io("write", path))
}
