//! What the lines of a chart are called, and their last values.

use crate::answer::Line;
use crate::draw::{Area, FAINT, INK, LETTER, LINE, Look, fit, size, text};
use crate::{Result, format};
use plotters::prelude::*;

/// Quiet, and told apart also by who sees little red or green.
const COLOURS: [RGBColor; 10] = [
    RGBColor(0x3f, 0x76, 0xb5),
    RGBColor(0xd9, 0x82, 0x2b),
    RGBColor(0x3c, 0x8d, 0x5a),
    RGBColor(0xb8, 0x4d, 0x6f),
    RGBColor(0x7b, 0x62, 0xa8),
    RGBColor(0x2d, 0x9a, 0xa6),
    RGBColor(0x8a, 0x6d, 0x4b),
    RGBColor(0xc4, 0xa0, 0x00),
    RGBColor(0x5b, 0x67, 0x77),
    RGBColor(0xd0, 0x6a, 0x5c),
];
/// Least and greatest width.
const WIDTH: (i32, i32) = (150, 300);
/// Size of the text.
const SMALL: u32 = 13;
/// What is left free for the colour before a name, and between it and the value.
const BEFORE: i32 = 30;
const BETWEEN: i32 = 12;

/// Colours of lines, in their order.
pub fn colours() -> impl Iterator<Item = &'static RGBColor> {
    COLOURS.iter().cycle()
}

/// The lines that have room, the highest first where not all have.
pub struct Legend<'a> {
    /// Name, last value and colour.
    shown: Vec<(&'a str, String, &'static RGBColor)>,
    more: usize,
}

impl<'a> Legend<'a> {
    /// Of these lines, in so many pixels.
    pub fn of(lines: &'a [Line], unit: &str, height: i32) -> Result<Self> {
        let room = usize::try_from(height / LINE - 1)?;
        let mut all: Vec<_> = lines.iter().zip(colours()).collect();
        let shown = if all.len() > room { room - 1 } else { all.len() };
        if shown < all.len() {
            let peak = |line: &Line| line.values().fold(0.0, f64::max);
            all.sort_by(|(one, _), (other, _)| peak(other).total_cmp(&peak(one)));
        }
        let last = |line: &Line| line.last().map(|value| format::value(value, unit)).unwrap_or_default();
        let more = all.len() - shown;
        let shown = all.into_iter().take(shown).map(|(line, colour)| (line.name.as_str(), last(line), colour));
        Ok(Self { shown: shown.collect(), more })
    }

    /// As wide as the longest name needs.
    pub fn width(&self) -> i32 {
        let widest = self.shown.iter().map(|(name, last, _)| BEFORE + pixels(name) + BETWEEN + pixels(last)).max();
        widest.unwrap_or_default().clamp(WIDTH.0, WIDTH.1)
    }

    /// Draws it.
    pub fn draw(&self, area: &Area<'_>) -> Result {
        let (width, _) = size(area);
        text(area, "last", (width, 0), Look::new(SMALL, FAINT).right())?;
        let mut y = LINE;
        for (name, last, colour) in &self.shown {
            area.draw(&Rectangle::new([(12, y + 5), (24, y + 8)], colour.filled()))?;
            let room = width - BEFORE - BETWEEN - pixels(last);
            text(area, &fit(name, SMALL, room), (BEFORE, y), Look::new(SMALL, INK))?;
            text(area, last, (width, y), Look::new(SMALL, INK).right())?;
            y += LINE;
        }
        match self.more {
            0 => Ok(()),
            more => text(area, &format!("and {more} more"), (BEFORE, y), Look::new(SMALL, FAINT)),
        }
    }
}

fn pixels(text: &str) -> i32 {
    (text.chars().count() as f64 * f64::from(SMALL) * LETTER).ceil() as i32 + 2
}
