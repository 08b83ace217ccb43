//! Calls: arguments are checked by Go's types before a function sees them.

use super::super::context::{Answer, Args, Param};
use super::super::error::{Fault, failed_with};
use super::super::functions::{Function, Special};
use super::super::node::{Expr, ExprKind, Number};
use super::super::value::{IntType, Str, UintType, Value};
use super::{Evaluator, ideal};

impl<'a> Evaluator<'a> {
    pub(super) fn call(
        &mut self,
        function: &'static Function,
        at: usize,
        exprs: &'a [Expr],
        dot: &Value<'a>,
        piped: Option<Value<'a>>,
    ) -> Answer<'a> {
        let count = exprs.len() + usize::from(piped.is_some());
        let least = function.params.len();
        if count < least || (function.rest.is_none() && count > least) {
            let bound = if function.rest.is_some() { "at least " } else { "" };
            return failed_with(format!(
                "wrong number of arguments for {}: expected {bound}{least}, got {count}",
                function.name
            ));
        }
        if let Special::And | Special::Or = function.special {
            return self.logic(function.special == Special::Or, exprs, dot, piped);
        }
        self.enter()?;
        let literal = exprs.first().is_some_and(|expr| matches!(expr.kind, ExprKind::String(_)));
        let base = self.arguments.len();
        let mut size = 0;
        for (n, expr) in exprs.iter().enumerate() {
            let value = self.argument(function.param(n), expr, dot)?;
            size += weight(&value);
            self.arguments.push(value);
        }
        self.at = at;
        if let Some(value) = piped {
            self.accept(function.param(count - 1), &value)?;
            size += weight(&value);
            self.arguments.push(value);
        }
        self.cx.meter.read(if function.constant { 0 } else { size })?;
        self.cx.meter.step(function.cost)?;
        let arguments = self.arguments.get(base..).unwrap_or_default();
        let answer = match function.special {
            // The message may be made of values, unless it stands in the template.
            Special::Fail if !literal => {
                failed_with("fail was called; its message is not a constant, so it isn't shown".to_owned())
            }
            _ => (function.run)(&mut self.cx, Args(arguments)),
        };
        self.arguments.truncate(base);
        self.depth -= 1;
        answer.map_err(|fault| match fault {
            Fault::Failed(problem) => Fault::Failed(format!("{}: {problem}", function.name).into()),
            limit => limit,
        })
    }

    /// `and` and `or` evaluate no more arguments than they need.
    fn logic(&mut self, or: bool, exprs: &'a [Expr], dot: &Value<'a>, piped: Option<Value<'a>>) -> Answer<'a> {
        self.enter()?;
        let mut last = Value::Nil;
        for expr in exprs {
            last = self.argument(Param::Any, expr, dot)?;
            if last.truth() == or {
                self.depth -= 1;
                return Ok(last);
            }
        }
        self.depth -= 1;
        Ok(piped.unwrap_or(last))
    }

    pub(super) fn argument(&mut self, param: Param, expr: &'a Expr, dot: &Value<'a>) -> Answer<'a> {
        self.at = expr.at;
        let constant = match &expr.kind {
            ExprKind::Nil if matches!(param, Param::Any | Param::Dict | Param::List) => {
                return Ok(Value::Nil);
            }
            ExprKind::Nil => return failed_with(format!("expected {}, got nil", param.name())),
            ExprKind::Bool(b) if matches!(param, Param::Bool | Param::Any) => Some(Value::Bool(*b)),
            ExprKind::String(text) if matches!(param, Param::String | Param::Any) => {
                Some(Value::Str(Str::Borrowed(text)))
            }
            ExprKind::Number(number) => typed(number, param)?,
            ExprKind::Bool(_) | ExprKind::String(_) => None,
            _ => {
                let value = self.operand(expr, dot)?;
                self.at = expr.at;
                self.accept(param, &value)?;
                return Ok(value);
            }
        };
        match constant {
            Some(value) => Ok(value),
            None => failed_with(format!("expected {}, got a constant of another type", param.name())),
        }
    }

    fn accept(&self, param: Param, value: &Value<'a>) -> Result<(), Fault> {
        if param.accepts(value) {
            return Ok(());
        }
        failed_with(format!("expected {}, got {}", param.name(), value.type_name()))
    }
}

/// A numeric constant as what the parameter asks for; none where it can't be.
fn typed<'a>(number: &Number, param: Param) -> Result<Option<Value<'a>>, Fault> {
    Ok(match param {
        Param::Any => Some(ideal(number)?),
        Param::Int => number.int.map(|n| Value::Int(n, IntType::Int)),
        Param::Int64 => number.int.map(|n| Value::Int(n, IntType::Duration)),
        Param::Uint32 => number.uint.map(|n| Value::Uint(n & 0xffff_ffff, UintType::Uint64)),
        Param::Float => number.float.map(Value::Float),
        _ => None,
    })
}

/// What reading a value costs, in bytes.
fn weight(value: &Value<'_>) -> usize {
    match value {
        Value::Str(text) => text.len(),
        Value::List(list) => 8 * list.items.len(),
        Value::Map(map) => 8 * map.len(),
        _ => 0,
    }
}
