//! What a hostile template tries ends at once, with an error that says which limit was reached.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use external_secrets_rs::template::{Data, Exceeded, Limits, Template, TemplateError};

fn outcome(text: &str) -> Result<Vec<u8>, TemplateError> {
    let data = BTreeMap::from([("big".to_owned(), vec![b'x'; 1 << 20]), ("name".to_owned(), b"n".to_vec())]);
    let started = Instant::now();
    let result =
        Template::parse("hostile", text).and_then(|template| template.render(&Data::from(&data), &Limits::default()));
    // Far more than it takes, even unoptimised and on a busy machine, and far less than a hang.
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{} took {:?}",
        &text[..text.len().min(80)],
        started.elapsed()
    );
    result
}

fn limit(text: &str) -> Exceeded {
    match outcome(text) {
        Err(TemplateError::Limit { limit, .. }) => limit,
        other => panic!("{}: expected a limit, got {:?}", &text[..text.len().min(80)], other.map(|bytes| bytes.len())),
    }
}

#[test]
fn memory_is_bounded() {
    for text in [
        r#"{{ repeat 2000000000 "x" }}"#,
        r#"{{ repeat 9223372036854775807 "xy" }}"#,
        "{{ until 2000000000 }}",
        "{{ seq 2000000000 }}",
        "{{ randAlphaNum 2000000000 }}",
        "{{ randBytes 2000000000 }}",
        r#"{{ indent 2000000000 "x" }}"#,
        r#"{{ $x := "x" }}{{ range until 100 }}{{ $x = print $x $x }}{{ end }}"#,
        r#"{{ $x := list 1 }}{{ range until 100 }}{{ $x = concat $x $x }}{{ end }}"#,
        r#"{{ range until 100 }}{{ $x := printf "%1000000d" 1 }}{{ end }}"#,
        r#"{{ $x := .big }}{{ range until 100 }}{{ $x = replace "x" "xxxxxxxx" $x }}{{ end }}"#,
        r#"{{ range until 1000 }}{{ $_ := .big | quote }}{{ end }}"#.replace(".big", "$.big").as_str(),
        r#"{{ wrapWith 1 (repeat 1000 "-") .big }}"#,
        r#"{{ regexReplaceAll "x" .big (repeat 1000 "y") }}"#,
        r#"{{ join (repeat 100000 "-") (until 10000) }}"#,
    ] {
        assert!(matches!(limit(text), Exceeded::Memory(_) | Exceeded::Steps(_)), "{text}");
    }
}

#[test]
fn work_is_bounded() {
    for text in [
        "{{ range 9223372036854775807 }}{{ end }}",
        "{{ range until 10000 }}{{ range until 10000 }}{{ end }}{{ end }}",
        r#"{{ range until 100000 }}{{ $_ := sha512sum $.big }}{{ end }}"#,
        r#"{{ range until 1000 }}{{ bcrypt "x" }}{{ end }}"#,
        r#"{{ range until 1000 }}{{ derivePassword 1 "long" "p" "u" "s" }}{{ end }}"#,
        r#"{{ uniq (until 20000) | len }}"#,
        r#"{{ $d := dict }}{{ range until 20000 }}{{ $_ := set $d (toString .) 1 }}{{ end }}{{ range until 100000 }}{{ range $d }}{{ break }}{{ end }}{{ end }}"#,
        r#"{{ range until 100 }}{{ $_ := regexMatch "(x|y)*x(x|y){400}z" $.big }}{{ end }}"#,
        r#"{{ range until 100000 }}{{ $_ := regexMatch (print "(a*)*" .) $.big }}{{ end }}"#,
        r#"{{ define "a" }}{{ range until 10 }}{{ template "b" }}{{ end }}{{ end }}{{ define "b" }}{{ range until 1000000 }}x{{ end }}{{ end }}{{ template "a" }}"#,
    ] {
        assert!(matches!(limit(text), Exceeded::Steps(_) | Exceeded::Memory(_)), "{text}");
    }
}

#[test]
fn output_is_bounded() {
    assert!(matches!(limit("{{ .big }}{{ .big }}{{ .big }}"), Exceeded::Output(_)));
}

#[test]
fn recursion_is_bounded() {
    assert!(matches!(limit(r#"{{ define "r" }}{{ template "r" }}{{ end }}{{ template "r" }}"#), Exceeded::Depth(_)));
    assert!(matches!(limit(r#"{{ template "hostile" . }}"#), Exceeded::Depth(_)));
    assert!(matches!(limit(r#"{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ $d }}"#), Exceeded::Nesting(_)));
    assert!(matches!(limit(r#"{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ toYaml $d }}"#), Exceeded::Nesting(_)));
    assert!(matches!(
        limit(r#"{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ deepEqual $d (deepCopy $d) }}"#),
        Exceeded::Nesting(_)
    ));
    assert!(matches!(
        limit(r#"{{ $l := list }}{{ range until 5000 }}{{ $l = list $l }}{{ end }}"#),
        Exceeded::Nesting(_)
    ));
    assert!(matches!(limit(r#"{{ fromJson (repeat 5000 "[") }}"#), Exceeded::Nesting(_)));
    for text in [
        format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000)),
        format!("{{{{ {} }}}}", "(".repeat(5000)),
        format!("{}x{}", "{{ if true }}".repeat(5000), "{{ end }}".repeat(5000)),
        format!("{{{{ if false }}}}{}{{{{ end }}}}", "{{ else if false }}".repeat(5000)),
        format!("{}{}", r#"{{ block "b" . }}"#.repeat(5000), "{{ end }}".repeat(5000)),
        "{{ $a := 1 }}".repeat(50_000),
    ] {
        assert!(matches!(outcome(&text), Err(TemplateError::Parse { .. })));
    }
}

/// A chain of dicts may be long: none of them is freed in recursion.
#[test]
fn long_chains_are_freed() {
    let text = r#"{{ $d := dict }}{{ range until 20000 }}{{ $n := dict }}{{ $_ := set $n "next" $d }}{{ $d = $n }}{{ end }}ok"#;
    assert_eq!(outcome(text).unwrap(), b"ok");
}

/// The deepest template that is allowed fits into a small stack, such as a thread of a runtime has.
#[test]
fn a_small_stack_is_enough() {
    let deepest = [
        format!("{{{{ {}1{} }}}}", "(".repeat(48), ")".repeat(48)),
        format!("{{{{ {}1{} }}}}", "(add 1 ".repeat(30), ")".repeat(30)),
        format!("{}x{}", "{{ range until 1 }}".repeat(45), "{{ end }}".repeat(45)),
        r#"{{ define "r" }}{{ if true }}{{ with list (print (print 1)) }}{{ template "r" . }}{{ end }}{{ end }}{{ end }}{{ template "r" }}"#.to_owned(),
        r#"{{ fromJson (print (repeat 60 "[") (repeat 60 "]")) | toPrettyJson }}"#.to_owned(),
        r#"{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ $d | toYaml }}"#.to_owned(),
    ];
    let run = move || {
        for text in &deepest {
            match outcome(text) {
                Ok(_) | Err(TemplateError::Limit { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap();
}

/// Go takes a width and a precision of up to a million; so do we, for every verb.
#[test]
fn the_widest_numbers_are_printed() {
    for verb in ["d", "b", "o", "x", "X", "U", "c", "q", "v"] {
        for flags in ["", "0", "-", ".", "+#."] {
            let rendered = outcome(&format!("{{{{ printf \"%{flags}1000000{verb}\" 65 }}}}")).unwrap();
            let is_wide = !flags.contains('.') || !"cqv".contains(verb);
            assert!(!is_wide || rendered.len() >= 1_000_000, "%{flags}1000000{verb} gives {}", rendered.len());
        }
    }
    for verb in ["f", "e", "g", "G", "x", "b", "v"] {
        for (flags, number) in [("", "1.5"), ("0", "1e300"), (".", "1e-320"), ("#.", "0.1"), ("+.", "-2.5")] {
            outcome(&format!("{{{{ printf \"%{flags}1000000{verb}\" {number} }}}}")).unwrap();
        }
    }
    let exact = outcome(r#"{{ printf "%.70000f" 0.5 }}"#).unwrap();
    assert!(exact.starts_with(b"0.5000") && exact.len() == 70_002, "{}", exact.len());
    let exact = outcome(r#"{{ printf "%.70000e" 0.5 }}"#).unwrap();
    assert!(exact.starts_with(b"5.000") && exact.ends_with(b"0e-01") && exact.len() == 70_006, "{}", exact.len());
    for text in [r#"{{ printf "%*.*d" 1000000 1000000 1 }}"#, r#"{{ printf "%.1000000s" .big }}"#] {
        outcome(text).unwrap();
    }
}

/// Many regular expressions are compiled at the cost of who renders them, not while the template is parsed.
#[test]
fn parsing_compiles_few_regular_expressions() {
    let one = |n: u32| format!(r#"{{{{ regexMatch "(\\pL{{20}}|{n})" .name }}}}"#);
    let text: String = (0..2000).map(one).collect();
    assert!(matches!(limit(&text), Exceeded::Steps(_)));
}

/// Where the limits let it through, the result is right.
#[test]
fn a_large_secret_fits() {
    let rendered = outcome("{{ .big | b64enc | b64dec }}").unwrap();
    assert_eq!(rendered.len(), 1 << 20);
}
