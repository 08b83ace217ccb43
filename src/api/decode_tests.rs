use super::*;
use crate::api::{ExternalSecretSpec, SecretStoreSpec};

#[test]
fn names_the_field_and_never_its_value() {
    for (json, place) in [
        (r#"{"target":{"creationPolicy":"hunter2"}}"#, "spec.target.creationPolicy"),
        (r#"{"refreshInterval":"hunter2"}"#, "spec.refreshInterval"),
        (r#"{"data":[{"secretKey":"a"},{"secretKey":["hunter2"]}]}"#, "spec.data[1].secretKey"),
        (
            r#"{"dataFrom":[{"extract":{"key":"a","decodingStrategy":"hunter2"}}]}"#,
            "spec.dataFrom[0].extract.decodingStrategy",
        ),
        (r#"{"target":{"template":{"engineVersion":"v1"}}}"#, "spec.target.template.engineVersion"),
        (r#""hunter2""#, "spec"),
    ] {
        let error = from_slice::<ExternalSecretSpec>("spec", json.as_bytes()).unwrap_err();
        assert_eq!(error.place, place);
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(error.to_string().starts_with(place), "{error}");
    }
}

#[test]
fn a_store_names_its_field_too() {
    let json = br#"{"provider":{"vault":{"server":"https://v","version":"v3"}}}"#;
    let error = from_slice::<SecretStoreSpec>("spec", json).unwrap_err();
    assert!(error.place.starts_with("spec.provider"), "{error}");
}
