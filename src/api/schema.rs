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
pub(super) fn regexp(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 512,
        "x-kubernetes-validations": [{
            "rule": "''.matches(self) in [true, false]",
            "message": "must be a regular expression in Go's RE2 syntax (no look-around, no back-references)",
        }],
    })
}

/// A list of [`regexp`]s.
pub(super) fn regexps(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "maxItems": 64, "items": regexp(generator) })
}
