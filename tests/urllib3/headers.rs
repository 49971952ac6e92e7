//! The header map (HDR).

use std::collections::HashMap;

use hostpool::Headers;

type Pairs<'a> = &'a [(&'a str, &'a str)];

/// What is done to a map.
#[derive(Clone, Copy, Debug)]
enum Edit {
    Append(&'static str, &'static str),
    Combine(&'static str, &'static str),
    Insert(&'static str, &'static str),
    /// And whether the field was added.
    Default(&'static str, &'static str, bool),
    Update(Pairs<'static>),
    Extend(Pairs<'static>),
    Extended(Pairs<'static>),
    /// And how many fields there were.
    Remove(&'static str, usize),
}
use Edit::*;

fn edit(headers: &mut Headers, edit: Edit) {
    let map = |pairs: Pairs<'_>| Headers::from_pairs(pairs.iter().copied()).unwrap();
    match edit {
        Append(name, value) => headers.append(name, value).unwrap(),
        Combine(name, value) => headers.append_combined(name, value).unwrap(),
        Insert(name, value) => headers.insert(name, value).unwrap(),
        Default(name, value, added) => assert_eq!(headers.set_default(name, value).unwrap(), added, "{name}"),
        Update(pairs) => headers.update(&map(pairs)).unwrap(),
        Extend(pairs) => headers.append_all(map(pairs)).unwrap(),
        Extended(pairs) => *headers = headers.extended(&map(pairs)).unwrap(),
        Remove(name, removed) => assert_eq!(headers.remove(name), removed, "{name}"),
    }
}

fn lines(headers: &Headers) -> Vec<(String, String)> {
    headers.iter().map(|field| (field.name().to_owned(), field.value().into_owned())).collect()
}

fn owned(pairs: Pairs<'_>) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

const COOKIES: Pairs<'_> = &[("Cookie", "foo"), ("Cookie", "bar"), ("cookie", "baz")];

#[test]
fn edits() {
    let table: &[(&str, Pairs<'_>, &[Edit], Pairs<'_>)] = &[
        ("HDR-01", COOKIES, &[], COOKIES),
        ("HDR-03", COOKIES, &[Insert("COOKIE", "a")], &[("COOKIE", "a")]),
        ("HDR-03 among others", &[("a", "1"), ("B", "2"), ("A", "3")], &[Insert("a", "4")], &[("B", "2"), ("a", "4")]),
        ("HDR-04 update", COOKIES, &[Update(&[("cookie", "x"), ("New", "y")])], &[("cookie", "x"), ("New", "y")]),
        (
            "HDR-04 update with several values, and around others",
            &[("a", "1"), ("B", "2"), ("A", "3"), ("c", "4")],
            &[Update(&[("A", "5"), ("a", "6"), ("d", "7")]), Update(&[])],
            &[("B", "2"), ("c", "4"), ("A", "5"), ("a", "6"), ("d", "7")],
        ),
        (
            "HDR-04 extend",
            &[("a", "1")],
            &[Extend(&[("A", "2"), ("b", "3")]), Extend(&[]), Extend(&[("a", "4")])],
            &[("a", "1"), ("A", "2"), ("b", "3"), ("a", "4")],
        ),
        ("HDR-06", &[("cookie", "foo")], &[Append("COOKIE", "bar")], &[("cookie", "foo"), ("COOKIE", "bar")]),
        (
            "HDR-06 combined with the last",
            &[("cookie", "foo"), ("Cookie", "bar")],
            &[Combine("COOKIE", "baz"), Combine("New", "1"), Combine("new", "2")],
            &[("cookie", "foo"), ("Cookie", "bar, baz"), ("New", "1, 2")],
        ),
        ("HDR-09 there", COOKIES, &[Default("COOKIE", "x", false)], COOKIES),
        ("HDR-09 new", &[], &[Default("New", "x", true), Default("new", "y", false)], &[("New", "x")]),
        ("HDR-09 empty", &[], &[Default("New", "", true), Default("new", "y", false)], &[("New", "")]),
        ("HDR-18", &[("a", "1")], &[Extend(&[("A", "2")])], &[("a", "1"), ("A", "2")]),
        ("HDR-18 as a new map", &[("a", "1")], &[Extended(&[("A", "2")])], &[("a", "1"), ("A", "2")]),
        ("discard", COOKIES, &[Remove("COOKIE", 3), Remove("cookie", 0)], &[]),
    ];
    for (id, start, edits, expected) in table {
        let mut headers = Headers::from_pairs(start.iter().copied()).unwrap();
        let before = headers.clone();
        edits.iter().for_each(|&one| edit(&mut headers, one));
        assert_eq!(lines(&headers), owned(expected), "{id}");
        assert_eq!(lines(&before), owned(start), "{id}: a copy is a copy");
    }
}

/// What a map says of one name: all values, the first, all in one, and whether there is any.
#[test]
fn lookups() {
    let repeated: Pairs<'_> = &[("Via", "1.1 a"), ("Server", "s"), ("via", "1.1 b"), ("Empty", "")];
    type Row<'a> = (&'a str, Pairs<'a>, &'a str, &'a [&'a str], Option<&'a str>);
    let table: &[Row<'_>] = &[
        ("HDR-01", COOKIES, "cookie", &["foo", "bar", "baz"], Some("foo, bar, baz")),
        ("HDR-06", repeated, "VIA", &["1.1 a", "1.1 b"], Some("1.1 a, 1.1 b")),
        ("HDR-06 one", repeated, "Server", &["s"], Some("s")),
        ("HDR-06 empty", repeated, "empty", &[""], Some("")),
        ("HDR-07", repeated, "missing", &[], None),
        ("HDR-07 no field", &[], "", &[], None),
        ("HDR-16", repeated, "SERVER", &["s"], Some("s")),
        ("HDR-16 a part of a name", repeated, "Serve", &[], None),
    ];
    for (id, pairs, name, values, combined) in table {
        let headers = Headers::from_pairs(pairs.iter().copied()).unwrap();
        assert_eq!(headers.get_all(name).collect::<Vec<_>>(), *values, "{id}");
        assert_eq!(headers.get(name), values.first().copied(), "{id}");
        assert_eq!(headers.get_combined(name).as_deref(), *combined, "{id}");
        assert_eq!(headers.contains(name), combined.is_some(), "{id}");
    }
    let mut latin1 = Headers::new();
    latin1.append("X", [0xE9]).unwrap();
    latin1.append("x", "é".as_bytes()).unwrap();
    assert_eq!(latin1.get_combined("X").as_deref(), Some("é, é"));
}

/// What a map says of all names: each once with its values, and line by line. The fields of one name stay where they
/// were added: on the wire, too, nothing moves.
#[test]
fn views() {
    let mixed: Pairs<'_> = &[("B", "1"), ("Via", "a"), ("b", "2"), ("Authorization", "canary"), ("VIA", "")];
    let merged: Pairs<'_> = &[("B", "1, 2"), ("Via", "a, "), ("Authorization", "canary")];
    let table: &[(&str, Pairs<'_>, Pairs<'_>, &str)] = &[
        ("HDR-12 nothing", &[], &[], "[]"),
        ("HDR-12", COOKIES, &[("Cookie", "foo, bar, baz")], "[Cookie: ***, Cookie: ***, cookie: ***]"),
        ("HDR-13, HDR-15, HDR-19", mixed, merged, "[B: 1, Via: a, b: 2, Authorization: ***, VIA: ]"),
    ];
    for (id, pairs, merged, shown) in table {
        let headers = Headers::from_pairs(pairs.iter().copied()).unwrap();
        assert_eq!((headers.names().len(), headers.len()), (merged.len(), pairs.len()), "{id}");
        assert!(headers.names().eq(merged.iter().map(|(name, _)| *name)), "{id}");
        assert_eq!((lines(&headers), headers.iter().len()), (owned(pairs), pairs.len()), "{id}");
        let found: Vec<_> = headers.merged().map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
        assert_eq!(found, owned(merged), "{id}");
        let map: HashMap<_, _> = headers.merged().collect();
        assert_eq!(map.len(), merged.len(), "{id}");
        assert_eq!(format!("{headers:?}"), *shown, "{id}");
        assert_eq!(headers.is_empty(), pairs.is_empty(), "{id}");
    }
}

/// Row by row: whether both mean the same, and whether they are the same fields.
#[test]
fn equality() {
    let two: Pairs<'_> = &[("a", "1"), ("B", "2"), ("A", "3")];
    let table: &[(&str, Pairs<'_>, Pairs<'_>, bool, bool)] = &[
        ("HDR-10", two, two, true, true),
        ("HDR-10 merged", two, &[("A", "1, 3"), ("b", "2")], true, false),
        ("HDR-10 order of names", two, &[("b", "2"), ("A", "1"), ("A", "3")], true, false),
        ("HDR-10 order of values", two, &[("b", "2"), ("A", "3"), ("A", "1")], false, false),
        ("HDR-10 less", two, &[("a", "1"), ("A", "3")], false, false),
        ("HDR-10 more", two, &[("a", "1"), ("B", "2"), ("A", "3"), ("c", "")], false, false),
        ("HDR-10 case of values", &[("a", "x")], &[("a", "X")], false, false),
        ("HDR-10 nothing", &[], &[], true, true),
    ];
    for (id, one, other, same, equal) in table {
        let [one, other] = [one, other].map(|pairs| Headers::from_pairs(pairs.iter().copied()).unwrap());
        assert_eq!((one.same_as(&other), other.same_as(&one)), (*same, *same), "{id}");
        assert_eq!((one == other, other == one), (*equal, *equal), "{id}");
    }
}

/// Pairs are checked one by one, and what refuses one changes nothing.
#[test]
fn refused() {
    for (name, value) in [("a b", "1"), ("", "1"), ("a", "1\r\nb: 2"), ("a", "\0"), ("a", "日")] {
        assert!(Headers::from_pairs([("x", "1"), (name, value)]).is_err(), "{name:?}: {value:?}");
        let mut headers = Headers::from_pairs([("a", "1")]).unwrap();
        let before = headers.clone();
        assert!(headers.insert(name, value).is_err(), "{name:?}: {value:?}");
        assert!(headers.append_combined(name, value).is_err(), "{name:?}: {value:?}");
        assert!(headers.append(name, value).is_err(), "{name:?}: {value:?}");
        assert_eq!(headers, before, "{name:?}: {value:?}");
    }
}
