//! The Secret that is written, and the template that shapes it.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{
    policy::{
        CreationPolicy, DecodingStrategy, DeletionPolicy, TemplateEngineVersion, TemplateMergePolicy, TemplateScope,
        is_default,
    },
    schema,
};

/// The Secret that is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "!has(self.deletionPolicy) || self.deletionPolicy != 'Delete' || !has(self.creationPolicy) \
         || self.creationPolicy in ['Owner', 'Orphan']"
    ).message("deletionPolicy Delete needs a Secret of its own: set creationPolicy to Owner, or deletionPolicy to Merge or Retain"),
    validation = Rule::new(
        "!has(self.deletionPolicy) || self.deletionPolicy != 'Merge' || !has(self.creationPolicy) \
         || self.creationPolicy != 'None'"
    ).message("deletionPolicy Merge has no Secret to remove keys from when creationPolicy is None: use deletionPolicy Retain"),
    validation = Rule::new(
        "has(self.manifest) || !has(self.template) || !has(self.template.templateFrom) \
         || self.template.templateFrom.all(t, !has(t.target) \
         || t.target.lowerAscii() in ['', 'data', 'annotations', 'labels'])"
    ).message("templateFrom[].target must be Data, Annotations or Labels")
)]
pub struct Target {
    /// Name of the Secret; the ExternalSecret's own where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_name")]
    pub name: Option<String>,
    /// How the Secret comes to be: `Owner` (also where this is absent) creates it and takes it along when the
    /// ExternalSecret goes; `Orphan` creates it and leaves it; `Merge` only adds keys to a Secret that is there;
    /// `CreateOrMerge` creates it where it is missing and else adds keys; `None` writes nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub creation_policy: CreationPolicy,
    /// What happens when the source is gone from Vault: `Retain` (also where this is absent) keeps the Secret and reports
    /// an error; `Delete` drops keys that are gone, and the Secret with the last of them; `Merge` drops keys that are
    /// gone and keeps the Secret.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deletion_policy: DeletionPolicy,
    /// Shapes the Secret: its type, labels, annotations, and data made from the values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Template>,
    /// Writes an object of another kind. Kept for manifests from External Secrets Operator; external-secrets-rs
    /// writes Secrets only and says so in the Ready condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<ManifestRef>,
    /// Makes the Secret immutable: its values are written once, and a later change in Vault is an error.
    #[serde(default, skip_serializing_if = "is_default")]
    pub immutable: bool,
}

impl Target {
    /// The Secret's name, given the ExternalSecret's.
    pub fn name<'a>(&'a self, external_secret: &'a str) -> &'a str {
        self.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(external_secret)
    }
}

/// The kind of object to write in place of a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManifestRef {
    /// API version of the object, for example `v1`.
    #[schemars(length(min = 1))]
    pub api_version: String,
    /// Kind of the object, for example `ConfigMap`.
    #[schemars(length(min = 1))]
    pub kind: String,
}

/// Shapes the Secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Template {
    /// Type of the Secret, for example `kubernetes.io/tls`; `Opaque` where this is absent.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    #[x_kube(validation = Rule::new(
        "!(self in ['kubernetes.io/service-account-token', 'bootstrap.kubernetes.io/token'])"
    ).message("a template may not make credentials for the Kubernetes API itself (service-account-token, bootstrap token)"))]
    pub type_: Option<String>,
    /// Version of the template language; `v2`, the only one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub engine_version: TemplateEngineVersion,
    /// Labels, annotations and finalizers of the Secret. With a template, the ExternalSecret's own are not copied.
    #[serde(default, skip_serializing_if = "is_default")]
    pub metadata: TemplateMetadata,
    /// `Replace` (also where this is absent) writes only what the templates make; `Merge` lays it over the values.
    #[serde(default, skip_serializing_if = "is_default")]
    pub merge_policy: TemplateMergePolicy,
    /// Keys of the Secret and the Go templates that make their values, for example
    /// `url: "postgres://{{ .username }}:{{ .password }}@db"`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, String>,
    /// More templates, from ConfigMaps, Secrets or in place. `data` wins over them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub template_from: Vec<TemplateFrom>,
}

/// Labels, annotations and finalizers of the Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateMetadata {
    /// Annotations; each value is a template.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Labels; each value is a template.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Finalizers that are set on the Secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finalizers: Vec<String>,
}

/// A source of templates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateFrom {
    /// Templates in a ConfigMap of the ExternalSecret's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<TemplateRef>,
    /// Templates in a Secret of the ExternalSecret's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<TemplateRef>,
    /// A template in place; it yields YAML with keys and values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub literal: Option<String>,
    /// What is made: `Data` (also where this is absent), `Annotations` or `Labels`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub target: Option<String>,
    /// How rendered values are decoded before they are written: `None` (also where this is absent), `Base64`,
    /// `Base64URL`, or `Auto`, which decodes what looks like base64 and leaves the rest.
    #[serde(default, skip_serializing_if = "is_default")]
    pub values_decoding_strategy: DecodingStrategy,
}

/// Which part of the Secret a [`TemplateFrom`] makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TemplateTarget {
    /// The Secret's data.
    #[default]
    Data,
    /// The Secret's annotations.
    Annotations,
    /// The Secret's labels.
    Labels,
}

impl TemplateFrom {
    /// Which part of the Secret is made; None where `target` is something that only a `manifest` has, a path.
    /// Case doesn't count, as in ESO.
    pub fn template_target(&self) -> Option<TemplateTarget> {
        let name = self.target.as_deref().unwrap_or_default();
        [
            ("", TemplateTarget::Data),
            ("data", TemplateTarget::Data),
            ("annotations", TemplateTarget::Annotations),
            ("labels", TemplateTarget::Labels),
        ]
        .into_iter()
        .find_map(|(known, target)| name.eq_ignore_ascii_case(known).then_some(target))
    }
}

/// Keys of a ConfigMap or Secret that hold templates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateRef {
    /// Name of the ConfigMap or Secret.
    #[schemars(schema_with = "schema::object_name")]
    pub name: String,
    /// The keys in it to use.
    #[schemars(length(max = 4096))]
    pub items: Vec<TemplateRefItem>,
}

/// One key that holds a template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateRefItem {
    /// The key in it that holds the template.
    #[schemars(schema_with = "schema::data_key")]
    pub key: String,
    /// What the template yields: `Values` (also where this is absent), the value for the same key of the Secret; or
    /// `KeysAndValues`, YAML with keys and values.
    #[serde(default, skip_serializing_if = "is_default")]
    pub template_as: TemplateScope,
}
