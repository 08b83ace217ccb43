//! Fields of dicts, and the methods of the few values that have some.

use super::super::context::{Answer, Param};
use super::super::error::failed_with;
use super::super::functions::{semver, time};
use super::super::node::Expr;
use super::super::value::{IntType, Str, Value};
use super::Evaluator;

/// A method: what it takes, and what it gives.
pub(crate) struct Method {
    pub(crate) params: &'static [Param],
}

impl<'a> Evaluator<'a> {
    /// `receiver.a.b`; arguments go to the last name.
    pub(super) fn fields(
        &mut self,
        mut receiver: Value<'a>,
        names: &'a [String],
        at: usize,
        exprs: &'a [Expr],
        dot: &Value<'a>,
        piped: Option<Value<'a>>,
    ) -> Answer<'a> {
        let Some((last, path)) = names.split_last() else {
            return Ok(receiver);
        };
        for name in path {
            receiver = self.field(&receiver, name, at, &[], dot, None)?;
        }
        self.field(&receiver, last, at, exprs, dot, piped)
    }

    fn field(
        &mut self,
        receiver: &Value<'a>,
        name: &'a str,
        at: usize,
        exprs: &'a [Expr],
        dot: &Value<'a>,
        piped: Option<Value<'a>>,
    ) -> Answer<'a> {
        self.at = at;
        if let Some(method) = method(receiver, name) {
            return self.method(method, receiver, name, at, exprs, dot, piped);
        }
        let found = match receiver {
            Value::Nil => {
                return failed_with(format!("there is no value to take {name:?} of: it is nil"));
            }
            Value::Data(data) => data.find(name.as_bytes()).map(|value| Value::Str(Str::Borrowed(value))),
            Value::Map(map) => map.get(name.as_bytes()),
            Value::Certificate(pair) => match name {
                "Cert" => Some(Value::Str(pair.cert.clone().into())),
                "Key" => Some(Value::Str(pair.key.clone().into())),
                _ => {
                    return failed_with(format!("a certificate has no field {name:?}; it has Cert and Key"));
                }
            },
            _ => {
                return failed_with(format!("can't take field {name:?} of a value of type {}", receiver.type_name()));
            }
        };
        if !exprs.is_empty() || piped.is_some() {
            return failed_with(format!("{name:?} is no function and takes no arguments"));
        }
        match (found, receiver) {
            (Some(value), _) => Ok(value),
            (None, Value::Data(_)) => failed_with(format!("there is no key {name:?} in the data")),
            (None, _) => failed_with(format!("the dict has no key {name:?}")),
        }
    }

    #[allow(clippy::too_many_arguments, reason = "a call has that many parts")]
    fn method(
        &mut self,
        method: Method,
        receiver: &Value<'a>,
        name: &str,
        at: usize,
        exprs: &'a [Expr],
        dot: &Value<'a>,
        piped: Option<Value<'a>>,
    ) -> Answer<'a> {
        let count = exprs.len() + usize::from(piped.is_some());
        if count != method.params.len() {
            return failed_with(format!(
                "wrong number of arguments for {name}: expected {}, got {count}",
                method.params.len()
            ));
        }
        let mut values = Vec::with_capacity(count);
        for (expr, param) in exprs.iter().zip(method.params) {
            values.push(self.argument(*param, expr, dot)?);
        }
        self.at = at;
        if let (Some(value), Some(param)) = (piped, method.params.last()) {
            if !param.accepts(&value) {
                return failed_with(format!("expected {}, got {}", param.name(), value.type_name()));
            }
            values.push(value);
        }
        match receiver {
            Value::Time(time) => time::method(&mut self.cx, time, name, &values),
            Value::Version(version) => semver::method(&mut self.cx, version, name, &values),
            Value::Int(n, kind) => time::int_method(&mut self.cx, *n, *kind, name),
            _ => failed_with(format!("a value of type {} has no method {name:?}", receiver.type_name())),
        }
    }
}

fn method(receiver: &Value<'_>, name: &str) -> Option<Method> {
    let params = match receiver {
        Value::Time(_) => time::method_params(name),
        Value::Version(_) => semver::method_params(name),
        Value::Int(_, kind @ (IntType::Duration | IntType::Month | IntType::Weekday)) => {
            time::int_method_params(*kind, name)
        }
        _ => None,
    }?;
    Some(Method { params })
}
