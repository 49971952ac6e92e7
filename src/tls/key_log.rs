//! Who gets the secrets of connections, for programs that decrypt a recording of them.

use std::fs::{File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{env, fmt};

use crate::contain::contain;
use crate::files;

/// The places that the secrets go to.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct KeyLog {
    pub(super) file: Option<KeyLogFile>,
    pub(super) function: Option<KeyLogFunction>,
}

impl KeyLog {
    pub(super) fn is_off(&self) -> bool {
        self.file.is_none() && self.function.is_none()
    }

    /// Writes a secret in the format of NSS.
    pub(super) fn write(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let line = format!("{label} {} {}", hex(client_random), hex(secret));
        if let Some(file) = &self.file {
            file.write(&line);
        }
        if let Some(KeyLogFunction(function)) = &self.function {
            contain(|| function(&line));
        }
    }
}

/// A function of the caller that gets the lines. Two of them are equal if they are the same one.
#[derive(Clone)]
pub(super) struct KeyLogFunction(Arc<dyn Fn(&str) + Send + Sync>);

impl KeyLogFunction {
    pub(super) fn new(function: impl Fn(&str) + Send + Sync + 'static) -> KeyLogFunction {
        KeyLogFunction(Arc::new(function))
    }
}

// Its panics are contained.
impl UnwindSafe for KeyLogFunction {}
impl RefUnwindSafe for KeyLogFunction {}

impl PartialEq for KeyLogFunction {
    fn eq(&self, other: &KeyLogFunction) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for KeyLogFunction {}

impl Hash for KeyLogFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).cast::<()>().hash(state);
    }
}

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

    /// Appends a line. An error is ignored: the log of a connection is not worth its failure.
    fn write(&self, line: &str) {
        let line = format!("{line}\n");
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

#[cfg(feature = "__rustls")]
impl rustls::KeyLog for KeyLog {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        self.write(label, client_random, secret);
    }
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_off() { "KeyLog(off)" } else { "KeyLog(on)" })
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
