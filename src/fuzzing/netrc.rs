//! Files of logins: what is written is found, and nothing else.

use super::input::Input;
use crate::auth::Netrc;

const HOSTS: [&str; 4] = ["a", "b.example", "A", "[::1]"];

pub fn netrc(data: &[u8]) {
    let mut input = Input::new(data);
    match input.flag() {
        true => is_found(&mut input),
        false => {
            let text = String::from_utf8_lossy(input.rest());
            let Ok(netrc) = Netrc::parse(&text) else { return };
            for host in HOSTS {
                if let Some(auth) = netrc.lookup(host, None) {
                    assert_eq!(netrc.lookup(host, Some(auth.login())), Some(auth), "{text:?}");
                }
            }
        }
    }
}

/// Host, login, password.
type Entry = (Option<&'static str>, Option<String>, Option<String>);

fn is_found(input: &mut Input<'_>) {
    let (mut text, mut entries) = (String::new(), Vec::<Entry>::new());
    for _ in 0..input.number(6) {
        let host = (input.number(4) > 0).then(|| input.pick(&HOSTS));
        text += &host.map_or("default".to_owned(), |host| format!("machine{}{host}", space(input)));
        let (mut login, mut password) = (None, None);
        for _ in 0..input.number(4) {
            text += space(input);
            let (keyword, value) = match input.number(5) {
                0 => ("password", &mut password),
                1 => ("user", &mut login),
                2 => ("login", &mut login),
                3 => ("account", &mut None),
                4 => {
                    text += input.pick(&["port 21", "protocol \"a b\"", "port", "x"]);
                    // The next word is in another line, so it is not a value.
                    text += "\n";
                    continue;
                }
                _ => {
                    text += "# \"login\\\n";
                    continue;
                }
            };
            text += keyword;
            text += space(input);
            let written = String::from_utf8_lossy(input.bytes(12)).into_owned();
            text += &word(input, &written);
            *value = Some(written);
        }
        entries.push((host, login, password));
        text += space(input);
        if input.number(8) == 0 {
            text += "macdef m\nmachine x login y\n \n";
        }
    }
    let netrc = Netrc::parse(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
    for host in HOSTS {
        let found = netrc.lookup(host, None).map(|auth| (auth.login().to_owned(), auth.password().to_owned()));
        assert_eq!(found, expected(&entries, host), "{host}: {text:?}");
    }
}

fn expected(entries: &[Entry], host: &str) -> Option<(String, String)> {
    let is = |entry: &&Entry| entry.0.is_some_and(|named| named.eq_ignore_ascii_case(host));
    let named: Vec<&Entry> = match entries.iter().any(|entry| is(&entry)) {
        true => entries.iter().filter(is).collect(),
        false => entries.iter().filter(|entry| entry.0.is_none()).collect(),
    };
    named.into_iter().find_map(|(_, login, password)| Some((login.clone()?, password.clone()?)))
}

fn space(input: &mut Input<'_>) -> &'static str {
    input.pick(&[" ", "\n", "\t", "\r\n", "  \n "])
}

/// In quotes, or with a backslash in front of whatever needs one.
fn word(input: &mut Input<'_>, value: &str) -> String {
    let quoted = value.is_empty() || input.flag();
    let escaped = value.chars().enumerate().flat_map(|(n, c)| {
        let special = c == '\\' || c == '"' && (quoted || n == 0) || !quoted && " \t\r\n".contains(c);
        special.then_some('\\').into_iter().chain([c])
    });
    let escaped: String = escaped.collect();
    if quoted { format!("\"{escaped}\"") } else { escaped }
}
