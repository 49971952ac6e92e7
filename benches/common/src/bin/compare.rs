//! Compares counts with those that are committed: `compare [--update] FILE`, the new ones from standard input.
//!
//! A line is a client, a row, and the columns of [`COLUMNS`], separated by tabs; `-` where there is none. A count that
//! rose by more than [`TOLERANCE`] makes it fail; with `--update` the file is changed instead, in the rows that came.
//! Rows whose names differ in a number at the end alone are sizes of one workload: how they grow is printed below.

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
        // Which thread finds the pool's buffers in use is chance.
        _ if row.starts_with("threads") => [100.0, 0.05, 0.1, 64.0, 16.0],
        // How many receives a large message takes is chance, too.
        "websocket_large" => [2_000.0, 0.5, 0.02, 16.0, 16.0],
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
    let mut came = Vec::new();
    for line in io::stdin().lines() {
        let Some(row) = parse(&line.expect("text")) else { continue };
        let before = known.iter().position(|old| old.name == row.name);
        rose |= print(&row, before.map(|index| &known[index]));
        let index = before.unwrap_or(known.len());
        came.push(index);
        match before {
            Some(index) => known[index] = row,
            None => known.push(row),
        }
    }
    print_sizes(came.into_iter().map(|index| &known[index]).collect());
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

/// The workload of a row and its size.
fn sized(row: &Row) -> Option<(&str, u64)> {
    let (workload, size) = row.name.rsplit_once('_')?;
    Some((workload, size.parse().ok()?))
}

/// Prints the instructions and allocations of each size of a workload, and how far they are from the smallest size's.
fn print_sizes(mut rows: Vec<&Row>) {
    rows.retain(|row| sized(row).is_some());
    rows.sort_by_key(|row| sized(row));
    for sizes in rows.chunk_by(|one, next| sized(one).map(|of| of.0) == sized(next).map(|of| of.0)) {
        let [first, _, ..] = sizes else { continue };
        let (client, workload) = sized(first).and_then(|of| of.0.split_once('\t')).unwrap_or_default();
        println!("\n{client:<10} {workload:<18} {:>14}{:>14}{:>14}", "instructions", "", "allocations");
        for row in sizes {
            let [instructions, allocations] = [0, 2].map(|index| row.counts.get(index).copied().flatten());
            let step = instructions.zip(first.counts.first().copied().flatten()).map(|(now, one)| now / one - 1.0);
            let step = step.map_or("-".into(), |step| format!("{:+.1} %", step * 100.0));
            let cell = |count: Option<f64>| count.map_or("-".into(), |count| format!("{count}"));
            let size = sized(row).map_or(0, |of| of.1);
            println!("{:<10} {size:>18} {:>14}{step:>14}{:>14}", "", cell(instructions), cell(allocations));
        }
    }
}

fn written(rows: &[Row]) -> String {
    let mut text = format!("client\trow\t{}\n", COLUMNS.join("\t"));
    for row in rows {
        let cells = row.counts.iter().map(|count| count.map_or("-".into(), |count| format!("{count}")));
        text += &format!("{}\t{}\n", row.name, cells.collect::<Vec<_>>().join("\t"));
    }
    text
}
