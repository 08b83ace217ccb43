//! Makes the tree out of the tokens, and refuses what can't be called.

mod pipeline;

use std::collections::BTreeMap;

use super::error::{Place, TemplateError};
use super::lex::{Keyword, Kind, Token, tokens};
use super::node::{Branch, Node};

/// How deep blocks and parentheses may nest, together. It keeps the parser's and the evaluator's stack small.
const MAX_DEPTH: u32 = 60;

/// How many variables may be in force at once: each use looks through them.
const MAX_VARIABLES: usize = 1000;

/// The templates that a text defines, by name; the text itself is the one called `name`.
pub(crate) type Trees = BTreeMap<String, Vec<Node>>;

/// Parses `text`.
pub(crate) fn parse(name: &str, text: &str) -> Result<Trees, TemplateError> {
    let mut parser =
        Parser { name, text, tokens: tokens(text), at: 0, depth: 0, scope: Scope::new(), trees: Trees::new() };
    let mut root = Vec::new();
    loop {
        match parser.list_until_end()? {
            (nodes, Stop::End) => {
                root.extend(nodes);
                break;
            }
            (nodes, Stop::Define) => {
                root.extend(nodes);
                parser.define()?;
            }
            (_, Stop::Close(word, at)) => {
                return Err(parser.error(at, format!("unexpected {{{{{word}}}}}: no block is open")));
            }
        }
    }
    parser.add(name.to_owned(), root, 0)?;
    Ok(parser.trees)
}

/// Turns an offset into line and column.
pub(crate) fn place(name: &str, text: &str, at: usize) -> Place {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Place {
        template: name.to_owned(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
    }
}

/// What is in force inside of one template: its variables, and whether a `range` is open.
struct Scope {
    variables: Vec<String>,
    ranges: u32,
}

impl Scope {
    fn new() -> Self {
        Self { variables: vec!["$".to_owned()], ranges: 0 }
    }
}

/// Why a list of nodes ended.
enum Stop {
    End,
    Define,
    /// `else` or `end`, and where.
    Close(&'static str, usize),
}

struct Parser<'t> {
    name: &'t str,
    text: &'t str,
    tokens: Vec<Token>,
    at: usize,
    depth: u32,
    scope: Scope,
    trees: Trees,
}

type Parsed<T> = Result<T, TemplateError>;

impl<'t> Parser<'t> {
    fn error(&self, at: usize, problem: String) -> TemplateError {
        TemplateError::Parse { place: place(self.name, self.text, at), problem }
    }

    fn peek(&self) -> Token {
        let end = self.text.len();
        self.tokens.get(self.at).copied().unwrap_or(Token { kind: Kind::End, start: end, end })
    }

    fn next(&mut self) -> Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn peek_word(&mut self) -> Token {
        while self.peek().kind == Kind::Space {
            self.at += 1;
        }
        self.peek()
    }

    fn next_word(&mut self) -> Token {
        self.peek_word();
        self.next()
    }

    fn slice(&self, token: Token) -> &'t str {
        self.text.get(token.start..token.end).unwrap_or_default()
    }

    fn unexpected<T>(&self, token: Token, expected: &str) -> Parsed<T> {
        let problem = match token.kind {
            Kind::Error(message) => message.to_owned(),
            Kind::End => format!("unexpected end of the template; expected {expected}"),
            Kind::Close => format!("unexpected \"}}}}\"; expected {expected}"),
            // A string may hold what should not be shown; its kind is enough.
            Kind::String | Kind::RawString | Kind::Char | Kind::Text => {
                format!("unexpected text; expected {expected}")
            }
            _ => format!("unexpected {:?}; expected {expected}", self.slice(token)),
        };
        Err(self.error(token.start, problem))
    }

    fn expect(&mut self, kind: Kind, expected: &str) -> Parsed<Token> {
        let token = self.next_word();
        if token.kind == kind { Ok(token) } else { self.unexpected(token, expected) }
    }

    fn deeper(&mut self, at: usize) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(at, format!("blocks and parentheses are nested more than {MAX_DEPTH} deep")));
        }
        Ok(())
    }

    fn add(&mut self, name: String, nodes: Vec<Node>, at: usize) -> Parsed<()> {
        let empty = |nodes: &[Node]| {
            nodes.iter().all(|node| match node {
                Node::Text(range) => self.text.get(range.clone()).is_none_or(|text| text.trim().is_empty()),
                _ => false,
            })
        };
        match self.trees.get(&name) {
            Some(old) if !empty(old) => {
                if !empty(&nodes) {
                    return Err(self.error(at, format!("template {name:?} is defined twice")));
                }
            }
            _ => {
                self.trees.insert(name, nodes);
            }
        }
        Ok(())
    }

    fn list_until_end(&mut self) -> Parsed<(Vec<Node>, Stop)> {
        let mut nodes = Vec::new();
        loop {
            let token = self.next();
            match token.kind {
                Kind::End => return Ok((nodes, Stop::End)),
                Kind::Text => nodes.push(Node::Text(token.start..token.end)),
                Kind::Open => {
                    let word = self.peek_word();
                    match word.kind {
                        Kind::Keyword(Keyword::Define) => {
                            self.at += 1;
                            return Ok((nodes, Stop::Define));
                        }
                        Kind::Keyword(Keyword::End) => {
                            self.at += 1;
                            self.expect(Kind::Close, "\"}}\" after \"end\"")?;
                            return Ok((nodes, Stop::Close("end", word.start)));
                        }
                        Kind::Keyword(Keyword::Else) => {
                            self.at += 1;
                            let next = self.peek_word();
                            if !matches!(next.kind, Kind::Keyword(Keyword::If | Keyword::With)) {
                                self.expect(Kind::Close, "\"}}\" after \"else\"")?;
                            }
                            return Ok((nodes, Stop::Close("else", word.start)));
                        }
                        _ => nodes.push(self.action()?),
                    }
                }
                _ => return self.unexpected(token, "text or an action"),
            }
        }
    }

    /// A block's inside, which `end` or `else` must close.
    fn block(&mut self, opened_at: usize) -> Parsed<(Vec<Node>, &'static str)> {
        match self.list_until_end()? {
            (nodes, Stop::Close(word, _)) => Ok((nodes, word)),
            (_, Stop::End) => Err(self.error(opened_at, "the block is not closed; expected {{end}}".to_owned())),
            (_, Stop::Define) => {
                Err(self.error(self.peek().start, "{{define}} must stand outside of all blocks".to_owned()))
            }
        }
    }

    fn define(&mut self) -> Parsed<()> {
        let at = self.peek().start;
        let name = self.template_name()?;
        self.expect(Kind::Close, "\"}}\" after the name")?;
        let nodes = self.body(at)?;
        self.add(name, nodes, at)
    }

    /// The body of `define` or `block`: a scope of its own.
    fn body(&mut self, at: usize) -> Parsed<Vec<Node>> {
        self.deeper(at)?;
        let outer = std::mem::replace(&mut self.scope, Scope::new());
        let (nodes, word) = self.block(at)?;
        self.scope = outer;
        self.depth -= 1;
        if word == "else" {
            return Err(self.error(at, "unexpected {{else}} in a template's definition; expected {{end}}".to_owned()));
        }
        Ok(nodes)
    }

    fn template_name(&mut self) -> Parsed<String> {
        let token = self.next_word();
        match token.kind {
            Kind::String | Kind::RawString => Ok(String::from_utf8_lossy(&self.string(token)?).into_owned()),
            _ => self.unexpected(token, "the template's name in quotes"),
        }
    }

    fn action(&mut self) -> Parsed<Node> {
        let token = self.peek_word();
        let Kind::Keyword(keyword) = token.kind else {
            return Ok(Node::Action(self.pipeline("a command", Kind::Close)?));
        };
        self.at += 1;
        match keyword {
            Keyword::If => Ok(Node::If(Box::new(self.control(token, keyword)?))),
            Keyword::Range => Ok(Node::Range(Box::new(self.control(token, keyword)?))),
            Keyword::With => Ok(Node::With(Box::new(self.control(token, keyword)?))),
            Keyword::Break | Keyword::Continue => {
                self.expect(Kind::Close, "\"}}\"")?;
                if self.scope.ranges == 0 {
                    return Err(self.error(
                        token.start,
                        format!("{{{{{}}}}} must stand inside of a {{{{range}}}}", self.slice(token)),
                    ));
                }
                Ok(if keyword == Keyword::Break { Node::Break } else { Node::Continue })
            }
            Keyword::Template => {
                let at = self.peek_word().start;
                let name = self.template_name()?;
                let pipe = match self.peek_word().kind {
                    Kind::Close => {
                        self.at += 1;
                        None
                    }
                    _ => Some(self.pipeline("the template's data", Kind::Close)?),
                };
                Ok(Node::Template { at, name, pipe })
            }
            Keyword::Block => {
                let at = self.peek_word().start;
                let name = self.template_name()?;
                let pipe = Some(self.pipeline("the block's data", Kind::Close)?);
                let nodes = self.body(at)?;
                self.add(name.clone(), nodes, at)?;
                Ok(Node::Template { at, name, pipe })
            }
            Keyword::Define | Keyword::Else | Keyword::End => self.unexpected(token, "an action"),
        }
    }

    fn control(&mut self, word: Token, keyword: Keyword) -> Parsed<Branch> {
        self.deeper(word.start)?;
        let variables = self.scope.variables.len();
        let expected = if keyword == Keyword::Range { "what to range over" } else { "a condition" };
        let pipe = self.pipeline(expected, Kind::Close)?;
        let ranges = u32::from(keyword == Keyword::Range);
        self.scope.ranges += ranges;
        let (list, close) = self.block(word.start)?;
        self.scope.ranges -= ranges;
        let mut otherwise = Vec::new();
        if close == "else" {
            let next = self.peek();
            match (keyword, next.kind) {
                (Keyword::If, Kind::Keyword(Keyword::If)) | (Keyword::With, Kind::Keyword(Keyword::With)) => {
                    self.at += 1;
                    let nested = Box::new(self.control(next, keyword)?);
                    otherwise.push(if keyword == Keyword::If { Node::If(nested) } else { Node::With(nested) });
                }
                (_, Kind::Keyword(Keyword::If | Keyword::With)) => {
                    return self.unexpected(next, "\"}}\" after \"else\"");
                }
                _ => {
                    let (nodes, close) = self.block(word.start)?;
                    if close == "else" {
                        return Err(self.error(word.start, "the block has two {{else}}; expected {{end}}".to_owned()));
                    }
                    otherwise = nodes;
                }
            }
        }
        self.scope.variables.truncate(variables);
        self.depth -= 1;
        Ok(Branch { at: word.start, pipe, list, otherwise })
    }
}
