//! How the controller is started.

use std::time::Duration;

/// What the command line says.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The only namespace that is looked at; all where there is none.
    pub namespace: Option<String>,
    /// Only stores of this class, or of none, are this operator's.
    pub controller_class: String,
    /// ExternalSecrets of one Vault server that are synced at the same time.
    pub concurrent: usize,
    /// How often a store is validated that does not say so itself.
    pub store_requeue_interval: Duration,
    /// Tells replicas apart in events: the pod's name.
    pub instance: String,
}
