//! `make panels`: the dashboard's panels as pictures. Servers, two operators and a Prometheus of its own play a story of five minutes, and
//! the dashboard's own queries are then asked of that Prometheus and drawn to `docs/observability/`, a file for each row.

mod answer;
mod chart;
mod dashboard;
mod draw;
mod format;
mod legend;
#[path = "../../demo/src/operator.rs"]
mod operator;
mod story;
mod world;

use answer::Answer;
use dashboard::{Dashboard, Panel};
use std::path::Path;
use std::process::ExitCode;
use story::Story;
use world::World;

/// Whatever may go wrong; it is shown to a person.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
/// A result of this program.
pub type Result<T = ()> = std::result::Result<T, Failure>;

/// A row of the dashboard: its title, and its panels with what they show.
pub struct Row {
    title: String,
    panels: Vec<(Panel, Answer)>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match pictures().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn pictures() -> Result {
    say("starting servers, two operators and Prometheus");
    let mut world = World::start().await?;
    let played = story::play(&mut world).await;
    if played.is_err() {
        world.last_lines().iter().for_each(|line| say(line));
    }
    let story = played?;
    let rows = ask(&world, &story).await?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).ok_or("no repository")?;
    let folder = root.join("docs/observability");
    std::fs::create_dir_all(&folder)?;
    for row in &rows {
        let file = folder.join(format!("{}.svg", row.title.to_lowercase().replace(' ', "-")));
        draw::sheet(&file, row, &story)?;
        say(&format!("{} ({} kB)", file.display(), std::fs::metadata(&file)?.len() / 1000));
    }
    world.stop().await
}

/// Puts every query of the dashboard to Prometheus.
async fn ask(world: &World, story: &Story) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for panel in Dashboard::read()?.panels {
        if panel.kind == "row" {
            rows.push(Row { title: panel.title, panels: Vec::new() });
        } else if let Some(row) = rows.last_mut() {
            let answer = Answer::of(&panel, &world.prometheus, story).await?;
            row.panels.push((panel, answer));
        }
    }
    Ok(rows)
}

/// Says on the terminal what is going on.
fn say(text: &str) {
    testbed::progress::say(&format!("panels: {text}"));
}
