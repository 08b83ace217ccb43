//! Pipelines: their variables, commands and operands.

use super::super::error::TemplateError;
use super::super::format::quote;
use super::super::functions::{self, Function};
use super::super::lex::{Kind, Token};
use super::super::node::{Command, Expr, ExprKind, Pipe};
use super::super::number;
use super::{MAX_VARIABLES, Parsed, Parser, place};

impl<'t> Parser<'t> {
    pub(super) fn pipeline(&mut self, expected: &str, end: Kind) -> Parsed<Pipe> {
        let at = self.peek_word().start;
        let (variables, assigns) = self.declarations(expected == "what to range over")?;
        let mut commands = Vec::new();
        loop {
            let token = self.peek_word();
            match token.kind {
                kind if kind == end => {
                    self.at += 1;
                    break;
                }
                Kind::Close | Kind::RightParen | Kind::Pipe => {
                    return self.unexpected(token, expected);
                }
                _ => commands.push(self.command(expected)?),
            }
        }
        if commands.is_empty() {
            return Err(self.error(at, format!("nothing is here; expected {expected}")));
        }
        for command in commands.iter().skip(1) {
            if matches!(
                command.first.kind,
                ExprKind::Bool(_) | ExprKind::Dot | ExprKind::Nil | ExprKind::Number(_) | ExprKind::String(_)
            ) {
                return Err(self.error(
                    command.first.at,
                    "a constant can't take what is piped into it; expected a function".to_owned(),
                ));
            }
        }
        Ok(Pipe { at, variables, assigns, commands })
    }

    /// `$a :=`, `$a =`, and in a range `$a, $b :=`.
    fn declarations(&mut self, range: bool) -> Parsed<(Vec<String>, bool)> {
        let mut names = Vec::new();
        loop {
            let start = self.at;
            let token = self.peek_word();
            if token.kind != Kind::Variable {
                if !names.is_empty() && !matches!(token.kind, Kind::Close | Kind::RightParen) {
                    return self.unexpected(token, "a variable");
                }
                return Ok((names, false));
            }
            self.at += 1;
            let after = self.peek_word();
            match after.kind {
                Kind::Assign | Kind::Declare => {
                    self.at += 1;
                    let name = self.slice(token).to_owned();
                    self.declare(&name, token)?;
                    names.push(name);
                    return Ok((names, after.kind == Kind::Assign));
                }
                Kind::Comma if range && names.is_empty() => {
                    self.at += 1;
                    let name = self.slice(token).to_owned();
                    self.declare(&name, token)?;
                    names.push(name);
                }
                Kind::Comma => {
                    return Err(
                        self.error(after.start, "only {{range}} can declare two variables, and none more".to_owned())
                    );
                }
                _ => {
                    self.at = start;
                    return Ok((names, false));
                }
            }
        }
    }

    fn declare(&mut self, name: &str, token: Token) -> Parsed<()> {
        if self.scope.variables.len() >= MAX_VARIABLES {
            return Err(self.error(token.start, format!("more than {MAX_VARIABLES} variables are declared")));
        }
        self.scope.variables.push(name.to_owned());
        Ok(())
    }

    fn command(&mut self, expected: &str) -> Parsed<Command> {
        let mut operands = Vec::new();
        loop {
            self.peek_word();
            if let Some(operand) = self.operand()? {
                operands.push(operand);
            }
            let token = self.peek();
            match token.kind {
                Kind::Space => self.at += 1,
                Kind::Close | Kind::RightParen => break,
                Kind::Pipe => {
                    self.at += 1;
                    break;
                }
                _ => return self.unexpected(token, "a blank, \"|\", \")\" or \"}}\""),
            }
        }
        let mut operands = operands.into_iter();
        match operands.next() {
            Some(first) => Ok(Command { first, arguments: operands.collect() }),
            None => self.unexpected(self.peek(), expected),
        }
    }

    /// A term and the fields that are taken of it.
    fn operand(&mut self) -> Parsed<Option<Expr>> {
        let Some(term) = self.term()? else {
            return Ok(None);
        };
        let mut fields = Vec::new();
        let at = self.peek().start;
        while self.peek().kind == Kind::Field {
            let token = self.next();
            fields.push(self.slice(token).trim_start_matches('.').to_owned());
        }
        if fields.is_empty() {
            return Ok(Some(term));
        }
        let kind = match term.kind {
            ExprKind::Field(mut names) => {
                names.extend(fields);
                ExprKind::Field(names)
            }
            ExprKind::Variable(name, mut names) => {
                names.extend(fields);
                ExprKind::Variable(name, names)
            }
            ExprKind::Bool(_) | ExprKind::String(_) | ExprKind::Number(_) | ExprKind::Nil | ExprKind::Dot => {
                return Err(self.error(at, "a constant has no fields".to_owned()));
            }
            kind => ExprKind::Chain(Box::new(Expr { at: term.at, kind }), fields),
        };
        Ok(Some(Expr { at: term.at, kind }))
    }

    fn term(&mut self) -> Parsed<Option<Expr>> {
        let token = self.peek_word();
        let text = self.slice(token);
        let kind = match token.kind {
            Kind::Identifier => ExprKind::Function(self.function(token)?),
            Kind::Dot => ExprKind::Dot,
            Kind::Nil => ExprKind::Nil,
            Kind::Bool => ExprKind::Bool(text == "true"),
            Kind::Field => ExprKind::Field(vec![text.trim_start_matches('.').to_owned()]),
            Kind::Variable => {
                if !self.scope.variables.iter().any(|name| name == text) {
                    return Err(self.error(token.start, format!("variable {text:?} is not declared here")));
                }
                ExprKind::Variable(text.to_owned(), Vec::new())
            }
            Kind::Number => {
                ExprKind::Number(number::constant(text).map_err(|e| self.error(token.start, format!("{text:?}: {e}")))?)
            }
            Kind::Char => ExprKind::Number(number::character(text).map_err(|e| self.error(token.start, e.to_owned()))?),
            Kind::String | Kind::RawString => ExprKind::String(self.string(token)?),
            Kind::LeftParen => {
                self.deeper(token.start)?;
                self.at += 1;
                let pipe = self.pipeline("a command in the parentheses", Kind::RightParen)?;
                self.depth -= 1;
                return Ok(Some(Expr { at: token.start, kind: ExprKind::Pipe(Box::new(pipe)) }));
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(Expr { at: token.start, kind }))
    }

    fn function(&self, token: Token) -> Parsed<&'static Function> {
        let name = self.slice(token);
        functions::find(name).ok_or_else(|| TemplateError::Function {
            place: place(self.name, self.text, token.start),
            function: name.to_owned(),
            problem: match functions::refusal(name) {
                Some(reason) => format!("function {name:?} is refused: {reason}"),
                None => format!("function {name:?} is not known; for a value of that name write {{{{ .{name} }}}}"),
            },
        })
    }

    pub(super) fn string(&self, token: Token) -> Parsed<Vec<u8>> {
        let text = self.slice(token);
        if token.kind == Kind::RawString {
            return Ok(text.trim_matches('`').replace('\r', "").into_bytes());
        }
        quote::unquote(text).ok_or_else(|| self.error(token.start, "the quoted string holds a bad escape".to_owned()))
    }
}
