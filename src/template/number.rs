//! Go's numeric constants, and its `strconv` parsers.

use super::node::Number;

/// Parses a numeric constant of a template.
pub(crate) fn constant(text: &str) -> Result<Number, &'static str> {
    let uint = parse_uint(text);
    let int = parse_int(text);
    let hex = text.trim_start_matches(['+', '-']).to_ascii_lowercase().starts_with("0x");
    let looks_float = if hex { text.contains(['p', 'P']) } else { text.contains(['.', 'e', 'E']) };
    let mut number = Number { int, uint: uint.or((int == Some(0)).then_some(0)), float: None, is_float: looks_float };
    if let Some(int) = number.int {
        number.float = Some(int as f64);
    } else if let Some(uint) = number.uint {
        number.float = Some(uint as f64);
    } else if let Some(float) = parse_float(text) {
        if !text.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err("the integer is too large");
        }
        number.float = Some(float);
        number.int =
            (float == float.trunc() && float.abs() < 9.3e18).then_some(float as i64).filter(|i| *i as f64 == float);
        number.uint = (float == float.trunc() && (0.0..1.9e19).contains(&float))
            .then_some(float as u64)
            .filter(|u| *u as f64 == float);
    } else {
        return Err("bad number syntax");
    }
    Ok(number)
}

/// A character constant, quotes included.
pub(crate) fn character(text: &str) -> Result<Number, &'static str> {
    let bad = "a character constant must hold one character";
    let inner = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')).ok_or(bad)?;
    let (value, rest) = super::format::quote::unquote_char(inner, '\'').ok_or(bad)?;
    if !rest.is_empty() {
        return Err(bad);
    }
    let code = i64::from(value.code());
    Ok(Number { int: Some(code), uint: u64::try_from(code).ok(), float: Some(code as f64), is_float: false })
}

/// Go's `strconv.ParseInt(text, 0, 64)`.
pub(crate) fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let magnitude = parse_uint(digits)?;
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Go's `strconv.ParseUint(text, 0, 64)`.
pub(crate) fn parse_uint(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, lower.get(2..)?),
        [b'0', b'b', ..] => (2, lower.get(2..)?),
        [b'0', b'o', ..] => (8, lower.get(2..)?),
        [b'0', _, ..] => (8, lower.get(1..)?),
        _ => (10, lower.as_str()),
    };
    let digits = match digits.contains('_') {
        true if underscores_ok(&lower) => digits.replace('_', ""),
        true => return None,
        false => digits.to_owned(),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(&digits, radix).ok()
}

/// Underscores may separate digits and follow a base prefix; nothing else.
fn underscores_ok(text: &str) -> bool {
    let mut previous = '^';
    let mut hex = false;
    let mut rest = text.trim_start_matches(['+', '-']);
    if rest.len() >= 2 && rest.starts_with('0') && rest.get(1..).is_some_and(|r| r.starts_with(['x', 'b', 'o'])) {
        hex = rest.starts_with("0x");
        rest = rest.get(2..).unwrap_or_default();
        previous = '0';
    }
    for c in rest.chars() {
        if c.is_ascii_digit() || hex && c.is_ascii_hexdigit() {
            previous = '0';
        } else if c == '_' {
            if previous != '0' {
                return false;
            }
            previous = '_';
        } else {
            if previous == '_' {
                return false;
            }
            previous = '!';
        }
    }
    previous != '_'
}

/// Go's `strconv.ParseFloat(text, 64)`: decimal and hexadecimal, `inf`, `nan`; an overflow is no number.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    let unsigned = lower.trim_start_matches(['+', '-']);
    if lower.len() - unsigned.len() > 1 {
        return None;
    }
    if matches!(unsigned, "inf" | "infinity" | "nan") {
        return lower.parse().ok();
    }
    if unsigned.starts_with("0x") {
        let magnitude = hex_float(unsigned)?;
        return Some(if lower.starts_with('-') { -magnitude } else { magnitude });
    }
    let lower = match lower.contains('_') {
        true if underscores_ok(&lower) => lower.replace('_', ""),
        true => return None,
        false => lower.clone(),
    };
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    lower.parse::<f64>().ok().filter(|f| f.is_finite())
}

fn hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.strip_prefix("0x")?.split_once('p')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 || whole.len() + fraction.len() > 15 {
        return None;
    }
    let digits = u64::from_str_radix(&format!("{whole}{fraction}"), 16).ok()?;
    let scale = exponent.checked_sub(4 * i32::try_from(fraction.len()).ok()?)?;
    let value = digits as f64 * 2f64.powi(scale.clamp(-1100, 1100));
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("42", Some(42)),
            ("-42", Some(-42)),
            ("+7", Some(7)),
            ("0x1F", Some(31)),
            ("0b101", Some(5)),
            ("0o17", Some(15)),
            ("017", Some(15)),
            ("1_000", Some(1000)),
            ("0x_ff", Some(255)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("08", None),
            ("1__0", None),
            ("_1", None),
            ("1_", None),
            ("", None),
            ("--1", None),
            ("1.5", None),
        ] {
            assert_eq!(parse_int(text), expected, "{text:?}");
        }
    }

    #[test]
    fn floats_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("1.5", Some(1.5)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("1e3", Some(1000.0)),
            ("0x1p-2", Some(0.25)),
            ("1e400", None),
            ("e5", None),
            ("--1", None),
        ] {
            assert_eq!(parse_float(text), expected, "{text:?}");
        }
        assert!(parse_float("-inf").is_some_and(f64::is_infinite) && parse_float("NaN").is_some_and(f64::is_nan));
    }

    #[test]
    fn a_constant_knows_each_type_that_can_hold_it() {
        let number = constant("1e3").unwrap();
        assert_eq!(
            (number.int, number.uint, number.float, number.is_float),
            (Some(1000), Some(1000), Some(1000.0), true)
        );
        let number = constant("-1").unwrap();
        assert_eq!((number.int, number.uint, number.is_float), (Some(-1), None, false));
        assert!(constant("99999999999999999999").is_err());
        assert_eq!(character("'é'").unwrap().int, Some(233));
        assert!(character("'ab'").is_err() && character("''").is_err());
    }
}
