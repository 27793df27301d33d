//! Reads mail, as far as auth writes it.

use std::collections::HashMap;

/// A mail with a text part and an HTML part.
#[derive(Debug, Clone)]
pub struct Eml {
    /// By their names in lower case.
    pub headers: HashMap<String, String>,
    pub text: String,
    pub html: String,
}

impl Eml {
    pub fn parse(raw: &str) -> Self {
        let (headers, body) = split(raw);
        let content_type = &headers["content-type"];
        assert!(content_type.starts_with("multipart/alternative"), "{content_type}");
        let (_, boundary) = content_type.split_once("boundary=\"").unwrap();
        let delimiter = format!("--{}", boundary.split('"').next().unwrap());
        let mut parts = body.split(&delimiter).skip(1).map(|part| part.trim_start_matches("\r\n"));
        let mut part = |content_type: &str| {
            let (headers, body) = split(parts.next().unwrap());
            assert_eq!(headers["content-type"], content_type);
            assert_eq!(headers["content-transfer-encoding"], "7bit");
            body.replace("\r\n", "\n")
        };
        let (text, html) = (part("text/plain; charset=utf-8"), part("text/html; charset=utf-8"));
        assert_eq!(parts.next().map(str::trim_end), Some("--"));
        Self { headers, text, html }
    }

    pub fn to(&self) -> &str {
        &self.headers["to"]
    }

    pub fn subject(&self) -> &str {
        &self.headers["subject"]
    }

    /// The address of the link in the text.
    pub fn link(&self) -> &str {
        let link = self.text.lines().find(|line| line.starts_with("http"));
        link.unwrap_or_else(|| panic!("no link in {self:?}"))
    }

    /// What the link ends in.
    pub fn token(&self) -> &str {
        self.link().split_once("?token=").unwrap().1
    }
}

fn split(raw: &str) -> (HashMap<String, String>, &str) {
    let (head, body) = raw.split_once("\r\n\r\n").unwrap();
    let head = head.replace("\r\n ", " ");
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_lowercase(), value.to_owned())
    };
    (head.split("\r\n").map(header).collect(), body)
}
