//! Keys of a Secret made from names in Vault: converted to what Kubernetes allows, and checked.

use crate::api::ConversionStrategy;
use crate::sync::select::SecretValue;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use thiserror::Error;

/// The API's limit of a key, in bytes.
const MAX_KEY: usize = 253;

/// Named values, on their way into a Secret.
pub type Values = BTreeMap<String, SecretValue>;

/// Why keys can't be used. Names keys, never values.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Two names become one key.
    #[error(
        "{first:?} and {second:?} both become the key {key:?}; tell them apart with a rewrite, or conversionStrategy: Unicode"
    )]
    Collision {
        /// One name.
        first: String,
        /// The other.
        second: String,
        /// What both become.
        key: String,
    },
    /// A key that Kubernetes refuses.
    #[error(
        "{key:?} can't be a key of a Secret: it may hold letters, digits, '-', '_' and '.' only, {MAX_KEY} of them at most, and not begin with '..'; rewrite it"
    )]
    Invalid {
        /// The key.
        key: String,
    },
}

/// Replaces what a Secret's key can't hold: `_` for each such character, or its code as `_U002f_`.
pub fn convert(strategy: ConversionStrategy, values: Values) -> Result<Values, KeyError> {
    rename(values, |name| {
        let mut key = String::with_capacity(name.len());
        for character in name.chars() {
            match strategy {
                _ if is_allowed(character) => key.push(character),
                ConversionStrategy::Default => key.push('_'),
                ConversionStrategy::Unicode => key.push_str(&format!("_U{:04x}_", u32::from(character))),
            }
        }
        Ok(key)
    })
}

/// Gives each value the name that `rename` makes of its own. Two that end up with one name are an error: which of them won
/// would be chance.
pub fn rename<E: From<KeyError>>(
    values: Values,
    mut rename: impl FnMut(&str) -> Result<String, E>,
) -> Result<Values, E> {
    let mut renamed: BTreeMap<String, (String, SecretValue)> = BTreeMap::new();
    for (name, value) in values {
        match renamed.entry(rename(&name)?) {
            Entry::Vacant(place) => drop(place.insert((name, value))),
            Entry::Occupied(taken) => {
                let (key, first) = (taken.key().clone(), taken.get().0.clone());
                return Err(KeyError::Collision { first, second: name, key }.into());
            }
        }
    }
    Ok(renamed.into_iter().map(|(key, (_, value))| (key, value)).collect())
}

/// Refuses keys that Kubernetes would refuse; an empty one is dropped, as ESO does.
pub fn check(mut values: Values) -> Result<Values, KeyError> {
    values.remove("");
    let is_refused =
        |key: &&String| key.len() > MAX_KEY || *key == "." || key.starts_with("..") || !key.chars().all(is_allowed);
    match values.keys().find(is_refused) {
        Some(key) => Err(KeyError::Invalid { key: key.chars().take(MAX_KEY).collect() }),
        None => Ok(values),
    }
}

fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(names: &[&str]) -> Values {
        names.iter().map(|name| ((*name).to_owned(), SecretValue::new(name.as_bytes().to_vec()))).collect()
    }

    fn keys(values: Values) -> Vec<String> {
        values.into_keys().collect()
    }

    #[test]
    fn characters_become_underscores_or_their_codes() {
        use ConversionStrategy::{Default, Unicode};
        assert_eq!(keys(convert(Default, values(&["foo/bar$x", "a-b_c.d"])).unwrap()), ["a-b_c.d", "foo_bar_x"]);
        assert_eq!(keys(convert(Unicode, values(&["foo/bar"])).unwrap()), ["foo_U002f_bar"]);
        assert_eq!(keys(convert(Unicode, values(&["ä😀"])).unwrap()), ["_U00e4__U1f600_"]);
    }

    #[test]
    fn two_names_that_become_one_are_an_error() {
        let error = convert(ConversionStrategy::Default, values(&["a/b", "a:b"])).unwrap_err();
        assert!(matches!(&error, KeyError::Collision { key, .. } if key == "a_b"), "{error}");
        assert!(convert(ConversionStrategy::Unicode, values(&["a/b", "a:b"])).is_ok());
    }

    #[test]
    fn keys_that_kubernetes_refuses_are_refused_here() {
        assert!(check(values(&["a.b-C_9"])).is_ok());
        assert_eq!(keys(check(values(&["", "a"])).unwrap()), ["a"]);
        for bad in ["a/b", "ä", "a b", ".", "..", "..a", &"x".repeat(254)] {
            assert!(check(values(&[bad])).is_err(), "{bad}");
        }
    }
}
