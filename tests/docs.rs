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
        let is_shown = shown != "-" || here.starts_with("waived: ");
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
    let source = fs::read_to_string(root.join("src/error/rules.rs")).unwrap();
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

/// Pointers pass on every method of the traits that a caller implements, also those with a default.
#[test]
fn pointers_forward_every_method() {
    let files = [
        "net/transport",
        "dial/mod",
        "cookies/cookie_store",
        "observe/listener",
        "client/middleware",
        "net/names/resolver",
    ];
    let traits = ["Transport", "Dialer", "CookieStore", "Listener", "Middleware", "Resolver"];
    let mut methods = 0;
    for (file, name) in files.into_iter().zip(traits) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file).with_extension("rs");
        let text = code(&fs::read_to_string(path).unwrap());
        let of_trait = text.split(&format!("pub trait {name}: Send + Sync {{")).nth(1).unwrap();
        for method in named_after(of_trait.split("\n}").next().unwrap(), "fn ") {
            assert!(text.contains(&format!("(**self).{method}(")), "{name}::{method} is not passed on");
            methods += 1;
        }
        for pointer in ["&", "Box<", "Arc<"] {
            let list = text.split("\nforward!(").nth(1).and_then(|rest| rest.split(");").next()).unwrap();
            assert!(list.contains(pointer), "{name} is not implemented for {pointer}");
        }
    }
    assert_eq!(methods, 8 + 2 + 2 + 11 + 1 + 1);
}

/// A middleware can read each setting of a request under the name of its setter.
#[test]
fn settings_have_getters() {
    // These shape the URL, the headers, the body or the login, which have getters of their own, or send the request.
    let parts = "params query raw_query header user_agent range extension data form multipart files json body_pos fields \
                 cookie basic_auth any_auth bearer_auth upgrade_to connector build send download download_with connect";
    // Functions that the client calls, of which a middleware has no use.
    let functions = "on_upload_progress progress middleware with_middleware without_middleware check_with";
    // `cancel_with` sets a token on a request too; `cancel_token` returns it.
    let functions = format!("{functions} cancel_with");
    let left_out: Vec<&str> = parts.split(' ').chain(functions.split(' ')).collect();
    let read = |file: &str| {
        code(&fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/client").join(file)).unwrap())
    };
    let getters = [read("request.rs"), read("settings.rs")].concat();
    let mut settings = 0;
    for file in ["mod", "bodies", "settings", "urlopen"] {
        let builder = read(&format!("builder/{file}.rs"));
        for name in named_after(&builder, "pub fn ").filter(|name| !left_out.contains(name)) {
            assert!(getters.contains(&format!("pub fn {name}(&self")), "Request has no getter {name}");
            settings += 1;
        }
    }
    assert!(settings > 30, "{settings}");
}

/// Returns the map of the modules: the lines of the first block of `docs/design.md`.
fn map(design: &str) -> Vec<&str> {
    design.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap().lines().collect()
}

/// Returns the modules on a line of the map: the words before a gap of two blanks.
fn modules(line: &str) -> impl Iterator<Item = &str> {
    line.split("  ").next().unwrap().split(' ').filter(|word| !word.is_empty())
}

/// Returns the code of a file without comments and unit tests.
fn code(text: &str) -> String {
    let lines = text.lines().take_while(|line| !(line.starts_with("#[cfg(") && line.contains("test")));
    lines.map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Returns every source file with its path below `src`, but for tests, models and fuzz targets.
fn sources() -> Vec<(String, String)> {
    fn collect(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.file_stem().unwrap().to_string_lossy().into_owned();
            let of_tests = ["tests", "model", "models", "script", "vectors"].iter().any(|end| name.ends_with(end));
            match entry.is_dir() {
                _ if of_tests || name == "fuzzing" || name.starts_with("doctest_") => {}
                true => collect(&entry, found),
                false => {
                    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
                    let path = entry.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
                    found.push((path, code(&fs::read_to_string(&entry).unwrap())));
                }
            }
        }
    }
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found
}

/// Returns the words that follow `prefix` in the text, up to the end of each.
fn named_after<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(prefix).map(move |(at, _)| {
        let rest = &text[at + prefix.len()..];
        rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap()
    })
}

/// The map is complete, it is the same in `src/lib.rs`, and no module uses one that stands above it, or to its right.
#[test]
fn the_map_of_the_modules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(design) = fs::read_to_string(root.join("docs/design.md")) else { return };
    let map = map(&design);
    let lib = fs::read_to_string(root.join("src/lib.rs")).unwrap();
    let in_lib: Vec<_> = lib.lines().filter_map(|line| line.strip_prefix("// ")).collect();
    assert!(in_lib.windows(map.len()).any(|lines| lines == map), "src/lib.rs has another map than docs/design.md");
    // From the bottom up; on one line from the left.
    let order: Vec<&str> = map.iter().rev().flat_map(|line| modules(line)).collect();
    let level = |module: &str| order.iter().position(|other| *other == module);
    for module in lib.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")) {
        let module = module.trim_end_matches(';');
        assert!(module.contains('{') || level(module).is_some(), "{module} is not on the map");
    }
    let mut arrows = 0;
    for (path, code) in sources().iter().filter(|(path, _)| path != "lib.rs") {
        let module = path.split('/').next().unwrap().trim_end_matches(".rs");
        let own = level(module).unwrap_or_else(|| panic!("{module} is not on the map"));
        for used in named_after(code, "crate::") {
            let Some(used_level) = level(used) else { continue };
            assert!(used_level <= own, "{path} uses {used}, which stands above {module} on the map");
            arrows += usize::from(used_level < own);
        }
    }
    assert!(arrows > 400, "{arrows}");
}

/// The modules of a folder whose line of the map lists them in their order, `a > b > c/d`, use none before them.
#[test]
fn the_order_inside_a_folder() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(design) = fs::read_to_string(root.join("docs/design.md")) else { return };
    let (mut folders, sources) = (0, sources());
    for line in map(&design).into_iter().filter(|line| line.contains(" > ")) {
        let folder = modules(line).next().unwrap();
        let listed = line.split_once("  ").unwrap().1;
        let order: Vec<Vec<&str>> = listed.split(" > ").map(|part| part.split('/').collect()).collect();
        let place = |module: &str| order.iter().position(|part| part.contains(&module));
        let (prefix, path_prefix) = (format!("crate::{folder}::"), format!("{folder}/"));
        for (path, code) in sources.iter().filter_map(|(path, code)| Some((path.strip_prefix(&path_prefix)?, code))) {
            let inner = path.split('/').next().unwrap().trim_end_matches(".rs");
            let Some(own) = place(inner) else { continue };
            let by_super = if path.contains('/') { "super::super::" } else { "super::" };
            for used in named_after(code, &prefix).chain(named_after(code, by_super)) {
                assert!(
                    place(used).is_none_or(|used| used >= own),
                    "{folder}/{path} uses {used}, which comes before it"
                );
            }
        }
        folders += 1;
    }
    assert!(folders >= 2, "{folders}");
}

/// Each row of "Where is what decided?" names a file and a function that is there.
#[test]
fn where_decisions_are_made() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Ok(design) = fs::read_to_string(root.join("docs/design.md")) else { return };
    let table = design.split("## Where is what decided?").nth(1).expect("the section is there");
    let table = table.split("\n## ").next().unwrap();
    let mut rows = 0;
    for row in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`')).collect();
        let [question, file, function] = cells[..] else { panic!("{row}") };
        let text = fs::read_to_string(root.join(file)).unwrap_or_else(|_| panic!("{question} names {file}"));
        let there = [format!("fn {function}("), format!("fn {function}<")].iter().any(|name| text.contains(name));
        assert!(there, "{question} names {function}, which {file} does not have");
        rows += 1;
    }
    assert!(rows >= 20, "{rows}");
}

/// The files that README links to are there.
#[test]
fn links_of_the_readme() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files: Vec<_> = links.filter(|link| !link.contains("://") && !link.starts_with('#')).collect();
    for file in &files {
        let file = file.split('#').next().unwrap();
        // A packaged crate has no tests and no docs.
        let is_packaged = !root.join("docs").exists();
        assert!(root.join(file).exists() || is_packaged, "README links to {file}");
    }
    assert!(files.len() > 5, "{files:?}");
    // Readers of a package and of its documentation have no sources at hand.
    assert!(files.iter().all(|file| !file.starts_with("src/")), "{files:?}");
}
