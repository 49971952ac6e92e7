//! Logins and passwords from the file that ftp, curl and Python read as well.

mod parse;

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parse::Entry;

use super::{AuthEncoding, BasicAuth};
use crate::error::{Error, Result};
use crate::observe;

/// The logins of a `.netrc` file, for [`SessionBuilder::netrc`](crate::SessionBuilder::netrc).
///
/// ```text
/// machine api.example login Aladdin password "open sesame"
/// # One without login and password keeps the default away from a host.
/// machine public.example
/// default login anonymous password guest
/// ```
///
/// Words are separated by white space, including line ends. A word may stand in double quotes. A backslash takes the
/// next character literally, in quotes or not. `user` is the same as `login`; `account` is ignored, and so is `macdef`
/// up to a blank line. A `#` in place of a keyword begins a comment. Any other word within an entry is ignored together
/// with a value in the same line, such as `port 21`, and the log names the line.
///
/// ```
/// use hostpool::Netrc;
///
/// let netrc = Netrc::parse("machine api.example login Aladdin password \"open sesame\"")?;
/// let auth = netrc.lookup("API.example", None).unwrap();
/// assert_eq!((auth.login(), auth.password()), ("Aladdin", "open sesame"));
/// assert!(netrc.lookup("api.example", Some("Jafar")).is_none());
/// assert!(netrc.lookup("www.api.example", None).is_none());
/// # Ok::<(), hostpool::Error>(())
/// ```
#[doc(alias = "trust_env")]
#[derive(Clone, Default)]
pub struct Netrc(Arc<[Entry]>);

impl Netrc {
    /// Reads the entries of such a text, which may begin with a byte order mark. Fails with the number of the first
    /// line that is not valid: one with a keyword without a value, quotes that are not closed, or a word outside an
    /// entry.
    pub fn parse(text: &str) -> Result<Netrc> {
        match parse::entries(text) {
            Ok((entries, unknown)) => {
                unknown.into_iter().for_each(observe::unknown_netrc_word);
                Ok(Netrc(entries.into()))
            }
            // The text itself may be a password, so it is not shown.
            Err(wrong) => Err(Error::config("a netrc file is not valid").with_source(wrong.to_string())),
        }
    }

    /// Reads the entries of a file.
    ///
    /// Fails with [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if the file cannot be read, is not
    /// UTF-8, or is not valid; on Unix also if others than its owner may read or write it.
    ///
    /// ```no_run
    /// use hostpool::{Netrc, Session};
    ///
    /// let session = Session::builder().netrc(Netrc::load("/etc/app/netrc")?).build()?;
    /// # Ok::<(), hostpool::Error>(())
    /// ```
    pub fn load(path: impl AsRef<Path>) -> Result<Netrc> {
        let path = path.as_ref();
        Netrc::read(path).unwrap_or_else(|error| Err(unreadable(error))).map_err(|error| error.with_file(path))
    }

    /// Reads the entries of the file that the variable `NETRC` names, or else of `.netrc` in the home directory
    /// (`_netrc` on Windows). Without a file in the home directory there are no entries. Fails as [`load`](Self::load)
    /// does.
    pub fn from_env() -> Result<Netrc> {
        Netrc::find(std::env::var_os("NETRC"), std::env::home_dir())
    }

    fn find(named: Option<OsString>, home: Option<PathBuf>) -> Result<Netrc> {
        if let Some(named) = named.filter(|named| !named.is_empty()) {
            return Netrc::load(named);
        }
        let name = if cfg!(windows) { "_netrc" } else { ".netrc" };
        let Some(path) = home.filter(|home| !home.as_os_str().is_empty()).map(|home| home.join(name)) else {
            return Ok(Netrc::default());
        };
        match Netrc::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Netrc::default()),
            read => read.unwrap_or_else(|error| Err(unreadable(error))).map_err(|error| error.with_file(&path)),
        }
    }

    fn read(path: &Path) -> io::Result<Result<Netrc>> {
        let mut file = File::open(path)?;
        if is_open_to_others(&file)? {
            return Ok(Err(Error::config("a netrc file may be read or written by others than its owner: chmod 600")));
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(Netrc::parse(&text))
    }

    /// Returns the credentials for a host: those of the first entry that has a login and a password. With a `login`,
    /// only an entry with that login counts.
    ///
    /// Hosts are compared whole and without regard to case; an IPv6 address may stand in brackets. `default` is for
    /// hosts that no entry names. Text that ISO-8859-1 does not have is encoded in UTF-8.
    pub fn lookup(&self, host: &str, login: Option<&str>) -> Option<BasicAuth> {
        let names = |entry: &Entry| {
            entry
                .host
                .as_ref()
                .is_some_and(|named| without_brackets(named).eq_ignore_ascii_case(without_brackets(host)))
        };
        let is_named = self.0.iter().any(names);
        let entries = self.0.iter().filter(|entry| if is_named { names(entry) } else { entry.host.is_none() });
        entries.into_iter().find_map(|entry| {
            let (found, password) = (entry.login.as_deref()?, entry.password.as_deref()?);
            if login.is_some_and(|login| login != found) {
                return None;
            }
            let fits = found.chars().chain(password.chars()).all(|c| u32::from(c) <= 0xFF);
            let encoding = if fits { AuthEncoding::Latin1 } else { AuthEncoding::Utf8 };
            Some(BasicAuth::new(found, password).encoding(encoding))
        })
    }
}

fn unreadable(error: io::Error) -> Error {
    Error::config("a netrc file cannot be read").with_source(error)
}

fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Returns whether others may read the open file, whatever its name means by now. A pipe or `/dev/null` keeps no
/// secrets.
#[cfg(unix)]
fn is_open_to_others(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;

    let metadata = file.metadata()?;
    Ok(metadata.is_file() && metadata.permissions().mode() & 0o066 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &File) -> io::Result<bool> {
    Ok(false)
}

impl fmt::Debug for Netrc {
    /// Shows the hosts only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Netrc")?;
        f.debug_list().entries(self.0.iter().map(|entry| entry.host.as_deref().unwrap_or("default"))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the login and the password.
    fn found(text: &str, host: &str, login: Option<&str>) -> Option<(String, String)> {
        let auth = Netrc::parse(text).unwrap().lookup(host, login)?;
        Some((auth.login().to_owned(), auth.password().to_owned()))
    }

    #[test]
    fn who_is_meant() {
        let two = "machine a login alice password 1 machine a login bob password 2 default login d password 3";
        let partial = "machine a login alice machine b password 2 machine c default login d password 3";
        let table = [
            ("first", two, "a", None, Some(("alice", "1"))),
            ("by login", two, "a", Some("bob"), Some(("bob", "2"))),
            ("A11.3", two, "a", Some("carol"), None),
            ("logins have a case", two, "a", Some("Bob"), None),
            ("default", two, "b", None, Some(("d", "3"))),
            ("default by login", two, "b", Some("d"), Some(("d", "3"))),
            ("default of another login", two, "b", Some("bob"), None),
            ("hosts have none", "machine A.Example login u password p", "a.eXAMPLE", None, Some(("u", "p"))),
            ("no subdomain", "machine example login u password p", "a.example", None, None),
            ("no front", "machine trusted.evil login u password p", "trusted", None, None),
            ("A11.1", "machine trusted login u password p", "evil", Some("trusted"), None),
            ("partial: login", partial, "a", None, None),
            ("partial: password", partial, "b", None, None),
            ("partial: nothing", partial, "c", None, None),
            ("partial: others", partial, "d", None, Some(("d", "3"))),
            ("partial and whole", "machine a login x machine a login y password z", "a", None, Some(("y", "z"))),
            ("A11.4 empty default", "machine a login u password p default", "b", None, None),
            ("A11.4 empty default first", "default machine a login u password p", "a", None, Some(("u", "p"))),
            ("empty password", "machine a login u password \"\"", "a", None, Some(("u", ""))),
            ("IPv6", "machine ::1 login u password p", "[::1]", None, Some(("u", "p"))),
            ("IPv6 in brackets", "machine [::1] login u password p", "[::1]", None, Some(("u", "p"))),
            ("nothing", "", "a", None, None),
        ];
        for (row, text, host, login, expected) in table {
            let expected = expected.map(|(login, password)| (login.to_owned(), password.to_owned()));
            assert_eq!(found(text, host, login), expected, "{row}");
        }
        let wide = Netrc::parse("machine a login u password €").unwrap().lookup("a", None).unwrap();
        assert_eq!(wide.encode().unwrap(), "Basic dTrigqw=");
        let narrow = Netrc::parse("machine a login u password é").unwrap().lookup("a", None).unwrap();
        assert_eq!(narrow.encode().unwrap(), "Basic dTrp");
    }

    #[test]
    fn nothing_secret_is_shown() {
        let netrc = Netrc::parse("machine a login user password canary default login canary password canary").unwrap();
        assert_eq!(format!("{netrc:?}"), "Netrc[\"a\", \"default\"]", "A18");
        for text in ["canary machine a login u", "machine a password \"canary", "canary"] {
            let error = Netrc::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "A18 {error}");
        }
    }

    #[test]
    fn files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(if cfg!(windows) { "_netrc" } else { ".netrc" });
        let home = || Some(folder.path().to_owned());
        assert!(Netrc::load(&path).is_err());
        assert!(Netrc::find(None, home()).unwrap().0.is_empty(), "no file");
        assert!(Netrc::find(None, None).unwrap().0.is_empty(), "no home");
        std::fs::write(&path, "machine a login u password p").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            for (mode, accepted) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)] {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
                let loaded = Netrc::load(&path);
                assert_eq!(loaded.is_ok(), accepted, "{mode:o}");
                let why = loaded.err().map_or(String::new(), |error| error.to_string());
                assert!(accepted || why.contains("chmod 600") && why.contains(path.to_str().unwrap()), "{why}");
                assert_eq!(Netrc::find(None, home()).is_ok(), accepted, "{mode:o}");
            }
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            assert!(Netrc::load("/dev/null").unwrap().0.is_empty());
        }
        for netrc in [Netrc::load(&path), Netrc::find(None, home()), Netrc::find(Some("".into()), home())] {
            assert_eq!(netrc.unwrap().lookup("a", None).unwrap().login(), "u");
        }
        let named = folder.path().join("named");
        assert!(Netrc::find(Some(named.clone().into()), home()).is_err(), "it is named, and not there");
        std::fs::copy(&path, &named).unwrap();
        assert!(Netrc::find(Some(named.clone().into()), None).unwrap().lookup("a", None).is_some());
        std::fs::write(&named, b"machine \xff").unwrap();
        for path in [&*named, folder.path(), &folder.path().join("none")] {
            let error = Netrc::load(path).unwrap_err();
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        }
    }
}
