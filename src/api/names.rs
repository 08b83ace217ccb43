//! Names that live in a cluster: group, versions, labels, annotations, finalizers, field managers.
//!
//! They are External Secrets Operator's (ESO's), because Secrets that it made are taken over as they stand, and because
//! users select on them. One file, so that none is ever spelt twice.

/// API group of the three kinds.
pub const GROUP: &str = "external-secrets.io";

/// The version objects are stored in, and the one this operator reads and writes.
pub const VERSION: &str = "v1";

/// The older version, served from the same schema because manifests in the field still say it.
pub const VERSION_V1BETA1: &str = "v1beta1";

/// Kind of [`ExternalSecret`](super::ExternalSecret), as in owner references.
pub const KIND_EXTERNAL_SECRET: &str = "ExternalSecret";

/// Kind of [`SecretStore`](super::SecretStore).
pub const KIND_SECRET_STORE: &str = "SecretStore";

/// Kind of [`ClusterSecretStore`](super::ClusterSecretStore).
pub const KIND_CLUSTER_SECRET_STORE: &str = "ClusterSecretStore";

/// Label on every Secret that is written here; its value is [`LABEL_MANAGED_VALUE`].
pub const LABEL_MANAGED: &str = "reconcile.external-secrets.io/managed";

/// The value of [`LABEL_MANAGED`].
pub const LABEL_MANAGED_VALUE: &str = "true";

/// Label on an owned Secret: hex SHA3-224 of `<namespace>/<name>` of its ExternalSecret.
pub const LABEL_CREATED_BY: &str = "reconcile.external-secrets.io/created-by";

/// Annotation on a target: hex SHA3-224 of its data, so that an edit is seen without asking Vault.
pub const ANNOTATION_DATA_HASH: &str = "reconcile.external-secrets.io/data-hash";

/// Annotation that `kubectl apply` leaves behind; it is never copied to a target, for it holds a whole manifest.
pub const ANNOTATION_LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// ESO's finalizer on ExternalSecrets. None is set here; this one is removed from objects that are being deleted, else
/// they would hang once ESO is gone.
pub const FINALIZER_EXTERNAL_SECRET: &str = "externalsecrets.external-secrets.io/externalsecret-cleanup";

/// ESO's finalizer on stores that PushSecrets use; removed in the same way.
pub const FINALIZER_STORE: &str = "secretstore.externalsecrets.io/finalizer";

/// What a field manager on targets starts with; the ExternalSecret's name follows (or `sha3/<hex>` where that would
/// exceed [`FIELD_MANAGER_MAX`]).
pub const FIELD_MANAGER_PREFIX: &str = "externalsecrets.external-secrets.io/";

/// ESO's limit on a field manager's length, in bytes.
pub const FIELD_MANAGER_MAX: usize = 63;

/// The field manager of status writes and of everything that isn't a target.
pub const FIELD_MANAGER: &str = "external-secrets-rs";

/// Types of Secrets that a template may not make: both are credentials for the API server itself, and a template would
/// turn the right to write an ExternalSecret into the right to mint them (CVE-2026-42876).
pub const REFUSED_SECRET_TYPES: [&str; 2] = ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"];
