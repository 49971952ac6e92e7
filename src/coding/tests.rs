use super::codings::KNOWN;
#[cfg(any(feature = "gzip", feature = "brotli"))]
use super::stage::SURPLUS;
use super::*;

#[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
mod decoding;
#[cfg(feature = "gzip")]
mod gzip;

fn codings(lines: &[&str]) -> Result<Option<Codings>, Refused> {
    Codings::of(lines.iter().map(|line| line.as_bytes()))
}

/// Row, lines, whether all named codings are compiled in, and how many stages result then.
type Names<'a> = (&'a str, &'a [&'a str], bool, Result<usize, Refused>);

/// Rows A9.2 and A9.7, DEC-02 and DEC-19: which codings are undone.
#[test]
fn names() {
    let (gzip, br, zstd) = (cfg!(feature = "gzip"), cfg!(feature = "brotli"), cfg!(feature = "zstd"));
    let six = ["gzip"; 6];
    let unknown = |name: &str| Err(Refused::Unknown(name.as_bytes().into()));
    let table: &[Names<'_>] = &[
        ("gzip", &["gzip"], gzip, Ok(1)),
        ("A9.7 x-gzip", &["x-gzip"], gzip, Ok(1)),
        ("A9.7 GZIP", &["GZIP"], gzip, Ok(1)),
        ("A9.7 identity", &["identity"], true, Ok(0)),
        ("A9.7 empty", &[""], true, Ok(0)),
        ("A9.7 empty elements", &[" ,\t, Identity ,"], true, Ok(0)),
        ("A9.7 no coding has parameters", &["gzip;q=1"], true, Ok(0)),
        ("A9.7 among others", &["gzip, identity", ""], gzip, Ok(1)),
        ("white space", &[" gzip\t"], gzip, Ok(1)),
        ("DEC-02", &["DeFlAtE"], gzip, Ok(1)),
        ("br", &["BR"], br, Ok(1)),
        ("zstd", &["zstd"], zstd, Ok(1)),
        ("unknown", &["compress"], true, Ok(0)),
        ("two unknown", &["compress, foo"], true, Ok(0)),
        ("RW-52 unknown in a list", &["gzip, compress"], gzip, unknown("compress")),
        ("RW-52 unknown in another line", &["x", "gzip"], gzip, unknown("x")),
        ("RW-52 a parameter in a list", &["gzip;q=1, gzip"], gzip, unknown("gzip;q=1")),
        ("RW-52 aws-chunked", &["aws-chunked,gzip"], gzip, Ok(1)),
        ("RW-52 aws-chunked alone", &["AWS-Chunked"], true, Ok(0)),
        ("RW-52 none", &["none, gzip"], gzip, Ok(1)),
        ("RW-52 binary", &["gzip", "binary"], gzip, Ok(1)),
        ("RW-52 utf-8", &["gzip, UTF-8"], gzip, Ok(1)),
        ("RW-52 utf8", &["utf8, gzip"], gzip, Ok(1)),
        ("RW-52 iso-8859-1", &["ISO-8859-1,gzip"], gzip, Ok(1)),
        ("RW-52 windows-1252", &["gzip,windows-1252"], gzip, Ok(1)),
        ("RW-52 a charset alone", &["utf-8"], true, Ok(0)),
        ("RW-52 no charset", &["gzip,exi"], gzip, unknown("exi")),
        ("none", &[], true, Ok(0)),
        ("A9.2 five", &["gzip,deflate", "gzip", "gzip,gzip"], gzip, Ok(5)),
        ("A9.2 six in one line", &["gzip,gzip,gzip,gzip,gzip,gzip"], gzip, Err(Refused::TooMany)),
        ("A9.2 six lines", &six, gzip, Err(Refused::TooMany)),
        ("A9.2 mixed", &["gzip,deflate", "gzip, ,gzip", "gzip, deflate"], gzip, Err(Refused::TooMany)),
        ("six, of which one is unknown", &["gzip,gzip,gzip,gzip,gzip,gzip,x"], gzip, unknown("x")),
        ("identity does not count", &["gzip,gzip,gzip,gzip,gzip,identity"], gzip, Ok(5)),
    ];
    for (id, lines, compiled_in, expected) in table {
        let found = codings(lines).map(|codings| codings.map_or(0, |codings| codings.stages().count()));
        assert_eq!(found, if *compiled_in { expected.clone() } else { Ok(0) }, "{id}");
    }
}

/// Accept-Encoding names exactly the codings that are decoded.
#[test]
fn accepted_is_known() {
    let accepted = codings(&[ACCEPTED]).unwrap().map_or(0, |codings| codings.stages().count());
    let aliases = KNOWN.iter().filter(|known| known.name.starts_with("x-")).count();
    assert_eq!(accepted, KNOWN.len() - aliases);
}
