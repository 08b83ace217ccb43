//! The types of values, as Go names them.

use super::super::context::{Args, Param::Any, Param::String as Text};
use super::super::error::Fault;
use super::super::value::Value;
use super::Function;
use super::equal::deep_equal;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("typeOf", &[Any], |_, a| Ok(Value::text(a.get(0)?.type_name()))).constant(),
    Function::new("typeIs", &[Text, Any], |_, a| Ok(Value::Bool(**a.str(0)? == *a.get(1)?.type_name().as_bytes()))),
    Function::new("typeIsLike", &[Text, Any], |_, a| Ok(Value::Bool(like(a)?))),
    Function::new("kindOf", &[Any], |_, a| Ok(Value::text(a.get(0)?.kind_name()))).constant(),
    Function::new("kindIs", &[Text, Any], |_, a| Ok(Value::Bool(**a.str(0)? == *a.get(1)?.kind_name().as_bytes()))),
    Function::new("deepEqual", &[Any, Any], |cx, a| {
        Ok(Value::Bool(deep_equal(&mut cx.meter, a.get(0)?, a.get(1)?, 0)?))
    }),
];

/// The type itself, or a pointer to it.
fn like(a: Args<'_, '_>) -> Result<bool, Fault> {
    let (wanted, found) = (a.str(0)?, a.get(1)?.type_name().as_bytes());
    Ok(**wanted == *found || found.strip_prefix(b"*").is_some_and(|found| **wanted == *found))
}
