//! Why an ExternalSecret or a store could not be brought to where it should be: one type for each, with the place and what
//! to do. None of them holds a value or a credential.

use crate::api::ConditionReason;
use crate::controller::key::{ObjectKey, StoreKey};
use crate::sync::collect::{SourceError, TooMuch};
use crate::sync::conditions::ConditionsError;
use crate::sync::plan::TargetError;
use crate::sync::spec::SpecError;
use crate::sync::template::RenderError;
use crate::telemetry::events::truncated;
use crate::vault::{ErrorKind, Retry, VaultError};
use thiserror::Error;

const CONFIRM: &str = crate::api::names::ANNOTATION_CONFIRM_DELETION;
/// How much of a text that the API server sent is told.
const MAX_QUOTED: usize = 500;

/// Why a sync failed.
#[derive(Debug, Clone, Error)]
pub enum SyncError {
    /// The spec asks for what can't be done.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// An entry has no value.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It asks for more than is held in memory for one.
    #[error("{place}: {source}")]
    TooMuch {
        /// The entry that was one too many, as it stands in the manifest.
        place: String,
        /// The limit.
        source: TooMuch,
    },
    /// A template made no Secret.
    #[error(transparent)]
    Template(Box<RenderError>),
    /// A template can't be read.
    #[error("spec.target.template.templateFrom: {0}")]
    TemplateFrom(#[source] ReferenceError),
    /// A store can't be used.
    #[error("{store} is not ready: {source}")]
    Store {
        /// Which.
        store: StoreKey,
        /// Why.
        source: Box<StoreError>,
    },
    /// The store can be used, but not for this.
    #[error("{source} ({place}, {store})")]
    Vault {
        /// Through which store.
        store: StoreKey,
        /// The first entry that wanted it, as it stands in the manifest.
        place: String,
        /// What Vault said.
        source: VaultError,
    },
    /// The target can't be written.
    #[error("Secret \"{target}\": {source}")]
    Target {
        /// Its name.
        target: String,
        /// Why.
        source: TargetError,
    },
    /// The API server refused or failed.
    #[error(transparent)]
    ApiServer(#[from] ApiServerError),
    /// Its source is gone, for the first time: nothing is decided, and nothing is told.
    #[error("the source is gone from Vault; it is looked at again before the secret is deleted")]
    LookAgain,
    /// Its source is gone, and so are many others'.
    #[error(
        "the source is gone from Vault, and so are so many others of {store} within a minute that nothing is deleted; if it is meant: kubectl annotate externalsecret {name} {CONFIRM}=$(date -u +%F)"
    )]
    Braked {
        /// Whose targets go.
        store: StoreKey,
        /// The ExternalSecret.
        name: String,
    },
    /// All of it took too long.
    #[error(
        "the sync was given up after {seconds} s; the server or the API server answers too slowly, and it is tried again"
    )]
    Deadline {
        /// The limit.
        seconds: u64,
    },
}

/// Why a store can't be used.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// There is none.
    #[error("it does not exist; create it, or correct secretStoreRef")]
    NotFound,
    /// It may be there, but this operator never looks.
    #[error("this operator keeps to one namespace (--namespace) and sees no ClusterSecretStores; use a SecretStore")]
    OutOfSight,
    /// Its spec does not fit the API's types.
    #[error(transparent)]
    Unreadable(#[from] crate::api::DecodeError),
    /// It is for something else than Vault.
    #[error("its provider is {provider:?}; external-secrets-rs reads from Vault and OpenBao only (provider.vault)")]
    NotVault {
        /// The provider's name.
        provider: String,
    },
    /// It asks for something that this version does not do.
    #[error("{field} is not supported by this version of external-secrets-rs; {advice}")]
    NotBuilt {
        /// The field, as it stands in a manifest.
        field: &'static str,
        /// What to do instead.
        advice: &'static str,
    },
    /// It is not for this namespace.
    #[error("its spec.conditions do not admit the namespace {namespace:?}; add it there, or use another store")]
    NotAdmitted {
        /// The ExternalSecret's namespace.
        namespace: String,
    },
    /// Whether it is for this namespace can't be said yet.
    #[error(
        "its spec.conditions select namespaces by label, and the labels of {namespace:?} are not known yet; this passes by itself, unless the operator may not list and watch Namespaces"
    )]
    LabelsUnknown {
        /// The ExternalSecret's namespace.
        namespace: String,
    },
    /// Its conditions can't be evaluated.
    #[error(transparent)]
    Conditions(#[from] ConditionsError),
    /// A field is missing.
    #[error("{field} is missing; set it")]
    Missing {
        /// The field, as it stands in a manifest.
        field: &'static str,
    },
    /// A reference leads nowhere.
    #[error("{field}: {source}")]
    Reference {
        /// The field, as it stands in a manifest.
        field: &'static str,
        /// Why.
        source: ReferenceError,
    },
    /// Vault can't be used with it.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// All of it took too long.
    #[error(
        "it could not be checked within a minute; the server or the API server answers too slowly, and it is tried again"
    )]
    Deadline,
}

/// Why a reference gave nothing.
#[derive(Debug, Clone, Error)]
pub enum ReferenceError {
    /// It names nothing.
    #[error("the reference has no {part}; set it")]
    Incomplete {
        /// `name` or `key`.
        part: &'static str,
    },
    /// It leaves its namespace.
    #[error(
        "it refers to namespace {namespace:?}, but a SecretStore may only use its own namespace, {own:?}; use a ClusterSecretStore, or move the Secret"
    )]
    ForeignNamespace {
        /// Where it leads.
        namespace: String,
        /// Where it may lead.
        own: String,
    },
    /// It names no namespace, and nobody is there to lend one.
    #[error(
        "it names no namespace, so it means that of each ExternalSecret, and the store can't be looked at by itself"
    )]
    NoReferent,
    /// There is no such object.
    #[error("{kind} \"{object}\" does not exist; create it, or correct the reference")]
    NotFound {
        /// Secret, ConfigMap or ServiceAccount.
        kind: &'static str,
        /// Its name.
        object: ObjectKey,
    },
    /// The object lacks the key.
    #[error("{kind} \"{object}\" has no key {key:?}; add it, or correct the reference")]
    NoKey {
        /// Secret or ConfigMap.
        kind: &'static str,
        /// Its name.
        object: ObjectKey,
        /// What was looked for.
        key: String,
    },
    /// A credential that is no text.
    #[error("key {key:?} of Secret \"{secret}\" is not UTF-8 text; store the credential as it was issued")]
    NotText {
        /// The Secret.
        secret: ObjectKey,
        /// Its key.
        key: String,
    },
    /// The API server refused or failed.
    #[error(transparent)]
    ApiServer(#[from] ApiServerError),
}

/// A request to the API server that failed.
#[derive(Debug, Clone, Error)]
#[error("could not {verb} {kind} \"{name}\": {problem}")]
pub struct ApiServerError {
    /// What was tried: `create`, `read`, …
    pub verb: &'static str,
    /// Of which kind of object.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The HTTP status; none where there was no answer.
    pub status: Option<u16>,
    /// What the server said, or why there was no answer.
    pub problem: String,
}

impl ApiServerError {
    /// What kube's client reports, told as ours. A body that can't be decoded is never quoted: it may be a Secret.
    pub fn new(verb: &'static str, kind: &'static str, name: &ObjectKey, error: &kube::Error) -> Self {
        let (status, problem) = match error {
            kube::Error::Api(status) => (Some(status.code), truncated(&status.message, MAX_QUOTED).to_owned()),
            kube::Error::SerdeError(_) => (None, "the answer could not be decoded".to_owned()),
            kube::Error::HyperError(_) | kube::Error::Service(_) => (None, "the API server does not answer".to_owned()),
            other => (None, truncated(&other.to_string(), MAX_QUOTED).to_owned()),
        };
        Self { verb, kind, name: name.to_string(), status, problem }
    }

    /// The object is not there.
    pub fn is_not_found(&self) -> bool {
        self.status == Some(404)
    }

    /// The namespace is going away, and takes no new objects.
    pub fn is_namespace_terminating(&self) -> bool {
        self.status == Some(403) && self.problem.contains("because it is being terminated")
    }

    /// Another's write came first, or the object is there already.
    pub fn is_conflict(&self) -> bool {
        self.status == Some(409)
    }
}

impl SyncError {
    /// What a session said, when the entry at `place` was asked for: the store is at fault where the session can't be used
    /// at all.
    pub fn vault(store: StoreKey, place: &str, source: VaultError) -> Self {
        match source.is_of_session() {
            true => Self::Store { store, source: Box::new(source.into()) },
            false => Self::Vault { store, place: place.to_owned(), source },
        }
    }

    /// Whether only an edit mends it, so that no retry by time is made. What can be edited for it is watched: the spec, its
    /// templates, and the target.
    pub fn is_hopeless(&self) -> bool {
        match self {
            Self::Spec(_) => true,
            Self::Source(error) => error.is_hopeless(),
            Self::Template(error) => error.is_hopeless(),
            Self::Target { source, .. } => !source.passes(),
            _ => false,
        }
    }

    /// Whether another try soon would cost much and most likely end the same.
    pub fn is_costly(&self) -> bool {
        match self {
            Self::TooMuch { .. } => true,
            Self::Source(error) => error.is_too_much(),
            // Mostly the store is edited first, and wakes it; but not every store tells of what it does not read any more.
            Self::Target { source: TargetError::Credential, .. } => true,
            _ => false,
        }
    }

    /// Whether people should be told that waiting does not help: kstatus' "Failed".
    pub fn is_stalled(&self) -> bool {
        match self {
            Self::Vault { source, .. } => source.retry() == Retry::AfterEdit,
            Self::Store { source, .. } => source.is_stalled(),
            other if other.is_costly() => true,
            other => other.is_hopeless(),
        }
    }

    /// What `Stalled` says of it.
    pub fn stalled_reason(&self) -> ConditionReason {
        match self {
            Self::Vault { source, .. } => vault_stalled_reason(source),
            Self::Store { source, .. } => source.stalled_reason(),
            _ => ConditionReason::InvalidSpec,
        }
    }
}

impl StoreError {
    /// Whether the API server is the trouble, and nothing is known of the store.
    pub fn is_api_server(&self) -> bool {
        matches!(self, Self::Reference { source: ReferenceError::ApiServer(_), .. })
    }

    /// Whether only an edit of the store or its credentials mends it.
    pub fn is_stalled(&self) -> bool {
        match self {
            Self::NotFound | Self::Deadline | Self::LabelsUnknown { .. } => false,
            Self::Vault(error) => error.retry() == Retry::AfterEdit,
            Self::Reference { source, .. } => {
                !matches!(source, ReferenceError::ApiServer(_) | ReferenceError::NotFound { .. })
            }
            _ => true,
        }
    }

    /// What `Stalled` says of it.
    pub fn stalled_reason(&self) -> ConditionReason {
        match self {
            Self::Vault(error) => vault_stalled_reason(error),
            _ => ConditionReason::InvalidSpec,
        }
    }
}

fn vault_stalled_reason(error: &VaultError) -> ConditionReason {
    match error.kind() {
        ErrorKind::EmptyCredential { .. } | ErrorKind::LoginRefused { .. } | ErrorKind::TokenRefused { .. } => {
            ConditionReason::CredentialsRefused
        }
        _ => ConditionReason::InvalidSpec,
    }
}
