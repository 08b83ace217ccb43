//! What was measured, and the table that people read.

use crate::Result;
use crate::counts::Counts;
use crate::process::Usage;
use crate::scenarios::{Cold, Urgent};
use std::io::Write;
use std::time::Duration;

/// Everything that was measured; what was not is empty.
#[derive(Debug, Default)]
pub struct Report {
    /// From exec to ready.
    pub start: Option<Duration>,
    /// At rest with one object.
    pub idle: Option<Usage>,
    /// Bytes of the program.
    pub binary: u64,
    /// From nothing to all Ready.
    pub cold: Vec<Cold>,
    /// A restart with nothing due.
    pub restart: Option<Spent>,
    /// Refreshes that change nothing, for so long.
    pub steady: Option<(Duration, Spent)>,
    /// Refreshes of one path.
    pub shared: Option<(Duration, Spent)>,
    /// Refreshes, and how early the first and how late the last came, in seconds.
    pub on_time: Option<(usize, f64, f64)>,
    /// Secrets that are nobody's concern.
    pub foreign: Option<Foreign>,
    /// Urgent work beside refreshes.
    pub prompt: Option<Prompt>,
    /// Everything due at once.
    pub herd: Option<Herd>,
}

/// What something cost.
#[derive(Debug, Clone)]
pub struct Spent {
    /// ExternalSecrets.
    pub objects: usize,
    /// Processor and memory.
    pub usage: Usage,
    /// Requests.
    pub counts: Counts,
}

/// Memory with and without Secrets that are nobody's concern.
#[derive(Debug, Clone, Copy)]
pub struct Foreign {
    /// How many there are.
    pub secrets: usize,
    /// Without them.
    pub before: Usage,
    /// With them.
    pub with: Usage,
    /// With them from the start.
    pub restarted: Usage,
}

/// Urgent work beside refreshes without a pause.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// ExternalSecrets that are refreshed.
    pub objects: usize,
    /// How long urgent work took.
    pub urgent: Urgent,
    /// Reads of Vault in each second meanwhile.
    pub reads_per_second: f64,
}

/// Everything due at once.
#[derive(Debug, Clone)]
pub struct Herd {
    /// ExternalSecrets.
    pub objects: usize,
    /// From exec until all were refreshed.
    pub seconds: f64,
    /// How long urgent work took meanwhile.
    pub urgent: Urgent,
}

/// Requests to the API server that belong to no sync: watches, the store's credential, status and event.
const BESIDE: f64 = 20.0;

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// ESO 2.9 with its chart's defaults, as it was measured elsewhere on a machine like this; not of this run.
    pub eso: &'static str,
    /// ESO 2.9, tuned.
    pub tuned: &'static str,
    /// The floor, of this run.
    pub floor: String,
    /// The operator, of this run.
    pub ours: String,
    /// What it may be.
    pub target: &'static str,
    /// Whether it is.
    pub holds: bool,
}

/// The table of everything that was measured.
pub fn rows(report: &Report) -> Vec<Row> {
    let mut rows: Vec<Row> = report.cold.iter().flat_map(cold).collect();
    rows.extend(report.restart.iter().flat_map(restart));
    rows.extend(report.steady.iter().flat_map(|(during, spent)| steady(*during, spent)));
    rows.extend(report.shared.iter().map(|(during, spent)| shared(*during, spent)));
    rows.extend(report.on_time.map(on_time));
    rows.extend(report.foreign.map(foreign));
    if let Some(prompt) = &report.prompt {
        let load = format!("beside {} refreshed without a pause", thousands(prompt.objects));
        rows.extend(urgent(&load, &prompt.urgent));
    }
    rows.extend(report.herd.iter().flat_map(herd));
    rows.extend(report.start.map(start));
    rows
}

fn row(what: impl Into<String>, ours: impl Into<String>, target: &'static str, holds: bool) -> Row {
    Row { what: what.into(), eso: "", tuned: "", floor: String::new(), ours: ours.into(), target, holds }
}

fn cold(cold: &Cold) -> Vec<Row> {
    let objects = thousands(cold.objects);
    let ratio = cold.seconds / cold.floor_seconds;
    let (eso, tuned) = match cold.objects {
        1_000 => ("103 s", "16.1 s"),
        5_000 => ("", "85 s"),
        _ => ("", ""),
    };
    let mut rows = vec![Row {
        eso,
        tuned,
        floor: format!("{:.2} s", cold.floor_seconds),
        ..row(
            format!("{objects} cold, to all Ready"),
            format!("{:.2} s = {ratio:.2} × floor", cold.seconds),
            if cold.objects < 1_000 { "" } else { "≤ 1.3 × floor" },
            ratio <= 1.3,
        )
    }];
    let resident = cold.usage.resident;
    let (memory, most, eso, tuned) = match cold.objects {
        1_000 => ("≤ 16 MB", 16.0, "139 MB", "110 MB"),
        5_000 => ("≤ 24 MB", 24.0, "", "207 MB"),
        10_000 => ("≤ 32 MB", 32.0, "", ""),
        _ => ("", f64::INFINITY, "", ""),
    };
    let ours = format!("{resident:.1} MB ({:.1} at the peak)", cold.usage.peak);
    rows.push(Row { eso, tuned, ..row(format!("{objects}, resident memory"), ours, memory, resident <= most) });
    if cold.objects == 1_000 {
        rows.extend(thousand(cold));
    }
    rows
}

fn thousand(cold: &Cold) -> [Row; 3] {
    let syncs = cold.objects as f64;
    let extra = cold.counts.api_total() - 3.0 * syncs;
    [
        Row {
            eso: "11.4 s",
            tuned: "6.1 s",
            floor: format!("{:.2} s", cold.floor_cpu),
            ..row(
                "operator processor, 1,000 cold",
                format!("{:.2} s", cold.usage.cpu),
                "≤ 0.8 s",
                cold.usage.cpu <= 0.8,
            )
        },
        Row {
            eso: "5,008",
            tuned: "3,006",
            floor: number(cold.floor_counts.vault),
            ..row("Vault requests, 1,000 cold", number(cold.counts.vault), "≤ 1,005", cold.counts.vault <= 1_005.0)
        },
        Row {
            eso: "6.5",
            tuned: "6.4",
            floor: format!("3 + {} in all", cold.floor_counts.api_total() - 3.0 * syncs),
            ..row("API requests for each cold sync", format!("3 + {extra} in all"), "≤ 3", extra <= BESIDE)
        },
    ]
}

fn restart(spent: &Spent) -> [Row; 3] {
    let what = format!("restart with {} synced, nothing due: ", thousands(spent.objects));
    let (api, cpu) = (spent.counts.api_total(), spent.usage.cpu);
    [
        Row {
            tuned: "5,001 reads",
            ..row(format!("{what}reads of Vault"), number(spent.counts.reads), "none", spent.counts.reads == 0.0)
        },
        row(format!("{what}API requests"), number(api), "≤ 20", api <= 20.0),
        Row { tuned: "3.8 s", ..row(format!("{what}processor"), format!("{cpu:.2} s"), "≤ 0.5 s", cpu <= 0.5) },
    ]
}

fn steady(during: Duration, spent: &Spent) -> [Row; 3] {
    let what = format!("{} refreshed every 10 s for {} s: ", spent.objects, during.as_secs());
    let share = during.as_secs_f64() / 60.0;
    let (vault, api, cpu) = (spent.counts.vault, spent.counts.api_total(), spent.usage.cpu);
    [
        Row {
            tuned: "6.4 s", ..row(format!("{what}processor"), format!("{cpu:.2} s"), "≤ 0.6 s", cpu <= 0.6 * share)
        },
        Row {
            tuned: "5,400",
            ..row(format!("{what}Vault requests"), number(vault), "≤ 1,810", vault <= 1_810.0 * share)
        },
        Row {
            tuned: "5,400",
            ..row(format!("{what}API requests"), number(api), "≤ 330", api <= 330.0 * share.max(1.0))
        },
    ]
}

fn shared(during: Duration, spent: &Spent) -> Row {
    let refreshes = spent.objects as f64 * during.as_secs_f64() / 10.0;
    let what =
        format!("{} on one path, refreshed every 10 s for {} s: reads", thousands(spent.objects), during.as_secs());
    let ours = format!("{} for {} refreshes", number(spent.counts.vault), number(refreshes));
    Row { tuned: "a read for each key", ..row(what, ours, "shared", spent.counts.vault < refreshes / 10.0) }
}

fn on_time((refreshes, first, last): (usize, f64, f64)) -> Row {
    let ours = format!("{:+.0} to {:+.0} ms", first * 1e3, last * 1e3);
    // A request may take a millisecond less on its way than the one before it.
    let holds = first >= -0.005 && last <= 1.0;
    row(format!("{} refreshes, off their interval by", thousands(refreshes)), ours, "0 to +1 s", holds)
}

fn foreign(foreign: Foreign) -> Row {
    let most = foreign.with.resident.max(foreign.restarted.resident) - foreign.before.resident;
    let what = format!("{} foreign Secrets, added memory", thousands(foreign.secrets));
    row(what, format!("{most:+.1} MB"), "next to nothing", most <= 2.0)
}

fn urgent(load: &str, urgent: &Urgent) -> Vec<Row> {
    let sorts = [
        ("a new ExternalSecret is Ready", &urgent.new),
        ("a deleted target is back", &urgent.deleted),
        ("a changed spec is synced", &urgent.changed),
    ];
    let row = |(what, told): (&str, &crate::scenarios::Latencies)| {
        let (median, p99) = (told.percentile(0.5), told.percentile(0.99));
        let ours = format!("p99 {p99:.0} ms, median {median:.0} ms ({} times)", told.count());
        row(format!("{what}, {load}"), ours, "p99 ≤ 1 s", p99 <= 1_000.0)
    };
    sorts.into_iter().map(row).collect()
}

fn herd(herd: &Herd) -> Vec<Row> {
    let what = format!("{} due at once, interval 2 min: all caught up", thousands(herd.objects));
    let mut rows = vec![row(what, format!("{:.1} s", herd.seconds), "≤ 120 s", herd.seconds <= 120.0)];
    rows.extend(urgent(&format!("while {} catch up", thousands(herd.objects)), &herd.urgent));
    rows
}

fn start(took: Duration) -> Row {
    row("from exec to ready", format!("{} ms", took.as_millis()), "< 100 ms", took.as_millis() < 100)
}

/// Prints the table.
pub fn print(report: &Report) -> Result {
    let mut out = std::io::stdout().lock();
    writeln!(out)?;
    for row in rows(report) {
        let verdict = if row.target.is_empty() {
            "  "
        } else if row.holds {
            "ok"
        } else {
            "NO"
        };
        let floor = if row.floor.is_empty() { String::new() } else { format!("   floor {}", row.floor) };
        let target = if row.target.is_empty() { String::new() } else { format!("   (must be {})", row.target) };
        writeln!(out, "{verdict} {:70} {}{floor}{target}", row.what, row.ours)?;
    }
    Ok(())
}

/// A number with commas.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with commas.
pub fn number(count: f64) -> String {
    thousands(count.max(0.0).round() as usize)
}
