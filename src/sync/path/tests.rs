use super::*;
use crate::template::Limits;
use std::time::{Duration, Instant};

fn found(json: &str, path: &str) -> Result<Option<String>, SelectError> {
    let mut meter = Meter::new(&Limits::default());
    follow(json, path, &mut meter).map(|found| found.map(Cow::into_owned))
}

/// Each line of the vectors is what the original library answers, as `vectors/make.go` asked it.
#[test]
fn paths_mean_what_they_mean_to_gjson() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let documents = vectors["documents"].as_array().unwrap();
    let mut wrong = Vec::new();
    for case in vectors["cases"].as_array().unwrap() {
        let path = case["path"].as_str().unwrap();
        for (document, expected) in documents.iter().zip(case["answers"].as_array().unwrap()) {
            let document = document.as_str().unwrap();
            let expected = expected.as_str().map(str::to_owned);
            let answered = found(document, path).unwrap();
            if answered != expected {
                wrong.push(format!("{path}\n  in {document}\n  gives {answered:?}\n  not   {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_name_that_is_not_there_is_not_looked_for_elsewhere() {
    assert_eq!(found(r#"{"a":{"a":{"c":5}}}"#, "a.c"), Ok(None));
}

/// Whatever is written ends, soon, on a stack as small as a thread of a runtime has.
#[test]
fn hostile_paths_end() {
    let nested = format!("{}1{}", r#"{"a":"#.repeat(90), "}".repeat(90));
    let listed = format!(r#"{{"a":{}1{}}}"#, "[".repeat(90), "]".repeat(90));
    let long = "a".repeat(100_000);
    let wide = format!(r#"{{"{long}":"{long}","l":["{long}"],"n":[{}1]}}"#, "1,".repeat(200_000));
    let paths = [
        format!("{}z", "a.".repeat(45)),
        format!("{}z", "*.".repeat(45)),
        format!("{}x", "*?".repeat(20)),
        format!("{}x", "*a".repeat(20)),
        format!(r#"l.#(%"{}x")"#, "*a".repeat(20)),
        format!(r#"l.#(%"{}x")"#, r"\u002aa".repeat(20)),
        "@this|".repeat(100_000),
        "@this.".repeat(100_000),
        format!("{}a", "|".repeat(100_000)),
        format!("{}a{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("{}a{}", "{".repeat(50_000), "}".repeat(50_000)),
        format!("[{}@this]", "@this,".repeat(100_000)),
        format!("@this{}", "|[@this,@this]".repeat(60)),
        format!("@this{}", "|[@this,@this]".repeat(40)),
        format!("a.{}", "#.".repeat(60)),
        format!("n.#.{}", "x".repeat(100_000)),
        format!("l.{}a{}", "#(".repeat(50_000), ")".repeat(50_000)),
        format!("@pretty:{{\"indent\":\"{}\"}}", " ".repeat(100_000)),
        format!("@pretty:{{\"prefix\":\"{}\"}}", "\\t".repeat(50_000)),
        "@pretty:{\"width\":99999999}".to_owned(),
        format!("@dig:{}", "@dig:".repeat(50)),
        "@dig:@dig:*".to_owned(),
        "@dig:@this".to_owned(),
        "@flatten:{\"deep\":true}".to_owned(),
        format!("a|@flatten:{{\"deep\":true}}{}", "|@tostr".repeat(60)),
        format!("..{}", "..".repeat(100_000)),
        format!("{}\\", "\\".repeat(100_001)),
        format!("{}\"", "@pretty:\"".repeat(1000)),
        "n.#(>0)#|#(>0)#|#(>0)#".to_owned(),
        format!("n.#({}>0)#", "~".repeat(1000)),
    ];
    let run = move || {
        for json in [&nested, &listed, &wide] {
            for path in &paths {
                let started = Instant::now();
                let _ = found(json, path);
                let took = started.elapsed();
                assert!(took < Duration::from_secs(60), "{:.60} took {took:?}", path);
            }
        }
    };
    std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap();
}

#[test]
fn too_much_is_refused() {
    let wide = format!(r#"{{"n":[{}1]}}"#, "1,".repeat(200_000));
    let doubled = format!("@this{}", "|[@this,@this]".repeat(40));
    assert_eq!(found(&wide, &doubled), Err(SelectError::TooMuch));
    assert_eq!(found("{}", &"@this|".repeat(100)), Err(SelectError::Path));
}

proptest::proptest! {
    /// Whatever is written, nothing breaks down.
    #[test]
    fn no_path_panics(path in r#"([.|#@!\[\](){},:"\\*?~=<>%a1é]|@keys|@dig:|@pretty:|@tostr|@fromstr|a\.b|#\()*"#) {
        let json = r#"{"a":{"b":[1,"x",{"a":null}],"é":"*"},"l":[[1,2],{"a":"b"}],"@keys":1}"#;
        if let Ok(Some(found)) = found(json, &path) {
            serde_json::from_str::<serde::de::IgnoredAny>(&found).unwrap();
        }
    }
}
