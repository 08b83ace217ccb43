//! Base64, base32, hex, JSON and YAML.

use super::super::codec::json::{Style, write};
use super::super::codec::{
    base32_decode, base32_encode, base64_decode, base64_encode, json_parse, yaml_read, yaml_write,
};
use super::super::context::{Answer, Args, Context, Param::Any, Param::String as Text};
use super::super::error::{Fault, failed};
use super::super::value::Value;
use super::Function;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("b64enc", &[Text], |cx, a| {
        cx.meter.memory(a.str(0)?.len() * 4 / 3 + 4)?;
        Ok(Value::Str(base64_encode(a.str(0)?).into()))
    }),
    Function::new("b64dec", &[Text], |cx, a| decoded(cx, base64_decode(a.str(0)?), "base64")),
    Function::new("b32enc", &[Text], |cx, a| cx.string(base32_encode(a.str(0)?))),
    Function::new("b32dec", &[Text], |cx, a| decoded(cx, base32_decode(a.str(0)?), "base32")),
    Function::new("hexdec", &[Text], hexdec),
    Function::new("toJson", &[Any], |cx, a| lenient(cx, a, Style::Compact)),
    Function::new("toPrettyJson", &[Any], |cx, a| lenient(cx, a, Style::Pretty)),
    Function::new("toRawJson", &[Any], |cx, a| strict(cx, a, Style::Raw)),
    Function::new("mustToJson", &[Any], |cx, a| strict(cx, a, Style::Compact)),
    Function::new("mustToPrettyJson", &[Any], |cx, a| strict(cx, a, Style::Pretty)),
    Function::new("mustToRawJson", &[Any], |cx, a| strict(cx, a, Style::Raw)),
    Function::new("fromJson", &[Text], |cx, a| Ok(json_parse(cx, a.str(0)?)?.unwrap_or(Value::Nil))),
    Function::new("mustFromJson", &[Text], |cx, a| match json_parse(cx, a.str(0)?)? {
        Some(value) => Ok(value),
        None => failed("the text is no JSON"),
    }),
    Function::new("toYaml", &[Any], |cx, a| Ok(Value::Str(yaml_write::write(&mut cx.meter, a.get(0)?)?.into()))),
    Function::new("fromYaml", &[Text], from_yaml),
];

/// Sprig gives the error's text for what can't be decoded, so that is what templates rely on.
fn decoded<'a>(cx: &mut Context<'a>, result: Result<Vec<u8>, usize>, what: &str) -> Answer<'a> {
    match result {
        Ok(bytes) => cx.string(bytes),
        Err(at) => cx.string(format!("illegal {what} data at input byte {at}")),
    }
}

fn hexdec<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let text = a.str(0)?;
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    });
    match pairs.collect::<Option<Vec<u8>>>() {
        Some(bytes) => cx.string(bytes),
        None => failed("expected pairs of hexadecimal digits"),
    }
}

fn strict<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>, style: Style) -> Answer<'a> {
    Ok(Value::Str(write(&mut cx.meter, a.get(0)?, style)?.into()))
}

/// Sprig's `toJson` gives nothing for what JSON does not have.
fn lenient<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>, style: Style) -> Answer<'a> {
    match strict(cx, a, style) {
        Err(Fault::Failed(_)) => Ok(Value::text("")),
        other => other,
    }
}

/// ESO's `fromYaml` gives a dict in any case: one with the key `Error` where the text is no mapping.
fn from_yaml<'a>(cx: &mut Context<'a>, a: Args<'_, 'a>) -> Answer<'a> {
    let problem = match yaml_read::parse(cx, a.str(0)?)? {
        Ok(Value::Map(map)) => return Ok(Value::Map(map)),
        Ok(Value::Nil) => {
            return Ok(Value::Map(cx.map(super::super::value::Elem::Any, Default::default())?));
        }
        Ok(_) => "expected a mapping",
        Err(problem) => problem,
    };
    super::dicts::of_texts(cx, vec![("Error", super::super::value::Str::Borrowed(problem.as_bytes()))])
}
