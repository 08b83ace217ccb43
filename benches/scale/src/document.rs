//! The figures of `docs/performance.md`: what stands between two marks there is written anew, the words around stay.

use crate::Result;
use crate::plot::{Line, draw};
use crate::report::{Report, Row, number, rows, thousands};
use crate::scenarios::Cold;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Writes every figure, and the plots.
pub fn write(report: &Report) -> Result {
    let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let path = docs.join("performance.md");
    let mut text = std::fs::read_to_string(&path)?;
    for (mark, block) in [
        ("machine", machine(report)?),
        ("table", table(&rows(report))),
        ("sizes", sizes(&report.cold)),
        ("growth", growth(report)),
    ] {
        text = replaced(&text, mark, &block)?;
    }
    std::fs::write(&path, text)?;
    plots(&docs.join("performance"), &report.cold)
}

/// The text with another block between the marks of this name.
fn replaced(text: &str, mark: &str, block: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- measured: {mark} -->\n"), format!("<!-- end: {mark} -->"));
    let missing = || format!("docs/performance.md has no block {mark:?}");
    let (before, rest) = text.split_once(&begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
    Ok(format!("{before}{begin}{}\n{end}{after}", block.trim_end()))
}

fn machine(report: &Report) -> Result<String> {
    let line = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let value = text.lines().find_map(|line| line.strip_prefix(name)).and_then(|rest| rest.split_once(':'));
        value.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let said = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let cores = std::thread::available_parallelism()?;
    let memory: f64 = line("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0.0);
    let idle = report.idle.unwrap_or_default();
    Ok(format!(
        "external-secrets-rs {}, commit {}, {}; a binary of {:.1} MB, {:.1} MB resident at rest with one ExternalSecret.\n\
         {cores} cores of {}, {:.0} GB of memory; operator or floor, etcd, kube-apiserver 1.36 and OpenBao 2.7 together on it.",
        env!("CARGO_PKG_VERSION"),
        commit(),
        said("rustc", "--version"),
        report.binary as f64 / 1e6,
        idle.resident,
        line("/proc/cpuinfo", "model name"),
        memory * 1024.0 / 1e9,
    ))
}

fn table(rows: &[Row]) -> String {
    let mut text = "| | ESO 2.9 as installed | ESO 2.9 tuned | floor | external-secrets-rs | must be | |\n|---|---|---|---|---|---|---|\n".to_owned();
    for row in rows {
        let holds = match (row.target.is_empty(), row.holds) {
            (true, _) => "",
            (false, true) => "holds",
            (false, false) => "**does not hold**",
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {holds} |",
            row.what, row.eso, row.tuned, row.floor, row.ours, row.target
        );
    }
    text
}

fn sizes(cold: &[Cold]) -> String {
    let mut text = "| ExternalSecrets | floor | ours | ratio | processor | for each | resident | at the peak |\n|---|---|---|---|---|---|---|---|\n".to_owned();
    for one in cold {
        let _ = writeln!(
            text,
            "| {} | {:.2} s | {:.2} s | {:.2} | {:.2} s | {:.2} ms | {:.1} MB | {:.1} MB |",
            thousands(one.objects),
            one.floor_seconds,
            one.seconds,
            one.seconds / one.floor_seconds,
            one.usage.cpu,
            one.usage.cpu / one.objects as f64 * 1e3,
            one.usage.resident,
            one.usage.peak,
        );
    }
    text
}

/// What a million ExternalSecrets take, from the slopes that were measured.
fn growth(report: &Report) -> String {
    const MILLION: f64 = 1e6;
    const HOUR: f64 = 3600.0;
    let (Some(small), Some(large)) = (report.cold.first(), report.cold.last()) else { return String::new() };
    let objects = (large.objects - small.objects).max(1) as f64;
    let bytes = (large.usage.resident - small.usage.resident) * 1e6 / objects;
    let cold_rate = large.objects as f64 / large.seconds;
    let refresh = report.steady.as_ref().map_or(0.0, |(_, spent)| spent.usage.cpu / spent.counts.vault.max(1.0));
    let reads = report.prompt.as_ref().map_or(0.0, |prompt| prompt.reads_per_second);
    let mut text = "| for 1,000,000 ExternalSecrets, refreshed once an hour | |\n|---|---|\n".to_owned();
    let mut line = |what: &str, much: String| _ = writeln!(text, "| {what} | {much} |");
    line("memory, at the measured slope", format!("{:.0} B each, {:.1} GB", bytes, bytes * MILLION / 1e9));
    line("reads of Vault", format!("{} a second, where no two share a path", number(MILLION / HOUR)));
    line(
        "processor of the operator",
        format!("{:.2} ms a refresh, {:.0} % of one core", refresh * 1e3, refresh * MILLION / HOUR * 100.0),
    );
    line(
        "`refreshTime` writes",
        format!("{} a second: one for each refresh, since an interval is longer than a minute", number(MILLION / HOUR)),
    );
    line("refreshes that this machine does at most", format!("{} a second, with OpenBao on it", number(reads)));
    line(
        "first sync of all",
        format!("{:.1} h, at the {:.0} a second that this API server took", MILLION / cold_rate / HOUR, cold_rate),
    );
    text
}

fn plots(folder: &Path, cold: &[Cold]) -> Result {
    std::fs::create_dir_all(folder)?;
    let points = |value: fn(&Cold) -> f64| cold.iter().map(|one| (one.objects as f64, value(one))).collect();
    let time = [
        Line { name: "external-secrets-rs", points: points(|one| one.seconds) },
        Line { name: "floor", points: points(|one| one.floor_seconds) },
    ];
    draw(&folder.join("time.svg"), "From nothing to all Ready", "seconds", &time)?;
    let memory = [Line { name: "external-secrets-rs", points: points(|one| one.usage.resident) }];
    draw(&folder.join("memory.svg"), "Resident memory, all synced", "MB", &memory)?;
    let processor = [
        Line { name: "external-secrets-rs", points: points(|one| one.usage.cpu) },
        Line { name: "floor", points: points(|one| one.floor_cpu) },
    ];
    draw(&folder.join("processor.svg"), "Processor time of a first sync", "seconds", &processor)
}

fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
