//! The dashboard as its file says it: as much of Grafana's model as a test or a picture needs.

use serde::Deserialize;
use serde_json::{Map, Value};

/// `deploy/observability/dashboard.json`.
const FILE: &str = include_str!("../../../deploy/observability/dashboard.json");

/// The dashboard.
#[derive(Debug, Deserialize)]
pub struct Dashboard {
    /// Rows and panels, from the top.
    pub panels: Vec<Panel>,
}

/// A panel, or the heading of a row.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Panel {
    /// `row`, `stat`, `table` or `timeseries`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What stands above it.
    pub title: String,
    /// Where it is, in cells of which a row has 24.
    pub grid_pos: Cells,
    /// What it asks for.
    #[serde(default)]
    pub targets: Vec<Query>,
    /// How it shows that.
    #[serde(default)]
    pub field_config: FieldConfig,
    /// How a stat shows it.
    #[serde(default)]
    pub options: Options,
    /// What becomes of a table's columns.
    #[serde(default)]
    pub transformations: Vec<Value>,
}

/// A place on the grid.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Cells {
    /// From the left.
    pub x: u32,
    /// From the top.
    pub y: u32,
    /// Width.
    pub w: u32,
    /// Height.
    pub h: u32,
}

/// One query of a panel.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Query {
    /// As it stands in the file: see [`Query::over`].
    expr: String,
    /// `{{label}}` stands for a label's value.
    #[serde(default)]
    pub legend_format: String,
}

/// The part of `fieldConfig` that is used.
#[derive(Debug, Default, Deserialize)]
pub struct FieldConfig {
    /// For all fields: there are no overrides.
    pub defaults: Defaults,
}

/// Defaults of all fields.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Defaults {
    /// `s`, `ops`, `bytes`, `percentunit`, `short`; none is a plain number.
    #[serde(default)]
    pub unit: String,
    /// Colours of a number, from this value on.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// What stands there where there is nothing.
    #[serde(default)]
    pub no_value: String,
}

/// Colours by value.
#[derive(Debug, Default, Deserialize)]
pub struct Thresholds {
    /// Rising; the first has no value.
    pub steps: Vec<Step>,
}

/// A colour from a value on.
#[derive(Debug, Deserialize)]
pub struct Step {
    /// Grafana's name of it.
    pub color: String,
    /// From here on.
    pub value: Option<f64>,
}

/// Options of a stat.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// `name` where the legend is shown and not the number.
    #[serde(default)]
    pub text_mode: String,
}

impl Dashboard {
    /// Reads the file.
    ///
    /// # Errors
    /// Where it is not such a file.
    pub fn read() -> serde_json::Result<Self> {
        serde_json::from_str(FILE)
    }
}

impl Query {
    /// The expression with a duration in place of Grafana's `$__rate_interval`. No other variable stands in a query.
    pub fn over(&self, interval: &str) -> String {
        self.expr.replace("$__rate_interval", interval)
    }

    /// The labels that the legend names.
    pub fn legend_labels(&self) -> impl Iterator<Item = &str> {
        self.legend_format.split("{{").skip(1).filter_map(|part| part.split("}}").next())
    }

    /// The legend of a series with these labels.
    pub fn legend(&self, labels: &Map<String, Value>) -> String {
        let mut legend = self.legend_format.clone();
        for label in self.legend_labels() {
            let value = labels.get(label).and_then(Value::as_str).unwrap_or_default();
            legend = legend.replace(&format!("{{{{{label}}}}}"), value);
        }
        legend.trim().to_owned()
    }
}

impl Panel {
    /// A table's columns, in order: the label or `Value`, and its heading. `labels` are those that the series have.
    pub fn columns<'a>(&'a self, labels: impl Iterator<Item = &'a str>) -> Vec<(&'a str, &'a str)> {
        let organized = self.transformations.iter().find_map(|one| one.get("options"));
        let option = |kind: &str, name: &str| organized.and_then(|options| options.get(kind)?.get(name));
        let mut names: Vec<&str> = labels.chain(["Value"]).collect();
        names.retain(|name| option("excludeByName", name).is_none());
        names.sort_by_key(|name| option("indexByName", name).and_then(Value::as_u64));
        let heading = |name| option("renameByName", name).and_then(Value::as_str).unwrap_or(name);
        names.into_iter().map(|name| (name, heading(name))).collect()
    }
}
