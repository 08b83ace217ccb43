//! No error quotes a value, and each says where it happened.

use std::collections::BTreeMap;

use external_secrets_rs::template::{Data, Limits, Template, TemplateError};

const SECRET: &str = "hunter2-do-not-show";

fn error(text: &str) -> TemplateError {
    let data = BTreeMap::from([
        ("secret".to_owned(), SECRET.as_bytes().to_vec()),
        ("list".to_owned(), format!("[\"{SECRET}\"]").into_bytes()),
    ]);
    match Template::parse("key", text).and_then(|template| template.render(&Data::from(&data), &Limits::default())) {
        Err(error) => error,
        Ok(bytes) => panic!("{text}: expected an error, got {}", String::from_utf8_lossy(&bytes)),
    }
}

#[test]
fn no_error_holds_a_value() {
    let functions: Vec<_> = external_secrets_rs::template::functions().collect();
    let mut cases: Vec<String> = functions
        .iter()
        .map(|function| {
            format!(
                "{{{{ {} .secret .secret .secret .secret .secret .secret .secret }}}}{{{{ .absent }}}}",
                function.name
            )
        })
        .collect();
    for count in 0..6 {
        let arguments = " .secret".repeat(count);
        cases.extend(
            functions.iter().map(|function| format!("{{{{ {}{arguments} }}}}{{{{ .absent }}}}", function.name)),
        );
        cases.extend(functions.iter().map(|function| {
            format!("{{{{ {}{} }}}}{{{{ .absent }}}}", function.name, " (fromJson .list)".repeat(count))
        }));
        cases.extend(
            functions.iter().map(|function| format!("{{{{ {} 1{arguments} }}}}{{{{ .absent }}}}", function.name)),
        );
        cases.extend(
            functions.iter().map(|function| {
                format!("{{{{ {} (dict .secret .secret){arguments} }}}}{{{{ .absent }}}}", function.name)
            }),
        );
    }
    cases.extend(
        [
            "{{ .secret.x }}",
            "{{ index (dict .secret 1) .secret .secret }}",
            "{{ template .secret }}",
            "{{ range .secret }}{{ end }}",
            "{{ fail .secret }}",
            "{{ print .secret | fail }}",
        ]
        .map(str::to_owned),
    );
    for case in cases {
        // Making a 4096-bit key takes long in an unoptimised build, and tells nothing here.
        if case.starts_with("{{ genPrivateKey") {
            continue;
        }
        let error = error(&case);
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2"), "{case}: {shown}");
        assert!(shown.contains("template \"key\", line 1, column"), "{case}: {shown}");
    }
}

#[test]
fn debug_shows_no_value_and_no_template() {
    let data = BTreeMap::from([("secret".to_owned(), SECRET.as_bytes().to_vec())]);
    assert_eq!(format!("{:?}", Data::from(&data)), "{\"secret\"}");
    assert_eq!(format!("{:?}", Template::parse("key", SECRET).unwrap()), "Template { name: \"key\", .. }");
}

#[test]
fn errors_say_where_and_what_was_expected() {
    for (text, expected) in [
        ("a\nbé{{ .absent }}", "template \"key\", line 2, column 6: there is no key \"absent\" in the data"),
        ("{{ upper 5 }}", "template \"key\", line 1, column 10: expected string, got a constant of another type"),
        ("{{ until .secret }}", "template \"key\", line 1, column 10: expected int, got string"),
        (
            "{{ .dash-key }}",
            "template \"key\", line 1, column 9: a name ends in a character that no name may hold; for such keys write: index . \"the-key\"",
        ),
        (
            "{{ env \"HOME\" }}",
            "template \"key\", line 1, column 4: function \"env\" is refused: it would show the operator's environment to whoever writes templates",
        ),
        (
            "{{ password }}",
            "template \"key\", line 1, column 4: function \"password\" is not known; for a value of that name write {{ .password }}",
        ),
        ("{{ if true }}x", "template \"key\", line 1, column 4: the block is not closed; expected {{end}}"),
        ("{{ .secret", "template \"key\", line 1, column 11: the action is not closed; expected \"}}\""),
        ("{{ fail \"set user first\" }}", "template \"key\", line 1, column 4: fail: set user first"),
        ("{{ trunc 1 }}", "template \"key\", line 1, column 4: wrong number of arguments for trunc: expected 2, got 1"),
    ] {
        assert_eq!(error(text).to_string(), expected);
    }
    assert!(error("{{ nope }}").is_parse() && !error("{{ .nope }}").is_parse());
    assert!(matches!(error("{{ env }}"), TemplateError::Function { function, .. } if function == "env"));
}
