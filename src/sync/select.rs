//! What one entry takes from a secret: the whole of it, a key, or a path into it (gjson's syntax, as ESO's users write).
//!
//! Works on the JSON text that Vault sent, never on parsed numbers, so `2.1234534153423423` stays what it is.

use crate::sync::path;
use crate::template::Meter;
use serde_json::value::RawValue;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
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
    #[error("the property is not a path that can be followed; see the GJSON path syntax, and nest it less")]
    Path,
    /// The work that one object may make is used up.
    #[error(
        "taking the values takes too much work or memory; use fewer paths into large secrets, or split the ExternalSecret"
    )]
    TooMuch,
}

/// One secret as Vault answered it: an object's fields as JSON text, borrowed from the answer.
pub struct Document<'a> {
    fields: BTreeMap<String, &'a RawValue>,
    canonical: OnceCell<Zeroizing<String>>,
}

impl<'a> Document<'a> {
    /// Reads the top level of `json`, the text of a JSON object.
    pub fn parse(json: &'a str, meter: &mut Meter) -> Result<Self, SelectError> {
        meter.scan(json.len())?;
        let fields = serde_json::from_str(json).map_err(|_| SelectError::NotAnObject)?;
        Ok(Self { fields, canonical: OnceCell::new() })
    }

    /// The value that `property` names: nothing or empty means the whole secret as compact JSON with sorted keys, an
    /// exact top-level key wins over a path. What it takes is counted on `meter`, as everywhere here.
    pub fn select(&self, property: Option<&str>, meter: &mut Meter) -> Result<SecretValue, SelectError> {
        let Some(property) = property.filter(|property| !property.is_empty()) else {
            let whole = self.canonical(meter)?;
            meter.scan(whole.len())?;
            meter.hold(whole.len())?;
            return Ok(SecretValue::new(whole.as_bytes().to_vec()));
        };
        match self.fields.get(property) {
            Some(value) => value_bytes(value.get(), meter),
            None => self.follow(property, meter),
        }
    }

    /// Every top-level key with its value, in order: what `dataFrom.extract` takes.
    pub fn entries(&self, meter: &mut Meter) -> impl Iterator<Item = (&str, Result<SecretValue, SelectError>)> {
        self.fields.iter().map(|(key, value)| (key.as_str(), value_bytes(value.get(), meter)))
    }

    /// Every top-level key with its value's JSON text, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(key, value)| (key.as_str(), value.get()))
    }

    fn follow(&self, path: &str, meter: &mut Meter) -> Result<SecretValue, SelectError> {
        // Names alone, as nearly always: nothing but the first one's value has to be looked at.
        if let Some((first, rest)) = path.split_once('.')
            && path::is_plain(path)
        {
            let value = self.fields.get(first).ok_or(SelectError::Missing)?;
            let found = path::follow(value.get(), rest, meter)?.ok_or(SelectError::Missing)?;
            return value_bytes(&found, meter);
        }
        let found = path::follow(self.canonical(meter)?, path, meter)?.ok_or(SelectError::Missing)?;
        match found.as_bytes().first() {
            // As it was found: what a modifier laid out stays so.
            Some(b'{' | b'[') => {
                meter.hold(found.len())?;
                Ok(SecretValue::new(found.into_owned().into_bytes()))
            }
            _ => value_bytes(&found, meter),
        }
    }

    fn canonical(&self, meter: &mut Meter) -> Result<&str, SelectError> {
        if let Some(text) = self.canonical.get() {
            return Ok(text);
        }
        for (key, value) in &self.fields {
            meter.scan(key.len() + value.get().len())?;
        }
        let mut text = Zeroizing::new(String::new());
        write_object(&self.fields, &mut text, 0)?;
        Ok(self.canonical.get_or_init(|| text))
    }
}

/// A JSON value as a Secret holds it: a string without its quotes, null as nothing, anything else as JSON.
fn value_bytes(json: &str, meter: &mut Meter) -> Result<SecretValue, SelectError> {
    meter.scan(json.len())?;
    meter.hold(json.len())?;
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
    use crate::template::Limits;

    fn select(json: &str, property: &str) -> Result<String, SelectError> {
        let meter = &mut Meter::new(&Limits::default());
        let value = Document::parse(json, meter)?.select(Some(property), meter)?;
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
            ("o.a.@this", r#"[1,{"x":"<&>","y":null}]"#),
            ("l.@pretty", "[\n  {\n    \"id\": \"one\"\n  },\n  {\n    \"id\": \"two\"\n  }\n]\n"),
            ("{s,n}", r#"{"s":"a\nb\"é","n":2.1234534153423423}"#),
            ("l.@dig:id", r#"["one","two"]"#),
        ];
        for (property, value) in table {
            assert_eq!(select(json, property).as_deref(), Ok(value), "{property}");
        }
    }

    #[test]
    fn no_property_means_the_whole_secret_compact_and_sorted() {
        let json = r#"{ "b" : 1.0, "a" : "<x>" }"#;
        let meter = &mut Meter::new(&Limits::default());
        let whole = Document::parse(json, meter).unwrap();
        assert_eq!(&*whole.select(None, meter).unwrap(), br#"{"a":"<x>","b":1.0}"#);
        assert_eq!(select(json, "").as_deref(), Ok(r#"{"a":"<x>","b":1.0}"#));
        let escaped = r#"{"a":{"b":"\u003c\u0026\u003e \" \n é"}}"#;
        assert_eq!(select(escaped, "").as_deref(), Ok(r#"{"a":{"b":"<&> \" \n é"}}"#), "as plain as JSON allows");
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        for property in ["nope", "a.b", "a.0", "a.b.c.d", ".", "..x", "a.", "#", "a|@nope", "@this.zz"] {
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
