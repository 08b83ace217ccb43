//! Random templates and data: no panic, no hang, no unbounded memory. What comes out is not looked at.

use std::collections::BTreeMap;

use external_secrets_rs::template::{Data, Limits, Template, functions};
use proptest::prelude::*;

fn limits() -> Limits {
    Limits { steps: 20_000, depth: 60, nesting: 20, output_bytes: 1 << 16, memory_bytes: 1 << 20 }
}

fn run(text: &str, data: &BTreeMap<String, Vec<u8>>) {
    let rendered = Template::parse("fuzz", text).and_then(|template| template.render(&Data::from(data), &limits()));
    if let Ok(bytes) = rendered {
        assert!(bytes.len() <= 1 << 16);
    }
}

fn data() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    let value = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        any::<String>().prop_map(String::into_bytes),
        prop::sample::select(vec![
            "",
            "0",
            "-1",
            "1e400",
            "{\"a\":[1,{\"b\":null}]}",
            "a: [1, &x {b: *x}]",
            "1.2.3",
            "http://u:p@h:1/a?b#c",
            "2020-02-30",
            "-----BEGIN X-----\nYQ==\n-----END X-----"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let names = ["a", "b", "c"].map(str::to_owned);
    prop::collection::vec(value, 3).prop_map(move |values| names.iter().cloned().zip(values).collect())
}

/// Operands of all types, many of them at the edge of what functions take.
fn operand() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        ".a",
        ".b",
        ".c",
        ".",
        "$",
        "nil",
        "true",
        "0",
        "1",
        "-1",
        "7",
        "9223372036854775807",
        "-9223372036854775808",
        "1.5",
        "1e300",
        "\"\"",
        "\"x\"",
        "\"é日\"",
        "\"%[3]*.[2]*d%s%v%q\"",
        "\"(a|b)*\"",
        "\"2006-01-02 MST -0700 .999\"",
        "\"Europe/Berlin\"",
        "\"\\xff\\x00\"",
        "`{\"a\":1}`",
        "(list)",
        "(list 1 \"a\" nil)",
        "(dict)",
        "(dict \"a\" 1 \"b\" (dict))",
        "(until 3)",
        "(now)",
        "(semver \"1.2.3\")",
        "(int64 5)",
        "(index \"a\" 0)",
        "(split \",\" \"a,b\")",
        "'c'",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(3, 16, 4, |inner| {
        (function(), prop::collection::vec(inner, 0..4))
            .prop_map(|(name, arguments)| format!("({name} {})", arguments.join(" ")))
    })
}

fn function() -> impl Strategy<Value = String> {
    // These take long in an unoptimised build, and their limits are tested on their own.
    let slow = ["genPrivateKey", "genCA", "genSelfSignedCert", "genSignedCert", "bcrypt", "htpasswd", "derivePassword"];
    let names: Vec<String> =
        functions().map(|function| function.name.to_owned()).filter(|name| !slow.contains(&name.as_str())).collect();
    prop::sample::select(names)
}

fn template() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        operand().prop_map(|operand| format!("{{{{ {operand} }}}}")),
        (operand(), function()).prop_map(|(operand, name)| format!("{{{{- {operand} | {name} -}}}}")),
        operand().prop_map(|operand| format!("{{{{ $x := {operand} }}}}{{{{ $x }}}}")),
        Just("text\n ".to_owned()),
    ];
    piece.prop_recursive(3, 24, 3, |inner| {
        (
            prop::sample::select(vec!["if", "with", "range", "range $i, $v :=", "range $v :="]),
            operand(),
            inner.clone(),
            inner,
        )
            .prop_map(|(word, operand, body, other)| {
                format!("{{{{ {word} {operand} }}}}{body}{{{{ else }}}}{other}{{{{ end }}}}")
            })
    })
}

/// Pieces of the syntax in any order.
fn soup() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "{{", "}}", "{{-", "-}}", " ", "\n", "(", ")", "|", ".", "..", ".a", "$", "$x", ":=", "=", ",", "\"", "`", "'",
        "\\", "/*", "*/", "if", "else", "end", "range", "with", "define", "template", "block", "break", "continue",
        "nil", "true", "0x", "1e", "1_", "+", "-", "i", "print", "dict", "\u{0}", "é", "\u{feff}", "%", "#", "&",
    ]);
    prop::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1000), ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_parsed_or_refused(text in any::<String>(), data in data()) {
        run(&text, &data);
        run(&format!("{{{{ {text} }}}}"), &data);
    }

    #[test]
    fn any_soup_of_tokens_is_parsed_or_refused(text in soup(), data in data()) {
        run(&text, &data);
    }

    #[test]
    fn any_call_ends(text in template(), data in data()) {
        run(&text, &data);
    }

    #[test]
    fn any_format_is_printed(format in "[%a-zA-Z0-9 .*#+\\[\\]-]{0,24}", data in data()) {
        run(&format!("{{{{ printf \"{format}\" .a 5 -5 1.5 nil (list 1 \"x\") (dict \"k\" 2.5) true }}}}"), &data);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let data = BTreeMap::from([("a".to_owned(), bytes)]);
        for name in ["pkcs12key", "pkcs12cert", "fromJson", "fromYaml", "b64dec", "b32dec", "hexdec", "jwkPublicKeyPem", "certSANs", "urlParse", "semver", "filterPEM \"X\"", "regexFind .a", "toDate .a", "duration", "toYaml", "js", "html", "snakecase", "camelcase"] {
            run(&format!("{{{{ .a | {name} }}}}"), &data);
        }
    }
}
