//! What a release is made by, as far as it can be tried without a container runtime and a registry: the files that an image is built
//! from, and the workflows' scripts and pins.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::Result;
use common::kustomize::in_repository;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use testbed::Guard;

const PACKAGE: &str = "external-secrets-rs";

/// What `COPY . .` brings: `.dockerignore` here is a list of exceptions from everything.
fn copy_context(to: &Path) -> Result {
    let rules = std::fs::read_to_string(in_repository(".dockerignore"))?;
    let mut rules = rules.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(rules.next(), Some("*"), "the first rule leaves everything out");
    for rule in rules {
        let path = rule.strip_prefix('!').unwrap_or_else(|| panic!("{rule} is no exception: teach it to this test"));
        let target = to.join(path);
        std::fs::create_dir_all(target.parent().expect("a folder"))?;
        let status = Command::new("cp").arg("-r").arg(in_repository(path)).arg(&target).status()?;
        assert!(status.success(), "{path} is in .dockerignore and not in the repository");
    }
    Ok(())
}

/// Kind and source of what Cargo builds of the operator's package, with paths below `folder`.
fn targets(folder: &Path) -> Result<BTreeSet<(String, String)>> {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--locked", "--format-version=1"])
        .current_dir(folder)
        .output()?;
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let metadata: Value = serde_json::from_slice(&cargo.stdout)?;
    let packages = metadata["packages"].as_array().expect("packages");
    let package = packages.iter().find(|package| package["name"] == PACKAGE).expect("the operator's package");
    let root = folder.canonicalize()?;
    let targets = package["targets"].as_array().expect("targets").iter().map(|target| {
        let source = Path::new(target["src_path"].as_str().expect("a path")).canonicalize()?;
        let source = source.strip_prefix(&root)?.to_string_lossy().into_owned();
        Ok((target["kind"][0].as_str().expect("a kind").to_owned(), source))
    });
    targets.collect()
}

/// Cargo refuses a workspace of which a member or a target's source is missing, and says nothing of a missing build script.
#[test]
fn the_image_is_built_from_all_that_cargo_needs() -> Result {
    let guard = Guard::new()?;
    copy_context(guard.dir())?;
    let is_built = |(kind, _): &(String, String)| kind != "test" && kind != "bench";
    let wanted: BTreeSet<_> = targets(&in_repository(""))?.into_iter().filter(is_built).collect();
    let found: BTreeSet<_> = targets(guard.dir())?.into_iter().filter(is_built).collect();
    assert_eq!(found, wanted);
    assert!(found.iter().any(|(kind, _)| kind == "custom-build"), "build.rs: {found:?}");
    Ok(())
}

fn workflows() -> Result<Vec<(String, Value)>> {
    let mut workflows = Vec::new();
    for file in std::fs::read_dir(in_repository(".github/workflows"))? {
        let path = file?.path();
        let text = std::fs::read_to_string(&path)?;
        workflows.push((text.clone(), serde_saphyr::from_str(&text)?));
    }
    assert!(workflows.len() >= 2);
    Ok(workflows)
}

/// A tag can be moved by whoever gets hold of the action's repository; a commit can't.
#[test]
fn actions_are_pinned_to_commits_and_name_their_version() -> Result {
    for (text, _) in workflows()? {
        let uses = text.lines().filter_map(|line| line.split_once("uses: ").map(|(_, used)| used));
        for used in uses {
            let (action, version) = used.split_once(" # v").unwrap_or_else(|| panic!("{used}: say its version"));
            let commit = action.split_once('@').expect("a commit").1;
            assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{used}");
            assert!(version.split('.').count() == 3, "{used}");
        }
    }
    Ok(())
}

/// What a workflow may do is said job by job; by itself it may read the repository.
#[test]
fn workflows_have_no_rights_by_default() -> Result {
    for (text, workflow) in workflows()? {
        assert_eq!(workflow["permissions"], json!({"contents": "read"}));
        for (name, job) in workflow["jobs"].as_object().expect("jobs") {
            assert!(job["timeout-minutes"].is_u64(), "{name} has a deadline");
        }
        // What comes from outside is no part of a script, where it would be run.
        let scripts = text.lines().filter(|line| line.contains("run:") || line.starts_with("          "));
        let doubtful =
            scripts.filter(|line| line.contains("${{ github.event.") || line.contains("${{ github.head_ref"));
        assert_eq!(doubtful.count(), 0);
    }
    Ok(())
}

/// The script of a step of the release.
fn script(job: &str, step: &str) -> Result<String> {
    let release = std::fs::read_to_string(in_repository(".github/workflows/release.yml"))?;
    let release: Value = serde_saphyr::from_str(&release)?;
    let steps = release["jobs"][job]["steps"].as_array().expect("steps");
    let step = steps.iter().find(|one| one["name"].as_str().is_some_and(|name| name.contains(step)));
    Ok(step.expect(job)["run"].as_str().expect("a script").to_owned())
}

/// As GitHub runs it: bash that stops at the first error.
fn bash(script: &str, variables: &[(&str, &str)], folder: &Path) -> Result<std::process::Output> {
    let mut command = Command::new("bash");
    command.args(["-eo", "pipefail", "-c", script]).envs(variables.iter().copied()).current_dir(folder);
    Ok(command.output()?)
}

#[test]
fn a_tag_that_is_not_the_version_stops_the_release() -> Result {
    let guard = Guard::new()?;
    let output = guard.dir().join("output");
    let script = script("version", "agree")?;
    let run = |tag: &str| {
        let output = output.to_str().expect("a path");
        let variables = [("GITHUB_REF_NAME", tag), ("GITHUB_OUTPUT", output), ("GITHUB_REPOSITORY_OWNER", "Your-Org")];
        bash(&script, &variables, &in_repository(""))
    };
    assert!(!run("v99.0.0")?.status.success());
    let version = env!("CARGO_PKG_VERSION");
    let right = run(&format!("v{version}"))?;
    assert!(right.status.success(), "{}", String::from_utf8_lossy(&right.stderr));
    assert_eq!(std::fs::read_to_string(&output)?, format!("version={version}\nowner=your-org\n"));
    Ok(())
}

/// Of the scripts that publish, the lines that write the image's name into what is released.
#[test]
fn what_is_released_names_the_published_image() -> Result {
    let guard = Guard::new()?;
    for file in ["deploy/install.yaml", "deploy/helm/external-secrets-rs/values.yaml"] {
        let copy = guard.dir().join(file);
        std::fs::create_dir_all(copy.parent().expect("a folder"))?;
        std::fs::copy(in_repository(file), copy)?;
    }
    let all = format!("{}{}", script("publish", "The chart")?, script("publish", "The release")?);
    let lines: Vec<_> = all.lines().filter(|line| line.starts_with("sed ")).collect();
    assert_eq!(lines.len(), 2, "{all}");
    for line in lines {
        assert!(bash(line, &[("IMAGE", "registry.example/one")], guard.dir())?.status.success(), "{line}");
    }
    let version = env!("CARGO_PKG_VERSION");
    let install = std::fs::read_to_string(guard.dir().join("install.yaml"))?;
    let images: Vec<_> = install.lines().filter_map(|line| line.trim().strip_prefix("image: ")).collect();
    assert_eq!(images, [format!("registry.example/one:{version}")]);
    let values = std::fs::read_to_string(guard.dir().join("deploy/helm/external-secrets-rs/values.yaml"))?;
    let values: Value = serde_saphyr::from_str(&values)?;
    assert_eq!(values["image"]["repository"], "registry.example/one");
    Ok(())
}
