//! How a value is decoded before it is written.

use crate::api::{DecodingStrategy, NullBytePolicy};
use crate::sync::select::SecretValue;
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use thiserror::Error;
use zeroize::Zeroizing;

/// As Go decodes: bits of the last character that stand for nothing may be anything.
const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);

/// Why a value can't be written as it is. Holds none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// It is not what the strategy says.
    #[error("its value is not {0} as decodingStrategy says; store it encoded, or use Auto")]
    NotEncoded(&'static str),
    /// It holds a NUL byte, and nullBytePolicy is Fail.
    #[error("its value holds a NUL byte, which nullBytePolicy: Fail refuses; store it as text, such as PEM or base64")]
    NullByte,
}

/// Decodes `value` as the strategy says. `Auto` takes what is valid base64, of either alphabet, for encoded.
pub fn decode(strategy: DecodingStrategy, value: SecretValue) -> Result<SecretValue, DecodeError> {
    match strategy {
        DecodingStrategy::None => Ok(value),
        DecodingStrategy::Base64 => from_base64(&STANDARD, &value).ok_or(DecodeError::NotEncoded("base64")),
        DecodingStrategy::Base64URL => from_base64(&URL_SAFE, &value).ok_or(DecodeError::NotEncoded("URL-safe base64")),
        DecodingStrategy::Auto => {
            let decoded = from_base64(&STANDARD, &value).or_else(|| from_base64(&URL_SAFE, &value));
            Ok(decoded.unwrap_or(value))
        }
    }
}

/// Refuses a NUL byte where the policy does.
pub fn check(policy: NullBytePolicy, value: &SecretValue) -> Result<(), DecodeError> {
    match policy {
        NullBytePolicy::Fail if value.contains(&0) => Err(DecodeError::NullByte),
        _ => Ok(()),
    }
}

/// As Go decodes: line breaks within the text don't count, anything else that is not of the alphabet does.
fn from_base64(engine: &GeneralPurpose, text: &[u8]) -> Option<SecretValue> {
    if !text.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        return engine.decode(text).ok().map(SecretValue::new);
    }
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
    plain.extend(text.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')));
    engine.decode(&*plain).ok().map(SecretValue::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use DecodingStrategy::{Auto, Base64, Base64URL, None};

    fn decoded(strategy: DecodingStrategy, text: &str) -> Result<Vec<u8>, DecodeError> {
        decode(strategy, SecretValue::new(text.as_bytes().to_vec())).map(|value| value.to_vec())
    }

    #[test]
    fn each_strategy_decodes_what_it_says() {
        let table = [
            (None, "Zm9v", "Zm9v"),
            (Base64, "Zm9v", "foo"),
            (Base64, "Zm9v\nYmFy\n", "foobar"),
            (Base64, "", ""),
            (Base64, "YWJ=", "ab"),
            (Base64, "YX==", "a"),
            (Base64, "YWI\n=\r\n", "ab"),
            (Base64URL, "YWJ=", "ab"),
            (Auto, "YWJ=", "ab"),
            (Base64URL, "Zm9v", "foo"),
            (Auto, "Zm9v", "foo"),
            (Auto, "foo!", "foo!"),
            (Auto, "foo", "foo"),
        ];
        for (strategy, text, expected) in table {
            assert_eq!(decoded(strategy, text).unwrap(), expected.as_bytes(), "{strategy:?} {text:?}");
        }
        assert_eq!(decoded(Base64, "+/+/").unwrap(), [0xfb, 0xff, 0xbf]);
        assert_eq!(decoded(Base64URL, "-_-_").unwrap(), [0xfb, 0xff, 0xbf]);
        assert_eq!(decoded(Auto, "-_-_").unwrap(), [0xfb, 0xff, 0xbf]);
    }

    #[test]
    fn what_is_not_encoded_is_an_error() {
        assert!(decoded(Base64, "-_-_").is_err());
        assert!(decoded(Base64URL, "+/+/").is_err());
        assert!(decoded(Base64, "Zm9").is_err(), "without its padding");
        for text in ["YWI=\n=", "Zm9v====", "Zm 9v", "Zm9v\t"] {
            assert!(decoded(Base64, text).is_err() && decoded(Base64URL, text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_nul_byte_is_refused_where_the_policy_says_so() {
        let value = SecretValue::new(b"a\0b".to_vec());
        assert_eq!(check(NullBytePolicy::Ignore, &value), Ok(()));
        assert_eq!(check(NullBytePolicy::Fail, &value), Err(DecodeError::NullByte));
    }
}
