//! The seed's manifests as they stand in `examples/seed`, with the few values that are this cluster's own.

use std::{fs, path::Path};
use testbed::{AppRole, Error, Result};

/// The namespace of all of them.
pub const NAMESPACE: &str = "default";
/// The SecretStore.
pub const STORE: &str = "vault-store";
/// The ExternalSecret.
pub const EXTERNAL_SECRET: &str = "my-app-db-credentials";
/// The Secret that it makes.
pub const TARGET: &str = "db-credentials";
/// Where its values are, below the mount `kv`.
pub const PATH: &str = "database/config";
/// How often the demo refreshes.
pub const INTERVAL: &str = "5s";

/// In the order in which `kubectl apply -f examples/seed/` applies them.
const FILES: [&str; 3] = ["external-secret.yaml", "secret-store.yaml", "vault-approle-secret.yaml"];

/// A value of the manifests, and what stands in its place here.
pub struct Change {
    /// The field's name.
    pub field: &'static str,
    /// As the seed has it.
    pub from: &'static str,
    /// As the demo has it.
    pub to: String,
}

/// The manifests, ready to apply.
pub struct Seed {
    /// All that differs from the files.
    pub changes: Vec<Change>,
    documents: Vec<String>,
}

impl Seed {
    /// Reads the files and makes them this cluster's.
    ///
    /// # Errors
    /// Where a file is not there, or a value that is to be changed does not stand in any exactly once: then the demo would not show
    /// what it says.
    pub fn read(server: &str, role: &AppRole) -> Result<Self> {
        let changes = vec![
            Change { field: "server", from: "https://vault.example.com:8200", to: server.to_owned() },
            Change { field: "roleID", from: "a1b2c3d4-e5f6-7890-1234-abcdef123456", to: role.role_id.clone() },
            Change { field: "secretID", from: "c1d2e3f4-g5h6-7890-1234-abcdef123456", to: role.secret_id.clone() },
            Change { field: "refreshInterval", from: "1h", to: INTERVAL.to_owned() },
        ];
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/seed");
        let mut documents = Vec::with_capacity(FILES.len());
        for name in FILES {
            let path = folder.join(name);
            let text = fs::read_to_string(&path);
            documents.push(text.map_err(|source| Error::Io { what: "read", path, source })?);
        }
        let mut seed = Self { changes: Vec::new(), documents };
        for change in changes {
            let (from, to) =
                (format!("{}: \"{}\"", change.field, change.from), format!("{}: \"{}\"", change.field, change.to));
            seed.replace(&from, &to)?;
            seed.changes.push(change);
        }
        Ok(seed)
    }

    /// All manifests as one YAML stream.
    pub fn manifests(&self) -> String {
        self.documents.join("---\n")
    }

    /// The manifests with one text in place of another.
    ///
    /// # Errors
    /// Where the text does not stand in them exactly once.
    pub fn with(&self, from: &str, to: &str) -> Result<String> {
        let mut changed = Self { changes: Vec::new(), documents: self.documents.clone() };
        changed.replace(from, to)?;
        Ok(changed.manifests())
    }

    fn replace(&mut self, from: &str, to: &str) -> Result<()> {
        let count: usize = self.documents.iter().map(|document| document.matches(from).count()).sum();
        if count != 1 {
            let why = format!("it stands there {count} times, and should once");
            return Err(Error::Unexpected { what: format!("{from} in examples/seed"), why });
        }
        for document in &mut self.documents {
            *document = document.replace(from, to);
        }
        Ok(())
    }
}
