//! What one entry takes from a secret: the whole of it, a key, or a path into it (gjson's syntax, as ESO's users write).
//!
//! Works on the JSON text that Vault sent, never on parsed numbers, so `2.1234534153423423` stays what it is.

use serde_json::value::RawValue;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use thiserror::Error;
use zeroize::Zeroizing;

/// How deep a secret's JSON may nest before it is refused; serde_json stops at 128 itself.
const MAX_DEPTH: usize = 100;

/// A value on its way from Vault to a Secret: wiped when dropped, never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<Vec<u8>>);

impl SecretValue {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl Deref for SecretValue {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}

/// Why nothing could be taken. None of these holds a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SelectError {
    /// The secret has no such key, nor anything at such a path.
    #[error("the secret has no such property")]
    Missing,
    /// The secret is not a JSON object.
    #[error("the secret is not a JSON object")]
    NotAnObject,
    /// The secret nests deeper than we follow.
    #[error("the secret nests too deeply")]
    TooDeep,
    /// The path could not be evaluated.
    #[error("the property is not a path that can be followed; see the GJSON path syntax")]
    Path,
}

/// One secret as Vault answered it: an object's fields as JSON text, borrowed from the answer.
pub struct Document<'a> {
    fields: BTreeMap<String, &'a RawValue>,
    canonical: OnceCell<Zeroizing<String>>,
}

impl<'a> Document<'a> {
    /// Reads the top level of `json`, the text of a JSON object.
    pub fn parse(json: &'a str) -> Result<Self, SelectError> {
        let fields = serde_json::from_str(json).map_err(|_| SelectError::NotAnObject)?;
        Ok(Self { fields, canonical: OnceCell::new() })
    }

    /// The value that `property` names: nothing or empty means the whole secret as compact JSON with sorted keys, an
    /// exact top-level key wins over a path.
    pub fn select(&self, property: Option<&str>) -> Result<SecretValue, SelectError> {
        let Some(property) = property.filter(|property| !property.is_empty()) else {
            return Ok(SecretValue::new(self.canonical()?.as_bytes().to_vec()));
        };
        match self.fields.get(property) {
            Some(value) => value_bytes(value.get()),
            None => self.follow(property),
        }
    }

    /// Every top-level key with its value, in order: what `dataFrom.extract` takes.
    pub fn entries(&self) -> impl Iterator<Item = (&str, Result<SecretValue, SelectError>)> {
        self.fields.iter().map(|(key, value)| (key.as_str(), value_bytes(value.get())))
    }

    /// Every top-level key with its value's JSON text, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(key, value)| (key.as_str(), value.get()))
    }

    fn follow(&self, path: &str) -> Result<SecretValue, SelectError> {
        at_path(self.canonical()?, path, |found| match found.kind() {
            gjson::Kind::Null => SecretValue::default(),
            gjson::Kind::String => SecretValue::new(found.str().as_bytes().to_vec()),
            _ => SecretValue::new(found.json().as_bytes().to_vec()),
        })
    }

    fn canonical(&self) -> Result<&str, SelectError> {
        if let Some(text) = self.canonical.get() {
            return Ok(text);
        }
        let mut text = Zeroizing::new(String::new());
        write_object(&self.fields, &mut text, 0)?;
        Ok(self.canonical.get_or_init(|| text))
    }
}

/// gjson is handed paths by users; a fault in it must end as this entry's error.
fn at_path<T>(json: &str, path: &str, take: impl Fn(&gjson::Value) -> T) -> Result<T, SelectError> {
    let found = catch_unwind(AssertUnwindSafe(|| {
        let found = gjson::get(json, path);
        found.exists().then(|| take(&found))
    }));
    found.map_err(|_| SelectError::Path)?.ok_or(SelectError::Missing)
}

/// A JSON value as a Secret holds it: a string without its quotes, null as nothing, anything else as JSON.
fn value_bytes(json: &str) -> Result<SecretValue, SelectError> {
    Ok(match json.as_bytes().first() {
        Some(b'"') => {
            let text: String = serde_json::from_str(json).map_err(|_| SelectError::NotAnObject)?;
            SecretValue::new(text.into_bytes())
        }
        Some(b'n') => SecretValue::default(),
        Some(b'{' | b'[') => {
            let mut text = Zeroizing::new(String::with_capacity(json.len()));
            write_value(json, &mut text, 0)?;
            SecretValue::new(text.as_bytes().to_vec())
        }
        _ => SecretValue::new(json.as_bytes().to_vec()),
    })
}

fn write_value(json: &str, out: &mut String, depth: usize) -> Result<(), SelectError> {
    if depth > MAX_DEPTH {
        return Err(SelectError::TooDeep);
    }
    match json.as_bytes().first() {
        Some(b'{') => {
            let fields: BTreeMap<String, &RawValue> = serde_json::from_str(json).map_err(|_| SelectError::TooDeep)?;
            write_object(&fields, out, depth)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| SelectError::TooDeep)?;
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                out.push_str(if position == 0 { "" } else { "," });
                write_value(item.get(), out, depth + 1)?;
            }
            out.push(']');
            Ok(())
        }
        Some(b'"') => {
            // Read and written anew, because Go's servers escape `<`, `>` and `&` where JSON does not ask for it.
            let text = Zeroizing::new(serde_json::from_str::<String>(json).map_err(|_| SelectError::NotAnObject)?);
            let plain = serde_json::to_string(&*text).map(Zeroizing::new).map_err(|_| SelectError::NotAnObject)?;
            out.push_str(&plain);
            Ok(())
        }
        _ => {
            out.push_str(json);
            Ok(())
        }
    }
}

fn write_object(fields: &BTreeMap<String, &RawValue>, out: &mut String, depth: usize) -> Result<(), SelectError> {
    out.push('{');
    for (position, (key, value)) in fields.iter().enumerate() {
        out.push_str(if position == 0 { "" } else { "," });
        out.push_str(&serde_json::to_string(key).map_err(|_| SelectError::NotAnObject)?);
        out.push(':');
        write_value(value.get(), out, depth + 1)?;
    }
    out.push('}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(json: &str, property: &str) -> Result<String, SelectError> {
        let value = Document::parse(json)?.select(Some(property))?;
        Ok(String::from_utf8(value.to_vec()).unwrap())
    }

    #[test]
    fn an_exact_key_wins_over_a_path() {
        let json = r#"{"nested.bar":"something different","nested":{"foo":"oke","bar":"also ok?"}}"#;
        assert_eq!(select(json, "nested.bar").as_deref(), Ok("something different"));
        assert_eq!(select(json, "nested.foo").as_deref(), Ok("oke"));
        assert_eq!(select(json, "nested"), Ok(r#"{"bar":"also ok?","foo":"oke"}"#.to_owned()));
    }

    #[test]
    fn values_keep_their_form() {
        let json = r#"{"n":2.1234534153423423,"big":12345678901234567890123,"t":true,"null":null,"s":"a\nb\"é",
            "o":{"z":1.50,"a":[1,{"y":null,"x":"<&>"}]},"l":[{"id":"one"},{"id":"two"}], "e":""}"#;
        let table = [
            ("n", "2.1234534153423423"),
            ("big", "12345678901234567890123"),
            ("t", "true"),
            ("null", ""),
            ("s", "a\nb\"é"),
            ("o", r#"{"a":[1,{"x":"<&>","y":null}],"z":1.50}"#),
            ("o.z", "1.50"),
            ("o.a", r#"[1,{"x":"<&>","y":null}]"#),
            ("o.a.1.y", ""),
            ("l.#", "2"),
            ("l.0.id", "one"),
            ("l.#.id", r#"["one","two"]"#),
            (r#"l.#(id=="two").id"#, "two"),
            ("e", ""),
        ];
        for (property, value) in table {
            assert_eq!(select(json, property).as_deref(), Ok(value), "{property}");
        }
    }

    #[test]
    fn no_property_means_the_whole_secret_compact_and_sorted() {
        let json = r#"{ "b" : 1.0, "a" : "<x>" }"#;
        let whole = Document::parse(json).unwrap();
        assert_eq!(&*whole.select(None).unwrap(), br#"{"a":"<x>","b":1.0}"#);
        assert_eq!(select(json, "").as_deref(), Ok(r#"{"a":"<x>","b":1.0}"#));
        let escaped = r#"{"a":{"b":"\u003c\u0026\u003e \" \n é"}}"#;
        assert_eq!(select(escaped, "").as_deref(), Ok(r#"{"a":{"b":"<&> \" \n é"}}"#), "as plain as JSON allows");
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        for property in ["nope", "a.b", "a.0", "a.b.c.d", ".", "#", "a|@nope", "@this.zz"] {
            assert_eq!(select(r#"{"a":"x"}"#, property), Err(SelectError::Missing), "{property}");
        }
        assert_eq!(select("[1]", "a"), Err(SelectError::NotAnObject));
        assert_eq!(select("null", "a"), Err(SelectError::NotAnObject));
    }

    #[test]
    fn deep_nesting_is_refused_and_harms_nothing() {
        let json = format!(r#"{{"a":{}1{}}}"#, "[".repeat(50_000), "]".repeat(50_000));
        assert!(select(&json, "a").is_err());
    }
}
