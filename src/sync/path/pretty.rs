//! `@pretty`: JSON with line breaks; a list without objects stays on one line where it fits.

use super::{Kind, items, kind, members, quoted, unquoted};
use crate::sync::select::SelectError;
use crate::template::Meter;

/// How it is to look.
pub(super) struct Style {
    indent: String,
    prefix: String,
    width: usize,
    sorted: bool,
}

impl Style {
    /// Reads a modifier's argument.
    pub(super) fn read(argument: &str) -> Self {
        let mut style = Self { indent: "  ".to_owned(), prefix: String::new(), width: 80, sorted: false };
        for (key, value) in members(argument).unwrap_or_default() {
            match key.as_str() {
                "indent" => style.indent = blank(&unquoted(value)),
                "prefix" => style.prefix = blank(&unquoted(value)),
                "width" => style.width = value.parse().unwrap_or_default(),
                "sortKeys" => style.sorted = kind(value) == Kind::True,
                _ => {}
            }
        }
        style
    }
}

fn blank(text: &str) -> String {
    text.chars().filter(|character| matches!(character, ' ' | '\t' | '\n' | '\r')).collect()
}

/// The text of `json` in that style, with a line break at its end.
pub(super) fn pretty(json: &str, style: &Style, meter: &mut Meter) -> Result<String, SelectError> {
    let mut printer = Printer { style, meter, out: String::new(), line: 0 };
    printer.value(json, 0)?;
    printer.push("\n")?;
    Ok(printer.out)
}

struct Printer<'s, 'm> {
    style: &'s Style,
    meter: &'m mut Meter,
    out: String,
    /// Where the line began, at its line break.
    line: usize,
}

impl Printer<'_, '_> {
    fn push(&mut self, text: &str) -> Result<(), SelectError> {
        self.meter.hold(text.len())?;
        self.out.push_str(text);
        Ok(())
    }

    fn new_line(&mut self, depth: usize) -> Result<(), SelectError> {
        self.line = self.out.len();
        self.push("\n")?;
        let style = self.style;
        self.push(&style.prefix)?;
        (0..depth).try_for_each(|_| self.push(&style.indent))
    }

    fn value(&mut self, json: &str, depth: usize) -> Result<(), SelectError> {
        self.meter.scan(json.len())?;
        match kind(json) {
            Kind::Object => {
                let mut members = members(json)?;
                if self.style.sorted {
                    members.sort_by(|a, b| a.0.cmp(&b.0));
                }
                self.block(('{', '}'), members.len(), depth, |printer, place| {
                    let Some((key, value)) = members.get(place) else { return Ok(()) };
                    printer.push(&quoted(key))?;
                    printer.push(": ")?;
                    printer.value(value, depth + 1)
                })
            }
            Kind::Array => {
                let room = self.style.width.saturating_sub(self.out.len() - self.line);
                if let Some(line) = one_line(json, room)? {
                    return self.push(&line);
                }
                let items = items(json)?;
                self.block(('[', ']'), items.len(), depth, |printer, place| match items.get(place) {
                    Some(item) => printer.value(item, depth + 1),
                    None => Ok(()),
                })
            }
            _ => self.push(json.trim_ascii()),
        }
    }

    fn block(
        &mut self,
        (open, close): (char, char),
        count: usize,
        depth: usize,
        mut each: impl FnMut(&mut Self, usize) -> Result<(), SelectError>,
    ) -> Result<(), SelectError> {
        self.push(open.encode_utf8(&mut [0; 4]))?;
        for place in 0..count {
            self.push(if place > 0 { "," } else { "" })?;
            self.new_line(depth + 1)?;
            each(self, place)?;
        }
        if count > 0 {
            self.new_line(depth)?;
        }
        self.push(close.encode_utf8(&mut [0; 4]))
    }
}

/// A list on one line of at most `room` bytes, if it fits and holds no object.
fn one_line(json: &str, room: usize) -> Result<Option<String>, SelectError> {
    if room <= 3 {
        return Ok(None);
    }
    let mut line = String::from("[");
    for (place, item) in items(json)?.into_iter().enumerate() {
        line.push_str(if place > 0 { ", " } else { "" });
        match kind(item) {
            Kind::Object => return Ok(None),
            Kind::Array => match one_line(item, room.saturating_sub(line.len()).max(4))? {
                Some(inner) => line.push_str(&inner),
                None => return Ok(None),
            },
            _ => line.push_str(item.trim_ascii()),
        }
        if line.len() >= room {
            return Ok(None);
        }
    }
    line.push(']');
    Ok(Some(line))
}
