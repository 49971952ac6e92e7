//! RW-07: the file that takes the place of another.

use std::fs;
#[cfg(unix)]
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use hostpool::{ErrorKind, Response, Session};

use super::names;
use crate::support::{Server, answer, answers, ok};
#[cfg(unix)]
use crate::support::{Step, without_hanging};

/// Saves `text` at the path, once by each way to do so. `reset` is called before each.
#[cfg(unix)]
fn by_all_ways(path: &Path, text: &str, reset: impl Fn(), check: impl Fn(&str)) {
    let server = Server::new(vec![answers(ok(text))]);
    let session = Session::new();
    reset();
    assert_eq!(session.get(server.url("/")).download(path).unwrap(), text.len() as u64);
    check("download");
    reset();
    session.get(server.url("/")).send().unwrap().save_to(path).unwrap();
    check("save_to");
}

fn fetch(server: &Server) -> Response {
    Session::new().get(server.url("/")).send().unwrap()
}

/// The name of a part file says whose it is, and it is gone after a failure and a panic.
#[test]
fn part_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.csv");
    let server = Server::new(vec![answers(ok("0123456789"))]);
    fetch(&server)
        .save_to_with(&path, |_, _| {
            let names = names(folder.path());
            assert_eq!(names.len(), 1);
            assert!(names[0].starts_with(".data.csv.") && names[0].ends_with(".part"), "{names:?}");
        })
        .unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = fetch(&server).save_to_with(&path, |_, _| std::panic::resume_unwind(Box::new("on purpose")));
    }));
    assert!(panicked.is_err());
    let cut = Server::new(vec![answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort")]);
    assert!(fetch(&cut).save_to(&path).is_err());
    assert_eq!((names(folder.path()), fs::read(&path).unwrap()), (vec!["data.csv".to_owned()], b"0123456789".to_vec()));
}

/// Two downloads to one path: the file is one of them, whole.
#[test]
fn two_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let (a, b) = ("a".repeat(300_000), "b".repeat(200_000));
    let servers = [&a, &b].map(|text| Server::new(vec![answers(ok(text))]));
    let start = Barrier::new(2);
    thread::scope(|scope| {
        for server in &servers {
            scope.spawn(|| {
                start.wait();
                fetch(server).save_to(&path).unwrap();
            });
        }
    });
    let text = fs::read_to_string(&path).unwrap();
    assert!(text == a || text == b, "{} bytes", text.len());
    assert_eq!(names(folder.path()), ["file"]);
}

/// An error names the folder that is missing, or the path that is not a file.
#[test]
fn errors_name_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "before").unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    let server = Server::new(vec![answers(ok("hello"))]);
    for (path, named) in [("none/file", "none"), ("file/below", "file"), ("folder", "folder"), ("new/", "new/")] {
        let (path, named) = (folder.path().join(path), folder.path().join(named));
        for error in [
            fetch(&server).save_to(&path).unwrap_err(),
            Session::new().get(server.url("/")).download(&path).unwrap_err(),
        ] {
            assert_eq!(error.kind(), &ErrorKind::Output, "{path:?}");
            let shown = named.to_str().unwrap().escape_debug().to_string();
            assert!(error.to_string().contains(&shown), "{path:?}: {error}");
        }
    }
    assert_eq!(names(folder.path()), ["file", "folder"]);
}

#[cfg(unix)]
mod unix {
    use std::fs::{File, Permissions};
    use std::io::Read;
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink};
    use std::path::PathBuf;

    use rustix::process::geteuid;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    fn write(path: &Path, mode: u32) {
        let _ = fs::remove_file(path);
        fs::write(path, "before").unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_mode_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (before, after) in [(0o600, 0o600), (0o755, 0o755), (0o444, 0o444), (0o666, 0o666), (0o4755, 0o755)] {
            by_all_ways(
                &path,
                "after",
                || write(&path, before),
                |way| {
                    assert_eq!(mode(&path), after, "{way} over {before:o}");
                    assert_eq!(fs::read(&path).unwrap(), b"after", "{way} over {before:o}");
                },
            );
            // Nor may the part file be read by more users.
            write(&path, before);
            let server = Server::new(vec![answers(ok("after"))]);
            fetch(&server)
                .save_to_with(&path, |_, _| {
                    let part = names(folder.path()).into_iter().find(|name| name.ends_with(".part")).unwrap();
                    assert_eq!(mode(&folder.path().join(part)), after, "the part file for {before:o}");
                })
                .unwrap();
        }
        // A new file has the mode that any new file has.
        File::create(folder.path().join("any")).unwrap();
        let expected = mode(&folder.path().join("any"));
        let remove = || drop(fs::remove_file(&path));
        by_all_ways(&path, "after", remove, |way| assert_eq!(mode(&path), expected, "{way}"));
    }

    /// Only the superuser may give files away.
    #[test]
    fn the_owner_is_kept() {
        if !geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let write = || {
            write(&path, 0o640);
            chown(&path, Some(12_345), Some(54_321)).unwrap();
        };
        by_all_ways(&path, "after", write, |way| {
            let there = fs::metadata(&path).unwrap();
            assert_eq!((there.uid(), there.gid(), mode(&path)), (12_345, 54_321, 0o640), "{way}");
        });
    }

    #[test]
    fn links_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        [&here, &there].into_iter().for_each(|path| fs::create_dir(path).unwrap());
        let (link, target) = (here.join("link"), there.join("target"));
        symlink("../there/next", &link).unwrap();
        symlink("target", there.join("next")).unwrap();
        for (row, exists) in [("a link to a link", true), ("a link to nothing yet", false)] {
            let reset = || {
                let _ = fs::remove_file(&target);
                if exists {
                    write(&target, 0o640);
                }
            };
            by_all_ways(&link, "after", reset, |way| {
                assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "{row}, {way}");
                assert_eq!(fs::read(&target).unwrap(), b"after", "{row}, {way}");
                assert!(!exists || mode(&target) == 0o640, "{row}, {way}");
                assert_eq!((names(&here), names(&there)), (vec!["link".into()], vec!["next".into(), "target".into()]));
            });
        }
        // The part file lies beside the target, so that it can take its place in one step.
        let server = Server::new(vec![answers(ok("after"))]);
        fetch(&server)
            .save_to_with(&link, |_, _| assert_eq!((names(&here).len(), names(&there).len()), (1, 3)))
            .unwrap();
        let circle = folder.path().join("circle");
        symlink("circle", &circle).unwrap();
        let error = fetch(&server).save_to(&circle).unwrap_err();
        assert!(error.kind() == &ErrorKind::Output && error.to_string().contains("circle"), "{error}");
    }

    /// A null device that may be replaced without harm, should the code be broken: the system's own for a user who has
    /// no right to replace it, and another one for the superuser. `None` where none can be made.
    fn null_device(folder: &Path) -> Option<PathBuf> {
        if !geteuid().is_root() {
            return Some("/dev/null".into());
        }
        let path = folder.join("device");
        let made = std::process::Command::new("mknod").arg(&path).args(["c", "1", "3"]).status();
        (made.is_ok_and(|status| status.success()) && File::options().write(true).open(&path).is_ok()).then_some(path)
    }

    #[test]
    fn devices_are_written_into() {
        let folder = tempfile::tempdir().unwrap();
        let Some(device) = null_device(folder.path()) else { return };
        let link = folder.path().join("link");
        symlink(&device, &link).unwrap();
        for path in [&device, &link] {
            by_all_ways(
                path,
                "gone",
                || (),
                |way| {
                    assert!(fs::metadata(path).unwrap().file_type().is_char_device(), "{way}");
                    assert_eq!(fs::symlink_metadata(path).unwrap().is_symlink(), path == &link, "{way}");
                },
            );
        }
        // What a device has taken cannot be taken back.
        let cut = || answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort");
        let server = Server::new(vec![cut(), answer(ok("again"))]);
        let error = Session::new().get(server.url("/")).retries(3).download(&link).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Output);
    }

    #[test]
    fn a_fifo_is_written_into() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        // Open for both, a FIFO waits for nobody.
        let mut reader = File::options().read(true).write(true).open(&fifo).unwrap();
        let server = Server::new(vec![vec![Step::Request, Step::Send(ok("through"))]]);
        fetch(&server).save_to(&fifo).unwrap();
        let text = without_hanging(move || {
            let mut text = [0; 7];
            reader.read_exact(&mut text).map(|()| text)
        });
        assert_eq!(&text.unwrap(), b"through");
        assert!(fs::symlink_metadata(&fifo).unwrap().file_type().is_fifo());
        assert_eq!(names(folder.path()), ["fifo"]);
    }

    /// `/dev/stdout` leads to a file that is open, which the shell made: its name tells nothing of it.
    #[test]
    #[cfg(target_os = "linux")]
    fn open_files_are_written_into() {
        use std::io::Write;
        use std::os::fd::AsRawFd;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        for removed in [false, true] {
            let mut file = File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
            file.write_all(b"before ").unwrap();
            let link = folder.path().join("link");
            symlink(format!("/proc/self/fd/{}", file.as_raw_fd()), &link).unwrap();
            if removed {
                fs::remove_file(&path).unwrap();
            }
            let server = Server::new(vec![answers(ok("after"))]);
            fetch(&server).save_to(&link).unwrap();
            std::io::Seek::rewind(&mut file).unwrap();
            assert_eq!(std::io::read_to_string(&file).unwrap(), "before after", "removed: {removed}");
            fs::remove_file(&link).unwrap();
            assert_eq!(names(folder.path()).len(), usize::from(!removed));
        }
    }

    /// In a folder where everybody may write, a link of another user is not followed: it may have been put there after
    /// the file was looked at.
    #[test]
    fn links_of_others_in_shared_folders() {
        if !geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let (shared, target) = (folder.path().join("shared"), folder.path().join("target"));
        fs::create_dir(&shared).unwrap();
        let link = shared.join("link");
        symlink("../target", &link).unwrap();
        let server = Server::new(vec![answers(ok("after"))]);
        for (mode, owner, is_followed) in
            [(0o1777, 0, true), (0o1777, 12_345, false), (0o755, 12_345, true), (0o1775, 12_345, true)]
        {
            fs::set_permissions(&shared, Permissions::from_mode(mode)).unwrap();
            std::os::unix::fs::lchown(&link, Some(owner), None).unwrap();
            fs::write(&target, "before").unwrap();
            let result = fetch(&server).save_to(&link);
            let row = format!("{mode:o}, {owner}: {result:?}");
            assert_eq!(result.is_ok(), is_followed, "{row}");
            assert_eq!(fs::read_to_string(&target).unwrap(), if is_followed { "after" } else { "before" }, "{row}");
            assert_eq!(names(&shared), ["link"], "{row}");
        }
    }

    /// Nor is a file of another user replaced there: it would be his afterwards, with what has been downloaded.
    #[test]
    fn files_of_others_in_shared_folders() {
        if !geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let server = Server::new(vec![answers(ok("after"))]);
        for (folder_mode, owner, is_replaced) in [(0o1777, 0, true), (0o1777, 12_345, false), (0o755, 12_345, true)] {
            fs::set_permissions(folder.path(), Permissions::from_mode(folder_mode)).unwrap();
            write(&path, 0o644);
            chown(&path, Some(owner), None).unwrap();
            let result = fetch(&server).save_to(&path);
            let row = format!("{folder_mode:o}, {owner}: {result:?}");
            assert_eq!(result.is_ok(), is_replaced, "{row}");
            assert_eq!(fs::read_to_string(&path).unwrap(), if is_replaced { "after" } else { "before" }, "{row}");
            assert_eq!((fs::metadata(&path).unwrap().uid(), names(folder.path()).len()), (owner, 1), "{row}");
        }
    }

    /// Another name of the file keeps what it had.
    #[test]
    fn hard_links_keep_the_old_content() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("file"), folder.path().join("other"));
        write(&path, 0o600);
        fs::hard_link(&path, &other).unwrap();
        let server = Server::new(vec![answers(ok("after"))]);
        fetch(&server).save_to(&path).unwrap();
        assert_eq!((fs::read(&path).unwrap(), fs::read(&other).unwrap()), (b"after".to_vec(), b"before".to_vec()));
    }

    /// The superuser may write everywhere.
    #[test]
    fn a_closed_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let closed = folder.path().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o500)).unwrap();
        if geteuid().is_root() {
            return;
        }
        let server = Server::new(vec![answers(ok("hello"))]);
        let error = fetch(&server).save_to(closed.join("file")).unwrap_err();
        assert!(error.to_string().contains(closed.to_str().unwrap()), "{error}");
    }

    /// A file of cookies is the user's own, and its link stays too.
    #[test]
    #[cfg(feature = "json")]
    fn cookies_keep_the_link() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("link"), folder.path().join("target"));
        write(&target, 0o644);
        symlink("target", &link).unwrap();
        let jar = hostpool::CookieJar::new();
        jar.save(&link).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!((mode(&target), names(folder.path()).len()), (0o600, 2));
        let error = jar.save(folder.path().join("none/cookies")).unwrap_err();
        assert!(error.to_string().contains("none"), "{error}");
    }
}
