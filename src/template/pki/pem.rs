//! PEM as Go reads and writes it.

use super::super::codec::{base64_decode, base64_encode};

/// A block of PEM.
pub(super) struct Block {
    /// As in `-----BEGIN CERTIFICATE-----`.
    pub(super) kind: String,
    headers: Vec<(String, String)>,
    pub(super) bytes: Vec<u8>,
}

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// The first block of `text`, and what follows it. What is no block is skipped, as Go does.
pub(super) fn decode(text: &str) -> Option<(Block, &str)> {
    let mut rest = text;
    loop {
        let at = if rest.starts_with(BEGIN) { 0 } else { rest.find(&format!("\n{BEGIN}"))? + 1 };
        rest = rest.get(at + BEGIN.len()..)?;
        if let Some(found) = block(rest) {
            return Some(found);
        }
    }
}

/// A block whose text begins after `-----BEGIN `.
fn block(text: &str) -> Option<(Block, &str)> {
    let (line, rest) = text.split_once('\n')?;
    let kind = line.trim_end().strip_suffix(DASHES)?;
    let mut body = rest;
    let mut headers = Vec::new();
    while let Some((line, after)) = body.split_once('\n') {
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
        body = after;
    }
    let end = format!("-----END {kind}{DASHES}");
    let at = if body.starts_with(&end) { 0 } else { body.find(&format!("\n{end}"))? + 1 };
    let (inner, tail) = body.split_at_checked(at)?;
    let tail = tail.get(end.len()..)?;
    let (last, rest) = tail.split_once('\n').unwrap_or((tail, ""));
    if !last.trim().is_empty() {
        return None;
    }
    let packed: Vec<u8> = inner.bytes().filter(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).collect();
    Some((Block { kind: kind.to_owned(), headers, bytes: base64_decode(&packed).ok()? }, rest))
}

impl Block {
    pub(super) fn new(kind: &str, bytes: Vec<u8>) -> Self {
        Self { kind: kind.to_owned(), headers: Vec::new(), bytes }
    }

    /// As text, in lines of 64 characters.
    pub(super) fn encode(&self) -> String {
        let mut out = format!("{BEGIN}{}{DASHES}\n", self.kind);
        let mut headers: Vec<&(String, String)> = self.headers.iter().collect();
        headers.sort_by_key(|(name, _)| (name != "Proc-Type", name.clone()));
        for (name, value) in &headers {
            out.push_str(&format!("{name}: {value}\n"));
        }
        if !headers.is_empty() {
            out.push('\n');
        }
        let packed = base64_encode(&self.bytes);
        let mut rest = packed.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
            out.push_str(line);
            out.push('\n');
            rest = after;
        }
        out.push_str(&format!("-----END {}{DASHES}\n", self.kind));
        out
    }
}
