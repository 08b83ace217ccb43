//! Go's `base32.StdEncoding`.

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for group in bytes.chunks(5) {
        let bits = group.iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte)) << (8 * (5 - group.len()));
        let used = (group.len() * 8).div_ceil(5);
        for n in 0..8 {
            let digit = ALPHABET.get(((bits >> (35 - 5 * n)) & 31) as usize).copied().unwrap_or(b'=');
            out.push(char::from(if n < used { digit } else { b'=' }));
        }
    }
    out
}

/// Decodes; line breaks are skipped. The error is the offset of what is wrong, counted without them, as Go tells it.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>, usize> {
    let text: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    let mut out = Vec::with_capacity(text.len() / 8 * 5);
    let mut at = 0;
    while at < text.len() {
        let (digits, ended) = group(&text, at)?;
        let bits = digits.iter().fold(0u64, |bits, digit| bits << 5 | u64::from(*digit)) << (5 * (8 - digits.len()));
        let bytes = bits.to_be_bytes();
        out.extend_from_slice(bytes.get(3..3 + digits.len() * 5 / 8).unwrap_or_default());
        if ended {
            break;
        }
        at += 8;
    }
    Ok(out)
}

/// Up to eight digits from `at` on, and whether padding ends the text there.
fn group(text: &[u8], at: usize) -> Result<(Vec<u8>, bool), usize> {
    let mut digits = Vec::with_capacity(8);
    for n in 0..8 {
        let Some(byte) = text.get(at + n) else {
            return Err(text.len().saturating_sub(n));
        };
        let left = text.len() - (at + n) - 1;
        if *byte == b'=' && n >= 2 && left < 8 {
            if left + n < 7 {
                return Err(text.len());
            }
            for k in 0..7 - n {
                if text.get(at + n + 1 + k).is_some_and(|byte| *byte != b'=') {
                    return Err(at + n + k);
                }
            }
            return if matches!(n, 1 | 3 | 6) { Err(at + n) } else { Ok((digits, true)) };
        }
        match ALPHABET.iter().position(|digit| digit == byte) {
            Some(digit) => digits.push(u8::try_from(digit).unwrap_or(0)),
            None => return Err(at + n),
        }
    }
    Ok((digits, false))
}
