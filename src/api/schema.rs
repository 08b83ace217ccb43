//! Pieces of the OpenAPI schema that several types share.

use schemars::{Schema, SchemaGenerator, json_schema};

/// What a Kubernetes object may be called (a DNS subdomain).
pub(super) fn object_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 253,
        "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    })
}

/// What a namespace may be called (a DNS label).
pub(super) fn namespace(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 63,
        "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
    })
}

/// What a key in the data of a Secret or ConfigMap may look like.
pub(super) fn data_key(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 253,
        "pattern": "^[-._a-zA-Z0-9]+$",
    })
}

/// A regular expression in Go's syntax, compiled at admission by the API server, whose CEL uses the same engine.
/// `in [true, false]` and not `|| true`, for CEL's `||` swallows errors.
///
/// Only for a field that stands in one list at most: in a list within a list, CEL's budget would allow some 500
/// characters, and working manifests would be refused.
pub(super) fn regexp(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 4096,
        "x-kubernetes-validations": [{
            "rule": "''.matches(self) in [true, false]",
            "message": "must be a regular expression in Go's RE2 syntax (no look-around, no back-references)",
        }],
    })
}

/// Bytes in base64, checked at admission.
pub(super) fn base64(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "byte" })
}
