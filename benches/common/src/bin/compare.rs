//! Compares counts with those that are committed: `compare [--update] FILE`, the new ones from standard input.
//!
//! A line is a client, a row, and the columns of [`COLUMNS`], separated by tabs; `-` where there is none. A count that
//! rose by more than [`TOLERANCE`] makes it fail; with `--update` the file is changed instead, in the rows that came.

use std::process::ExitCode;
use std::{env, fs, io};

const COLUMNS: [&str; 5] = ["instructions", "calls", "allocations", "bytes", "held"];

const TOLERANCE: f64 = 0.02;

/// Differences that are none: a call in a hundred requests, or the order in which a map was filled. How much of a large
/// body comes along with its head, and how many segments a handshake comes in, is chance; to copy a MiB once more
/// would be hundreds of times that.
fn slack(row: &str) -> [f64; 5] {
    match row {
        _ if row.starts_with("download") || row.starts_with("upload") => [2_000.0, 0.5, 0.02, 16.0, 16.0],
        "tls_resumed" => [60.0, 1.0, 1.0, 16.0, 16.0],
        _ => [60.0, 0.05, 0.02, 16.0, 16.0],
    }
}

struct Row {
    name: String,
    counts: Vec<Option<f64>>,
}

fn parse(line: &str) -> Option<Row> {
    let mut cells = line.split('\t');
    let (client, row) = (cells.next()?, cells.next()?);
    Some(Row { name: format!("{client}\t{row}"), counts: cells.map(|cell| cell.parse().ok()).collect() })
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    let update = arguments.first().is_some_and(|first| first == "--update");
    arguments.drain(..usize::from(update));
    let [file] = &arguments[..] else { panic!("usage: compare [--update] FILE") };
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut known: Vec<Row> = text.lines().skip(1).filter_map(parse).collect();

    println!("{:<10} {:<18} {}", "client", "row", COLUMNS.map(|column| format!("{column:>14}")).join(""));
    let mut rose = false;
    for line in io::stdin().lines() {
        let Some(row) = parse(&line.expect("text")) else { continue };
        let before = known.iter().position(|old| old.name == row.name);
        rose |= print(&row, before.map(|index| &known[index]));
        match before {
            Some(index) => known[index] = row,
            None => known.push(row),
        }
    }
    if update {
        fs::write(file, written(&known)).expect("the file can be written");
    } else if rose {
        eprintln!("counts rose by more than {} %", TOLERANCE * 100.0);
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Prints a row, with what it was where that is another number, and says whether it rose too far.
fn print(row: &Row, before: Option<&Row>) -> bool {
    let cell = |count: Option<f64>| count.map_or("-".into(), |count| format!("{count}"));
    let counts: String = row.counts.iter().map(|count| format!("{:>14}", cell(*count))).collect();
    let (client, name) = row.name.split_once('\t').unwrap_or_default();
    println!("{client:<10} {name:<18} {counts}");
    let mut rose = false;
    for (index, (count, column)) in row.counts.iter().zip(COLUMNS).enumerate() {
        let old = before.and_then(|row| *row.counts.get(index)?);
        let (Some(count), Some(old)) = (*count, old) else { continue };
        if (count - old).abs() > slack(name)[index].max(old * TOLERANCE) {
            println!("{:>29} {column}: {old} -> {count} ({:+.1} %)", "", (count / old - 1.0) * 100.0);
            rose |= count > old;
        }
    }
    rose
}

fn written(rows: &[Row]) -> String {
    let mut text = format!("client\trow\t{}\n", COLUMNS.join("\t"));
    for row in rows {
        let cells = row.counts.iter().map(|count| count.map_or("-".into(), |count| format!("{count}")));
        text += &format!("{}\t{}\n", row.name, cells.collect::<Vec<_>>().join("\t"));
    }
    text
}
