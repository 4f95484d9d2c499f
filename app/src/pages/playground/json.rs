//! JSON as text, put together by hand: serde_json's serializer would be there for this page alone, and weighs more.

/// A text as JSON has it.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"".to_owned(),
            b'\\' => "\\\\".to_owned(),
            b'\n' => "\\n".to_owned(),
            0..=0x1f => format!("\\u{byte:04x}"),
            _ => continue,
        };
        out.push_str(&text[from..at]);
        out.push_str(&escape);
        from = at + 1;
    }
    out.push_str(&text[from..]);
    out.push('"');
    out
}

/// Members with their values, which are JSON already.
pub(super) fn object<'m>(members: impl IntoIterator<Item = (&'m str, String)>) -> String {
    let members: Vec<String> = members.into_iter().map(|(name, value)| format!("{}:{value}", quote(name))).collect();
    format!("{{{}}}", members.join(","))
}

/// Values that are JSON already, one a line.
pub(super) fn list(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    format!("[{}]", items.join(",\n"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_read_again(text in any::<String>(), name in any::<String>()) {
            let json = object([(name.as_str(), list([quote(&text), "1".to_owned()]))]);
            let read: serde_json::Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read, serde_json::json!({ name: [text, 1] }));
        }
    }

    #[test]
    fn what_has_a_meaning_in_json_is_escaped() {
        assert_eq!(quote("a\"\\\n\t\u{0}é\u{2028}"), "\"a\\\"\\\\\\n\\u0009\\u0000é\u{2028}\"");
        assert_eq!(object([]), "{}");
        assert_eq!(list([]), "[]");
    }
}
