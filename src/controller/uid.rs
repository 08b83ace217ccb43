//! Uids of Kubernetes objects, kept small: one stands three times in what is remembered of each ExternalSecret.

use serde::{Serialize, Serializer};
use std::fmt;
use uuid::Uuid;

/// An object's uid. The API says that it is any string, and every API server gives a UUID, which needs no allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uid(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// A UUID that is written as `uuid` writes it, so that nothing of the text is lost.
    Uuid(Uuid),
    Other(Box<str>),
}

impl From<&str> for Uid {
    fn from(text: &str) -> Self {
        let uuid = Uuid::try_parse(text).ok().filter(|uuid| {
            let mut buffer = Uuid::encode_buffer();
            uuid.hyphenated().encode_lower(&mut buffer) == text
        });
        Self(uuid.map_or_else(|| Form::Other(text.into()), Form::Uuid))
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Uuid(uuid) => write!(f, "{}", uuid.hyphenated()),
            Form::Other(text) => f.write_str(text),
        }
    }
}

impl Serialize for Uid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_stays_as_it_is() {
        let table = [
            "0d9f6b52-8d05-4c4b-a1a5-6a3a31c3a8f1",
            "0D9F6B52-8D05-4C4B-A1A5-6A3A31C3A8F1",
            "0d9f6b528d054c4ba1a56a3a31c3a8f1",
            "{0d9f6b52-8d05-4c4b-a1a5-6a3a31c3a8f1}",
            "s",
            "",
        ];
        for text in table {
            assert_eq!(Uid::from(text).to_string(), text);
        }
        assert!(matches!(Uid::from(table[0]).0, Form::Uuid(_)));
    }
}
