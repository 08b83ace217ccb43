//! Plots as SVG: something against the number of ExternalSecrets, ours and the floor's.

use crate::Result;
use plotters::prelude::*;
use std::path::Path;

const SIZE: (u32, u32) = (640, 360);
const OURS: RGBColor = RGBColor(0x1f, 0x6f, 0xb2);
const FLOOR: RGBColor = RGBColor(0x99, 0x99, 0x99);

/// A line of a plot.
pub struct Line<'a> {
    /// What it shows.
    pub name: &'a str,
    /// The number of ExternalSecrets, and what was measured there.
    pub points: Vec<(f64, f64)>,
}

/// Draws the lines, the first one in colour.
pub fn draw(path: &Path, title: &str, unit: &str, lines: &[Line<'_>]) -> Result {
    let all = || lines.iter().flat_map(|line| line.points.iter());
    let widest = all().map(|(x, _)| *x).fold(1.0, f64::max);
    let highest = all().map(|(_, y)| *y).fold(0.0, f64::max) * 1.1;
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..widest * 1.02, 0.0..highest)?;
    chart.configure_mesh().light_line_style(TRANSPARENT).x_desc("ExternalSecrets").y_desc(unit).draw()?;
    for (line, colour) in lines.iter().zip([OURS, FLOOR]) {
        let style = colour.stroke_width(2);
        let drawn = chart.draw_series(LineSeries::new(line.points.iter().copied(), style))?;
        drawn.label(line.name).legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style));
        chart.draw_series(line.points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
    }
    let legend = SeriesLabelPosition::UpperLeft;
    chart.configure_series_labels().position(legend).background_style(WHITE).border_style(FLOOR).draw()?;
    root.present()?;
    Ok(())
}
