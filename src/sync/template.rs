//! `spec.target.template`: the Secret as templates make it.

use crate::api::{DecodingStrategy, Template as Spec, TemplateMergePolicy, TemplateScope, TemplateTarget};
use crate::sync::decode::{self, DecodeError};
use crate::sync::keys::{self, KeyError, Values};
use crate::sync::secret::Desired;
use crate::sync::select::SecretValue;
use crate::template::{Data, Limits, Meter, PATTERNS, Template, TemplateError};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use thiserror::Error;

/// Texts of templates that are longer together, in bytes, are not parsed while others wait.
const LARGE: usize = 64 << 10;

/// Why templates made no Secret. Names what stands in the templates, never a value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RenderError {
    /// A template is wrong, or does not fit the values.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// What a template made can't be a key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What should be keys and values is something else.
    #[error("template {name:?} makes keys and values, so it has to yield a YAML map of strings, and does not")]
    NotAMap {
        /// The template's name.
        name: String,
    },
    /// What a template made can't be decoded.
    #[error("template {name:?}: {source}")]
    Decode {
        /// The template's name.
        name: String,
        /// Why.
        source: DecodeError,
    },
    /// A label or annotation that is no text.
    #[error("template {name:?} yields bytes that are no UTF-8 text, which a label or annotation can't hold")]
    NotText {
        /// The template's name.
        name: String,
    },
    /// A key made by a template that can't be one. It is not told, because it may be made of a value.
    #[error(
        "template {name:?} yields a key that can't be one of a Secret's {part}; keys hold letters, digits, '-', '_' and '.', and are not told here, because they may be made of values"
    )]
    MadeKey {
        /// The template's name.
        name: String,
        /// `data`, `labels` or `annotations`.
        part: &'static str,
    },
    /// A label that Kubernetes would refuse, and quote.
    #[error(
        "template {name:?} yields what can't be a label: at most 63 letters, digits, '-', '_' and '.', with a letter or digit first and last; make it an annotation"
    )]
    Label {
        /// The template's name.
        name: String,
    },
    /// It makes something that a Secret does not have.
    #[error(
        "spec.target.template.templateFrom[{position}].target {target:?} is not supported; use Data, Labels or Annotations"
    )]
    Target {
        /// Which entry.
        position: usize,
        /// What it says.
        target: String,
    },
}

impl RenderError {
    /// Whether only an edit of the spec or of a template mends it.
    pub fn is_hopeless(&self) -> bool {
        match self {
            Self::Template(error) => error.is_parse(),
            Self::Target { .. } => true,
            _ => false,
        }
    }
}

/// What a template makes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Makes {
    /// One value, under this key.
    Value(String),
    /// Keys and values, as YAML.
    Map,
}

/// One template's text, with what it makes.
#[derive(Debug, Clone)]
pub struct Piece<'a> {
    /// What errors call it.
    pub name: String,
    /// Which part of the Secret it makes.
    pub target: TemplateTarget,
    /// One value or many.
    pub makes: Makes,
    /// How what it makes is decoded.
    pub decoding: DecodingStrategy,
    /// Its text.
    pub text: &'a str,
}

/// The texts of one `templateFrom` entry that stands in a ConfigMap or Secret, by their keys.
pub type Texts = BTreeMap<String, String>;

/// Every template of a spec in the order in which they apply: `templateFrom` first, then `data`, labels and annotations.
/// `texts` holds, for each entry of `templateFrom`, what its ConfigMap or Secret holds.
pub fn pieces<'a>(spec: &'a Spec, texts: &'a [Texts]) -> Result<Vec<Piece<'a>>, RenderError> {
    let mut pieces = Vec::new();
    for (position, from) in spec.template_from.iter().enumerate() {
        let target = from
            .template_target()
            .ok_or_else(|| RenderError::Target { position, target: from.target.clone().unwrap_or_default() })?;
        let decoding = from.values_decoding_strategy;
        let items = [&from.config_map, &from.secret].into_iter().flatten().flat_map(|source| &source.items);
        for item in items {
            let Some(text) = texts.get(position).and_then(|texts| texts.get(&item.key)) else { continue };
            let makes = match item.template_as {
                TemplateScope::Values => Makes::Value(item.key.clone()),
                TemplateScope::KeysAndValues => Makes::Map,
            };
            let name = format!("templateFrom[{position}].{}", item.key);
            pieces.push(Piece { name, target, makes, decoding, text });
        }
        if let Some(text) = &from.literal {
            let name = format!("templateFrom[{position}].literal");
            pieces.push(Piece { name, target, makes: Makes::Map, decoding, text });
        }
    }
    let metadata = &spec.metadata;
    for (part, target, templates) in [
        ("data", TemplateTarget::Data, &spec.data),
        ("metadata.labels", TemplateTarget::Labels, &metadata.labels),
        ("metadata.annotations", TemplateTarget::Annotations, &metadata.annotations),
    ] {
        pieces.extend(templates.iter().map(|(key, text)| Piece {
            name: format!("{part}.{key}"),
            target,
            makes: Makes::Value(key.clone()),
            decoding: DecodingStrategy::None,
            text,
        }));
    }
    Ok(pieces)
}

/// The templates of a spec, parsed: kept as long as their texts stay.
#[derive(Debug)]
pub struct Parsed {
    fingerprint: u64,
    templates: Vec<(Template, TemplateTarget, Makes, DecodingStrategy)>,
}

impl Parsed {
    /// Parses each piece.
    pub fn new(pieces: &[Piece<'_>]) -> Result<Self, RenderError> {
        let mut patterns = PATTERNS;
        let parse = |piece: &Piece<'_>| {
            let template = Template::parse_with(&piece.name, piece.text, &mut patterns)?;
            Ok((template, piece.target, piece.makes.clone(), piece.decoding))
        };
        let templates = pieces.iter().map(parse).collect::<Result<_, TemplateError>>()?;
        Ok(Self { fingerprint: fingerprint(pieces), templates })
    }

    /// Whether these are the parsed form of `pieces`.
    pub fn fits(&self, pieces: &[Piece<'_>]) -> bool {
        self.fingerprint == fingerprint(pieces)
    }
}

/// Whether parsing these may take so long that nothing else should wait for it.
pub fn is_heavy(pieces: &[Piece<'_>]) -> bool {
    pieces.iter().map(|piece| piece.text.len()).sum::<usize>() > LARGE
        || pieces.iter().any(|piece| piece.text.contains("egex"))
}

fn fingerprint(pieces: &[Piece<'_>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for piece in pieces {
        (&piece.name, piece.target, &piece.makes, piece.decoding, piece.text).hash(&mut hasher);
    }
    hasher.finish()
}

/// The Secret that the templates make of `values`. With a template, labels and annotations are the template's alone. What
/// all of them take together is counted on `meter`.
pub fn render(spec: &Spec, parsed: &Parsed, values: Values, meter: &mut Meter) -> Result<Desired, RenderError> {
    let makes_nothing = spec.data.is_empty() && spec.template_from.is_empty();
    let mut made = Made::default();
    let data: Data<'_> = values.iter().map(|(key, value)| (key.as_str(), &**value)).collect();
    for (template, target, makes, decoding) in &parsed.templates {
        let rendered = template.render_on(&data, meter)?;
        made.take(template.name(), *target, makes, *decoding, rendered)?;
    }
    drop(data);
    let mut all = match spec.merge_policy {
        TemplateMergePolicy::Merge => values,
        TemplateMergePolicy::Replace if makes_nothing => values,
        TemplateMergePolicy::Replace => Values::new(),
    };
    all.extend(made.data);
    Ok(Desired {
        labels: made.labels,
        annotations: made.annotations,
        type_: spec.type_.clone().filter(|type_| !type_.is_empty()),
        finalizers: spec.metadata.finalizers.clone(),
        data: keys::check(all)?,
    })
}

#[derive(Default)]
struct Made {
    data: Values,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

impl Made {
    fn take(
        &mut self,
        name: &str,
        target: TemplateTarget,
        makes: &Makes,
        decoding: DecodingStrategy,
        rendered: Vec<u8>,
    ) -> Result<(), RenderError> {
        let entries: Vec<(String, Vec<u8>)> = match makes {
            Makes::Value(key) => vec![(key.clone(), rendered)],
            Makes::Map => made_keys(name, target, map(name, &rendered)?)?,
        };
        for (key, value) in entries {
            let refused = |source| RenderError::Decode { name: name.to_owned(), source };
            let value = decode::decode(decoding, SecretValue::new(value)).map_err(refused)?;
            match target {
                TemplateTarget::Data => drop(self.data.insert(key, value)),
                TemplateTarget::Labels => drop(self.labels.insert(key, label(name, &value)?)),
                TemplateTarget::Annotations => drop(self.annotations.insert(key, text(name, &value)?)),
            }
        }
        Ok(())
    }
}

fn text(name: &str, value: &SecretValue) -> Result<String, RenderError> {
    String::from_utf8(value.to_vec()).map_err(|_| RenderError::NotText { name: name.to_owned() })
}

fn label(name: &str, value: &SecretValue) -> Result<String, RenderError> {
    let text = text(name, value)?;
    if text.is_empty() || is_name(&text) { Ok(text) } else { Err(RenderError::Label { name: name.to_owned() }) }
}

/// Refuses keys that the API server would refuse, and quote.
fn made_keys(
    name: &str,
    target: TemplateTarget,
    entries: Vec<(String, Vec<u8>)>,
) -> Result<Vec<(String, Vec<u8>)>, RenderError> {
    let (part, is_key): (_, fn(&str) -> bool) = match target {
        TemplateTarget::Data => {
            ("data", |key| keys::check(Values::from([(key.to_owned(), SecretValue::new(Vec::new()))])).is_ok())
        }
        TemplateTarget::Labels => ("labels", is_qualified_name),
        TemplateTarget::Annotations => ("annotations", |key| is_qualified_name(&key.to_ascii_lowercase())),
    };
    match entries.iter().all(|(key, _)| is_key(key)) {
        true => Ok(entries),
        false => Err(RenderError::MadeKey { name: name.to_owned(), part }),
    }
}

/// Kubernetes' rule of label values, and of names in the keys of labels and annotations.
fn is_name(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let ends = [text.bytes().next(), text.bytes().next_back()];
    text.len() <= 63
        && text.bytes().all(is_inner)
        && ends.iter().flatten().filter(|b| b.is_ascii_alphanumeric()).count() == 2
}

/// Kubernetes' rule of keys of labels: a name, and before it a DNS subdomain and `/` where there is one.
fn is_qualified_name(key: &str) -> bool {
    let is_part = |part: &str| {
        let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !part.is_empty() && part.bytes().all(is_inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    match key.split_once('/') {
        None => is_name(key),
        Some((prefix, name)) => prefix.len() <= 253 && prefix.split('.').all(is_part) && is_name(name),
    }
}

/// A YAML map of scalars, as rendered. Nothing at all is an empty map.
fn map(name: &str, rendered: &[u8]) -> Result<Vec<(String, Vec<u8>)>, RenderError> {
    let refused = || RenderError::NotAMap { name: name.to_owned() };
    let text = std::str::from_utf8(rendered).map_err(|_| refused())?;
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    serde_saphyr::from_str(text).map(|Entries(entries)| entries).map_err(|_| refused())
}

/// Keys and values, of no more bytes than templates may make: in YAML, a value can be repeated by its name alone.
struct Entries(Vec<(String, Vec<u8>)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(Vec::new()))
    }
}

impl<'de> Visitor<'de> for Entries {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of strings")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        let mut left = Limits::default().output_bytes;
        while let Some((key, value)) = map.next_entry::<String, String>()? {
            let taken = left.checked_sub(key.len() + value.len());
            left = taken.ok_or_else(|| A::Error::custom("it is too large"))?;
            self.0.push((key, value.into_bytes()));
        }
        Ok(self)
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
