//! The words of a netrc file, and their meaning.

use std::fmt;

/// One entry of a netrc file.
#[derive(Default)]
pub(super) struct Entry {
    /// `None` for `default`.
    pub(super) host: Option<Box<str>>,
    pub(super) login: Option<Box<str>>,
    pub(super) password: Option<Box<str>>,
}

/// Why a text is not valid, and in which line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    line: usize,
    why: &'static str,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// Returns the entries of a file, and the line of each word in it that is not known.
pub(super) fn entries(text: &str) -> Result<(Vec<Entry>, Vec<usize>), Wrong> {
    // Editors of Windows begin a file with a byte order mark.
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut words = Words { rest: text, line: 1 };
    let (mut entries, mut unknown): (Vec<Entry>, Vec<usize>) = Default::default();
    let mut within = false;
    while let Some(word) = words.keyword()? {
        let word = word.to_ascii_lowercase();
        match (&*word, entries.last_mut().filter(|_| within)) {
            ("machine", _) => {
                let host = Some(words.value()?);
                entries.push(Entry { host, ..Entry::default() });
                within = true;
            }
            ("default", _) => {
                entries.push(Entry::default());
                within = true;
            }
            ("macdef", _) => {
                words.value()?;
                words.skip_macro();
                within = false;
            }
            ("login" | "user", Some(entry)) => entry.login = Some(words.value()?),
            ("password", Some(entry)) => entry.password = Some(words.value()?),
            ("account", Some(_)) => drop(words.value()?),
            (_, Some(_)) => {
                unknown.push(words.line);
                words.skip_unknown()?;
            }
            (_, None) => return Err(words.wrong("a word outside of an entry")),
        }
    }
    Ok((entries, unknown))
}

/// Words that begin an entry or name a value.
const KEYWORDS: [&str; 7] = ["machine", "default", "macdef", "login", "user", "password", "account"];

struct Words<'a> {
    rest: &'a str,
    line: usize,
}

impl Words<'_> {
    fn wrong(&self, why: &'static str) -> Wrong {
        Wrong { line: self.line, why }
    }

    fn pop(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        self.line += usize::from(c == '\n');
        Some(c)
    }

    /// Returns the next word after all comments.
    fn keyword(&mut self) -> Result<Option<String>, Wrong> {
        loop {
            self.skip_space();
            if !self.rest.starts_with('#') {
                return self.next();
            }
            self.skip_line();
        }
    }

    /// Returns the next word without quotes and backslashes, which may be empty then. Returns `None` at the end of the
    /// text.
    fn next(&mut self) -> Result<Option<String>, Wrong> {
        let mut word = String::new();
        self.skip_space();
        if self.rest.starts_with('"') {
            let opened = self.wrong("quotes that are not closed");
            self.pop();
            loop {
                match self.pop().ok_or(opened)? {
                    '"' => return Ok(Some(word)),
                    '\\' => word.push(self.pop().ok_or(opened)?),
                    c => word.push(c),
                }
            }
        }
        let before = self.rest.len();
        while let Some(c) = self.rest.chars().next().filter(|&c| !is_space(c)) {
            self.pop();
            word.extend(if c == '\\' { self.pop() } else { Some(c) });
        }
        Ok((self.rest.len() < before).then_some(word))
    }

    fn value(&mut self) -> Result<Box<str>, Wrong> {
        match self.next()? {
            Some(word) => Ok(word.into()),
            None => Err(self.wrong("the file ends where a value is expected")),
        }
    }

    /// Skips the value of a word that is not known (`port 21`). A keyword and a word in the next line are not taken for
    /// that value, because the unknown word may be a part of a password without quotes.
    fn skip_unknown(&mut self) -> Result<(), Wrong> {
        let rest = self.rest.trim_start_matches([' ', '\t']);
        let is_alone = rest.is_empty() || rest.starts_with(['\r', '\n', '#']);
        let word = rest.split(is_space).next().unwrap_or_default();
        if !is_alone && !KEYWORDS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword)) {
            self.next()?;
        }
        Ok(())
    }

    fn skip_space(&mut self) {
        while self.rest.starts_with(is_space) {
            self.pop();
        }
    }

    fn skip_line(&mut self) {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
    }

    /// Skips the rest of this line, and all lines up to a blank one.
    fn skip_macro(&mut self) {
        self.skip_line();
        while self.pop().is_some() {
            let line = self.rest.split('\n').next().unwrap_or_default();
            let is_blank = line.trim_matches(is_space).is_empty();
            self.skip_line();
            if is_blank {
                return;
            }
        }
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns `host login password` of each entry, with `-` for what is missing.
    fn shown(text: &str) -> Result<String, String> {
        let (entries, _) = entries(text).map_err(|wrong| wrong.to_string())?;
        let part = |part: &Option<Box<str>>| part.as_deref().unwrap_or("-").to_owned();
        let shown =
            entries.iter().map(|entry| [part(&entry.host), part(&entry.login), part(&entry.password)].join(" "));
        Ok(shown.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn what_files_say() {
        let table = [
            ("one line", "machine h login u password p\n", "h u p"),
            ("A11.4 no newline at the end", "machine h login u password p", "h u p"),
            ("A11.4 split", "machine\nh\n\tlogin\r\nu\r\npassword\n\np\n", "h u p"),
            ("order", "machine h password p account a user u", "h u p"),
            ("case", "MACHINE h Login u PassWord p", "h u p"),
            ("several", "machine a login u password p\nmachine b\ndefault login x password y", "a u p, b - -, - x y"),
            ("A11.4 default", "default", "- - -"),
            ("A11.4 quotes", r#"machine h login "a b" password "c\"d\\e""#, r#"h a b c"d\e"#),
            ("A11.4 escapes", r#"machine h login a\ b password c\"d\\e\f"#, r#"h a b c"d\ef"#),
            ("quotes inside", r#"machine h login a"b password c"d""#, r#"h a"b c"d""#),
            ("line end in quotes", "machine h login \"a\nb\" password p", "h a\nb p"),
            ("empty values", "machine \"\" login \"\" password \"\"", "  "),
            ("keywords as values", "machine machine login password password login", "machine password login"),
            ("A11.4 comments", "# machine x\nmachine h # y\nlogin u #\npassword p #z", "h u p"),
            ("comment at the end", "machine h login u password p\n#", "h u p"),
            ("backslash in a comment", "#x\\\nmachine h", "h - -"),
            ("no comment", "machine h login #u password #p", "h #u #p"),
            ("open quote in a comment", "# don't \"\nmachine h", "h - -"),
            ("backslash at the end", "machine h login u password p\\", "h u p"),
            ("A11.4 macdef", "macdef init\ncd /\nmachine x login y\n\nmachine h login u password p", "h u p"),
            ("macdef in an entry", "machine h login u password p macdef m\nbin\n \r\ndefault", "h u p, - - -"),
            ("macdef to the end", "machine h login u password p\nmacdef m\nmachine x", "h u p"),
            ("macdef, and that was all", "macdef m", ""),
            ("not ASCII", "machine h login jäsøn password €", "h jäsøn €"),
            ("nothing", " \n\t\r\n", ""),
        ];
        for (row, text, expected) in table {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{row}");
        }
    }

    /// Row RW-26: words that other programs write into the file.
    #[test]
    fn unknown_words() {
        let table: [(&str, &str, &[usize]); 11] = [
            ("\u{feff}machine h login u password p", "h u p", &[]),
            ("machine h port 21 login u password p", "h u p", &[1]),
            ("machine h login u\nprotocol https\npassword p\n", "h u p", &[2]),
            ("machine h port 21 protocol https login u password p", "h u p", &[1, 1]),
            ("machine h login u password p port", "h u p", &[1]),
            ("machine h port login u password p", "h u p", &[1]),
            ("machine h port\nlogin u password p", "h u p", &[1]),
            ("machine h port # 21\nlogin u password p", "h u p", &[1]),
            ("machine h port \"2 1\" login u password p", "h u p", &[1]),
            ("machine h login u password my secret\nmachine b login v password q", "h u my, b v q", &[1]),
            ("default port 21 login u password p", "- u p", &[1]),
        ];
        for (text, expected, lines) in table {
            assert_eq!(shown(text).as_deref(), Ok(expected), "RW-26 {text:?}");
            assert_eq!(entries(text).ok().map(|(_, unknown)| unknown).as_deref(), Some(lines), "RW-26 {text:?}");
        }
    }

    #[test]
    fn what_makes_no_sense() {
        let table = [
            ("login u", "line 1: a word outside of an entry"),
            ("machine a login u port \"21\nmachine b login v", "line 1: quotes that are not closed"),
            ("\n\nhello", "line 3: a word outside of an entry"),
            ("macdef m\n\nlogin u", "line 3: a word outside of an entry"),
            ("machine", "line 1: the file ends where a value is expected"),
            ("machine h login", "line 1: the file ends where a value is expected"),
            ("machine h password\n", "line 2: the file ends where a value is expected"),
            ("machine h\npassword \"open\n\n\n", "line 2: quotes that are not closed"),
            ("machine h password \"open\\", "line 1: quotes that are not closed"),
        ];
        for (text, expected) in table {
            assert_eq!(shown(text), Err(expected.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn long_lines() {
        let long = "x".repeat(1 << 20);
        assert_eq!(
            entries(&format!("machine h login u password {long}")).unwrap().0[0].password.as_deref(),
            Some(&*long)
        );
        let quoted = format!("machine h login u password \"{}\"", "\\\"".repeat(1 << 20));
        assert_eq!(entries(&quoted).unwrap().0[0].password.as_ref().unwrap().len(), 1 << 20);
        assert!(entries(&format!("#{long} {long}")).unwrap().0.is_empty());
        assert!(entries(&format!("macdef m\n{}", "\\\"#\n".repeat(1 << 18))).unwrap().0.is_empty());
        assert_eq!(entries(&"machine h ".repeat(1 << 16)).unwrap().0.len(), 1 << 16, "A11.4");
    }
}
