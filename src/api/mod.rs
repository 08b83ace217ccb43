//! The `external-secrets.io` API: the three kinds as types, and the CRDs that are generated from them.
//!
//! Doc comments on fields are what `kubectl explain` shows. Names in JSON are ESO's, letter for letter.

pub mod condition;
pub mod crd;
pub mod decode;
pub mod duration;
pub mod external_secret;
pub mod names;
pub mod policy;
pub mod reference;
mod schema;
pub mod secret_store;
pub mod source;
pub mod target;
pub mod vault;
pub mod vault_auth;
pub mod vault_auth_cloud;

pub use condition::{Condition, ConditionReason, ConditionStatus, ConditionType};
pub use crd::{all, render};
pub use decode::{DecodeError, from_slice};
pub use duration::GoDuration;
pub use external_secret::{
    Binding, ExternalSecret, ExternalSecretData, ExternalSecretSpec, ExternalSecretStatus, SyncWindow, SyncWindows,
    TargetStatus,
};
pub use policy::{
    ConversionStrategy, CreationPolicy, DecodingStrategy, DeletionPolicy, MetadataPolicy, NullBytePolicy,
    RefreshPolicy, TemplateMergePolicy, TemplateScope,
};
pub use reference::{
    CaProvider, CaProviderType, GeneratorRef, SecretKeySelector, ServiceAccountSelector, SourceRef, StoreKind, StoreRef,
};
pub use secret_store::{
    ClusterSecretStore, ClusterSecretStoreSpec, Provider, RetrySettings, SecretStore, SecretStoreSpec,
    SecretStoreStatus, StoreCondition,
};
pub use source::{DataFrom, Find, FindName, RemoteRef, Rewrite, RewriteMerge, RewriteRegexp, RewriteTransform};
pub use target::{
    ManifestRef, Target, Template, TemplateFrom, TemplateMetadata, TemplateRef, TemplateRefItem, TemplateTarget,
};
pub use vault::{CheckAndSet, Headers, KvVersion, VaultProvider, VaultTls};
pub use vault_auth::{
    AppRoleAuth, CertAuth, JwtAuth, KubernetesAuth, LdapAuth, ServiceAccountToken, UserPassAuth, VaultAuth,
};
