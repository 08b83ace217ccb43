//! The little of DER that making certificates and both sides of PKCS#12 need.

/// Tags.
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8: u8 = 0x0c;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const BMP: u8 = 0x1e;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag of an explicit or constructed `[n]`.
pub(super) const fn context(n: u8) -> u8 {
    0xa0 | n
}

/// One element: tag, length, and the parts in a row.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    match u8::try_from(length) {
        Ok(short @ 0..=0x7f) => out.push(short),
        _ => {
            let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            out.push(0x80 | u8::try_from(bytes.len()).unwrap_or(8));
            out.extend(bytes);
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, parts)
}

/// A non-negative integer of big-endian bytes.
pub(super) fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let digits = bytes.get(start..).unwrap_or_default();
    match digits.first() {
        None => element(INTEGER, &[&[0]]),
        Some(0x80..) => element(INTEGER, &[&[0], digits]),
        Some(_) => element(INTEGER, &[digits]),
    }
}

pub(super) fn small(n: u32) -> Vec<u8> {
    integer(&n.to_be_bytes())
}

/// An object identifier of its encoded bytes.
pub(super) fn oid(bytes: &[u8]) -> Vec<u8> {
    element(OID, &[bytes])
}

/// A bit string of whole bytes.
pub(super) fn bits(bytes: &[u8]) -> Vec<u8> {
    element(BIT_STRING, &[&[0], bytes])
}

/// An element that was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'d> {
    pub(super) tag: u8,
    pub(super) body: &'d [u8],
    /// Tag and length included.
    pub(super) whole: &'d [u8],
}

/// Reads elements in a row. Lengths are definite, as DER has them.
#[derive(Clone, Copy)]
pub(super) struct Reader<'d> {
    rest: &'d [u8],
}

impl<'d> Reader<'d> {
    pub(super) fn new(bytes: &'d [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(self) -> bool {
        self.rest.is_empty()
    }

    /// The next element; none where the bytes end or are broken.
    pub(super) fn next(&mut self) -> Option<Element<'d>> {
        let (&[tag, first], mut after) = self.rest.split_first_chunk::<2>()?;
        let length = match first {
            0..=0x7f => usize::from(first),
            0x81..=0x84 => {
                let (bytes, rest) = after.split_at_checked(usize::from(first & 0x7f))?;
                after = rest;
                bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
            }
            _ => return None,
        };
        let (body, rest) = after.split_at_checked(length)?;
        let whole = self.rest.get(..self.rest.len() - rest.len())?;
        self.rest = rest;
        Some(Element { tag, body, whole })
    }

    /// The next element, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'d [u8]> {
        self.next().filter(|element| element.tag == tag).map(|element| element.body)
    }

    /// The elements of the next one, which must have this tag.
    pub(super) fn enter(&mut self, tag: u8) -> Option<Reader<'d>> {
        self.expect(tag).map(Reader::new)
    }

    /// The next element, if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Option<&'d [u8]> {
        let mut ahead = *self;
        let body = ahead.expect(tag)?;
        *self = ahead;
        Some(body)
    }

    /// A non-negative integer that fits.
    pub(super) fn number(&mut self) -> Option<u64> {
        let body = self.expect(INTEGER)?;
        if body.len() > 8 || body.first().is_some_and(|byte| *byte >= 0x80) {
            return None;
        }
        Some(body.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_as_they_were_written() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let body = vec![7; length];
            let written = element(OCTETS, &[&body]);
            let mut reader = Reader::new(&written);
            assert_eq!(reader.expect(OCTETS), Some(body.as_slice()));
            assert!(reader.is_empty());
        }
        assert_eq!(integer(&[0, 0, 0x80]), [INTEGER, 2, 0, 0x80]);
        assert_eq!(integer(&[]), [INTEGER, 1, 0]);
        assert_eq!(Reader::new(&small(2048)).number(), Some(2048));
    }

    #[test]
    fn broken_elements_are_none() {
        for bytes in [&[][..], &[4], &[4, 5, 1], &[4, 0x80, 1], &[4, 0x85, 0, 0, 0, 0, 1, 1], &[4, 0x82, 1]] {
            assert!(Reader::new(bytes).next().is_none(), "{bytes:?}");
        }
    }
}
