//! One pass over a JSON document: checks it whole, builds no tree, and hands out the members of the outermost object as
//! raw text. Strict where Go's decoder (Ollama's) is lenient, and with Go's words for what is wrong, because that is what
//! Ollama's clients know.

use std::borrow::Cow;

/// Nesting above this is refused: no API of this table needs it, and parsers behind us may recurse.
const MAX_DEPTH: usize = 128;

/// What the outermost value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

impl Kind {
    /// The kind of a raw value.
    pub(crate) fn of(value: &[u8]) -> Self {
        match value.first() {
            Some(b'{') => Self::Object,
            Some(b'[') => Self::Array,
            Some(b'"') => Self::String,
            Some(b't' | b'f') => Self::Bool,
            Some(b'n') => Self::Null,
            _ => Self::Number,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Null => "null",
        }
    }
}

/// Walks `text` and calls `member` with the unquoted raw key and the raw value of every member of the outermost object. Never
/// goes back: a byte is looked at a few times however long and deep the text is.
pub(crate) fn scan<'a>(text: &'a [u8], member: &mut dyn FnMut(&'a [u8], &'a [u8])) -> Result<Kind, String> {
    let mut scanner = Scanner { text, at: 0 };
    scanner.space();
    let start = scanner.at;
    match scanner.peek() {
        Some(b'{') => scanner.object(1, Some(member))?,
        _ => scanner.value(0)?,
    }
    let kind = Kind::of(&text[start..]);
    scanner.space();
    match scanner.peek() {
        None => Ok(kind),
        Some(byte) => Err(unexpected(byte, "after top-level value")),
    }
}

/// Hands out the raw elements of an array that is a part of a document that was walked before; of anything else nothing.
pub(crate) fn elements<'a>(array: &'a [u8], element: &mut dyn FnMut(&'a [u8])) {
    if Kind::of(array) == Kind::Array {
        // What it ends at is a fault that the walk over the whole has found.
        _ = Scanner { text: array, at: 0 }.array(1, Some(element));
    }
}

/// The text between the quotes of a JSON string, decoded as Go does: what is no Unicode becomes U+FFFD.
pub(crate) fn unescape(raw: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(b'\\', raw).is_none() {
        return String::from_utf8_lossy(raw);
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        bytes.extend_from_slice(&rest[..at]);
        let Some((&escape, tail)) = rest[at + 1..].split_first() else { break };
        rest = tail;
        let character = match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = unit(rest);
                rest = rest.get(4..).unwrap_or_default();
                let low = rest.strip_prefix(b"\\u").map(unit);
                match (high, low) {
                    (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
                        rest = rest.get(6..).unwrap_or_default();
                        char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
                            .unwrap_or(char::REPLACEMENT_CHARACTER)
                    }
                    _ => char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER),
                }
            }
            other => char::from(other),
        };
        bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    bytes.extend_from_slice(rest);
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// The UTF-16 unit of four hexadecimal digits.
fn unit(digits: &[u8]) -> u32 {
    let digits = digits.get(..4).unwrap_or_default();
    digits.iter().fold(0, |value, &digit| value * 16 + char::from(digit).to_digit(16).unwrap_or_default())
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

type Step = Result<(), String>;
type Member<'m, 'a> = &'m mut dyn FnMut(&'a [u8], &'a [u8]);
type Element<'m, 'a> = &'m mut dyn FnMut(&'a [u8]);

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        looked(1);
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// The next byte that is no space, not yet taken.
    fn next(&mut self) -> Result<u8, String> {
        self.space();
        self.peek().ok_or_else(end)
    }

    fn value(&mut self, depth: usize) -> Step {
        match self.next()? {
            b'{' => self.object(depth + 1, None),
            b'[' => self.array(depth + 1, None),
            b'"' => self.string().map(|_| ()),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            byte => Err(unexpected(byte, "looking for beginning of value")),
        }
    }

    fn object(&mut self, depth: usize, mut member: Option<Member<'_, 'a>>) -> Step {
        self.enter(depth)?;
        if self.next()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            match self.next()? {
                b'"' => {}
                byte => return Err(unexpected(byte, "looking for beginning of object key string")),
            }
            let key = self.string()?;
            match self.next()? {
                b':' => self.at += 1,
                byte => return Err(unexpected(byte, "after object key")),
            }
            self.space();
            let start = self.at;
            self.value(depth)?;
            if let Some(member) = &mut member {
                member(key, &self.text[start..self.at]);
            }
            match self.next()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                byte => return Err(unexpected(byte, "after object key:value pair")),
            }
        }
    }

    fn array(&mut self, depth: usize, mut element: Option<Element<'_, 'a>>) -> Step {
        self.enter(depth)?;
        if self.next()? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            let start = self.at;
            self.value(depth)?;
            if let Some(element) = &mut element {
                element(&self.text[start..self.at]);
            }
            match self.next()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                byte => return Err(unexpected(byte, "after array element")),
            }
        }
    }

    /// Takes the opening bracket.
    fn enter(&mut self, depth: usize) -> Step {
        self.at += 1;
        if depth > MAX_DEPTH { Err("exceeded max depth".into()) } else { Ok(()) }
    }

    /// Takes a string and returns what stands between its quotes.
    fn string(&mut self) -> Result<&'a [u8], String> {
        let start = self.at + 1;
        self.at = start;
        loop {
            let rest = &self.text[self.at..];
            let found = memchr::memchr2(b'"', b'\\', rest);
            let plain = &rest[..found.unwrap_or(rest.len())];
            looked(2 * plain.len() + 1);
            // Without an early end it is done in vectors.
            if plain.iter().fold(false, |found, &byte| found | (byte < 0x20))
                && let Some(&control) = plain.iter().find(|&&byte| byte < 0x20)
            {
                return Err(unexpected(control, "in string literal"));
            }
            let Some(found) = found else { return Err(end()) };
            self.at += found + 1;
            if rest[found] == b'"' {
                return Ok(&self.text[start..self.at - 1]);
            }
            match self.peek().ok_or_else(end)? {
                b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => self.at += 1,
                b'u' => {
                    self.at += 1;
                    for _ in 0..4 {
                        match self.peek().ok_or_else(end)? {
                            byte if byte.is_ascii_hexdigit() => self.at += 1,
                            byte => return Err(unexpected(byte, "in \\u hexadecimal character escape")),
                        }
                    }
                }
                byte => return Err(unexpected(byte, "in string escape code")),
            }
        }
    }

    fn number(&mut self) -> Step {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek().ok_or_else(end)? {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits(),
            byte => return Err(unexpected(byte, "in numeric literal")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.one_digit("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.one_digit("in exponent of numeric literal")?;
        }
        Ok(())
    }

    fn one_digit(&mut self, place: &str) -> Step {
        match self.peek().ok_or_else(end)? {
            b'0'..=b'9' => {
                self.digits();
                Ok(())
            }
            byte => Err(unexpected(byte, place)),
        }
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn literal(&mut self, word: &[u8]) -> Step {
        for &expected in word {
            match self.peek().ok_or_else(end)? {
                byte if byte == expected => self.at += 1,
                byte => {
                    let word = String::from_utf8_lossy(word);
                    return Err(unexpected(byte, &format!("in literal {word} (expecting {})", quote(expected))));
                }
            }
        }
        Ok(())
    }
}

/// Tests count the looks at bytes.
#[inline(always)]
fn looked(_bytes: usize) {
    #[cfg(test)]
    tests::LOOKS.with(|looks| looks.set(looks.get() + _bytes));
}

fn end() -> String {
    "unexpected EOF".into()
}

fn unexpected(byte: u8, place: &str) -> String {
    format!("invalid character {} {place}", quote(byte))
}

/// A byte as Go quotes it.
fn quote(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".into(),
        b'"' => "'\"'".into(),
        7 => r"'\a'".into(),
        8 => r"'\b'".into(),
        11 => r"'\v'".into(),
        12 => r"'\f'".into(),
        b'\t' | b'\n' | b'\r' | b'\\' | b' '..=b'~' => format!("'{}'", byte.escape_ascii()),
        0x00..=0x1f | 0x7f => format!(r"'\x{byte:02x}'"),
        0x80..=0xa0 | 0xad => format!(r"'\u{byte:04x}'"),
        _ => format!("'{}'", char::from(byte)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    thread_local! {
        pub(super) static LOOKS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    }

    #[test]
    fn the_work_grows_as_the_text_does() {
        for part in [
            "a",
            " ",
            "\\n",
            "\\u0041",
            "\",\"",
            "\":\"",
            "\":{\"b\":[1,2.5e3,true]},\"a",
            "\",\"model\":\"m\",\"b\":\"",
        ] {
            for times in [10, 1_000, 20_000] {
                // Some are faults in the middle, most are whole, and each is also cut.
                let whole = format!("{{\"a{}\":\"\"}}", part.repeat(times));
                for text in [whole.as_bytes(), &whole.as_bytes()[..whole.len() - 3]] {
                    LOOKS.set(0);
                    let _ = scan(text, &mut |_, _| ());
                    let looks = LOOKS.get();
                    assert!(looks <= 5 * text.len() && looks > 0, "{looks} looks at {} bytes of {part}", text.len());
                }
            }
        }
    }

    fn fault(text: &str) -> String {
        scan(text.as_bytes(), &mut |_, _| ()).unwrap_err()
    }

    fn members(text: &str) -> Vec<(String, String)> {
        let mut members = Vec::new();
        scan(text.as_bytes(), &mut |key, value| {
            members.push((unescape(key).into_owned(), String::from_utf8_lossy(value).into_owned()))
        })
        .unwrap();
        members
    }

    #[test]
    fn faults_are_told_in_go_s_words() {
        assert_eq!(fault("{bad"), "invalid character 'b' looking for beginning of object key string");
        assert_eq!(fault("bad"), "invalid character 'b' looking for beginning of value");
        assert_eq!(fault("{\"a\" 1}"), "invalid character '1' after object key");
        assert_eq!(fault("{\"a\":1 2}"), "invalid character '2' after object key:value pair");
        assert_eq!(fault("{\"a\":[1 2]}"), "invalid character '2' after array element");
        assert_eq!(fault("{\"a\":1,}"), "invalid character '}' looking for beginning of object key string");
        assert_eq!(fault("{} x"), "invalid character 'x' after top-level value");
        assert_eq!(fault("{\"a\":\"\n\"}"), r"invalid character '\n' in string literal");
        assert_eq!(fault("{\"a\":\"\\x\"}"), "invalid character 'x' in string escape code");
        assert_eq!(fault("{\"a\":\"\\u12g4\"}"), "invalid character 'g' in \\u hexadecimal character escape");
        assert_eq!(fault("{\"a\":trux}"), "invalid character 'x' in literal true (expecting 'e')");
        assert_eq!(fault("{\"a\":1.}"), "invalid character '}' after decimal point in numeric literal");
        assert_eq!(fault("{\"a\":-x}"), "invalid character 'x' in numeric literal");
        assert_eq!(fault("{\"a\":1e}"), "invalid character '}' in exponent of numeric literal");
        assert_eq!(fault("'"), r"invalid character '\'' looking for beginning of value");
        assert_eq!(fault("\u{feff}{}"), "invalid character 'ï' looking for beginning of value");
        assert_eq!(fault("{\"a\":"), "unexpected EOF");
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(scan(nested(MAX_DEPTH).as_bytes(), &mut |_, _| ()), Ok(Kind::Array));
        assert_eq!(fault(&nested(MAX_DEPTH + 1)), "exceeded max depth");
        assert_eq!(fault(&"{\"a\":".repeat(100_000)), "exceeded max depth");
    }

    #[test]
    fn only_members_of_the_outermost_object_are_handed_out() {
        let found = members(r#" {"model" : "a", "x":{"model":"b"}, "mod\u0065l":["c"] } "#);
        assert_eq!(
            found,
            [
                ("model".to_owned(), "\"a\"".to_owned()),
                ("x".to_owned(), r#"{"model":"b"}"#.to_owned()),
                ("model".to_owned(), "[\"c\"]".to_owned()),
            ]
        );
    }

    #[test]
    fn elements_of_an_array_are_handed_out_raw_and_of_nothing_else() {
        let elements = |text: &'static str| {
            let mut found = Vec::new();
            elements(text.as_bytes(), &mut |element| found.push(String::from_utf8_lossy(element).into_owned()));
            found
        };
        assert_eq!(elements(r#"[ 1 ,{"a":[2]}, "x]" ,[]]"#), ["1", r#"{"a":[2]}"#, r#""x]""#, "[]"]);
        for text in ["[]", "[ ]", r#"{"a":[1]}"#, r#""[1]""#, "null", ""] {
            assert!(elements(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn escapes_decode_as_go_decodes_them() {
        assert_eq!(unescape(br"a\u00e9\n\/"), "aé\n/");
        assert_eq!(unescape(br"\ud83d\ude00"), "😀");
        assert_eq!(unescape(br"\ud83dx"), "\u{fffd}x");
        assert_eq!(unescape(b"\xff"), "\u{fffd}");
    }

    fn document() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into)
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                prop::collection::hash_map(any::<String>(), inner, 0..5)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_serde_writes_is_accepted_and_its_members_are_the_same(value in document()) {
            let text = value.to_string();
            let mut found = Vec::new();
            scan(text.as_bytes(), &mut |key, raw| found.push((unescape(key).into_owned(), serde_json::from_slice::<serde_json::Value>(raw).unwrap()))).unwrap();
            let expected: Vec<_> = value.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
            prop_assert_eq!(found.len(), expected.len());
            for ((key, value), (expected_key, expected_value)) in found.iter().zip(&expected) {
                prop_assert_eq!(key, expected_key);
                prop_assert_eq!(value.to_string(), expected_value.to_string());
            }
        }

        #[test]
        fn accepts_exactly_what_serde_accepts(text in r#"[\[\]{}",:0-9eE+\-. \\u"tfnaulrse]{0,24}"#) {
            let ours = scan(text.as_bytes(), &mut |_, _| ()).is_ok();
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            // Lone surrogates are text to Go and a fault to serde; IgnoredAny does not look at them.
            prop_assert_eq!(ours, theirs, "{}", text);
        }
    }
}
