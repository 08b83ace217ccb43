//! Go templates, as External Secrets Operator's users write them: text/template with Sprig v3 and ESO's own functions.
//!
//! The module knows nothing of Kubernetes and does no I/O; it could stand as a crate of its own.
//!
//! # The way of a template
//! ```text
//! text ──lex──► tokens ──parse──► tree (a Template: once for each spec)
//!                                   │  functions are looked up here: one that is unknown or refused is an error by name
//!                      Data ──eval──┤  walks the tree and borrows from it and from the data
//!                                   │  functions/  by family; each with its parameters' Go types, checked before the call
//!                                   │  format/     fmt's verbs, strconv's quotes and floats
//!                                   │  codec/      JSON and YAML
//!                                   │  pki/        DER, PEM, keys, certificates, PKCS#12
//!                                   ▼
//!                                 bytes, or an error with line and column
//! ```
//!
//! - **Types.** Go refuses a call whose argument has the wrong type, so a [value](value) knows its Go type and each function
//!   its parameters'.
//! - **Bounds.** A [meter](limits) counts steps, memory and nesting; whatever makes text or lists asks it first. All bounds
//!   are counts, so the same template and data end the same way on every machine.
//! - **Secrecy.** An error names what stands in the template (functions, fields, types), never a value.
//! - **Determinism.** Same input, same output: maps are walked in key order (also by `keys` and `values`, which are in random order in Go), zones come
//!   from the bundled database, and "local" time is UTC. Exceptions are what Sprig means to be random or to read the clock; each is marked in the table of functions.

mod codec;
mod context;
mod error;
mod eval;
mod format;
mod functions;
mod lex;
mod limits;
mod node;
mod number;
mod parse;
mod pki;
mod value;

use std::collections::BTreeMap;

pub use error::{Exceeded, Place, TemplateError};
pub use functions::{FunctionInfo, REFUSED, functions};
pub use limits::{Limits, Meter};
pub use value::Data;

use functions::regex::Compiled;

/// How many regular expressions are compiled when templates are parsed, so that no rendering has to.
pub const PATTERNS: usize = 64;

/// A parsed template. Parse it once for each spec and render it at each refresh; it may be shared between threads.
///
/// ```
/// use external_secrets_rs::template::{Data, Limits, Template};
/// let template = Template::parse("url", "https://{{ .user }}:{{ .password | urlquery }}@db").unwrap();
/// let data: Data = [("user", b"admin".as_slice()), ("password", b"a&b".as_slice())].into_iter().collect();
/// assert_eq!(template.render(&data, &Limits::default()).unwrap(), b"https://admin:a%26b@db");
/// ```
pub struct Template {
    name: String,
    text: String,
    trees: parse::Trees,
    regexes: BTreeMap<Vec<u8>, Compiled>,
}

impl Template {
    /// Parses `text`. `name` is what errors call it, such as the key it makes.
    ///
    /// # Errors
    /// [`TemplateError::Parse`] where the text is no template, [`TemplateError::Function`] where it calls a function that is
    /// unknown or refused. Both say line and column.
    pub fn parse(name: &str, text: &str) -> Result<Self, TemplateError> {
        Self::parse_with(name, text, &mut { PATTERNS })
    }

    /// Parses `text`, and compiles at most `patterns` of its regular expressions, which are counted down: the others are
    /// compiled where a rendering needs them, and at its cost.
    ///
    /// # Errors
    /// As those of [`Self::parse`].
    pub fn parse_with(name: &str, text: &str, patterns: &mut usize) -> Result<Self, TemplateError> {
        let trees = parse::parse(name, text)?;
        let regexes = functions::regex::constants(&trees, patterns);
        Ok(Self { name: name.to_owned(), text: text.to_owned(), trees, regexes })
    }

    /// The name it was parsed under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Renders it. The result is bytes, since values may be binary.
    ///
    /// # Errors
    /// [`TemplateError::Execution`] where the template does not fit the data (a missing key, a value of the wrong type, a
    /// function that fails), [`TemplateError::Limit`] where it wants more than `limits` allow. Neither holds a value.
    pub fn render(&self, data: &Data<'_>, limits: &Limits) -> Result<Vec<u8>, TemplateError> {
        self.render_on(data, &mut Meter::new(limits))
    }

    /// Renders it and counts on `meter` what it takes, beside what others have taken before.
    ///
    /// # Errors
    /// As those of [`Self::render`].
    pub fn render_on(&self, data: &Data<'_>, meter: &mut Meter) -> Result<Vec<u8>, TemplateError> {
        eval::render(self, data, meter)
    }
}

/// Shows the name only: a template may hold what its author should have kept in Vault.
impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Template").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_may_be_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Template>();
        shared::<Data<'_>>();
        shared::<TemplateError>();
    }

    #[test]
    fn all_names_are_there_once() {
        let mut names: Vec<&str> = functions().map(|function| function.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(REFUSED.iter().all(|(name, _)| !names.contains(name)));
    }
}
