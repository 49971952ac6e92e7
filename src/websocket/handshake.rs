//! The opening handshake (RFC 6455, section 4): what the client sends, and the checks of the server's response.

use std::borrow::Cow;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{StatusCode, Version};
use sha1::{Digest, Sha1};

use super::deflate::{Agreed, PerMessageDeflate};
use crate::error::ResponseHead;
use crate::headers::{Headers, InvalidHeader, is_token_byte};
use crate::random;

const KEY: &str = "Sec-WebSocket-Key";
const VERSION: &str = "Sec-WebSocket-Version";
const PROTOCOL: &str = "Sec-WebSocket-Protocol";
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
const ACCEPT: &str = "Sec-WebSocket-Accept";

/// What a server appends to the key before it hashes it (RFC 6455, section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The nonce of one handshake.
#[derive(Debug)]
pub(super) struct Key(String);

impl Key {
    pub(super) fn new() -> io::Result<Key> {
        let mut nonce = [0; 16];
        random::fill(&mut nonce)?;
        Ok(Key(STANDARD.encode(nonce)))
    }

    fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the value by which the server shows that it has read this key as a WebSocket server does.
    fn accept(&self) -> String {
        STANDARD.encode(Sha1::new().chain_update(&self.0).chain_update(GUID).finalize())
    }
}

/// Writes the fields of the handshake, in the spelling of the standard, because some servers compare it with case.
/// Subprotocols among the headers are added to `protocols`.
///
/// # Errors
///
/// [`ErrorKind::InvalidHeader`](crate::ErrorKind::InvalidHeader) if the caller has set a field that the handshake needs to
/// set, or a subprotocol that is not a token.
pub(super) fn write(
    headers: &mut Headers,
    key: &Key,
    protocols: &mut Vec<String>,
    extensions: Option<&str>,
) -> Result<(), InvalidHeader> {
    for name in [KEY, VERSION, EXTENSIONS, ACCEPT] {
        if headers.contains(name) {
            return Err(InvalidHeader::reserved(name, "is set by the handshake of the WebSocket"));
        }
    }
    for value in headers.values(PROTOCOL) {
        for protocol in String::from_utf8_lossy(value).split(',').map(str::trim) {
            if !is_protocol(protocol) {
                return Err(InvalidHeader::reserved(PROTOCOL, "is not a list of subprotocols"));
            }
            if !protocols.iter().any(|other| other == protocol) {
                protocols.push(protocol.to_owned());
            }
        }
    }
    headers.remove(PROTOCOL);
    headers.insert("Upgrade", "websocket")?;
    headers.insert("Connection", "Upgrade")?;
    headers.insert(KEY, key.as_str())?;
    headers.insert(VERSION, "13")?;
    if !protocols.is_empty() {
        headers.insert(PROTOCOL, protocols.join(", "))?;
    }
    extensions.map_or(Ok(()), |extensions| headers.insert(EXTENSIONS, extensions))
}

/// What the client has sent, and the response is checked against.
#[derive(Debug)]
pub(super) struct Offer<'a> {
    pub(super) key: &'a Key,
    pub(super) protocols: &'a [String],
    /// A response without one of the protocols is refused.
    pub(super) needs_protocol: bool,
    pub(super) compression: Option<&'a PerMessageDeflate>,
}

/// What the server has agreed to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Agreement {
    pub(super) protocol: Option<String>,
    pub(super) compression: Option<Agreed>,
}

/// Checks the response.
///
/// # Errors
///
/// Says why it is no WebSocket handshake.
pub(super) fn check(head: &ResponseHead, offer: &Offer<'_>) -> Result<Agreement, Cow<'static, str>> {
    if head.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(format!("the server answered {}", head.status().as_u16()).into());
    }
    if head.version() != Version::HTTP_11 {
        return Err("the server switched protocols in HTTP/1.0, which has no upgrades".into());
    }
    let headers = head.headers();
    let is_websocket = |upgrade: &[u8]| upgrade.trim_ascii().eq_ignore_ascii_case(b"websocket");
    if !only(headers, "upgrade")?.is_some_and(is_websocket) {
        return Err("the field Upgrade of the response is not websocket".into());
    }
    if !tokens(headers, "connection").any(|token| token.eq_ignore_ascii_case(b"upgrade")) {
        return Err("the field Connection of the response has no Upgrade".into());
    }
    let accept = offer.key.accept();
    if only(headers, ACCEPT)?.map(<[u8]>::trim_ascii) != Some(accept.as_bytes()) {
        return Err("the field Sec-WebSocket-Accept of the response does not belong to the key of the request".into());
    }
    Ok(Agreement { protocol: protocol(headers, offer)?, compression: compression(headers, offer)? })
}

fn protocol(headers: &Headers, offer: &Offer<'_>) -> Result<Option<String>, Cow<'static, str>> {
    let Some(chosen) = only(headers, PROTOCOL)? else {
        return match offer.needs_protocol {
            true => Err("the server has chosen none of the subprotocols".into()),
            false => Ok(None),
        };
    };
    // Subprotocols are compared with case (RFC 6455, section 4.1: one that "was not present" in the request).
    match offer.protocols.iter().find(|offered| offered.as_bytes() == chosen.trim_ascii()) {
        Some(offered) => Ok(Some(offered.clone())),
        None => Err("the server has chosen a subprotocol that was not offered".into()),
    }
}

fn compression(headers: &Headers, offer: &Offer<'_>) -> Result<Option<Agreed>, Cow<'static, str>> {
    let used: Vec<_> = headers.values(EXTENSIONS).map(String::from_utf8_lossy).collect();
    let used = used.join(", ");
    match offer.compression {
        Some(compression) => Ok(compression.accept(&used)?),
        None if used.split(',').all(|extension| extension.trim().is_empty()) => Ok(None),
        None => Err("the server uses an extension that was not offered".into()),
    }
}

/// Returns the value of a field that a response has once.
fn only<'a>(headers: &'a Headers, name: &'static str) -> Result<Option<&'a [u8]>, Cow<'static, str>> {
    let mut values = headers.values(name);
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(format!("the response has the field {name} twice").into()),
    }
}

/// Returns the elements of a list that may be spread over several fields.
fn tokens<'a>(headers: &'a Headers, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
    headers.values(name).flat_map(|value| value.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
}

/// Returns whether this can be the name of a subprotocol (RFC 6455, section 4.1).
pub(super) fn is_protocol(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_token_byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::urls::Url;

    fn head(status: u16, version: Version, fields: &[(&str, &str)]) -> ResponseHead {
        let mut headers = Headers::new();
        fields.iter().for_each(|(name, value)| headers.append(*name, *value).unwrap());
        ResponseHead {
            status: StatusCode::from_u16(status).unwrap(),
            version,
            reason: "".into(),
            method: http::Method::GET,
            url: Url::parse("http://h/").unwrap(),
            headers,
            body: Vec::new(),
            request_body_complete: true,
        }
    }

    /// The example of RFC 6455, section 1.3.
    #[test]
    fn the_value_for_a_key() {
        assert_eq!(Key("dGhlIHNhbXBsZSBub25jZQ==".into()).accept(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let keys: std::collections::HashSet<_> = (0..1000).map(|_| Key::new().unwrap().0).collect();
        assert_eq!(keys.len(), 1000);
        assert!(keys.iter().all(|key| STANDARD.decode(key).unwrap().len() == 16));
    }

    /// A16.1, rows 226, 227, 229 and 230 of the rows of aiohttp, and each check of RFC 6455, section 4.1.
    #[test]
    fn which_responses_are_a_handshake() {
        const GOOD: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        let key = Key("dGhlIHNhbXBsZSBub25jZQ==".into());
        let upgrade = ("Upgrade", "websocket");
        let (connection, accept) = (("Connection", "Upgrade"), (ACCEPT, GOOD));
        let with = |field| [upgrade, connection, accept, field];
        let deflate = "permessage-deflate";
        type Fields<'a> = Vec<(&'a str, &'a str)>;
        type Row<'a> = (&'a str, Fields<'a>, Result<Option<&'a str>, &'a str>);
        let table: Vec<Row<'_>> = vec![
            ("all", vec![upgrade, connection, accept], Ok(None)),
            ("any case", vec![("upgrade", "WebSocket"), ("CONNECTION", "uPGRADE"), accept], Ok(None)),
            ("a list", vec![upgrade, ("Connection", "keep-alive, Upgrade"), accept], Ok(None)),
            ("two lists", vec![upgrade, ("Connection", "keep-alive"), connection, accept], Ok(None)),
            (
                "blanks",
                vec![("Upgrade", " websocket "), connection, (ACCEPT, " s3pPLMBiTxaQ9kYGzzhZRbK+xOo= ")],
                Ok(None),
            ),
            ("no Upgrade", vec![connection, accept], Err("Upgrade")),
            ("another", vec![("Upgrade", "h2c"), connection, accept], Err("Upgrade")),
            ("a part of a word", vec![("Upgrade", "websockets"), connection, accept], Err("Upgrade")),
            ("twice", vec![upgrade, upgrade, connection, accept], Err("twice")),
            ("no Connection", vec![upgrade, accept], Err("Connection")),
            ("close", vec![upgrade, ("Connection", "close"), accept], Err("Connection")),
            ("a part of a token", vec![upgrade, ("Connection", "no-upgrade"), accept], Err("Connection")),
            ("no Accept", vec![upgrade, connection], Err("Accept")),
            ("a wrong one", vec![upgrade, connection, (ACCEPT, "s3pPLMBiTxaQ9kYGzzhZRbK+xOO=")], Err("Accept")),
            ("in another case", vec![upgrade, connection, (ACCEPT, "S3PPLMBITXAQ9KYGZZHZRBK+XOO=")], Err("Accept")),
            ("two", vec![upgrade, connection, accept, accept], Err("twice")),
            ("a protocol", with((PROTOCOL, "chat")).to_vec(), Ok(Some("chat"))),
            ("the other", with((PROTOCOL, "Super.Chat")).to_vec(), Ok(Some("Super.Chat"))),
            ("in another case", with((PROTOCOL, "CHAT")).to_vec(), Err("not offered")),
            ("one not offered", with((PROTOCOL, "soap")).to_vec(), Err("not offered")),
            ("an empty one", with((PROTOCOL, "")).to_vec(), Err("not offered")),
            ("several", with((PROTOCOL, "chat, Super.Chat")).to_vec(), Err("not offered")),
            ("an extension", with((EXTENSIONS, deflate)).to_vec(), Err("extension")),
            ("no extension", with((EXTENSIONS, " ,")).to_vec(), Ok(None)),
        ];
        let protocols = ["chat".to_owned(), "Super.Chat".to_owned()];
        let mut offer = Offer { key: &key, protocols: &protocols, needs_protocol: false, compression: None };
        for (row, fields, expected) in &table {
            let checked = check(&head(101, Version::HTTP_11, fields), &offer);
            match (checked, expected) {
                (Ok(agreement), Ok(protocol)) => assert_eq!(agreement.protocol.as_deref(), *protocol, "{row}"),
                (Err(why), Err(part)) => assert!(why.contains(part), "{row}: {why}"),
                (checked, _) => panic!("{row}: {checked:?}"),
            }
        }
        let all = [upgrade, connection, accept];
        for (status, version) in [(200, Version::HTTP_11), (302, Version::HTTP_11), (101, Version::HTTP_10)] {
            assert!(check(&head(status, version, &all), &offer).is_err(), "{status} {version:?}");
        }
        offer.needs_protocol = true;
        assert!(check(&head(101, Version::HTTP_11, &all), &offer).is_err());
        assert!(check(&head(101, Version::HTTP_11, &with((PROTOCOL, "chat"))), &offer).is_ok());
        offer.needs_protocol = false;
        let deflating = PerMessageDeflate::new();
        offer.compression = Some(&deflating);
        let agreed =
            |fields: &[_]| check(&head(101, Version::HTTP_11, fields), &offer).map(|all| all.compression.is_some());
        assert_eq!(agreed(&with((EXTENSIONS, deflate))), Ok(true));
        assert_eq!(agreed(&all), Ok(false));
        assert!(agreed(&with((EXTENSIONS, "x-webkit-deflate-frame"))).is_err());
        assert!(agreed(&[upgrade, connection, accept, (EXTENSIONS, deflate), (EXTENSIONS, deflate)]).is_err());
    }

    #[test]
    fn names_of_subprotocols() {
        for (name, expected) in
            [("chat", true), ("v1.json+x", true), ("", false), ("a b", false), ("a,b", false), ("a/b", false)]
        {
            assert_eq!(is_protocol(name), expected, "{name}");
        }
    }
}
