//! Numbers as Grafana's units write them, and steps of an axis.

/// Steps of an axis: about so many.
const STEPS: f64 = 4.0;

/// A value with its unit.
pub fn value(value: f64, unit: &str) -> String {
    match unit {
        "s" => duration(value),
        "ops" => format!("{} ops/s", number(value)),
        "bytes" => format!("{} MiB", number(value / MIB)),
        "percentunit" => format!("{}%", number(value * 100.0)),
        _ => number(value),
    }
}

const MIB: f64 = 1_048_576.0;

fn duration(seconds: f64) -> String {
    let (divisor, name) = match seconds.abs() {
        size if size < 1e-12 => (1.0, "s"),
        size if size < 1e-3 => (1e-6, "µs"),
        size if size < 1.0 => (1e-3, "ms"),
        size if size < 60.0 => (1.0, "s"),
        size if size < 3600.0 => (60.0, "min"),
        size if size < 86_400.0 => (3600.0, "hours"),
        _ => (86_400.0, "days"),
    };
    format!("{} {name}", number(seconds / divisor))
}

/// Three digits that say something.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 || (size - size.round()).abs() < 1e-9 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.1 => 2,
        _ => 4,
    };
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// Minutes and seconds.
pub fn clock(seconds: f64) -> String {
    let seconds = seconds.round();
    format!("{:.0}:{:02.0}", (seconds / 60.0).floor(), seconds % 60.0)
}

/// Where an axis from 0 to about `highest` has its lines; it ends at the last.
pub fn axis(highest: f64, unit: &str, is_whole: bool) -> Vec<f64> {
    let scale = if unit == "bytes" { MIB } else { 1.0 };
    let highest = if highest > 0.0 { highest / scale } else { 1.0 };
    let rough = highest / STEPS;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(rough);
    let step = if is_whole { step.max(1.0) } else { step };
    let lines = (highest / step - 1e-9).ceil().max(1.0) as u32;
    (0..=lines).map(|line| f64::from(line) * step * scale).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_well() {
        for (given, unit, expected) in [
            (0.0, "s", "0 s"),
            (0.0123, "s", "12.3 ms"),
            (216_000.0, "s", "2.5 days"),
            (4.25, "ops", "4.25 ops/s"),
            (31_457_280.0, "bytes", "30 MiB"),
            (0.5, "percentunit", "50%"),
            (40.0, "short", "40"),
            (0.0312, "", "0.0312"),
        ] {
            assert_eq!(value(given, unit), expected);
        }
        assert_eq!(clock(205.4), "3:25");
    }

    #[test]
    fn axes_have_round_steps() {
        assert_eq!(axis(40.0, "", true), [0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(axis(1.0, "", true), [0.0, 1.0]);
        assert_eq!(axis(0.0, "", false), [0.0, 0.5, 1.0]);
        assert_eq!(axis(3.0 * MIB, "bytes", false).last(), Some(&(3.0 * MIB)));
    }
}
