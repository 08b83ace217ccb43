//! Texts that stand for data: JSON, YAML, base64 and base32, as Go reads and writes them.

mod base32;
pub(crate) mod json;
mod json_read;
pub(crate) mod yaml_read;
pub(crate) mod yaml_write;

pub(crate) use base32::{decode as base32_decode, encode as base32_encode};
pub(crate) use json_read::parse as json_parse;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Go's `base64.StdEncoding`: padding is a must, stray bits at the end are not.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

pub(crate) fn base64_encode(bytes: &[u8]) -> String {
    ENGINE.encode(bytes)
}

/// Decodes; line breaks are skipped. The error is the offset of what is wrong, as Go tells it.
pub(crate) fn base64_decode(text: &[u8]) -> Result<Vec<u8>, usize> {
    let broken = text.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
    let decoded = if broken {
        let joined: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
        ENGINE.decode(joined)
    } else {
        ENGINE.decode(text)
    };
    decoded.map_err(|_| base64_fault(text))
}

/// Where Go finds fault with `text`: it reads four characters at a time.
fn base64_fault(text: &[u8]) -> usize {
    let mut chars = text.iter().enumerate().filter(|(_, byte)| !matches!(byte, b'\n' | b'\r'));
    loop {
        for n in 0..4 {
            let Some((at, byte)) = chars.next() else {
                return text.len().saturating_sub(n);
            };
            if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/') {
                continue;
            }
            if *byte != b'=' || n < 2 {
                return at;
            }
            if n == 2 {
                match chars.next() {
                    None => return text.len(),
                    Some((_, b'=')) => {}
                    Some((next, _)) => return next.saturating_sub(1),
                }
            }
            return chars.next().map_or(at, |(trailing, _)| trailing);
        }
    }
}
