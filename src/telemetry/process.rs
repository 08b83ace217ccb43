//! What the process itself costs, under the names that Prometheus' client libraries use. Read at a scrape from `/proc`, so
//! only on Linux; elsewhere the series are not there.

use crate::telemetry::metrics::{write_header, write_sample};

/// In what `/proc` counts processor time, a second: fixed for programs on every platform that Rust and Kubernetes share.
const TICKS: f64 = 100.0;

/// Appends the series that can be told here.
pub fn write(out: &mut String) {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    if let Some(seconds) = processor_seconds(&read("stat")) {
        let name = "process_cpu_seconds_total";
        write_header(out, name, "counter", "Processor time of the process, user and system, in seconds");
        write_sample(out, name, &[], seconds);
    }
    if let Some(bytes) = resident_bytes(&read("status")) {
        let name = "process_resident_memory_bytes";
        write_header(out, name, "gauge", "Memory of the process that is resident, in bytes");
        write_sample(out, name, &[], bytes);
    }
}

/// Of `/proc/self/stat`: the 14th and the 15th field. The second one, the name, may hold anything and ends at the last `)`.
fn processor_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((f64::from(user) + f64::from(system)) / TICKS)
}

/// Of `/proc/self/status`.
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_read_as_it_is_written() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 900 0 0 0 250 51 0 0 20 0 1 0 99 10000 300";
        assert_eq!(processor_seconds(stat), Some(3.01));
        assert_eq!(resident_bytes("Name:\ta\nVmRSS:\t   12 kB\nThreads:\t1\n"), Some(12_288));
        assert_eq!((processor_seconds(""), resident_bytes("")), (None, None));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_told_of() {
        let mut out = String::new();
        write(&mut out);
        assert!(
            out.contains("\nprocess_cpu_seconds_total ") && out.contains("\nprocess_resident_memory_bytes "),
            "{out}"
        );
    }
}
