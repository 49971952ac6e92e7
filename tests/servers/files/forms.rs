//! RW-39, RW-62 and RW-64: the parts of a form, above all its files.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use hostpool::multipart::{Form, Part};
use hostpool::{ErrorKind, Method, Phase, Session};

use super::{each_client, last};
use crate::support::{GIVE_UP, Server, Step, answer, answers, ok};

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// RW-39: the file name says the type of a text as well, and a field of bytes can have none.
#[test]
fn rw_39_types_of_parts() {
    let type_line = |media: &str| format!("\r\nContent-Type: {media}\r\n\r\nx");
    let none = "\r\n\r\nx".to_owned();
    let table = [
        ("a text with a file name", Part::text("x").file_name("a.json"), type_line("application/json")),
        ("the pair", ("a.json", "x").into(), type_line("application/json")),
        ("a text with an unknown name", Part::text("x").file_name("a"), type_line("application/octet-stream")),
        ("a text", Part::text("x"), none.clone()),
        ("a text with a type", Part::text("x").file_name("a.json").content_type("a/b"), type_line("a/b")),
        ("bytes", Part::bytes("x"), type_line("application/octet-stream")),
        ("bytes without a type", Part::bytes("x").without_content_type(), none.clone()),
        ("a file without a type", Part::bytes("x").file_name("a.json").without_content_type(), none),
        ("a type after all", Part::bytes("x").without_content_type().content_type("a/b"), type_line("a/b")),
        #[cfg(feature = "charset")]
        (
            "a text in a charset",
            Part::text("x").encoding("koi8-r").file_name("a.csv"),
            type_line("text/csv; charset=koi8-r"),
        ),
        #[cfg(feature = "charset")]
        (
            "no text by its name",
            Part::text("x").encoding("koi8-r").file_name("a.zip"),
            type_line("text/plain; charset=koi8-r"),
        ),
    ];
    let server = Server::new(vec![answers(ok(""))]);
    for (row, part, expected) in table {
        let form = Form::new().part("n", part);
        each_client(&server, &[], |client, make| {
            make(Method::POST).multipart(form.try_clone().unwrap()).send().unwrap();
            let request = String::from_utf8(last(&server)).unwrap();
            let (_, part) = request.split_once("name=\"n\"").unwrap();
            let part = part.strip_prefix("; filename=\"").map_or(part, |part| part.split_once('"').unwrap().1);
            assert!(part.starts_with(&format!("{expected}\r\n--")), "{row}, {client}: {part}");
        });
    }
}

/// RW-64: the file system lets a name have nearly every byte; the caller's own names stay strict.
#[test]
#[cfg(target_os = "linux")]
fn rw_64_names_of_the_file_system() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir().unwrap();
    let table: [(&str, &[u8], &[u8]); 7] = [
        ("a line feed", b"a\nb.txt", b"a%0Ab.txt"),
        ("a line end", b"a\r\nb.txt", b"a%0D%0Ab.txt"),
        ("a tab and an escape", b"a\tb\x1b.txt", b"a\tb\x1b.txt"),
        ("a quote", b"a\"b.txt", b"a%22b.txt"),
        ("not UTF-8", b"caf\xe9.txt", b"caf\xe9.txt"),
        ("UTF-8", "日本.txt".as_bytes(), "日本.txt".as_bytes()),
        ("a header", b"a\"\r\nX-A: b.txt", b"a%22%0D%0AX-A: b.txt"),
    ];
    let server = Server::new(vec![answers(ok(""))]);
    for (row, name, expected) in table {
        let path = folder.path().join(OsStr::from_bytes(name));
        fs::write(&path, "content").unwrap();
        each_client(&server, &[], |client, make| {
            let form = Form::new().file("f", &path).unwrap();
            make(Method::POST).multipart(form).send().unwrap();
            let line =
                [b"name=\"f\"; filename=\"", expected, b"\"\r\nContent-Type: text/plain\r\n\r\ncontent\r\n"].concat();
            assert!(contains(&last(&server), &line), "{row}, {client}");
        });
    }
    for name in ["a\nb", "a\tb", "a\x7fb"] {
        let named = Part::file(folder.path().join("a\nb.txt")).unwrap().file_name(name);
        assert!(Form::new().part("f", named).into_body().is_err(), "{name:?}");
    }
}

/// Files of ten thousand bytes each.
fn many(folder: &Path, count: usize) -> Vec<PathBuf> {
    let paths = (0..count).map(|number| folder.join(format!("{number}.bin")));
    let paths: Vec<_> = paths.collect();
    paths.iter().for_each(|path| fs::write(path, [7; 10_000]).unwrap());
    paths
}

/// RW-62: a form of many files needs one descriptor, also when it is sent again. The client is a child: this binary,
/// run again, with few descriptors.
#[test]
#[cfg(target_os = "linux")]
fn rw_62_many_files_and_few_descriptors() {
    let args = ["--exact", "files::forms::with_few_descriptors", "--ignored", "--nocapture"];
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    let output = child.args(args).env("HOSTPOOL_TEST_FEW", "1").output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "the child of another test"]
#[cfg(target_os = "linux")]
fn with_few_descriptors() {
    use rustix::process::{Resource, Rlimit, setrlimit};

    if std::env::var_os("HOSTPOOL_TEST_FEW").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let paths = many(folder.path(), 300);
    let redirect = b"HTTP/1.1 307 Again\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n";
    let server = Server::new(vec![[answer(redirect), answers(ok(""))].concat()]);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: Some(64) }).unwrap();
    let session = Session::builder().timeout(GIVE_UP).build().unwrap();
    let files = |paths: &[PathBuf]| paths.iter().map(|path| ("f", path.clone())).collect::<Vec<_>>();
    session.post(server.url("/")).files(files(&paths)).send().unwrap();
    let form = paths.iter().fold(Form::new(), |form, path| form.file("f", path).unwrap());
    let again = form.try_clone().unwrap();
    for form in [form, again] {
        session.post(server.url("/")).multipart(form).send().unwrap();
    }
    #[cfg(feature = "gzip")]
    session.post(server.url("/")).files(files(&paths)).compress(hostpool::Compress::Gzip).send().unwrap();
    let requests = server.seen.requests.lock().unwrap();
    let bodies = requests.iter().filter(|(_, request)| contains(request, b"Content-Length: 3"));
    let lengths: Vec<_> = bodies.map(|(_, request)| request.len()).collect();
    assert_eq!((requests.len() - usize::from(cfg!(feature = "gzip")), lengths.len()), (4, 4), "{lengths:?}");
    assert!(lengths.iter().all(|len| (3_000_000..3_100_000).contains(len)), "{lengths:?}");
}

/// RW-62: a file that is not what it was ends the request before anything is sent, and is named.
#[test]
fn rw_62_files_that_change_before_they_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changing.bin");
    let other = folder.path().join("other");
    let server = Server::new(vec![answers(ok(""))]);
    type Change<'a> = &'a dyn Fn();
    let rewrite: Change<'_> = &|| {
        let file = File::options().write(true).open(&path).unwrap();
        (&file).write_all(b"two").unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    };
    let table: [(&str, Change<'_>); 5] = [
        ("longer", &|| File::options().append(true).open(&path).unwrap().write_all(b"more").unwrap()),
        ("shorter", &|| File::options().write(true).open(&path).unwrap().set_len(1).unwrap()),
        ("rewritten", rewrite),
        ("removed", &|| fs::remove_file(&path).unwrap()),
        ("another", &|| {
            fs::write(&other, "two").unwrap();
            fs::rename(&other, &path).unwrap();
        }),
    ];
    for (row, change) in table {
        each_client(&server, &[], |client, make| {
            let _ = fs::remove_file(&path);
            fs::write(&path, "one").unwrap();
            let form = Form::new().text("a", "1").file("f", &path).unwrap();
            change();
            let error = make(Method::POST).multipart(form).send().unwrap_err();
            assert_eq!((error.kind(), error.phase()), (&ErrorKind::BodyRead, Phase::Prepare), "{row}, {client}");
            assert!(error.to_string().contains("changing.bin"), "{row}, {client}: {error}");
        });
    }
    assert_eq!(server.seen.accepted(), 0);
}

/// RW-62: neither does a file that changes between two hops, or while another part leaves, reach the server.
#[test]
fn rw_62_files_that_change_while_they_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let paths = many(folder.path(), 60);
    let redirect = b"HTTP/1.1 307 Again\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n";
    let server = Server::new(vec![[answer(redirect), answers(ok(""))].concat()]);
    let (last, hops) = (paths[59].clone(), std::sync::atomic::AtomicUsize::new(0));
    let session = Session::builder().timeout(GIVE_UP).on_request({
        let last = last.clone();
        move |_| {
            if hops.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1 {
                fs::write(&last, "other").unwrap();
            }
            Ok(())
        }
    });
    let form = || paths.iter().fold(Form::new(), |form, path| form.file("f", path).unwrap());
    let error = session.build().unwrap().post(server.url("/")).multipart(form()).send().unwrap_err();
    assert_eq!((error.kind(), error.maybe_processed()), (&ErrorKind::BodyRead, true));
    assert!(error.to_string().contains("59.bin"), "{error}");
    assert_eq!(server.seen.requests().len(), 1);

    for (row, length) in [("shorter", 5), ("empty", 0), ("another of the same length", 10_000), ("longer", 20_000)] {
        fs::write(&last, [7; 10_000]).unwrap();
        let server = Server::new(vec![vec![Step::Request]]);
        let mut told = 0;
        let changed = last.clone();
        let request = Session::new().post(server.url("/")).multipart(form()).on_upload_progress(move |_, _| {
            told += 1;
            if told == 2 {
                // Under another name first: the other file is another one by its place on the disk.
                let other = changed.with_extension("new");
                fs::write(&other, vec![1; length]).unwrap();
                fs::rename(other, &changed).unwrap();
            }
        });
        let error = request.send().unwrap_err();
        assert_eq!((error.kind(), error.phase()), (&ErrorKind::BodyRead, Phase::Send), "{row}: {error}");
        assert!(error.to_string().contains("59.bin"), "{row}: {error}");
        assert!(server.seen.requests().is_empty(), "{row}");
    }
}

/// RW-62: a FIFO in the place of a file would be waited for past every deadline.
#[test]
#[cfg(unix)]
fn rw_62_a_fifo_in_the_place_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "content").unwrap();
    let fifo = path.clone();
    let before = std::iter::once_with(move || {
        fs::remove_file(&fifo).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        b"before".as_slice()
    });
    struct Pieces<I>(I);
    impl<I: Iterator<Item = &'static [u8]>> std::io::Read for Pieces<I> {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            let piece = self.0.next().unwrap_or_default();
            buf[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }
    let form = Form::new().part("reader", Part::reader(Pieces(before))).file("f", &path).unwrap();
    let server = Server::new(vec![vec![Step::Request]]);
    let url = server.url("/");
    let error = crate::support::without_hanging(move || Session::new().post(url).multipart(form).send().unwrap_err());
    assert_eq!((error.kind(), error.phase()), (&ErrorKind::BodyRead, Phase::Send), "{error}");
}

/// What fails when the form is built, with its path; and what only looks like a file without a length.
#[test]
fn rw_62_when_the_form_is_built() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("missing"), folder.path().to_owned()] {
        for error in [
            Form::new().file("f", &path).unwrap_err(),
            Session::new().post("http://127.0.0.1:1/").files([("f", &path)]).send().unwrap_err(),
        ] {
            assert_eq!((error.kind(), error.phase()), (&ErrorKind::BodyRead, Phase::Prepare), "{path:?}");
            let shown = path.to_str().unwrap().escape_debug().to_string();
            assert!(error.to_string().contains(&shown), "{error}");
        }
    }
    let server = Server::new(vec![answers(ok(""))]);
    let empty = folder.path().join("empty");
    File::create(&empty).unwrap();
    Session::new().post(server.url("/")).files([("f", &empty)]).send().unwrap();
    let request = last(&server);
    assert!(contains(&request, b"\r\n\r\n\r\n--") && contains(&request, b"Content-Length: "));
    #[cfg(target_os = "linux")]
    {
        Session::new().post(server.url("/")).files([("f", "/proc/version")]).send().unwrap();
        let request = last(&server);
        assert!(contains(&request, &fs::read("/proc/version").unwrap()));
        assert!(contains(&request, b"Transfer-Encoding: chunked"));
    }
}
