//! A row of the dashboard on one sheet, its panels where the dashboard has them.

use crate::answer::{Answer, Labelled};
use crate::dashboard::{Panel, Step};
use crate::story::Story;
use crate::{Result, Row, chart, format};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::collections::BTreeSet;
use std::iter::{once, repeat};
use std::path::Path;

/// A cell of the dashboard's grid, in pixels, and what is left free between panels.
const CELL: (u32, u32) = (50, 34);
const GAP: i32 = 5;
/// Cells in a row of the grid.
const COLUMNS: u32 = 24;
/// Height of what stands above and below the panels.
const HEAD: u32 = 34;
const FOOT: u32 = 30;
/// Height of a panel's title, and of a row in a table.
const TITLE: i32 = 30;
pub const LINE: i32 = 20;
/// Between two columns.
const BETWEEN: i32 = 10;
/// Between the border of a panel and what it shows.
const INSET: i32 = 12;
/// How wide a letter of a size is, at most times: SVG has no way to ask.
pub const LETTER: f64 = 0.46;

/// Text and rules.
pub const INK: RGBColor = RGBColor(0x24, 0x29, 0x2f);
pub const FAINT: RGBColor = RGBColor(0x6b, 0x72, 0x80);
pub const RULE: RGBColor = RGBColor(0xe3, 0xe5, 0xe8);

/// A place to draw in.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws a row into a file.
pub fn sheet(file: &Path, row: &Row, story: &Story) -> Result {
    let top = row.panels.iter().map(|(panel, _)| panel.grid_pos.y).min().unwrap_or_default();
    let end = row.panels.iter().map(|(panel, _)| panel.grid_pos.y + panel.grid_pos.h).max().unwrap_or_default();
    let (width, height) = (COLUMNS * CELL.0, (end - top) * CELL.1 + HEAD + FOOT);
    let sheet = SVGBackend::new(file, (width, height)).into_drawing_area();
    sheet.fill(&WHITE)?;
    text(&sheet, &row.title, (GAP, 8), Look::new(20, INK).bold())?;
    for (panel, answer) in &row.panels {
        let cells = panel.grid_pos;
        let place = (cells.x * CELL.0, (cells.y - top) * CELL.1 + HEAD);
        let area = sheet.clone().shrink(place, (cells.w * CELL.0, cells.h * CELL.1)).margin(GAP, GAP, GAP, GAP);
        one(&area, panel, answer, story)?;
    }
    text(&sheet, &footer(row, story), (GAP, i32::try_from(height)? - 22), Look::new(14, FAINT))?;
    sheet.present()?;
    Ok(())
}

/// What the marks in the charts stand for, and of which moment the rest is.
fn footer(row: &Row, story: &Story) -> String {
    let kinds: BTreeSet<&str> = row.panels.iter().map(|(panel, _)| panel.kind.as_str()).collect();
    let mut parts = Vec::new();
    if kinds.contains("timeseries") {
        parts.extend(story.phases.iter().zip('a'..).map(|(phase, letter)| format!("{letter}: {}", phase.what)));
    }
    if kinds.len() > 1 || !kinds.contains("timeseries") {
        parts.push(format!("numbers and tables are of {}", format::clock(story.moment)));
    }
    parts.join(" · ")
}

fn one(area: &Area<'_>, panel: &Panel, answer: &Answer, story: &Story) -> Result {
    let (width, height) = size(area);
    if let (Answer::Values(values), "stat") = (answer, panel.kind.as_str()) {
        return stat(area, panel, values);
    }
    area.draw(&Rectangle::new([(0, 0), (width - 1, height - 1)], RULE))?;
    text(area, &panel.title, (INSET, 9), Look::new(16, INK).bold())?;
    let place = ((INSET, TITLE), (width - 2 * INSET, height - TITLE - INSET / 2));
    let inner = area.clone().shrink(place.0, (u32::try_from(place.1.0)?, u32::try_from(place.1.1)?));
    match answer {
        Answer::Lines(lines) => chart::draw(&inner, panel, lines, story),
        Answer::Values(values) => table(&inner, panel, values),
    }
}

/// A number on its threshold's colour, as `colorMode: background` has it.
fn stat(area: &Area<'_>, panel: &Panel, values: &[Labelled]) -> Result {
    let (width, height) = size(area);
    let defaults = &panel.field_config.defaults;
    let is_named = panel.options.text_mode == "name";
    let shown = values.first().map(|one| match is_named {
        true => one.legend.clone(),
        false => format::value(one.value, &defaults.unit),
    });
    let colour = colour(&defaults.thresholds.steps, values.first().map(|one| one.value));
    area.draw(&Rectangle::new([(0, 0), (width, height)], colour.filled()))?;
    for (line, y) in wrapped(&panel.title, 15, width - 16).iter().zip((9..).step_by(18)) {
        text(area, line, (10, y), Look::new(15, WHITE))?;
    }
    let shown = shown.unwrap_or_else(|| defaults.no_value.clone());
    let large = if shown.len() > 6 { 30 } else { 40 };
    text(area, &shown, (width / 2, height / 2 + 18), Look::new(large, WHITE).bold().centred())
}

/// The last step that the value reaches.
fn colour(steps: &[Step], value: Option<f64>) -> RGBColor {
    let reached = |step: &&Step| step.value.is_none_or(|from| value.is_some_and(|value| value >= from));
    match steps.iter().rfind(reached).map(|step| step.color.as_str()) {
        Some("green") => RGBColor(0x3c, 0x8d, 0x5a),
        Some("red") => RGBColor(0xc2, 0x4a, 0x4a),
        Some("blue") => RGBColor(0x3f, 0x76, 0xb5),
        _ => FAINT,
    }
}

/// As the dashboard orders its columns, each as wide as what it holds; rows that have no room are counted.
fn table(area: &Area<'_>, panel: &Panel, values: &[Labelled]) -> Result {
    let (width, height) = size(area);
    let room = usize::try_from(height / LINE - 1)?;
    let shown = if values.len() > room { room - 1 } else { values.len() };
    let labels: BTreeSet<&str> = values.iter().flat_map(|one| one.labels.keys().map(String::as_str)).collect();
    let columns = panel.columns(labels.into_iter()).into_iter().map(|(name, heading)| {
        let cells = values.iter().take(shown).map(|one| cell(panel, one, name));
        [heading.to_owned()].into_iter().chain(cells).collect::<Vec<_>>()
    });
    let columns: Vec<Vec<String>> = columns.collect();
    let mut left = 0;
    for (cells, column) in columns.iter().zip(widths(&columns, width)) {
        for ((cell, y), colour) in
            cells.iter().zip((0..).step_by(usize::try_from(LINE)?)).zip(once(FAINT).chain(repeat(INK)))
        {
            text(area, &fit(cell, 14, column), (left, y), Look::new(14, colour))?;
        }
        left += column + BETWEEN;
    }
    area.draw(&PathElement::new([(0, LINE - 3), (width, LINE - 3)], RULE))?;
    if shown < values.len() {
        let more = format!("and {} more", values.len() - shown);
        text(area, &more, (0, LINE * i32::try_from(shown + 1)?), Look::new(14, FAINT))?;
    }
    match values.is_empty() {
        true => {
            text(area, &panel.field_config.defaults.no_value, (width / 2, height / 2), Look::new(16, FAINT).centred())
        }
        false => Ok(()),
    }
}

/// As wide as what is in them; where that is too much, the widest gives way.
fn widths(columns: &[Vec<String>], room: i32) -> Vec<i32> {
    let letters = |column: &Vec<String>| column.iter().map(|cell| cell.chars().count()).max().unwrap_or_default();
    let wanted = columns.iter().map(|column| (letters(column) as f64 * 14.0 * LETTER) as i32 + 2);
    let mut widths: Vec<i32> = wanted.collect();
    let all = widths.iter().map(|width| width + BETWEEN).sum::<i32>() - BETWEEN;
    if let Some(widest) = widths.iter_mut().max() {
        *widest -= (all - room).max(0);
    }
    widths
}

fn cell(panel: &Panel, series: &Labelled, name: &str) -> String {
    match name {
        "Value" => format::value(series.value, &panel.field_config.defaults.unit),
        label => series.labels.get(label).and_then(|value| value.as_str()).unwrap_or_default().to_owned(),
    }
}

/// How a text looks.
#[derive(Clone, Copy)]
pub struct Look {
    size: u32,
    colour: RGBColor,
    style: FontStyle,
    anchor: Pos,
}

impl Look {
    /// From the left and below the point.
    pub fn new(size: u32, colour: RGBColor) -> Self {
        Self { size, colour, style: FontStyle::Normal, anchor: Pos::new(HPos::Left, VPos::Top) }
    }

    /// Heavier.
    pub fn bold(self) -> Self {
        Self { style: FontStyle::Bold, ..self }
    }

    /// Around the point.
    pub fn centred(self) -> Self {
        Self { anchor: Pos::new(HPos::Center, VPos::Center), ..self }
    }

    /// Left of the point.
    pub fn right(self) -> Self {
        Self { anchor: Pos::new(HPos::Right, VPos::Top), ..self }
    }
}

/// Writes a text at a point of an area.
pub fn text(area: &Area<'_>, text: &str, at: (i32, i32), look: Look) -> Result {
    let font = FontDesc::new(FontFamily::SansSerif, f64::from(look.size), look.style);
    area.draw(&Text::new(text.to_owned(), at, TextStyle::from(font).color(&look.colour).pos(look.anchor)))?;
    Ok(())
}

/// Lines of a text that have room in so many pixels.
fn wrapped(text: &str, size: u32, width: i32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + word.len() < letters(size, width) => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A text in so many pixels. What has no room goes from its middle: names differ at their ends.
pub fn fit(text: &str, size: u32, width: i32) -> String {
    let (room, all) = (letters(size, width), text.chars().count());
    if all <= room {
        return text.to_owned();
    }
    let head = room.saturating_sub(1) / 2;
    let tail = room.saturating_sub(head + 1);
    text.chars().take(head).chain(['…']).chain(text.chars().skip(all - tail)).collect()
}

fn letters(size: u32, width: i32) -> usize {
    (f64::from(width) / (f64::from(size) * LETTER)) as usize
}

/// Width and height of an area.
pub fn size(area: &Area<'_>) -> (i32, i32) {
    let (width, height) = area.dim_in_pixel();
    (i32::try_from(width).unwrap_or_default(), i32::try_from(height).unwrap_or_default())
}
