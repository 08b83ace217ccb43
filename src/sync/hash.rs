//! The hashes that ESO's users, dashboards and tools already know, byte for byte: SHA3-224 of a value as Go prints it.

use sha3::{Digest, Sha3_224};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The value of the annotation `reconcile.external-secrets.io/data-hash`: SHA3-224, in hex, of the data as Go prints a
/// map of byte slices, `map[a:[49 50] b:[51]]`. An edit of a Secret shows as a hash that no longer fits its data.
pub fn data_hash<'a>(data: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> String {
    let sorted: BTreeMap<&str, &[u8]> = data.into_iter().collect();
    let mut hasher = Sha3_224::new();
    hasher.update("map[");
    let mut text = String::new();
    for (position, (key, value)) in sorted.iter().enumerate() {
        hasher.update(if position == 0 { "" } else { " " });
        hasher.update(key);
        hasher.update(":[");
        for (position, byte) in value.iter().enumerate() {
            text.clear();
            // Writing into a String can't fail.
            let _ = write!(text, "{}{byte}", if position == 0 { "" } else { " " });
            hasher.update(&text);
        }
        hasher.update("]");
    }
    hasher.update("]");
    hex(&hasher.finalize())
}

/// The value of the label `reconcile.external-secrets.io/created-by`: which ExternalSecret a Secret belongs to, short
/// enough for a label whatever the names are.
pub fn created_by(namespace: &str, name: &str) -> String {
    hex(&Sha3_224::new_with_prefix(namespace).chain_update("/").chain_update(name).finalize())
}

/// SHA3-224, in hex, of any text: a name too long for its place is replaced by this.
pub fn text_hash(text: &str) -> String {
    hex(&Sha3_224::digest(text))
}

/// What `status.syncedResourceVersion` holds: `<generation>-<hash of annotations and labels>`. It changes when a user
/// edits the spec, or any label or annotation (a "force-sync"), and not when a status is written.
pub fn synced_version<'a>(
    generation: i64,
    annotations: impl IntoIterator<Item = (&'a str, &'a str)>,
    labels: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let text = format!("{{annotations:{} labels:{}}}", go_map(annotations), go_map(labels));
    format!("{generation}-{}", text_hash(&text))
}

fn go_map<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let sorted: BTreeMap<&str, &str> = entries.into_iter().collect();
    let entries: Vec<String> = sorted.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    format!("map[{}]", entries.join(" "))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_hash_is_esos() {
        let data = [("foo", b"value1".as_slice()), ("bar", b"value2".as_slice())];
        assert_eq!(data_hash(data), "1bed8bcbcb4547ffe19a19cd47d9078e84aa6598266d86b99f992d64");
    }

    #[test]
    fn values_are_hashed_as_go_prints_them() {
        let expected = text_hash("map[a:[49 50] b:[] c:[255]]");
        assert_eq!(data_hash([("c", [255].as_slice()), ("a", b"12".as_slice()), ("b", b"".as_slice())]), expected);
        assert_eq!(data_hash([]), text_hash("map[]"));
    }

    #[test]
    fn a_label_fits_whatever_the_names_are() {
        let label = created_by("default", &"n".repeat(253));
        assert_eq!(label.len(), 56);
        assert_eq!(created_by("default", "a"), text_hash("default/a"));
    }

    #[test]
    fn a_changed_annotation_changes_the_version_and_order_does_not() {
        let version = |annotations: &[(&'static str, &'static str)]| synced_version(3, annotations.iter().copied(), []);
        assert_eq!(version(&[("a", "1"), ("b", "2")]), version(&[("b", "2"), ("a", "1")]));
        assert_ne!(version(&[("force-sync", "1")]), version(&[("force-sync", "2")]));
        assert!(version(&[]).starts_with("3-"));
        assert!(version(&[]).ends_with(&text_hash("{annotations:map[] labels:map[]}")));
    }
}
