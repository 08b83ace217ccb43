//! Real Helm, and the chart of this repository.

use super::Result;
use super::kustomize::in_repository;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use testbed::{Binaries, Guard, Tool};

/// Release and namespace of every call.
pub const NAME: &str = "external-secrets";

/// Helm with a home of its own.
pub struct Helm {
    program: PathBuf,
    home: Guard,
    /// Of the cluster that it works on; none is needed to render.
    pub kubeconfig: Option<PathBuf>,
}

impl Helm {
    /// Gets Helm first, where it is not there.
    pub async fn new() -> Result<Self> {
        let home = Guard::new()?;
        Ok(Self { program: Binaries::tool(&home, Tool::Helm).await?, home, kubeconfig: None })
    }

    /// Standard output, or standard error as the error.
    pub fn run(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(name, self.home.dir().join("helm"));
        }
        command.env("KUBECONFIG", self.kubeconfig.as_deref().unwrap_or(Path::new("/dev/null")));
        let output = command.args(args).args(["--namespace", NAME]).output()?;
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout)?);
        }
        Err(format!("helm {args:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }

    /// What `helm template` renders with these arguments, read.
    pub fn template(&self, args: &[&str]) -> Result<Vec<Value>> {
        let text = self.run(&[&["template", NAME, &chart()], args].concat())?;
        let documents = serde_saphyr::from_multiple::<Value>(&text)?;
        Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
    }
}

/// The chart's folder.
pub fn folder() -> PathBuf {
    in_repository("deploy/helm/external-secrets-rs")
}

/// The same as an argument.
pub fn chart() -> String {
    folder().to_string_lossy().into_owned()
}

/// The first of its kind.
pub fn of_kind<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    documents.iter().find(|one| one["kind"] == kind).unwrap_or_else(|| panic!("no {kind} is rendered"))
}
