//! A file that gets the secrets of connections, for programs that decrypt a recording of them.

use std::fs::{File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{env, fmt};

use crate::files;

/// A file of secrets in the format of NSS. Two of them are equal if they have the same path.
#[derive(Clone)]
pub(super) struct KeyLogFile(Arc<(PathBuf, Mutex<File>)>);

impl KeyLogFile {
    /// Opens the file to append to it. A new file is for its owner alone, because it decrypts everything.
    pub(super) fn open(path: &Path) -> io::Result<KeyLogFile> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| files::about(error, path))?;
        Ok(KeyLogFile(Arc::new((path.to_owned(), Mutex::new(file)))))
    }

    /// Appends a secret. An error is ignored: the log of a connection is not worth its failure.
    pub(super) fn write(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let line = format!("{label} {} {}\n", hex(client_random), hex(secret));
        // One call, so that the lines of several processes do not mix.
        let _ = self.0.1.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes());
    }
}

/// Returns the path in the variable `SSLKEYLOGFILE`, with `$NAME` and `${NAME}` replaced, as in Python. An unknown
/// variable stays as it is.
pub(super) fn path_of_environment() -> Option<PathBuf> {
    let value = env::var_os("SSLKEYLOGFILE").filter(|value| !value.is_empty())?;
    Some(match value.to_str() {
        Some(text) => expanded(text, |name| env::var(name).ok()).into(),
        None => value.into(),
    })
}

fn expanded(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (name, end) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, end)) => (name, end),
            None => after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len())),
        };
        match value(name).filter(|_| !name.is_empty()) {
            Some(value) => out.push_str(&value),
            None => out.push_str(&rest[before.len()..rest.len() - end.len()]),
        }
        rest = end;
    }
    out + rest
}

impl PartialEq for KeyLogFile {
    fn eq(&self, other: &KeyLogFile) -> bool {
        self.0.0 == other.0.0
    }
}

impl Eq for KeyLogFile {}

impl Hash for KeyLogFile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.0.hash(state);
    }
}

impl fmt::Debug for KeyLogFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyLogFile({})", self.0.0.display())
    }
}

#[cfg(feature = "__rustls")]
impl rustls::KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        self.write(label, client_random, secret);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_in_the_path() {
        let value = |name: &str| (name == "HOME").then(|| "/h".to_owned());
        let table = [
            ("/a/keys", "/a/keys"),
            ("$HOME/keys", "/h/keys"),
            ("${HOME}x", "/hx"),
            ("$HOMEx", "$HOMEx"),
            ("${NONE}/$NONE/$", "${NONE}/$NONE/$"),
            ("${HOME", "${HOME"),
            ("$$HOME", "$/h"),
            ("${}", "${}"),
        ];
        for (text, expected) in table {
            assert_eq!(expanded(text, value), expected, "{text}");
        }
    }
}
