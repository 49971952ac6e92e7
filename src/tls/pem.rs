//! Blocks of PEM texts (RFC 7468).

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Some programs leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The longest text of labels in an error.
const LABELS: usize = 120;

/// A block of a PEM text.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// What is in the block, such as `CERTIFICATE`.
    pub(super) label: String,
    pub(super) der: Vec<u8>,
    /// The block has headers that say that its content is encrypted, as OpenSSL wrote keys before PKCS#8.
    pub(super) encrypted: bool,
}

/// The reason why a text cannot be read.
#[derive(Debug, PartialEq)]
pub(super) enum Broken {
    NoEnd(String),
    NotBase64(String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::NoEnd(label) => write!(f, "the block {label} has no end"),
            Broken::NotBase64(label) => write!(f, "the block {label} is not base64"),
        }
    }
}

/// Returns whether the bytes are a PEM text, and not DER.
pub(super) fn is_pem(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"-----BEGIN ").is_some()
}

/// Returns the blocks of a text. Text between them is skipped.
pub(super) fn blocks(text: &[u8]) -> Result<Vec<Block>, Broken> {
    let mut blocks = Vec::new();
    let mut lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
    while let Some(line) = lines.next() {
        let Some(label) = boundary(line, b"-----BEGIN ") else { continue };
        let (mut base64, mut encrypted, mut in_headers) = (Vec::new(), false, false);
        loop {
            let Some(line) = lines.next() else { return Err(Broken::NoEnd(label)) };
            if boundary(line, b"-----END ").is_some() {
                break;
            }
            // Headers are `Name: value`; a line that begins with a blank continues one (RFC 1421, section 4.6).
            in_headers = line.contains(&b':') || (in_headers && line.first().is_some_and(u8::is_ascii_whitespace));
            match in_headers {
                true => encrypted |= line.starts_with(b"Proc-Type:") && line.ends_with(b"ENCRYPTED"),
                false => base64.extend(line.iter().filter(|byte| !byte.is_ascii_whitespace())),
            }
        }
        match BASE64.decode(&base64) {
            Ok(der) => blocks.push(Block { label, der, encrypted }),
            Err(_) => return Err(Broken::NotBase64(label)),
        }
    }
    Ok(blocks)
}

/// Returns the label of a boundary line.
fn boundary(line: &[u8], begin: &[u8]) -> Option<String> {
    let label = line.trim_ascii().strip_prefix(begin)?.strip_suffix(b"-----")?;
    Some(String::from_utf8_lossy(label).into_owned())
}

/// Returns what the blocks are, for an error.
pub(super) fn labels(blocks: &[Block]) -> String {
    let mut text = String::new();
    for block in blocks {
        if text.len() > LABELS {
            return text + ", ...";
        }
        let comma = if text.is_empty() { "" } else { ", " };
        text.extend([comma, &block.label]);
    }
    if text.is_empty() { "no PEM block".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, Vec<u8>, bool)>, Broken> {
        Ok(blocks(text.as_bytes())?.into_iter().map(|block| (block.label, block.der, block.encrypted)).collect())
    }

    #[test]
    fn texts() {
        let a = |encrypted| vec![("A".to_owned(), b"text".to_vec(), encrypted)];
        let table = [
            ("", Ok(vec![])),
            ("words\n", Ok(vec![])),
            ("-----BEGIN A-----\ndGV4dA==\n-----END A-----\n", Ok(a(false))),
            ("-----BEGIN A-----\r\ndGV4dA==\r\n-----END A-----", Ok(a(false))),
            ("-----BEGIN A-----\rdGV4dA==\r-----END A-----", Ok(a(false))),
            ("Subject: CN=x\n  -----BEGIN A-----  \n dGV4 \n dA \n-----END A-----\nmore", Ok(a(false))),
            ("-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: x,\n y\n\ndGV4dA==\n-----END A-----\n", Ok(a(true))),
            ("-----BEGIN A-----\nVersion: 1\n\ndGV4dA==\n-----END A-----\n", Ok(a(false))),
            ("-----BEGIN A-----\ndGV4dA==\n", Err(Broken::NoEnd("A".into()))),
            ("-----BEGIN A-----\n####\n-----END A-----\n", Err(Broken::NotBase64("A".into()))),
        ];
        for (text, expected) in table {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn labels_for_errors() {
        let block = |label: &str| Block { label: label.to_owned(), der: Vec::new(), encrypted: false };
        assert_eq!(labels(&[]), "no PEM block");
        assert_eq!(labels(&[block("A"), block("B C")]), "A, B C");
        assert!(labels(&vec![block("AN ABSURD LABEL"); 1000]).len() < 2 * LABELS);
    }
}
