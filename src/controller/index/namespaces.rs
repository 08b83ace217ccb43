//! Namespaces' labels, where the conditions of a ClusterSecretStore ask for them.

use super::{Index, Wake};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

impl Index {
    /// A list of Namespaces begins. Those that it does not name have no objects left to ask for them.
    pub fn namespaces_listing(&mut self) {
        self.namespaces.clear();
    }

    /// A Namespace as the watch delivers it.
    pub fn apply_namespace(&mut self, metadata: ObjectMeta) -> Vec<Wake> {
        let Some(name) = metadata.name else { return Vec::new() };
        let labels = metadata.labels.unwrap_or_default();
        if self.namespaces.get(name.as_str()) == Some(&labels) {
            return Vec::new();
        }
        self.namespaces.insert(name.as_str().into(), labels);
        self.mend_namespace(&name)
    }

    /// A Namespace is gone.
    pub fn remove_namespace(&mut self, metadata: &ObjectMeta) {
        self.namespaces.remove(metadata.name.as_deref().unwrap_or_default());
    }

    /// The labels of a Namespace; none where it is not known.
    pub fn namespace_labels(&self, name: &str) -> BTreeMap<String, String> {
        self.namespaces.get(name).cloned().unwrap_or_default()
    }
}
