//! Go's `reflect.DeepEqual`: types count, and the walk is metered.

use super::super::error::Fault;
use super::super::limits::Meter;
use super::super::value::Value;

/// Whether two values are of one type and hold the same.
pub(super) fn deep_equal(meter: &mut Meter, a: &Value<'_>, b: &Value<'_>, depth: u32) -> Result<bool, Fault> {
    meter.step(1)?;
    meter.nesting(depth)?;
    Ok(match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a, s), Value::Int(b, t)) => a == b && s == t,
        (Value::Uint(a, s), Value::Uint(b, t)) => a == b && s == t,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Str(a), Value::Str(b)) => {
            meter.read(a.len().min(b.len()))?;
            a == b
        }
        (Value::List(a), Value::List(b)) => {
            if a.elem != b.elem || a.nil != b.nil || a.items.len() != b.items.len() {
                return Ok(false);
            }
            for (a, b) in a.items.iter().zip(&b.items) {
                if !deep_equal(meter, a, b, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Map(_) | Value::Data(_), Value::Map(_) | Value::Data(_)) => {
            let (left, right) = (
                super::super::context::entries(a).unwrap_or_default(),
                super::super::context::entries(b).unwrap_or_default(),
            );
            if a.type_name() != b.type_name() || left.len() != right.len() {
                return Ok(false);
            }
            for ((key, a), (other, b)) in left.iter().zip(&right) {
                if key != other || !deep_equal(meter, a, b, depth + 1)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Time(a), Value::Time(b)) => a == b,
        (Value::Version(a), Value::Version(b)) => a == b,
        (Value::Certificate(a), Value::Certificate(b)) => a.cert == b.cert && a.key == b.key,
        _ => false,
    })
}

/// Whether one of `values` equals `wanted`.
pub(super) fn holds(meter: &mut Meter, values: &[Value<'_>], wanted: &Value<'_>) -> Result<bool, Fault> {
    for value in values {
        if deep_equal(meter, wanted, value, 0)? {
            return Ok(true);
        }
    }
    Ok(false)
}
