//! What rendering typical templates costs. Parsing is apart: it happens once for each spec.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use external_secrets_rs::template::{Data, Limits, Template};

fn data() -> BTreeMap<String, Vec<u8>> {
    let fixture = |name: &str| {
        std::fs::read(format!("{}/tests/template/vectors/fixtures/{name}", env!("CARGO_MANIFEST_DIR")))
            .unwrap_or_default()
    };
    BTreeMap::from([
        ("username".to_owned(), b"admin".to_vec()),
        ("password".to_owned(), b"s3cr3t&more".to_vec()),
        ("host".to_owned(), b"db.example.com".to_vec()),
        ("json".to_owned(), br#"{"users":[{"name":"a","id":1},{"name":"b","id":2}],"region":"eu"}"#.to_vec()),
        ("crt".to_owned(), fixture("chain-mixed.pem")),
        ("key".to_owned(), fixture("leaf.key")),
        ("large".to_owned(), vec![b'x'; 1 << 20]),
    ])
}

const CASES: &[(&str, &str)] = &[
    ("field", "{{ .password }}"),
    ("url", "postgres://{{ .username }}:{{ .password | urlquery }}@{{ .host }}:5432/app"),
    (
        "dockerconfigjson",
        r#"{"auths":{"{{ .host }}":{"username":"{{ .username }}","password":"{{ .password }}","auth":"{{ printf "%s:%s" .username .password | b64enc }}"}}}"#,
    ),
    (
        "config file",
        "{{- $c := fromJson .json }}region={{ $c.region | upper }}\n{{ range $i, $u := $c.users }}user.{{ $i }}={{ $u.name }}:{{ $u.id | int }}\n{{ end }}{{ if hasPrefix \"db.\" .host }}kind=db\n{{ else }}kind=other\n{{ end }}",
    ),
    ("regex", r#"{{ regexReplaceAll "[^a-z0-9]+" .host "-" }}"#),
    ("1 MiB through base64", "{{ .large | b64enc }}"),
    ("certificate chain", r#"{{ filterCertChain "leaf" .crt }}"#),
    ("PKCS#12", r#"{{ fullPemToPkcs12Pass .crt .key "changeit" }}"#),
];

fn templates(c: &mut Criterion) {
    let data = data();
    let limits = Limits::default();
    for (name, text) in CASES {
        c.bench_function(&format!("parse/{name}"), |b| b.iter(|| Template::parse(name, black_box(text))));
        let template = Template::parse(name, text);
        if let Ok(template) = template {
            c.bench_function(&format!("render/{name}"), |b| {
                b.iter(|| template.render(&Data::from(black_box(&data)), &limits))
            });
        }
    }
}

criterion_group!(benches, templates);
criterion_main!(benches);
