//! Reading a spec or status that a cluster holds.
//!
//! A cluster may hold what another schema let through (ESO's, or an older one of ours), so reading can fail, and then
//! only that object suffers: the controller keeps an object's JSON and reads it late.

use serde::de::DeserializeOwned;

/// A part of an object that can't be read. Names the field and never its value, which serde's own messages quote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{place} holds something this version doesn't understand; see `kubectl explain` for what it may be, and correct it"
)]
pub struct DecodeError {
    /// Where, for example `spec.target.creationPolicy`.
    pub place: String,
}

/// Reads `json`, a part of an object that stands at `place` (`spec` or `status`).
///
/// # Errors
/// Where a field has another type than it should, or a word that isn't known. No retry helps, only an edit.
pub fn from_slice<T: DeserializeOwned>(place: &str, json: &[u8]) -> Result<T, DecodeError> {
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_slice(json)).map_err(|error| {
        let place = match error.path().to_string().as_str() {
            "." => place.to_owned(),
            path => format!("{place}.{path}"),
        };
        DecodeError { place }
    })
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
