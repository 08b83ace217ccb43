//! The chart's README.md is what helm-docs makes of values.yaml and README.md.gotmpl.
//!
//! `WRITE_CHART_DOCS=1 cargo test --test helm the_chart_has` (that is `make chart-docs`) writes the file.

use crate::common::Result;
use crate::common::helm::{Helm, folder};
use std::path::Path;
use std::process::Command;
use testbed::{Binaries, Guard, Tool};

const FILE: &str = "README.md";

/// What helm-docs makes of a folder with a chart.
async fn rendered(chart: &Path) -> Result<String> {
    let home = Guard::new()?;
    let mut command = Command::new(Binaries::tool(&home, Tool::HelmDocs).await?);
    command.args(["--dry-run", "--sort-values-order", "file", "--log-level", "warning"]);
    let output = command.arg("--chart-search-root").arg(chart).current_dir(home.dir()).output()?;
    let text = String::from_utf8(output.stdout)?;
    if text.trim().is_empty() {
        return Err(format!("helm-docs writes nothing: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(format!("{}\n", text.trim()))
}

/// The values that values.yaml says no word about. helm-docs has a strict mode of its own, which does not see comments of the form
/// `# -- …`.
fn silent(rendered: &str) -> Vec<&str> {
    let rows = rendered.lines().filter(|line| line.starts_with("| `"));
    rows.filter(|row| row.trim_end_matches('|').trim_end().ends_with('|')).collect()
}

#[tokio::test]
async fn the_chart_has_its_readme() -> Result {
    let rendered = rendered(&folder()).await?;
    assert_eq!(silent(&rendered), Vec::<&str>::new(), "values.yaml says no word about these");
    if std::env::var_os("WRITE_CHART_DOCS").is_some() {
        std::fs::write(folder().join(FILE), &rendered)?;
    }
    let found = std::fs::read_to_string(folder().join(FILE)).map_err(|error| format!("{FILE}: {error}"))?;
    // Not assert_eq!, which would print both.
    assert!(found == rendered, "the chart's {FILE} is not what values.yaml says: run `make chart-docs`");
    Ok(())
}

#[tokio::test]
async fn a_value_without_a_word_is_found() -> Result {
    let home = Guard::new()?;
    for file in ["Chart.yaml", "README.md.gotmpl"] {
        std::fs::copy(folder().join(file), home.dir().join(file))?;
    }
    let values = std::fs::read_to_string(folder().join("values.yaml"))?;
    std::fs::write(home.dir().join("values.yaml"), format!("{values}\nquiet: true\n"))?;
    let rendered = rendered(home.dir()).await?;
    assert!(silent(&rendered).len() == 1 && silent(&rendered)[0].contains("quiet"), "{:?}", silent(&rendered));
    Ok(())
}

/// People read the README with `helm show readme`; what it is made of stays here.
#[tokio::test]
async fn the_package_has_the_readme_and_not_its_template() -> Result {
    let (helm, home) = (Helm::new().await?, Guard::new()?);
    let chart = folder().to_string_lossy().into_owned();
    helm.run(&["package", &chart, "--destination", &home.dir().to_string_lossy()])?;
    let mut packages = std::fs::read_dir(home.dir())?.map(|entry| entry.map(|entry| entry.path()));
    let is_package = |path: &std::path::PathBuf| path.extension().is_some_and(|ending| ending == "tgz");
    let package = packages.find_map(|path| path.ok().filter(is_package)).expect("a package");
    let listed = Command::new("tar").arg("-tzf").arg(package).output()?;
    let listed = String::from_utf8(listed.stdout)?;
    assert!(listed.contains("/README.md\n") && !listed.contains("gotmpl"), "{listed}");
    for file in ["values.schema.json", "files/flags.yaml", "files/ignored-values.yaml", "files/prometheus-rule.yaml"] {
        assert!(listed.contains(file), "{file} is not in {listed}");
    }
    Ok(())
}
