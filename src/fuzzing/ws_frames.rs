//! Frames of a WebSocket server: however the bytes are cut they mean the same, and a slow decoder that sees all of them
//! at once agrees. What a client writes is what it was given.

use super::input::{Input, pieces};
use crate::websocket::{Bounds, Decoder, Event, HEAD, Head, Kind, Message, PerMessageDeflate};

const BOUNDS: Bounds = Bounds { frame: 300, message: 500, fragments: 8 };

/// What came out of some bytes: the events, and the close code of the fault that ended them.
type Seen = (Vec<Event>, Option<u16>);

pub fn ws_frames(data: &[u8]) {
    let mut input = Input::new(data);
    let compresses = input.flag();
    let splits = input.bytes(8);
    let mask = [0; 4].map(|_| input.byte());
    let rest = input.rest();
    let whole = decode([rest].into_iter(), compresses);
    assert_eq!(decode(pieces(rest, splits), compresses), whole, "cut by {splits:?}");
    if !compresses {
        assert_eq!(slowly(rest), whole);
    }
    comes_back(rest, mask);
}

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>, compresses: bool) -> Seen {
    let agreed = PerMessageDeflate::new().accept("permessage-deflate").ok().flatten().filter(|_| compresses);
    let mut decoder = Decoder::new(BOUNDS, agreed.map(|agreed| agreed.inflater()));
    let mut events = Vec::new();
    for mut piece in pieces {
        loop {
            match decoder.next(&mut piece) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(fault) => return (events, Some(fault.code())),
            }
        }
        assert!(piece.is_empty());
    }
    (events, None)
}

/// Reads frames one after the other, as RFC 6455, section 5.2 draws them.
fn slowly(mut bytes: &[u8]) -> Seen {
    let mut events = Vec::new();
    let code = frames(&mut bytes, &mut events).err();
    (events, code.filter(|code| *code != 0))
}

/// Ends with a close code, or with 0 where the bytes or the connection end.
fn frames(bytes: &mut &[u8], events: &mut Vec<Event>) -> Result<(), u16> {
    let mut message: Option<(bool, Vec<u8>, u64)> = None;
    let mut announced = 0;
    loop {
        let first = *bytes.first().ok_or(0u16)?;
        let opcode = first & 15;
        let is_control = opcode >= 8;
        if first & 0x70 != 0 || !matches!(opcode, 0..=2 | 8..=10) || is_control && first < 0x80 {
            return Err(1002);
        }
        let second = *bytes.get(1).ok_or(0u16)?;
        if second >= 0x80 || is_control && second > 125 {
            return Err(1002);
        }
        let extra = match second {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let field = bytes.get(2..2 + extra).ok_or(0u16)?;
        let len = field.iter().fold(0u64, |len, byte| len << 8 | u64::from(*byte));
        let len = if extra == 0 { u64::from(second) } else { len };
        if len >> 63 == 1 || extra == 2 && len < 126 || extra == 8 && len < 65_536 {
            return Err(1002);
        }
        if !is_control {
            if (opcode == 0) != message.is_some() {
                return Err(1002);
            }
            let (_, _, fragments) = message.get_or_insert((opcode == 1, Vec::new(), 0));
            *fragments += 1;
            announced += len;
            if len > BOUNDS.frame || announced > BOUNDS.message || *fragments > BOUNDS.fragments {
                return Err(1009);
            }
        }
        let rest = &bytes[2 + extra..];
        let here = rest.len().min(usize::try_from(len).unwrap_or(usize::MAX));
        let payload = &rest[..here];
        if let Some((is_text, data, _)) = message.as_mut().filter(|_| !is_control) {
            data.extend_from_slice(payload);
            if *is_text && std::str::from_utf8(data).is_err_and(|error| error.error_len().is_some()) {
                return Err(1007);
            }
        }
        if (here as u64) < len {
            return Err(0);
        }
        *bytes = &rest[here..];
        let control = || crate::websocket::Payload::new(payload).ok_or(0u16);
        match opcode {
            9 => events.push(Event::Ping(control()?)),
            10 => events.push(Event::Pong(control()?)),
            8 => return close(payload, events),
            _ if first & 0x80 == 0 => {}
            _ => {
                let (is_text, data, _) = message.take().ok_or(0u16)?;
                announced = 0;
                events.push(Event::Message(match is_text {
                    true => Message::Text(String::from_utf8(data).map_err(|_| 1007u16)?),
                    false => Message::Binary(data),
                }));
            }
        }
    }
}

fn close(payload: &[u8], events: &mut Vec<Event>) -> Result<(), u16> {
    let code = match payload {
        [] => 1005,
        [_] => return Err(1002),
        [high, low, ..] => u16::from(*high) << 8 | u16::from(*low),
    };
    if !payload.is_empty() && !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(1002);
    }
    let reason = payload.get(2..).unwrap_or_default().to_vec();
    let reason = String::from_utf8(reason).map_err(|_| 1007u16)?;
    events.push(Event::Close(crate::websocket::CloseFrame { code, reason }));
    Err(0)
}

/// A frame that this side writes, without its mask, is one that a server may send.
fn comes_back(payload: &[u8], mask: [u8; 4]) {
    let mut out = vec![0; HEAD + payload.len()];
    let len = Head { kind: Kind::Binary, is_final: true, compressed: false, len: payload.len() as u64 }
        .write(payload, mask, &mut out);
    out.truncate(len);
    let head = out.len() - payload.len() - 4;
    assert_eq!(out[head..head + 4], mask);
    let unmasked: Vec<u8> =
        out.drain(head..).skip(4).zip(mask.into_iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    assert_eq!(unmasked, payload);
    assert!(out[1] & 0x80 != 0, "a client masks");
    out[1] &= 0x7F;
    let (read, len) = Head::read(&out, false).expect("it keeps the rules").expect("it is whole");
    assert_eq!((read.kind, read.len, len), (Kind::Binary, payload.len() as u64, head));
}
