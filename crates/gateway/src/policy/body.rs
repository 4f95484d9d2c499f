//! Members of a request's body as Ollama would find them, and changing one without touching another byte.

use std::ops::Range;

use bytes::Bytes;

use crate::{
    error::Error,
    request::json::{self, Kind},
};

/// One member that may stand in an object once, spelled exactly.
#[derive(Debug, Clone, Default)]
pub(super) struct Found<'a> {
    value: Option<&'a [u8]>,
    times: usize,
    other_case: bool,
}

impl<'a> Found<'a> {
    pub(super) fn add(&mut self, exact: bool, value: &'a [u8]) {
        self.value = Some(value);
        self.times += 1;
        self.other_case |= !exact;
    }

    /// The raw value, `None` also for `null`, which is what an absent member is to Go.
    pub(super) fn get(&self, name: &str) -> Result<Option<&'a [u8]>, Error> {
        if self.times > 1 {
            return Err(Error::BadRequest(format!("duplicate member {name:?} in the request body")));
        }
        if self.other_case {
            return Err(Error::BadRequest(format!("member {name:?} must be written in lower case")));
        }
        Ok(self.value.filter(|value| Kind::of(value) != Kind::Null))
    }

    /// It stands there as `null`.
    pub(super) fn null(&self) -> Option<&'a [u8]> {
        self.value.filter(|value| Kind::of(value) == Kind::Null)
    }
}

/// Looks for `names` among the members of an object, in any case: Go takes them all, and of several the last.
pub(super) fn find<'a, const N: usize>(object: &'a [u8], names: [&str; N]) -> Result<[Found<'a>; N], Error> {
    let mut found: [Found<'a>; N] = std::array::from_fn(|_| Found::default());
    json::scan(object, &mut |key, value| {
        let key = json::unescape(key);
        if let Some(at) = names.iter().position(|name| fold_eq(&key, name)) {
            found[at].add(key == names[at], value);
        }
    })
    .map_err(Error::BadRequest)?;
    Ok(found)
}

/// The raw values of members, each of which may stand there once, spelled exactly; `null` is none.
pub(crate) fn members<'a, const N: usize>(object: &'a [u8], names: [&str; N]) -> Result<[Option<&'a [u8]>; N], Error> {
    if Kind::of(object.trim_ascii_start()) != Kind::Object {
        json::scan(object, &mut |_, _| ()).map_err(Error::BadRequest)?;
        return Err(Error::BadRequest("the request body must be an object".into()));
    }
    let mut values = [None; N];
    for ((value, found), name) in values.iter_mut().zip(find(object, names)?).zip(names) {
        *value = found.get(name)?;
    }
    Ok(values)
}

/// The body with `text` in the place of the texts that the members `names` hold.
pub(crate) fn put_text<const N: usize>(body: &Bytes, names: [&str; N], text: &str) -> Result<Bytes, Error> {
    let mut edits = Edits::default();
    for (found, name) in find(body, names)?.iter().zip(names) {
        // An empty text is what an absent member is.
        let is_text = |value: &&[u8]| Kind::of(value) == Kind::String && value.len() > 2;
        if let Some(value) = found.get(name)?.filter(is_text) {
            edits.replace(body, value, serde_json::Value::from(text).to_string());
        }
    }
    Ok(edits.apply(body))
}

/// Whether Go takes `key` for the member `name`, which is in lower case. Beside the case of ASCII it folds two letters of
/// Unicode.
fn fold_eq(key: &str, name: &str) -> bool {
    let fold = |letter: char| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        letter => letter.to_ascii_lowercase(),
    };
    key.chars().map(fold).eq(name.chars())
}

/// A number as the backends read it; what is larger than any number is infinite.
pub(super) fn number(value: &[u8], name: &str) -> Result<f64, Error> {
    let number = match Kind::of(value) {
        Kind::Number => std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()),
        _ => None,
    };
    number.ok_or_else(|| Error::BadRequest(format!("{name} must be a number")))
}

/// Texts that take the place of parts of a body.
#[derive(Default)]
pub(super) struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    /// `part` is a slice of the body itself.
    pub(super) fn replace(&mut self, body: &[u8], part: &[u8], text: String) {
        let start = offset(body, part);
        self.0.push((start..start + part.len(), text));
    }

    /// Puts a member at the beginning of `object`, a slice of the body itself.
    pub(super) fn insert(&mut self, body: &[u8], object: &[u8], member: &str) {
        let Some(brace) = object.iter().position(|&byte| byte == b'{') else { return };
        let empty = object[brace + 1..].trim_ascii_start().first() == Some(&b'}');
        let at = offset(body, object) + brace + 1;
        self.0.push((at..at, format!("{member}{}", if empty { "" } else { "," })));
    }

    pub(super) fn apply(mut self, body: &Bytes) -> Bytes {
        if self.0.is_empty() {
            return body.clone();
        }
        self.0.sort_by_key(|(range, _)| range.start);
        let more: usize = self.0.iter().map(|(_, text)| text.len()).sum();
        let mut changed = Vec::with_capacity(body.len() + more);
        let mut copied = 0;
        for (range, text) in self.0 {
            changed.extend_from_slice(&body[copied..range.start]);
            changed.extend_from_slice(text.as_bytes());
            copied = range.end;
        }
        changed.extend_from_slice(&body[copied..]);
        changed.into()
    }
}

fn offset(body: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(body.as_ptr() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_put_in_the_place_of_another_and_no_byte_beside_it_changes() {
        let put = |body: &'static str| {
            put_text(&Bytes::from_static(body.as_bytes()), ["model", "name"], "a\"/b").map(|body| body.to_vec())
        };
        let cases = [
            (
                r#" {"x":{"model":"fast"}, "model" : "f\u0061st" ,"y":1e400}"#,
                r#" {"x":{"model":"fast"}, "model" : "a\"/b" ,"y":1e400}"#,
            ),
            (r#"{"name":"fast","model":"fast"}"#, r#"{"name":"a\"/b","model":"a\"/b"}"#),
            (r#"{"name":"fast","model":""}"#, r#"{"name":"a\"/b","model":""}"#),
            (r#"{"model":null}"#, r#"{"model":null}"#),
        ];
        for (body, expected) in cases {
            assert_eq!(put(body).unwrap(), expected.as_bytes(), "{body}");
        }
        assert!(put(r#"{"model":"a","Model":"b"}"#).is_err());
    }

    #[test]
    fn members_are_found_as_go_finds_them() {
        for key in ["options", "Options", "OPTIONS", "option\u{17f}"] {
            assert!(fold_eq(key, "options"), "{key}");
        }
        assert!(fold_eq("\u{212a}eep_alive", "keep_alive"));
        assert!(!fold_eq("option", "options") && !fold_eq("optionss", "options"));
        let value = |text: &'static str| {
            let [found] = find(text.as_bytes(), ["keep_alive"]).unwrap();
            found.get("keep_alive").map(|value| value.map(<[u8]>::to_vec))
        };
        assert_eq!(value(r#"{"a":{"keep_alive":1},"keep_alive":2}"#), Ok(Some(b"2".to_vec())));
        assert_eq!(value(r#"{"keep_alive":null}"#), Ok(None));
        for text in [
            r#"{"keep_alive":1,"keep_alive":1}"#,
            r#"{"keep_alive":1,"Keep_Alive":2}"#,
            r#"{"KEEP_ALIVE":1}"#,
            r#"{"\u212aeep_alive":1}"#,
        ] {
            assert!(value(text).is_err(), "{text}");
        }
    }
}
