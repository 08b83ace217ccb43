//! What Prometheus answers to a panel's queries.

use crate::Result;
use crate::dashboard::{Panel, Query};
use crate::story::Story;
use serde_json::{Map, Value};
use testbed::Prometheus;

/// Seconds between two points: a scrape.
const STEP: &str = "5";
/// What Grafana puts in for `$__rate_interval` at that step: four scrapes.
const RATE_INTERVAL: &str = "20s";

/// What a panel shows.
pub enum Answer {
    /// Over the whole story, by legend.
    Lines(Vec<Line>),
    /// At the story's moment: labels, legend and value of each series.
    Values(Vec<Labelled>),
}

/// One series over time.
pub struct Line {
    /// Its legend.
    pub name: String,
    /// Seconds since the beginning and values, in pieces between which there was none.
    pub pieces: Vec<Vec<(f64, f64)>>,
}

/// One series at a moment.
pub struct Labelled {
    /// Its labels, in order.
    pub labels: Map<String, Value>,
    /// Its legend.
    pub legend: String,
    /// Its value.
    pub value: f64,
}

impl Answer {
    /// Asks.
    pub async fn of(panel: &Panel, prometheus: &Prometheus, story: &Story) -> Result<Self> {
        let (mut lines, mut values) = (Vec::new(), Vec::new());
        let is_over_time = panel.kind == "timeseries";
        for query in &panel.targets {
            let expression = query.over(RATE_INTERVAL);
            let (began, ended) = (story.began, story.began + story.length);
            let data = match is_over_time {
                true => {
                    let (start, end) = (began.to_string(), ended.to_string());
                    let asked = [("query", &*expression), ("start", &*start), ("end", &*end), ("step", STEP)];
                    prometheus.get("query_range", &asked).await?
                }
                false => {
                    let at = (began + story.moment).to_string();
                    prometheus.get("query", &[("query", &expression), ("time", &at)]).await?
                }
            };
            for series in data.get("result").and_then(Value::as_array).into_iter().flatten() {
                match is_over_time {
                    true => lines.extend(line(query, series, story)),
                    false => values.extend(labelled(query, series)),
                }
            }
        }
        Ok(if is_over_time { Self::Lines(lines) } else { Self::Values(values) })
    }
}

impl Line {
    /// The last value.
    pub fn last(&self) -> Option<f64> {
        self.pieces.last()?.last().map(|(_, value)| *value)
    }

    /// All values.
    pub fn values(&self) -> impl Iterator<Item = f64> {
        self.pieces.iter().flatten().map(|(_, value)| *value)
    }
}

fn line(query: &Query, series: &Value, story: &Story) -> Option<Line> {
    let name = query.legend(series.get("metric")?.as_object()?);
    let step: f64 = STEP.parse().ok()?;
    let mut pieces: Vec<Vec<(f64, f64)>> = Vec::new();
    for point in series.get("values")?.as_array()? {
        let Some((at, value)) = sample(point) else { continue };
        let at = at - story.began;
        match pieces.last_mut() {
            Some(piece) if piece.last().is_some_and(|(last, _)| at - last < 1.5 * step) => piece.push((at, value)),
            _ => pieces.push(vec![(at, value)]),
        }
    }
    Some(Line { name, pieces })
}

fn labelled(query: &Query, series: &Value) -> Option<Labelled> {
    let labels = series.get("metric")?.as_object()?.clone();
    let (_, value) = sample(series.get("value")?)?;
    Some(Labelled { legend: query.legend(&labels), labels, value })
}

/// Time and value; none where the value is no number.
fn sample(point: &Value) -> Option<(f64, f64)> {
    let value: f64 = point.get(1)?.as_str()?.parse().ok()?;
    Some((point.get(0)?.as_f64()?, value)).filter(|_| value.is_finite())
}
