//! Defaults, choices, and giving up.

use super::super::context::{Answer, Args, Context, Param::Any, Param::Bool, Param::String as Text};
use super::super::error::failed_with;
use super::super::value::Value;
use super::{Function, Special};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("default", &[Any], |_, a| {
        let given = a.from(1).first().filter(|given| given.truth());
        Ok(given.unwrap_or(a.get(0)?).clone())
    })
    .constant()
    .and(Any),
    Function::new("empty", &[Any], |_, a| Ok(Value::Bool(!a.get(0)?.truth()))).constant(),
    Function::new("coalesce", &[], |_, a| {
        Ok(a.all().iter().find(|value| value.truth()).cloned().unwrap_or(Value::Nil))
    })
    .constant()
    .and(Any),
    Function::new("all", &[], |_, a| Ok(Value::Bool(a.all().iter().all(Value::truth)))).constant().and(Any),
    Function::new("any", &[], |_, a| Ok(Value::Bool(a.all().iter().any(Value::truth)))).constant().and(Any),
    Function::new("ternary", &[Any, Any, Bool], |_, a| Ok(a.get(usize::from(!a.get(2)?.truth()))?.clone())).constant(),
    Function::new("fail", &[Text], fail).special(Special::Fail),
];

/// Reached only where the message stands in the template: it may be shown.
fn fail<'a>(_: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    failed_with(a.str(0)?.text().into_owned())
}
