//! Reads the clients' lines and prints one table a workload: medians of the rounds and their ratios to the yardstick.

use std::collections::HashMap;
use std::io;

type Line = HashMap<String, String>;

fn main() {
    let mut workloads: Vec<(String, Vec<Line>)> = Vec::new();
    for line in io::stdin().lines() {
        let line = line.expect("text");
        let line: Line =
            bench_common::fields(&line).iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let Some(name) = line.get("workload").cloned() else { continue };
        match workloads.iter_mut().find(|(workload, _)| *workload == name) {
            Some((_, lines)) => lines.push(line),
            None => workloads.push((name, vec![line])),
        }
    }
    for (name, lines) in workloads {
        print(&name, &lines);
    }
}

fn print(workload: &str, lines: &[Line]) {
    let mut clients: Vec<&str> = Vec::new();
    for line in lines {
        let client = line["client"].as_str();
        if !clients.contains(&client) {
            clients.push(client);
        }
    }
    let shares = workload.starts_with("W2");
    let yardstick = if shares && clients.contains(&"floorpool") { "floorpool" } else { "floor" };
    let values = |client: &str, key: &str| -> Vec<f64> {
        let lines = lines.iter().filter(|line| line["client"] == client);
        let mut values: Vec<f64> = lines.filter_map(|line| line.get(key)?.parse().ok()).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let median = |client: &str, key: &str| values(client, key).get(values(client, key).len() / 2).copied();

    println!("\n{workload}");
    let columns = [
        ("p50_us", "p50 us"),
        ("p99_us", "p99 us"),
        ("max_us", "max us"),
        ("live", "live B"),
        ("live_all", "all B"),
        ("resident", "RSS B"),
    ];
    let used: Vec<_> = columns.iter().filter(|(key, _)| lines.iter().any(|line| line.contains_key(*key))).collect();
    let timed = lines.iter().any(|line| line.contains_key("cpu_us"));
    print!("  {:<10}", "");
    if timed {
        print!(" {:>10} {:>7} {:>7} {:>10} {:>7} {:>8}", "CPU us", "spread", "x", "wall us", "x", "switches");
    }
    used.iter().for_each(|(_, title)| print!(" {title:>9}"));
    println!();
    for client in clients {
        print!("  {client:<10}");
        if let Some(excuse) = lines.iter().find(|line| line["client"] == client).and_then(|line| line.get("excuse")) {
            println!(" - {}", excuse.replace('_', " "));
            continue;
        }
        if timed {
            print_times(&median, &values(client, "cpu_us"), client, yardstick);
        }
        used.iter().for_each(|(key, _)| print!(" {:>9}", number(median(client, key))));
        println!();
    }
}

fn print_times(median: &impl Fn(&str, &str) -> Option<f64>, cpu: &[f64], client: &str, yardstick: &str) {
    let ratio = |key| median(client, key).zip(median(yardstick, key)).map(|(value, one)| value / one);
    let spread = match (cpu.first(), cpu.last(), median(client, "cpu_us")) {
        (Some(least), Some(most), Some(middle)) => format!("{:.0} %", (most - least) / middle * 100.0),
        _ => "-".into(),
    };
    let (cpu, wall, switches) = (median(client, "cpu_us"), median(client, "wall_us"), median(client, "switches"));
    print!(" {:>10} {spread:>7} {:>7} {:>10}", number(cpu), number(ratio("cpu_us")), number(wall));
    print!(" {:>7} {:>8}", number(ratio("wall_us")), number(switches));
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
