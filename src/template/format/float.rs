//! Go's `strconv.FormatFloat` for float64.

/// More digits than any number has: what is beyond are zeros. Rust's own formatting breaks down where they are more than
/// 65,535.
const EXACT: usize = 1100;

/// The decimal digits of a number, as `0.digits × 10^point`.
struct Decimal {
    digits: String,
    point: i32,
}

/// The shortest digits that read back as `magnitude`, or `digits_wanted` of them, correctly rounded.
fn decimal(magnitude: f64, digits_wanted: Option<usize>) -> Decimal {
    let text = match digits_wanted {
        Some(n) => format!("{magnitude:.*e}", n.saturating_sub(1).min(EXACT)),
        None => format!("{magnitude:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let mut digits = mantissa.replace('.', "");
    digits.push_str(&"0".repeat(digits_wanted.unwrap_or(0).saturating_sub(digits.len())));
    Decimal { digits, point: if magnitude == 0.0 { 1 } else { point } }
}

/// Formats `value` by Go's format letter (`e E f F g G b x X`) and precision, where -1 is the shortest exact one.
pub(crate) fn format(value: f64, letter: char, precision: i64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let magnitude = value.abs();
    if magnitude.is_infinite() {
        return if value < 0.0 { "-Inf" } else { "+Inf" }.to_owned();
    }
    let wanted = usize::try_from(precision).ok();
    let body = match letter {
        'e' | 'E' => scientific(&decimal(magnitude, wanted.map(|n| n + 1)), wanted, letter),
        'f' | 'F' => match wanted {
            Some(n) => format!("{magnitude:.*}{}", n.min(EXACT), "0".repeat(n.saturating_sub(EXACT))),
            None => plain(&decimal(magnitude, None)),
        },
        'g' | 'G' => general(magnitude, wanted, letter),
        'b' => return format!("{sign}{}", binary(magnitude)),
        _ => hexadecimal(magnitude, wanted, letter),
    };
    format!("{sign}{body}")
}

fn scientific(decimal: &Decimal, precision: Option<usize>, letter: char) -> String {
    let (first, mut rest) = decimal.digits.split_at_checked(1).map_or(("0", String::new()), |(a, b)| (a, b.to_owned()));
    if let Some(n) = precision {
        while rest.len() < n {
            rest.push('0');
        }
    }
    let point = if rest.is_empty() { "" } else { "." };
    let exponent = decimal.point - 1;
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{point}{rest}{letter}{sign}{:02}", exponent.abs())
}

fn plain(decimal: &Decimal) -> String {
    let digits = decimal.digits.trim_end_matches('0');
    match usize::try_from(decimal.point) {
        Err(_) | Ok(0) => {
            let zeros = "0".repeat(usize::try_from(-decimal.point).unwrap_or(0));
            if digits.is_empty() { "0".to_owned() } else { format!("0.{zeros}{digits}") }
        }
        Ok(point) if digits.len() <= point => {
            format!("{digits}{}", "0".repeat(point - digits.len()))
        }
        Ok(point) => {
            digits.split_at_checked(point).map(|(whole, fraction)| format!("{whole}.{fraction}")).unwrap_or_default()
        }
    }
}

fn general(magnitude: f64, precision: Option<usize>, letter: char) -> String {
    let shortest = precision.is_none();
    let decimal = decimal(magnitude, precision.map(|n| n.max(1)));
    let trimmed = decimal.digits.trim_end_matches('0');
    let trimmed =
        Decimal { digits: if trimmed.is_empty() { "0".to_owned() } else { trimmed.to_owned() }, point: decimal.point };
    let count = i32::try_from(trimmed.digits.len()).unwrap_or(i32::MAX);
    let mut threshold = precision.map_or(6, |n| i32::try_from(n.max(1)).unwrap_or(i32::MAX));
    if threshold > count && count >= trimmed.point {
        threshold = count;
    }
    if shortest {
        threshold = 6;
    }
    let exponent = trimmed.point - 1;
    if exponent < -4 || exponent >= threshold {
        let letter = if letter == 'g' { 'e' } else { 'E' };
        return scientific(&trimmed, None, letter);
    }
    plain(&trimmed)
}

/// Mantissa and power of two of a positive number.
fn parts(magnitude: f64) -> (u64, i32) {
    let bits = magnitude.to_bits();
    let exponent = i32::try_from((bits >> 52) & 0x7ff).unwrap_or(0);
    let fraction = bits & ((1 << 52) - 1);
    if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) }
}

fn binary(magnitude: f64) -> String {
    let (mantissa, exponent) = parts(magnitude);
    format!("{mantissa}p{exponent:+}")
}

fn hexadecimal(magnitude: f64, precision: Option<usize>, letter: char) -> String {
    let (mut mantissa, mut exponent) = parts(magnitude);
    if mantissa == 0 {
        exponent = 0;
    } else {
        let shift = mantissa.leading_zeros();
        // One bit before the point, 60 behind it, as Go normalises.
        mantissa = if shift >= 3 { mantissa << (shift - 3) } else { mantissa };
        exponent += 60 - (i32::try_from(shift).unwrap_or(0) - 3);
    }
    if let Some(n) = precision.filter(|n| *n < 15) {
        let extra = 60 - 4 * u32::try_from(n).unwrap_or(0);
        let half = 1u64 << (extra - 1);
        let below = mantissa & ((1 << extra) - 1);
        mantissa >>= extra;
        if below > half || below == half && mantissa & 1 == 1 {
            mantissa += 1;
        }
        mantissa <<= extra;
        if mantissa >> 61 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let mut digits = format!("{:015x}", mantissa & ((1 << 60) - 1));
    match precision {
        Some(n) => {
            digits.truncate(n);
            while digits.len() < n {
                digits.push('0');
            }
        }
        None => digits.truncate(digits.trim_end_matches('0').len()),
    }
    let point = if digits.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    let text = format!("0x{}{point}{digits}p{sign}{:02}", mantissa >> 60, exponent.abs());
    if letter == 'X' { text.to_ascii_uppercase() } else { text }
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn floats_read_as_go_formats_them() {
        for (value, letter, precision, text) in [
            (1e6, 'g', -1, "1e+06"),
            (100_000.0, 'g', -1, "100000"),
            (0.000_1, 'g', -1, "0.0001"),
            (0.000_01, 'g', -1, "1e-05"),
            (1234.5678, 'g', 3, "1.23e+03"),
            (-0.0, 'g', -1, "-0"),
            (1.5, 'x', -1, "0x1.8p+00"),
            (1.0, 'b', -1, "4503599627370496p-52"),
            (2.5, 'f', 0, "2"),
            (f64::INFINITY, 'g', -1, "+Inf"),
            (f64::NAN, 'g', -1, "NaN"),
        ] {
            assert_eq!(format(value, letter, precision), text);
        }
    }
}
