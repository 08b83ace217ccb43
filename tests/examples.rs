//! Every file under `examples/` is applied as it stands, but for the server, the role id and the mounts, which are this test's,
//! and makes what it says. A file says in its first lines what is to be in Vault, and what the Secret then holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{Operator, Place, Result, data_of};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use testbed::{Kv, KvVersion};

/// Files, in the order in which they are applied: folders first, for the seed's has the store that the others read from.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries: Vec<PathBuf> = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    let (folders, mut files): (Vec<PathBuf>, Vec<PathBuf>) = entries.into_iter().partition(|path| path.is_dir());
    files.sort();
    let mut all = Vec::new();
    for folder in folders {
        all.extend(self::files(&folder)?);
    }
    all.extend(files);
    Ok(all)
}

/// The words of a command line, with what stands in single quotes as one.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (position, part) in line.split('\'').enumerate() {
        match position % 2 {
            1 => words.last_mut().unwrap().push_str(part),
            _ => {
                let mut pieces = part.split(' ');
                words.last_mut().unwrap().push_str(pieces.next().unwrap_or_default());
                words.extend(pieces.map(str::to_owned));
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Does what `bao kv put` and `bao kv metadata put` would.
async fn run(line: &str, mounts: &[(&str, &Kv)]) -> Result {
    let words = words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let pairs = |words: &[&str]| -> Value {
        let pairs = words.iter().map(|word| word.split_once('=').expect(word));
        Value::Object(pairs.map(|(key, value)| (key.to_owned(), json!(value))).collect::<Map<_, _>>())
    };
    let place = |path: &str| {
        let (mount, path) = path.split_once('/').expect(line);
        let (_, kv) = mounts.iter().find(|(name, _)| *name == mount).expect(line);
        (*kv, path.to_owned())
    };
    match &words[..] {
        ["bao", "kv", "put", path, "-", "<<<", json] => {
            let (kv, path) = place(path);
            kv.write(&path, serde_json::from_str(json)?).await?;
        }
        ["bao", "kv", "put", path, data @ ..] => {
            let (kv, path) = place(path);
            kv.write(&path, pairs(data)).await?;
        }
        ["bao", "kv", "metadata", "put", tags @ .., path] => {
            let tags: Vec<&str> = tags.iter().map(|tag| tag.strip_prefix("-custom-metadata=").expect(tag)).collect();
            let (kv, path) = place(path);
            kv.write_metadata(&path, pairs(&tags)).await?;
        }
        _ => return Err(format!("this test can't do: {line}").into()),
    }
    Ok(())
}

/// What a file says that its Secret holds: the name, and the data.
fn promised(text: &str) -> Option<(String, BTreeMap<String, String>)> {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("# The Secret "));
    let name = lines.next()?.split('"').nth(1)?.to_owned();
    let data = lines.map_while(|line| line.strip_prefix("#   ")?.split_once(": "));
    Some((name, data.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_example_makes_what_it_says() -> Result {
    let place = Place::new("examples").await?;
    let kv = place.namespace.kv("kv", KvVersion::V2).await?;
    let old = place.namespace.kv("old", KvVersion::V1).await?;
    let mounts = [("kv", &kv), ("old", &old)];
    // What the seed's article has in Vault, and what a file without first lines reads.
    kv.write("database/config", json!({"username": "app", "password": "s3cret"})).await?;
    kv.write("my-app/tls", json!({"certificate": "certificate", "key": "key"})).await?;
    let _operator = Operator::start(place.name()).await?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = files(&folder)?;
    let mut externals = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file)?;
        for line in text.lines().filter_map(|line| line.strip_prefix("#   bao ")) {
            run(&format!("bao {line}"), &mounts).await?;
        }
        let own = text
            .replace("https://vault.example.com:8200", place.stack.vault().addr())
            .replace("a1b2c3d4-e5f6-7890-1234-abcdef123456", &place.role.role_id)
            .replace("c1d2e3f4-g5h6-7890-1234-abcdef123456", &place.role.secret_id)
            .replace("path: \"kv/data\"", &format!("path: \"{}/data\"", kv.mount()))
            .replace("path: old", &format!("path: {}", old.mount()))
            .replace("namespace: default", &format!("namespace: {}", place.name()));
        let applied = place.namespace.apply(&own).await.map_err(|error| format!("{}: {error}", file.display()))?;
        for cluster_store in applied.iter().filter(|object| object["kind"] == "ClusterSecretStore") {
            // The cluster is other tests' too.
            let name = cluster_store["metadata"]["name"].as_str().unwrap();
            let stores: kube::Api<external_secrets_rs::api::ClusterSecretStore> = kube::Api::all(place.client.clone());
            stores.delete(name, &kube::api::DeleteParams::default()).await?;
        }
        for object in applied.iter().filter(|object| object["kind"] == "ExternalSecret") {
            externals.push((file.clone(), object["metadata"]["name"].as_str().unwrap().to_owned(), promised(&text)));
        }
    }
    assert!(externals.len() > 20, "{externals:?}");
    for (file, name, promised) in externals {
        place.ready(&name).await.map_err(|error| format!("{}: {error}", file.display()))?;
        let Some((secret, data)) = promised else { continue };
        let found = place.secret(&secret).await?.unwrap_or_else(|| panic!("{}: no Secret {secret}", file.display()));
        assert_eq!(data_of(&found), data, "{}", file.display());
    }
    Ok(())
}
