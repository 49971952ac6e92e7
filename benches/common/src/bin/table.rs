//! Reads the clients' lines and prints one table a workload and placement: medians of the rounds, and the medians of each
//! round's ratios to the yardstick, whose rounds follow one by one.

use std::collections::{BTreeSet, HashMap};
use std::io;

use bench_common::Workload;

type Line = HashMap<String, String>;

fn main() {
    let mut tables: Vec<Table> = Vec::new();
    for line in io::stdin().lines() {
        let line = line.expect("text");
        let line: Line =
            bench_common::fields(&line).iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let Some(workload) = line.get("workload").cloned() else { continue };
        let cores = line.get("cores").cloned().unwrap_or_default();
        match tables.iter_mut().find(|table| table.workload == workload && table.cores == cores) {
            Some(table) => table.lines.push(line),
            None => tables.push(Table { workload, cores, lines: vec![line] }),
        }
    }
    tables.iter().for_each(Table::print);
}

/// The measurements of one workload, all with client and server on the same cores.
struct Table {
    workload: String,
    cores: String,
    lines: Vec<Line>,
}

const TIMES: [&str; 2] = ["cpu_us", "wall_us"];

/// Further columns, where any client has something for them.
const COLUMNS: [(&str, &str); 6] = [
    ("p50_us", "p50 us"),
    ("p99_us", "p99 us"),
    ("max_us", "max us"),
    ("live", "live B"),
    ("live_all", "all B"),
    ("resident", "RSS B"),
];

impl Table {
    fn print(&self) {
        let yardstick = Workload::find(&self.workload).map_or("floor", |workload| workload.yardstick());
        let cores = match self.cores.as_str() {
            "same" => ", client and server on one core",
            "apart" => ", client and server on a core each",
            "any" => ", client and server on any core",
            _ => "",
        };
        println!("\n{}{cores}", self.workload);
        let used: Vec<_> = COLUMNS.iter().filter(|(key, _)| self.has(key)).collect();
        let timed = self.has("cpu_us");
        print!("  {:<10}", "");
        if timed {
            print!(" {:>10} {:>7} {:>7} {:>10} {:>7} {:>8}", "CPU us", "spread", "x", "wall us", "x", "switches");
        }
        used.iter().for_each(|(_, title)| print!(" {title:>9}"));
        println!();
        for client in self.clients() {
            print!("  {client:<10}");
            if let Some(excuse) = self.of(client).find_map(|line| line.get("excuse")) {
                println!(" - {}", excuse.replace('_', " "));
                continue;
            }
            if timed {
                self.print_times(client, yardstick);
            }
            used.iter().for_each(|(key, _)| print!(" {:>9}", number(self.median(client, key))));
            println!();
        }
        if timed {
            self.print_rounds(yardstick);
        }
    }

    fn has(&self, key: &str) -> bool {
        self.lines.iter().any(|line| line.contains_key(key))
    }

    /// In the order in which they ran.
    fn clients(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        self.lines.iter().map(|line| line["client"].as_str()).filter(|client| seen.insert(*client)).collect()
    }

    fn of<'a>(&'a self, client: &'a str) -> impl Iterator<Item = &'a Line> {
        self.lines.iter().filter(move |line| line["client"] == client)
    }

    /// A client's values, round by round.
    fn values(&self, client: &str, key: &str) -> Vec<f64> {
        self.of(client).filter_map(|line| line.get(key)?.parse().ok()).collect()
    }

    fn median(&self, client: &str, key: &str) -> Option<f64> {
        median(self.values(client, key))
    }

    /// A client's values by those of the yardstick in the same round. What disturbs one disturbs the other, too.
    fn ratios(&self, client: &str, yardstick: &str, key: &str) -> Vec<f64> {
        let ones = self.values(yardstick, key);
        self.values(client, key).iter().zip(ones).map(|(value, one)| value / one).collect()
    }

    fn print_times(&self, client: &str, yardstick: &str) {
        let cpu = self.values(client, "cpu_us");
        let (least, most) = (cpu.iter().copied().reduce(f64::min), cpu.iter().copied().reduce(f64::max));
        let spread = match (least, most, self.median(client, "cpu_us")) {
            (Some(least), Some(most), Some(middle)) => format!("{:.0} %", (most - least) / middle * 100.0),
            _ => "-".into(),
        };
        let [cpu, wall] = TIMES.map(|key| number(self.median(client, key)));
        let [cpu_ratio, wall_ratio] = TIMES.map(|key| number(median(self.ratios(client, yardstick, key))));
        let switches = number(self.median(client, "switches"));
        print!(" {cpu:>10} {spread:>7} {cpu_ratio:>7} {wall:>10} {wall_ratio:>7} {switches:>8}");
    }

    /// The ratios that the medians are of, one line a client.
    fn print_rounds(&self, yardstick: &str) {
        for client in self.clients().into_iter().filter(|client| *client != yardstick) {
            let [cpu, wall] = TIMES.map(|key| {
                let ratios = self.ratios(client, yardstick, key);
                ratios.iter().map(|ratio| format!(" {ratio:.2}")).collect::<String>()
            });
            if !cpu.is_empty() {
                println!("  {client:<10} rounds: CPU x{cpu}; wall x{wall}");
            }
        }
    }
}

/// The middle one, or between the middle two.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    Some(if values.len().is_multiple_of(2) { (values[values.len() / 2 - 1] + upper) / 2.0 } else { upper })
}

/// Three digits or so.
fn number(value: Option<f64>) -> String {
    match value {
        None => "-".into(),
        Some(value) if value.abs() < 9.995 => format!("{value:.2}"),
        Some(value) if value.abs() < 99.95 => format!("{value:.1}"),
        Some(value) => format!("{value:.0}"),
    }
}
