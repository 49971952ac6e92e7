//! What the documentation names is there.

use std::fs;
use std::path::Path;

/// `a::b::c` is a module under `tests/`, or a test of one; `lib::a::b` stands beside the code, under `src/`.
fn exists(name: &str) -> bool {
    let (folder, name) = name.strip_prefix("lib::").map_or(("tests", name), |name| ("src", name));
    let file = |parts: &[&str]| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(parts.join("/"));
        let files = [path.with_extension("rs"), path.join("mod.rs"), path.join("main.rs")];
        files.iter().find_map(|file| fs::read_to_string(file).ok())
    };
    let parts: Vec<&str> = name.split("::").collect();
    let Some((last, modules)) = parts.split_last() else { return false };
    // A module may stand inside the file of the one around it.
    let around = (1..=modules.len()).rev().find_map(|count| file(&modules[..count]));
    file(&parts).is_some() || around.is_some_and(|text| text.contains(&format!("fn {last}(")))
}

#[test]
fn tests_that_show_parity() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/parity.md");
    // A packaged crate has no tests to name.
    let Ok(text) = fs::read_to_string(path) else { return };
    let (mut rows, mut waived, mut of_urllib3) = (0, 0, false);
    for row in text.lines() {
        of_urllib3 |= row.starts_with("# urllib3");
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [id, _, here, shown] = cells[..] else { continue };
        for name in shown.split('`').skip(1).step_by(2) {
            assert!(exists(name), "{id} names {name}");
            rows += 1;
        }
        waived += usize::from(here.starts_with("waived: "));
        let is_shown = shown != "-" || ["planned", "waived: "].iter().any(|word| here.starts_with(word));
        assert!(is_shown || !of_urllib3, "{id} is shown by nothing");
    }
    assert!(rows > 300, "{rows}");
    assert!(waived <= 40, "{waived}");
}

/// Each way of breaking HTTP has its row in the table "What is refused, and why".
#[test]
fn violations_have_their_rows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(parity) = fs::read_to_string(root.join("docs/parity.md")) else { return };
    let table = parity.split("## What is refused, and why").nth(1).expect("the section is there");
    let source = fs::read_to_string(root.join("src/error.rs")).unwrap();
    let body = source.split("pub enum Violation {").nth(1).and_then(|rest| rest.split("\n}").next()).unwrap();
    let variants = body.lines().map(str::trim).filter(|line| !line.starts_with("//") && !line.is_empty());
    let mut count = 0;
    for variant in variants.map(|line| line.trim_end_matches(',')) {
        let row = table.lines().find(|line| line.starts_with(&format!("| `{variant}` | ")));
        let cells =
            row.map_or(0, |row| row.trim_matches('|').split(" | ").filter(|cell| !cell.trim().is_empty()).count());
        assert_eq!(cells, 5, "{variant}: what is refused, why, the RFC's section, and what curl does");
        count += 1;
    }
    assert!(count >= 13, "{count}");
}
