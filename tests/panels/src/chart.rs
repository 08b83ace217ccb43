//! Lines over time, with their legend beside them.

use crate::answer::Line;
use crate::dashboard::Panel;
use crate::draw::{Area, FAINT, Look, RULE, size, text};
use crate::legend::{self, Legend};
use crate::story::Story;
use crate::{Result, format};
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::prelude::*;

/// What goes on in a phase is behind the lines, in this.
const BAND: RGBColor = RGBColor(0xf4, 0xf1, 0xe6);
/// What is beside and below the lines.
const LEFT: u32 = 66;
const BELOW: u32 = 22;
/// Room above the lines, for the letters of the phases.
const ABOVE: u32 = 14;
const MINUTE: u32 = 60;
/// Above the highest line of the axis, so that what lies on it is seen.
const HEADROOM: f64 = 1.03;

/// Draws the lines, and behind them what happened.
pub fn draw(area: &Area<'_>, panel: &Panel, lines: &[Line], story: &Story) -> Result {
    let (width, height) = size(area);
    let unit = panel.field_config.defaults.unit.as_str();
    let listed = Legend::of(lines, unit, height)?;
    let (left, right) = area.split_horizontally(width - listed.width());
    let values = || lines.iter().flat_map(Line::values);
    let is_whole = unit == "short" && values().all(|value| value.fract() == 0.0);
    let steps = format::axis(values().fold(0.0, f64::max), unit, is_whole);
    let highest = steps.last().copied().unwrap_or(1.0) * HEADROOM;
    let minutes = (0..=story.length as u32 / MINUTE).map(|minute| f64::from(minute * MINUTE)).collect();

    let mut chart = ChartBuilder::on(&left)
        .margin_top(ABOVE)
        .x_label_area_size(BELOW)
        .y_label_area_size(LEFT)
        .build_cartesian_2d(Axis { end: story.length, lines: minutes }, Axis { end: highest, lines: steps })?;
    for (phase, letter) in story.phases.iter().zip('a'..) {
        match phase.to > phase.from {
            true => {
                chart.draw_series([Rectangle::new([(phase.from, 0.0), (phase.to, highest)], BAND.mix(0.8).filled())])?
            }
            false => chart.draw_series([PathElement::new([(phase.from, 0.0), (phase.from, highest)], RULE)])?,
        };
        let (x, y) = chart.backend_coord(&(phase.from, highest));
        let (left_edge, top) = left.get_base_pixel();
        text(&left, &letter.to_string(), (x - left_edge + 2, y - top - 14), Look::new(13, FAINT))?;
    }
    let label = ("sans-serif", 13).into_font().color(&FAINT);
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(RULE)
        .light_line_style(TRANSPARENT)
        .axis_style(RULE)
        .label_style(label)
        .x_label_formatter(&|at| format::clock(*at))
        .y_label_formatter(&|value| format::value(*value, unit))
        .draw()?;
    for (line, colour) in lines.iter().zip(legend::colours()) {
        for piece in &line.pieces {
            match piece.as_slice() {
                [point] => chart.draw_series([Circle::new(*point, 1, colour.filled())])?,
                points => chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?,
            };
        }
    }
    listed.draw(&right)
}

/// From 0, with lines where they were told to be.
struct Axis {
    end: f64,
    lines: Vec<f64>,
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        from + (value / self.end * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.lines.clone() }
    }

    fn range(&self) -> std::ops::Range<f64> {
        0.0..self.end
    }
}
