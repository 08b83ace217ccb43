//! What functions work with: the meter, the dicts that live, the compiled regular expressions, their arguments.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::error::{Fault, failed};
use super::functions::regex::Compiled;
use super::limits::Meter;
use super::value::{Certificate, Data, Elem, IntType, List, Map, Str, Value};

/// What a function or an operand gives.
pub(crate) type Answer<'a> = Result<Value<'a>, Fault>;

/// The state of one rendering that functions share.
pub(crate) struct Context<'a> {
    pub(crate) meter: Meter,
    /// The regular expressions that stand as constants in the template.
    pub(crate) regexes: &'a BTreeMap<Vec<u8>, Compiled>,
    /// Every dict made, so that dicts that hold each other are freed, and none of them deep in recursion.
    maps: Vec<Rc<Map<'a>>>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(meter: Meter, regexes: &'a BTreeMap<Vec<u8>, Compiled>) -> Self {
        Self { meter, regexes, maps: Vec::new() }
    }

    /// A string, charged for.
    pub(crate) fn string(&mut self, text: impl Into<Vec<u8>>) -> Answer<'a> {
        let text: Vec<u8> = text.into();
        self.meter.memory(text.len())?;
        Ok(Value::Str(text.into()))
    }

    /// A list, charged for.
    pub(crate) fn list(&mut self, elem: Elem, items: Vec<Value<'a>>) -> Answer<'a> {
        self.meter.memory(64 + items.len() * size_of::<Value<'_>>())?;
        let depth = 1 + items.iter().map(Value::list_depth).max().unwrap_or(0);
        self.meter.nesting(depth)?;
        Ok(Value::List(Rc::new(List { elem, items, depth, nil: false })))
    }

    /// A list of strings.
    pub(crate) fn strings(&mut self, items: impl IntoIterator<Item = Str<'a>>) -> Answer<'a> {
        let mut list = Vec::new();
        for item in items {
            self.meter.memory(item.len())?;
            list.push(Value::Str(item));
        }
        self.list(Elem::Str, list)
    }

    /// Go's nil slice.
    pub(crate) fn nil_list(&mut self, elem: Elem) -> Value<'a> {
        Value::List(Rc::new(List { elem, items: Vec::new(), depth: 1, nil: true }))
    }

    /// A dict, charged for.
    pub(crate) fn map(&mut self, elem: Elem, entries: BTreeMap<Str<'a>, Value<'a>>) -> Result<Rc<Map<'a>>, Fault> {
        self.meter.memory(96 + entries.len() * ENTRY)?;
        let map = Rc::new(Map::new(elem, entries));
        self.maps.push(Rc::clone(&map));
        Ok(map)
    }

    /// Puts an entry into a dict, charged for.
    pub(crate) fn put(&mut self, map: &Map<'a>, key: Str<'a>, value: Value<'a>) -> Result<(), Fault> {
        self.meter.memory(ENTRY)?;
        map.insert(key, value);
        Ok(())
    }
}

/// What an entry of a dict takes, roughly.
const ENTRY: usize = 96;

impl Drop for Context<'_> {
    fn drop(&mut self) {
        for map in &self.maps {
            drop(map.clear());
        }
    }
}

/// The arguments of a call, of the types that the function's parameters ask for.
#[derive(Clone, Copy)]
pub(crate) struct Args<'s, 'a>(pub(crate) &'s [Value<'a>]);

impl<'s, 'a> Args<'s, 'a> {
    pub(crate) fn all(self) -> &'s [Value<'a>] {
        self.0
    }

    /// From the `n`th on.
    pub(crate) fn from(self, n: usize) -> &'s [Value<'a>] {
        self.0.get(n..).unwrap_or_default()
    }

    pub(crate) fn get(self, n: usize) -> Result<&'s Value<'a>, Fault> {
        self.0.get(n).map_or_else(|| failed("an argument is missing"), Ok)
    }

    pub(crate) fn str(self, n: usize) -> Result<&'s Str<'a>, Fault> {
        match self.get(n)? {
            Value::Str(text) => Ok(text),
            _ => failed("expected a string"),
        }
    }

    pub(crate) fn int(self, n: usize) -> Result<i64, Fault> {
        match self.get(n)? {
            Value::Int(n, _) => Ok(*n),
            _ => failed("expected an int"),
        }
    }

    pub(crate) fn uint(self, n: usize) -> Result<u64, Fault> {
        match self.get(n)? {
            Value::Uint(n, _) => Ok(*n),
            _ => failed("expected an unsigned integer"),
        }
    }

    /// A dict that may be changed; nil where Go would pass a nil map.
    pub(crate) fn map(self, n: usize) -> Result<Option<&'s Rc<Map<'a>>>, Fault> {
        match self.get(n)? {
            Value::Map(map) => Ok(Some(map)),
            Value::Nil => Ok(None),
            _ => failed("expected a dict"),
        }
    }

    pub(crate) fn certificate(self, n: usize) -> Result<&'s Certificate, Fault> {
        match self.get(n)? {
            Value::Certificate(pair) => Ok(pair),
            _ => failed("expected a certificate made by genCA, genSelfSignedCert or buildCustomCert"),
        }
    }
}

/// What a function takes, by Go's types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Param {
    /// `interface {}`
    Any,
    String,
    Int,
    Uint32,
    Int64,
    Float,
    Bool,
    /// `map[string]interface {}`
    Dict,
    /// `[]interface {}`
    List,
    Time,
    Version,
    Certificate,
}

impl Param {
    /// The type's name in Go.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::String => "string",
            Self::Int => "int",
            Self::Uint32 => "uint32",
            Self::Int64 => "time.Duration",
            Self::Float => "float64",
            Self::Bool => "bool",
            Self::Dict => "map[string]interface {}",
            Self::List => "[]interface {}",
            Self::Time => "time.Time",
            Self::Version => "*semver.Version",
            Self::Certificate => "sprig.certificate",
        }
    }

    /// Whether a value may be passed without a conversion, which Go never makes.
    pub(crate) fn accepts(self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Any, _) => true,
            (Self::Dict | Self::List, Value::Nil) => true,
            (Self::String, Value::Str(_)) => true,
            (Self::Int, Value::Int(_, IntType::Int)) => true,
            (Self::Int64, Value::Int(_, IntType::Duration)) => true,
            (Self::Float, Value::Float(_)) => true,
            (Self::Bool, Value::Bool(_)) => true,
            (Self::Dict, Value::Map(map)) => map.elem == Elem::Any,
            (Self::List, Value::List(list)) => list.elem == Elem::Any,
            (Self::Time, Value::Time(_)) => true,
            (Self::Version, Value::Version(_)) => true,
            (Self::Certificate, Value::Certificate(_)) => true,
            _ => false,
        }
    }
}

/// Entries of a dict or of the root, in key order.
pub(crate) fn entries<'a>(value: &Value<'a>) -> Option<Vec<(Str<'a>, Value<'a>)>> {
    match value {
        Value::Map(map) => Some(map.entries()),
        Value::Data(data) => Some(data_entries(data).collect()),
        _ => None,
    }
}

fn data_entries<'a>(data: &'a Data<'a>) -> impl Iterator<Item = (Str<'a>, Value<'a>)> {
    data.entries().iter().map(|(key, value)| (Str::Borrowed(key.as_bytes()), Value::Str(Str::Borrowed(value))))
}
