//! The values that a template computes with: the few Go types that text/template, Sprig and ESO's functions bring forth.
//!
//! Types matter more than one would think: `int` is no `int64`, `map[string]string` no `map[string]interface {}`, and Go
//! refuses a call whose argument is of the wrong one. So each value knows its Go type.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::rc::Rc;

use super::functions::semver::Version;
use super::functions::time::Time;

/// The root of a template's data: names and their values, both borrowed. Sorted by name; of equal names the last wins.
///
/// ```
/// use external_secrets_rs::template::Data;
/// let data: Data = [("user", b"admin".as_slice())].into_iter().collect();
/// assert_eq!(data.get("user"), Some(b"admin".as_slice()));
/// ```
#[derive(Clone, Default)]
pub struct Data<'a> {
    entries: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Data<'a> {
    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.find(name.as_bytes())
    }

    pub(crate) fn find(&self, name: &[u8]) -> Option<&'a [u8]> {
        let at = self.entries.binary_search_by(|(key, _)| key.as_bytes().cmp(name)).ok()?;
        self.entries.get(at).map(|(_, value)| *value)
    }

    pub(crate) fn entries(&self) -> &[(&'a str, &'a [u8])] {
        &self.entries
    }
}

/// Shows the names only: the values are secret.
impl std::fmt::Debug for Data<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.entries.iter().map(|(name, _)| name)).finish()
    }
}

impl<'a> FromIterator<(&'a str, &'a [u8])> for Data<'a> {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a [u8])>>(iter: T) -> Self {
        Self { entries: iter.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect() }
    }
}

impl<'a, V: AsRef<[u8]>> From<&'a BTreeMap<String, V>> for Data<'a> {
    fn from(map: &'a BTreeMap<String, V>) -> Self {
        Self { entries: map.iter().map(|(name, value)| (name.as_str(), value.as_ref())).collect() }
    }
}

/// A Go string: bytes, usually UTF-8. Borrowed from the template or the data wherever it can be.
#[derive(Clone)]
pub(crate) enum Str<'a> {
    Borrowed(&'a [u8]),
    Shared(Rc<[u8]>),
}

impl<'a> Str<'a> {
    /// The part `from..to`, without a copy where the whole is borrowed.
    pub(crate) fn part(&self, from: usize, to: usize) -> Str<'a> {
        match self {
            Self::Borrowed(bytes) => Self::Borrowed(bytes.get(from..to).unwrap_or_default()),
            Self::Shared(bytes) => Self::Shared(bytes.get(from..to).unwrap_or_default().into()),
        }
    }

    /// The text, with U+FFFD for what is no UTF-8.
    pub(crate) fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self)
    }
}

impl Deref for Str<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl Borrow<[u8]> for Str<'_> {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Str<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
impl Eq for Str<'_> {}
impl PartialOrd for Str<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Str<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (**self).cmp(&**other)
    }
}

impl From<Vec<u8>> for Str<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Shared(bytes.into())
    }
}
impl From<String> for Str<'_> {
    fn from(text: String) -> Self {
        Self::Shared(text.into_bytes().into())
    }
}

/// Go's signed integer types that occur.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum IntType {
    Int,
    Int64,
    Duration,
    Month,
    Weekday,
}

/// Go's unsigned integer types that occur.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum UintType {
    Uint8,
    Uint64,
}

/// The type of a list's or dict's elements.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Elem {
    Any,
    Str,
    Int,
    Lists,
}

/// A Go slice. Immutable, so it can't hold itself.
pub(crate) struct List<'a> {
    pub(crate) elem: Elem,
    pub(crate) items: Vec<Value<'a>>,
    /// How many lists, one in the other, hang below; dropping them recurses that deep, so it is bounded.
    pub(crate) depth: u32,
    /// Go tells a nil slice from an empty one, and JSON shows it.
    pub(crate) nil: bool,
}

/// A Go map with string keys. Mutable through `set`, `unset` and `merge`, and shared: as in Go, all see the change.
pub(crate) struct Map<'a> {
    pub(crate) elem: Elem,
    entries: RefCell<BTreeMap<Str<'a>, Value<'a>>>,
}

impl<'a> Map<'a> {
    pub(crate) fn new(elem: Elem, entries: BTreeMap<Str<'a>, Value<'a>>) -> Self {
        Self { elem, entries: RefCell::new(entries) }
    }
    pub(crate) fn len(&self) -> usize {
        self.entries.borrow().len()
    }
    pub(crate) fn get(&self, key: &[u8]) -> Option<Value<'a>> {
        self.entries.borrow().get(key).cloned()
    }
    pub(crate) fn insert(&self, key: Str<'a>, value: Value<'a>) {
        let old = self.entries.borrow_mut().insert(key, value);
        drop(old);
    }
    pub(crate) fn remove(&self, key: &[u8]) {
        let old = self.entries.borrow_mut().remove(key);
        drop(old);
    }
    /// All entries in key order. A copy, so that the map may change meanwhile.
    pub(crate) fn entries(&self) -> Vec<(Str<'a>, Value<'a>)> {
        self.entries.borrow().iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }
    /// Takes all entries out: how dicts that hold each other are freed.
    pub(crate) fn clear(&self) -> BTreeMap<Str<'a>, Value<'a>> {
        std::mem::take(&mut *self.entries.borrow_mut())
    }
}

/// Sprig's certificate: what `genCA` and its like return.
pub(crate) struct Certificate {
    pub(crate) cert: String,
    pub(crate) key: String,
}

/// Any value.
#[derive(Clone)]
pub(crate) enum Value<'a> {
    /// Go's nil, and what text/template calls an invalid value.
    Nil,
    Bool(bool),
    Int(i64, IntType),
    Uint(u64, UintType),
    Float(f64),
    Str(Str<'a>),
    List(Rc<List<'a>>),
    Map(Rc<Map<'a>>),
    Data(&'a Data<'a>),
    Time(Rc<Time>),
    Version(Rc<Version>),
    Certificate(Rc<Certificate>),
}

impl<'a> Value<'a> {
    pub(crate) fn int(n: usize) -> Self {
        Self::Int(i64::try_from(n).unwrap_or(i64::MAX), IntType::Int)
    }
    pub(crate) fn int64(n: i64) -> Self {
        Self::Int(n, IntType::Int64)
    }
    pub(crate) fn text(text: &'static str) -> Self {
        Self::Str(Str::Borrowed(text.as_bytes()))
    }

    /// The type as Go's `%T` prints it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_, IntType::Int) => "int",
            Self::Int(_, IntType::Int64) => "int64",
            Self::Int(_, IntType::Duration) => "time.Duration",
            Self::Int(_, IntType::Month) => "time.Month",
            Self::Int(_, IntType::Weekday) => "time.Weekday",
            Self::Uint(_, UintType::Uint8) => "uint8",
            Self::Uint(_, UintType::Uint64) => "uint64",
            Self::Float(_) => "float64",
            Self::Str(_) => "string",
            Self::List(list) => match list.elem {
                Elem::Any => "[]interface {}",
                Elem::Str => "[]string",
                Elem::Int => "[]int",
                Elem::Lists => "[][]interface {}",
            },
            Self::Map(map) if map.elem == Elem::Any => "map[string]interface {}",
            Self::Map(_) | Self::Data(_) => "map[string]string",
            Self::Time(_) => "time.Time",
            Self::Version(_) => "*semver.Version",
            Self::Certificate(_) => "sprig.certificate",
        }
    }

    /// The kind as Go's reflect package names it.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self {
            Self::Nil => "invalid",
            Self::Bool(_) => "bool",
            Self::Int(_, IntType::Int | IntType::Month | IntType::Weekday) => "int",
            Self::Int(_, _) => "int64",
            Self::Uint(_, UintType::Uint8) => "uint8",
            Self::Uint(_, UintType::Uint64) => "uint64",
            Self::Float(_) => "float64",
            Self::Str(_) => "string",
            Self::List(_) => "slice",
            Self::Map(_) | Self::Data(_) => "map",
            Self::Time(_) | Self::Certificate(_) => "struct",
            Self::Version(_) => "ptr",
        }
    }

    /// Go's notion of truth, and the opposite of Sprig's `empty`.
    pub(crate) fn truth(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(b) => *b,
            Self::Int(n, _) => *n != 0,
            Self::Uint(n, _) => *n != 0,
            Self::Float(n) => *n != 0.0,
            Self::Str(s) => !s.is_empty(),
            Self::List(list) => !list.items.is_empty(),
            Self::Map(map) => map.len() > 0,
            Self::Data(data) => !data.entries().is_empty(),
            Self::Time(_) | Self::Version(_) | Self::Certificate(_) => true,
        }
    }

    /// How many lists hang below this value, itself included.
    pub(crate) fn list_depth(&self) -> u32 {
        match self {
            Self::List(list) => list.depth,
            _ => 0,
        }
    }
}
