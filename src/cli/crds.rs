//! `external-secrets crds`: the CustomResourceDefinitions as YAML, ready for `kubectl apply`.

use crate::api;
use std::io::Write;
use thiserror::Error;

/// Why the CRDs could not be printed.
#[derive(Debug, Error)]
pub enum CrdsError {
    /// A CRD that can't be written as YAML: a fault of ours.
    #[error("a CRD could not be written as YAML: {0}")]
    Yaml(#[from] serde_saphyr::ser::Error),
    /// Standard output is gone.
    #[error("could not write to standard output: {0}")]
    Output(#[from] std::io::Error),
}

/// Prints every CRD, one YAML document each.
pub fn execute() -> Result<(), CrdsError> {
    let files = api::render(&api::all())?;
    let documents: Vec<String> = files.into_values().collect();
    std::io::stdout().write_all(documents.join("---\n").as_bytes())?;
    Ok(())
}
