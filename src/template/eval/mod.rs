//! Walks the tree and writes the output, by the rules of Go's text/template with `missingkey=error`.

mod call;
mod field;

use super::Template;
use super::context::{Answer, Context, entries};
use super::error::{Exceeded, Fault, TemplateError, failed, failed_with};
use super::format;
use super::limits::Meter;
use super::node::{Branch, Command, Expr, ExprKind, Node, Number, Pipe};
use super::parse::place;
use super::value::{Data, IntType, Value};

/// Renders `template` with `data`.
pub(crate) fn render<'a>(
    template: &'a Template,
    data: &'a Data<'a>,
    meter: &mut Meter,
) -> Result<Vec<u8>, TemplateError> {
    let root = Value::Data(data);
    let mut evaluator = Evaluator {
        template,
        cx: Context::new(std::mem::take(meter), &template.regexes),
        variables: vec![("$", root.clone())],
        frame: 0,
        arguments: Vec::new(),
        out: Vec::new(),
        at: 0,
        depth: 0,
    };
    let nodes = template.trees.get(&template.name).map(Vec::as_slice).unwrap_or_default();
    let rendered = match evaluator.list(nodes, &root) {
        Ok(_) => Ok(std::mem::take(&mut evaluator.out)),
        Err(fault) => Err(evaluator.located(fault)),
    };
    *meter = std::mem::take(&mut evaluator.cx.meter);
    rendered
}

/// Whether a loop goes on.
enum Flow {
    Next,
    Break,
    Continue,
}

struct Evaluator<'a> {
    template: &'a Template,
    cx: Context<'a>,
    /// The variables in force, innermost last; those below `frame` belong to calling templates.
    variables: Vec<(&'a str, Value<'a>)>,
    frame: usize,
    /// Arguments of the calls that are under way.
    arguments: Vec<Value<'a>>,
    out: Vec<u8>,
    /// Where in the text we are.
    at: usize,
    depth: u32,
}

impl<'a> Evaluator<'a> {
    fn located(&self, fault: Fault) -> TemplateError {
        let place = place(&self.template.name, &self.template.text, self.at);
        match fault {
            Fault::Failed(problem) => TemplateError::Execution { place, problem: problem.into_owned() },
            Fault::Limit(limit) => TemplateError::Limit { place, limit },
        }
    }

    fn enter(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        let most = self.cx.meter.limits().depth;
        if self.depth > most {
            return Err(Exceeded::Depth(most).into());
        }
        self.cx.meter.step(1)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.cx.meter.output(bytes.len())?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn list(&mut self, nodes: &'a [Node], dot: &Value<'a>) -> Result<Flow, Fault> {
        self.enter()?;
        for node in nodes {
            match self.node(node, dot)? {
                Flow::Next => {}
                flow => {
                    self.depth -= 1;
                    return Ok(flow);
                }
            }
        }
        self.depth -= 1;
        Ok(Flow::Next)
    }

    fn node(&mut self, node: &'a Node, dot: &Value<'a>) -> Result<Flow, Fault> {
        match node {
            Node::Text(range) => {
                self.cx.meter.step(1)?;
                let text = self.template.text.get(range.clone()).unwrap_or_default();
                self.write(text.as_bytes())?;
            }
            Node::Action(pipe) => {
                let value = self.pipeline(pipe, dot)?;
                if pipe.variables.is_empty() {
                    self.at = pipe.at;
                    self.print(&value)?;
                }
            }
            Node::If(branch) => return self.branch(branch, dot, false),
            Node::With(branch) => return self.branch(branch, dot, true),
            Node::Range(branch) => return self.range(branch, dot),
            Node::Template { at, name, pipe } => self.template(*at, name, pipe.as_ref(), dot)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn print(&mut self, value: &Value<'a>) -> Result<(), Fault> {
        match value {
            Value::Nil => self.write(b"<no value>"),
            Value::Str(text) => self.write(text),
            _ => {
                let text = format::value_text(&mut self.cx.meter, value)?;
                self.write(&text)
            }
        }
    }

    fn branch(&mut self, branch: &'a Branch, dot: &Value<'a>, with: bool) -> Result<Flow, Fault> {
        let mark = self.variables.len();
        self.at = branch.at;
        let value = self.pipeline(&branch.pipe, dot)?;
        let flow = if value.truth() {
            self.list(&branch.list, if with { &value } else { dot })?
        } else {
            self.list(&branch.otherwise, dot)?
        };
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn range(&mut self, branch: &'a Branch, dot: &Value<'a>) -> Result<Flow, Fault> {
        let outer = self.variables.len();
        let value = self.pipeline(&branch.pipe, dot)?;
        let mark = self.variables.len();
        self.at = branch.at;
        let ran = match &value {
            Value::Nil => false,
            Value::List(list) => {
                for (index, item) in list.items.iter().enumerate() {
                    if !self.iteration(branch, mark, Value::int(index), item.clone())? {
                        break;
                    }
                }
                !list.items.is_empty()
            }
            Value::Map(_) | Value::Data(_) => {
                let entries = entries(&value).unwrap_or_default();
                self.cx.meter.step(entries.len() as u64)?;
                let any = !entries.is_empty();
                for (key, item) in entries {
                    if !self.iteration(branch, mark, Value::Str(key), item)? {
                        break;
                    }
                }
                any
            }
            Value::Int(..) | Value::Uint(..) => self.count(branch, mark, &value)?,
            _ => {
                return failed_with(format!(
                    "range can't iterate over a value of type {}; expected a list, a dict or an integer",
                    value.type_name()
                ));
            }
        };
        self.variables.truncate(outer);
        if ran { Ok(Flow::Next) } else { self.list(&branch.otherwise, dot) }
    }

    /// `range 5`. True where there was an iteration.
    fn count(&mut self, branch: &'a Branch, mark: usize, value: &Value<'a>) -> Result<bool, Fault> {
        if branch.pipe.variables.len() > 1 {
            return failed("range over an integer sets one variable only");
        }
        match *value {
            Value::Int(end, kind) => {
                for n in 0..end {
                    if !self.iteration(branch, mark, Value::Nil, Value::Int(n, kind))? {
                        break;
                    }
                }
                Ok(end > 0)
            }
            Value::Uint(end, kind) => {
                for n in 0..end {
                    if !self.iteration(branch, mark, Value::Nil, Value::Uint(n, kind))? {
                        break;
                    }
                }
                Ok(end > 0)
            }
            _ => Ok(false),
        }
    }

    /// One turn of a loop; false after `break`.
    fn iteration(&mut self, branch: &'a Branch, mark: usize, index: Value<'a>, item: Value<'a>) -> Result<bool, Fault> {
        self.cx.meter.step(1)?;
        let names = &branch.pipe.variables;
        match (names.as_slice(), branch.pipe.assigns) {
            ([], _) => {}
            ([name], true) => self.assign(name, item.clone())?,
            ([key, name, ..], true) => {
                self.assign(key, index)?;
                self.assign(name, item.clone())?;
            }
            ([_], false) => self.set_from_top(1, item.clone()),
            (_, false) => {
                self.set_from_top(1, item.clone());
                self.set_from_top(2, index);
            }
        }
        let flow = self.list(&branch.list, &item)?;
        self.variables.truncate(mark);
        Ok(!matches!(flow, Flow::Break))
    }

    fn set_from_top(&mut self, n: usize, value: Value<'a>) {
        let at = self.variables.len().wrapping_sub(n);
        if let Some((_, slot)) = self.variables.get_mut(at) {
            *slot = value;
        }
    }

    fn assign(&mut self, name: &str, value: Value<'a>) -> Result<(), Fault> {
        let frame = self.variables.get_mut(self.frame..).unwrap_or_default();
        match frame.iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => failed_with(format!("variable {name:?} is not declared here")),
        }
    }

    fn template(&mut self, at: usize, name: &'a str, pipe: Option<&'a Pipe>, dot: &Value<'a>) -> Result<(), Fault> {
        self.at = at;
        let template = self.template;
        let Some(nodes) = template.trees.get(name) else {
            return failed_with(format!("template {name:?} is not defined"));
        };
        let dot = match pipe {
            Some(pipe) => self.pipeline(pipe, dot)?,
            None => Value::Nil,
        };
        self.at = at;
        let (frame, mark) = (self.frame, self.variables.len());
        self.variables.push(("$", dot.clone()));
        self.frame = mark;
        self.list(nodes, &dot)?;
        self.frame = frame;
        self.variables.truncate(mark);
        Ok(())
    }

    fn pipeline(&mut self, pipe: &'a Pipe, dot: &Value<'a>) -> Answer<'a> {
        self.enter()?;
        self.at = pipe.at;
        let mut last = None;
        for command in &pipe.commands {
            last = Some(self.command(command, dot, last)?);
        }
        let value = last.unwrap_or(Value::Nil);
        for name in &pipe.variables {
            if pipe.assigns {
                self.assign(name, value.clone())?;
            } else {
                self.cx.meter.memory(size_of::<(&str, Value<'_>)>())?;
                self.variables.push((name, value.clone()));
            }
        }
        self.depth -= 1;
        Ok(value)
    }

    fn command(&mut self, command: &'a Command, dot: &Value<'a>, piped: Option<Value<'a>>) -> Answer<'a> {
        self.cx.meter.step(1)?;
        let Command { first, arguments } = command;
        self.at = first.at;
        match &first.kind {
            ExprKind::Function(function) => {
                return self.call(function, first.at, arguments, dot, piped);
            }
            ExprKind::Field(names) => {
                return self.fields(dot.clone(), names, first.at, arguments, dot, piped);
            }
            ExprKind::Variable(name, names) if !names.is_empty() => {
                let receiver = self.variable(name)?;
                return self.fields(receiver, names, first.at, arguments, dot, piped);
            }
            ExprKind::Chain(expr, names) => {
                if matches!(expr.kind, ExprKind::Nil) {
                    return failed("nil has no fields");
                }
                let receiver = self.operand(expr, dot)?;
                return self.fields(receiver, names, first.at, arguments, dot, piped);
            }
            ExprKind::Nil => return failed("nil is not a command"),
            _ => {}
        }
        if !arguments.is_empty() || piped.is_some() {
            return failed("only functions and methods take arguments");
        }
        self.operand(first, dot)
    }

    fn variable(&self, name: &str) -> Answer<'a> {
        let frame = self.variables.get(self.frame..).unwrap_or_default();
        match frame.iter().rev().find(|(known, _)| *known == name) {
            Some((_, value)) => Ok(value.clone()),
            None => failed_with(format!("variable {name:?} is not declared here")),
        }
    }

    /// An operand on its own, without a type that is asked for.
    fn operand(&mut self, expr: &'a Expr, dot: &Value<'a>) -> Answer<'a> {
        self.at = expr.at;
        match &expr.kind {
            ExprKind::Bool(b) => Ok(Value::Bool(*b)),
            ExprKind::Number(number) => ideal(number),
            ExprKind::String(text) => Ok(Value::Str(super::value::Str::Borrowed(text))),
            ExprKind::Nil => Ok(Value::Nil),
            ExprKind::Dot => Ok(dot.clone()),
            ExprKind::Field(names) => self.fields(dot.clone(), names, expr.at, &[], dot, None),
            ExprKind::Variable(name, names) => {
                let receiver = self.variable(name)?;
                self.fields(receiver, names, expr.at, &[], dot, None)
            }
            ExprKind::Function(function) => self.call(function, expr.at, &[], dot, None),
            ExprKind::Pipe(pipe) => self.pipeline(pipe, dot),
            ExprKind::Chain(inner, names) => {
                self.enter()?;
                let receiver = self.operand(inner, dot)?;
                self.depth -= 1;
                self.fields(receiver, names, expr.at, &[], dot, None)
            }
        }
    }
}

/// A constant's own type: a float where it is written as one, else an int.
fn ideal<'a>(number: &Number) -> Answer<'a> {
    match (number.is_float, number.float, number.int) {
        (true, Some(float), _) => Ok(Value::Float(float)),
        (_, _, Some(int)) => Ok(Value::Int(int, IntType::Int)),
        _ => failed("the constant is too large for an int"),
    }
}
