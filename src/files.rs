//! Files of the caller: errors that name them, and files that are replaced when their new content is complete.

use std::error::Error;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Most links that are followed one after the other, as in Linux.
const MOST_LINKS: usize = 40;

/// Most bytes of the target's name in the name of its part file. File systems allow 255 bytes, encrypted ones 143.
const NAME_MAX: usize = 100;

/// Returns the same error with the path of its file.
pub(crate) fn about(error: io::Error, path: &Path) -> io::Error {
    // The empty path is the current folder.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    io::Error::new(error.kind(), FileError { path: path.into(), error })
}

/// Returns the path and the system's error of an error of [`about`]. Any other error is returned as it is.
pub(crate) fn apart(error: io::Error) -> Result<(Box<Path>, io::Error), io::Error> {
    error.downcast::<FileError>().map(|FileError { path, error }| (path.into(), error))
}

#[derive(Debug)]
struct FileError {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

/// Content that is being written into a file.
///
/// It is written to a part file in the same folder. [`complete`](Self::complete) gives that file the target's name;
/// otherwise it is removed, also in a panic. A target that is not a regular file (a device, a FIFO) or that is an open
/// file (`/dev/stdout`) is written into instead: replacing `/dev/null` by a file would harm the whole system.
#[derive(Debug)]
pub(crate) struct Partial {
    file: File,
    draft: Draft,
    target: PathBuf,
}

/// The part file, until it gets the target's name.
#[derive(Debug)]
struct Draft(Option<PathBuf>);

impl Partial {
    /// Creates the part file for `target`. If `target` is a link, the file that it leads to is the target, and the link
    /// stays.
    ///
    /// The part file gets the mode and, if the system permits it, the owner of the target. With `mode` it gets that
    /// mode. Everything that can be known to fail fails here, before anything is downloaded.
    pub(crate) fn create(target: &Path, mode: Option<u32>) -> io::Result<Partial> {
        if target.file_name().is_none() {
            return Err(about(io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"), target));
        }
        // The system follows the links first, so that its rules on other users' links in shared folders hold.
        let there = match fs::metadata(target) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(about(error, target)),
        };
        let resolved = match &there {
            Some(there) if there.is_dir() => return Err(about(io::ErrorKind::IsADirectory.into(), target)),
            Some(there) if !there.is_file() => None,
            _ => follow_links(target).map_err(|error| about(error, target))?,
        };
        let Some(target) = resolved else {
            let file = open_as_it_is(target, there.as_ref()).map_err(|error| about(error, target))?;
            return Ok(Partial { file, draft: Draft(None), target: target.into() });
        };
        let Some(name) = target.file_name().filter(|_| !ends_as_a_folder(&target)) else {
            let error = io::Error::new(io::ErrorKind::NotADirectory, "the path is that of a folder");
            return Err(about(error, &target));
        };
        if let Some(there) = &there {
            check_owner(there, folder_of(&target)).map_err(|error| about(error, &target))?;
        }
        let (file, path) = loop {
            let path = target.with_file_name(part_name(name));
            match open_new(&path, there.as_ref(), mode) {
                Ok(file) => break (file, path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(about(error, folder_of(&target))),
            }
        };
        let partial = Partial { file, draft: Draft(Some(path)), target };
        if let Some(there) = &there {
            adopt(&partial.file, there, mode, &partial.target).map_err(|error| about(error, &partial.target))?;
        }
        Ok(partial)
    }

    /// Removes what was written. Fails if that is not in a part file.
    pub(crate) fn begin_anew(&mut self) -> io::Result<()> {
        let begun = match self.draft.0 {
            Some(_) => self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0))),
            None => Err(io::Error::new(io::ErrorKind::Unsupported, "what was written here cannot be taken back")),
        };
        begun.map(drop).map_err(|error| about(error, &self.target))
    }

    /// Waits until the content is on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match self.draft.0 {
            Some(_) => self.file.sync_all().map_err(|error| about(error, &self.target)),
            // A device or a FIFO has no content to keep.
            None => Ok(()),
        }
    }

    /// Gives the part file the target's name, in one step.
    pub(crate) fn complete(self) -> io::Result<()> {
        let Partial { file, mut draft, target } = self;
        drop(file);
        if let Some(path) = &draft.0 {
            fs::rename(path, &target).map_err(|error| about(error, &target))?;
            draft.0 = None;
        }
        Ok(())
    }
}

impl Write for Partial {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|error| about(error, &self.target))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // No caller is left to get the error.
            let _ = fs::remove_file(path);
        }
    }
}

/// Opens a file that is not to be replaced. Its content stays: the shell may have opened it for appending.
fn open_as_it_is(path: &Path, there: Option<&Metadata>) -> io::Result<File> {
    let file = File::options().append(true).open(path)?;
    // Nothing has been written yet. In a shared folder another user may have put a link there meanwhile.
    match there.is_some_and(|there| !there.is_file()) && file.metadata()?.is_file() {
        true => Err(io::Error::other("the path leads to another file than before")),
        false => Ok(file),
    }
}

/// Returns what the link at `path` leads to, which need not exist; `path` itself if it is not a link. `None` if it is
/// an open file.
fn follow_links(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => {
                let folder = folder_of(&path);
                if is_of_proc(folder) {
                    return Ok(None);
                }
                check_owner(&metadata, folder)?;
                let link = fs::read_link(&path)?;
                path = path.parent().unwrap_or(Path::new("")).join(link);
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => return Ok(Some(path)),
        }
    }
    Err(io::Error::other("too many links lead to the file"))
}

/// Returns whether links in this folder stand for open files, as `/dev/stdout` finally does. Such a file may have
/// another name by now, or none.
#[cfg(target_os = "linux")]
fn is_of_proc(folder: &Path) -> bool {
    rustix::fs::statfs(folder).is_ok_and(|system| system.f_type == rustix::fs::PROC_SUPER_MAGIC)
}

#[cfg(not(target_os = "linux"))]
fn is_of_proc(_: &Path) -> bool {
    false
}

/// Refuses another user's link or file in a folder where everybody may make them (`/tmp`). The rules are those of Linux
/// for links and of most of its distributions for files (proc_sys_fs(5), `protected_symlinks` and `protected_regular`).
///
/// A link could lead to any file, and may have been made after the system's own check. A file would be given back to
/// its owner, who could change what has been downloaded.
#[cfg(unix)]
fn check_owner(there: &Metadata, folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    /// The bits for sticky and for writable by all.
    const SHARED: u32 = 0o1002;
    let folder = fs::metadata(folder)?;
    let is_trusted = [rustix::process::geteuid().as_raw(), folder.uid()].contains(&there.uid());
    match folder.mode() & SHARED == SHARED && !is_trusted {
        true => Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is another user's, in a folder of all users")),
        false => Ok(()),
    }
}

#[cfg(not(unix))]
fn check_owner(_: &Metadata, _: &Path) -> io::Result<()> {
    Ok(())
}

/// Returns the folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns whether a path ends with a separator, which `file_name` and `with_file_name` ignore.
fn ends_as_a_folder(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().last().is_some_and(|&byte| std::path::is_separator(byte.into()))
}

/// Returns a name that tells which file it belongs to and that is hard to guess.
fn part_name(name: &OsStr) -> String {
    let name = name.to_string_lossy();
    let mut len = 0;
    let start = name.chars().take_while(|char| {
        len += char.len_utf8();
        len <= NAME_MAX
    });
    let chance = RandomState::new().hash_one(std::process::id());
    format!(".{}.{chance:016x}.part", start.collect::<String>())
}

/// Creates a file. If it is to replace another one, only the owner may use it: whether its group is that of the other
/// is not known yet.
#[cfg(unix)]
fn open_new(path: &Path, there: Option<&Metadata>, mode: Option<u32>) -> io::Result<File> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

    let mut options = File::options();
    options.write(true).create_new(true);
    if let Some(mode) = mode.or(there.map(Metadata::mode)) {
        options.mode(mode & 0o700);
    }
    options.open(path)
}

#[cfg(not(unix))]
fn open_new(path: &Path, _: Option<&Metadata>, _: Option<u32>) -> io::Result<File> {
    File::options().write(true).create_new(true).open(path)
}

/// Gives the file the owner of the one that it will replace, if that is permitted, and then its access control list and
/// its mode. The bits beyond the permissions (setuid, setgid, sticky) are dropped, because new content must not run as
/// another user.
#[cfg(unix)]
fn adopt(file: &File, there: &Metadata, mode: Option<u32>, target: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

    let own = file.metadata()?;
    let (uid, gid) = (there.uid(), there.gid());
    let mut in_group = true;
    if (own.uid(), own.gid()) != (uid, gid) {
        // The superuser may give a file away; an owner may give it to a group of his own.
        let given = fchown(file, Some(uid), Some(gid)).or_else(|_| fchown(file, None, Some(gid)));
        in_group = given.is_ok() || own.gid() == gid;
    }
    let list = if mode.is_none() { access_list(target) } else { None };
    if let Some(list) = list.as_deref().filter(|_| in_group)
        && set_access_list(file, list).is_ok()
    {
        // The list contains the mode.
        return Ok(());
    }
    // The file may have got a list from the default of its folder.
    let _ = set_access_list(file, &[]);
    let mut mode = mode.unwrap_or(there.mode()) & 0o777;
    if !in_group || list.is_some() {
        mode = for_any_group(mode);
    }
    match file.metadata()?.mode() & 0o777 == mode {
        true => Ok(()),
        false => file.set_permissions(fs::Permissions::from_mode(mode)),
    }
}

/// Returns a mode for a file that has another group than before, or that has lost its list of users. Users who were in
/// the group may now be among all others, and the reverse: both get only what both had.
#[cfg(unix)]
fn for_any_group(mode: u32) -> u32 {
    let both = mode & (mode >> 3) & 0o007;
    mode & 0o700 | both << 3 | both
}

#[cfg(not(unix))]
fn adopt(_: &File, _: &Metadata, _: Option<u32>, _: &Path) -> io::Result<()> {
    Ok(())
}

/// The attribute in which Linux keeps an access control list.
#[cfg(target_os = "linux")]
const ACCESS_LIST: &str = "system.posix_acl_access";

#[cfg(target_os = "linux")]
fn access_list(path: &Path) -> Option<Vec<u8>> {
    // Most files have no list, and some file systems know no lists.
    let len = rustix::fs::getxattr_query(path, ACCESS_LIST).ok()?;
    let mut list = vec![0; len];
    let len = rustix::fs::getxattr(path, ACCESS_LIST, list.as_mut_slice()).ok()?;
    list.truncate(len);
    (len > 0).then_some(list)
}

/// Sets the access control list. An empty one removes it.
#[cfg(target_os = "linux")]
fn set_access_list(file: &File, list: &[u8]) -> io::Result<()> {
    match list.is_empty() {
        true => Ok(rustix::fs::fremovexattr(file, ACCESS_LIST)?),
        false => Ok(rustix::fs::fsetxattr(file, ACCESS_LIST, list, rustix::fs::XattrFlags::empty())?),
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn access_list(_: &Path) -> Option<Vec<u8>> {
    None
}

#[cfg(all(unix, not(target_os = "linux")))]
fn set_access_list(_: &File, _: &[u8]) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RW-07: the name of a part file tells its owner file, and is short enough for every file system.
    #[test]
    fn names_of_part_files() {
        let long = "é".repeat(120);
        for (name, start) in
            [("data.csv", ".data.csv."), (".profile", "..profile."), (&*long, &*format!(".{}.", &long[..100]))]
        {
            let part = part_name(OsStr::new(name));
            assert!(part.starts_with(start) && part.ends_with(".part"), "{part}");
            assert_eq!(part.len(), start.len() + 16 + ".part".len());
            assert_ne!(part, part_name(OsStr::new(name)));
        }
    }

    /// RW-07: nobody may read more than before at any moment, also before the mode and the group are set.
    #[test]
    #[cfg(unix)]
    fn part_files_begin_closed() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};

        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        fs::write(&target, "").unwrap();
        for mode in [0o600, 0o644, 0o444, 0o777, 0o070, 0] {
            fs::set_permissions(&target, fs::Permissions::from_mode(mode)).unwrap();
            let there = fs::metadata(&target).unwrap();
            let path = folder.path().join(format!("{mode:o}"));
            let file = open_new(&path, Some(&there), None).unwrap();
            let begun = file.metadata().unwrap().mode() & 0o777;
            assert_eq!(begun & !(mode & 0o700), 0, "{begun:o} for {mode:o}");
            adopt(&file, &there, None, &target).unwrap();
            assert_eq!(file.metadata().unwrap().mode() & 0o777, mode);
        }
        let private = open_new(&folder.path().join("private"), None, Some(0o600)).unwrap();
        assert_eq!(private.metadata().unwrap().mode() & 0o077, 0);
    }

    /// RW-07: losing a group that was kept out lets nobody in.
    #[test]
    #[cfg(unix)]
    fn modes_without_the_group() {
        for (before, after) in
            [(0o640, 0o600), (0o644, 0o644), (0o664, 0o644), (0o666, 0o666), (0o604, 0o600), (0o754, 0o744)]
        {
            assert_eq!(for_any_group(before), after, "{before:o}");
        }
    }

    /// RW-07: an access control list is copied, and a list from the folder does not let more users in.
    #[test]
    #[cfg(target_os = "linux")]
    fn access_control_lists() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};

        // Version 2; the owner, user 65534, the group, the mask, all others (acl(5)).
        let entries: [(u16, u16, u32); 5] = [(1, 6, !0), (2, 4, 65_534), (4, 0, !0), (16, 4, !0), (32, 0, !0)];
        let entries = entries
            .iter()
            .flat_map(|(tag, may, id)| [&tag.to_le_bytes()[..], &may.to_le_bytes(), &id.to_le_bytes()].concat());
        let list: Vec<u8> = 2_u32.to_le_bytes().into_iter().chain(entries).collect();
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let replace = || {
            let mut partial = Partial::create(&target, None).unwrap();
            partial.write_all(b"after").unwrap();
            partial.complete().unwrap();
            (access_list(&target), fs::metadata(&target).unwrap().mode() & 0o777)
        };
        let file = File::create(&target).unwrap();
        if set_access_list(&file, &list).is_err() {
            return; // The file system knows no lists.
        }
        assert_eq!(replace(), (Some(list.clone()), 0o640));

        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(folder.path(), "system.posix_acl_default", &list, flags).unwrap();
        let file = File::create(folder.path().join("any")).unwrap();
        assert!(access_list(&folder.path().join("any")).is_some(), "a new file has the folder's list");
        set_access_list(&file, &[]).unwrap();
        fs::rename(folder.path().join("any"), &target).unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(replace(), (None, 0o640));
    }

    /// RW-07: an error names its file once, and keeps its kind and its cause.
    #[test]
    fn errors_name_the_file() {
        let error = about(io::ErrorKind::PermissionDenied.into(), Path::new("/var/data"));
        assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::PermissionDenied, "/var/data".to_owned()));
        let cause = error.get_ref().and_then(|error| error.source()).unwrap().to_string();
        assert_eq!(cause, "permission denied");
        assert_eq!(about(io::ErrorKind::NotFound.into(), Path::new("")).to_string(), ".");
        let (path, error) = apart(error).unwrap();
        assert_eq!((&*path, error.kind()), (Path::new("/var/data"), io::ErrorKind::PermissionDenied));
        assert_eq!(apart(io::Error::other("why")).unwrap_err().to_string(), "why");
    }
}
