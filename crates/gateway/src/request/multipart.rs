//! Finds the `model` field in a multipart/form-data body. Strict: what two parsers could read differently is refused,
//! because the backend's parser decides after ours.

use memchr::memmem;

const MAX_PARTS: usize = 64;
const MAX_HEADERS: usize = 8 * 1024;
const MAX_MODEL: usize = 1024;

/// The text of the one `model` field, `None` if there is none. Errors are messages for the client.
pub(super) fn model<'b>(content_type: &str, body: &'b [u8]) -> Result<Option<&'b str>, &'static str> {
    const MALFORMED: &str = "malformed multipart body";
    let boundary = boundary(content_type).ok_or("request Content-Type isn't multipart/form-data")?;
    let delimiter = format!("\r\n--{boundary}");
    let delimiters = memmem::Finder::new(&delimiter);
    let mut rest = body.strip_prefix(&delimiter.as_bytes()[2..]).ok_or(MALFORMED)?;
    let mut model = None;
    for _ in 0..MAX_PARTS {
        if rest.starts_with(b"--") {
            return Ok(model);
        }
        // From here the part begins with the newline that ends its delimiter; an empty header block shares it.
        if !rest.starts_with(b"\r\n") {
            return Err(MALFORMED);
        }
        let end = memmem::find(&rest[..rest.len().min(MAX_HEADERS)], b"\r\n\r\n").ok_or(MALFORMED)?;
        let content = &rest[end + 4..];
        // Go takes a delimiter right behind the headers for the end of an empty part, which others read as content.
        if content.starts_with(&delimiter.as_bytes()[2..]) {
            return Err(MALFORMED);
        }
        let length = delimiters.find(content).ok_or(MALFORMED)?;
        if field_name(&rest[..end])?.eq_ignore_ascii_case("model") {
            if model.is_some() {
                return Err("duplicate field \"model\" in the request body");
            }
            let text = content.get(..length).filter(|text| text.len() <= MAX_MODEL).ok_or(MALFORMED)?;
            model = Some(std::str::from_utf8(text).map_err(|_| MALFORMED)?);
        }
        rest = &content[length + delimiter.len()..];
    }
    Err("too many parts in the multipart body")
}

/// The body with `text` in the place of the one `model` field's.
pub(super) fn put_model(content_type: &str, body: &[u8], text: &str) -> Result<Vec<u8>, &'static str> {
    let Some(model) = model(content_type, body)? else { return Ok(body.to_vec()) };
    // The field's text is a part of the body.
    let start = (model.as_ptr() as usize).saturating_sub(body.as_ptr() as usize);
    let (before, rest) = body.split_at(start);
    Ok([before, text.as_bytes(), &rest[model.len()..]].concat())
}

fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut found = parameters.split(';').filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim())
    });
    let value = found.next()?;
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
    (found.next().is_none() && (1..=70).contains(&value.len()) && value.bytes().all(plain)).then_some(value)
}

/// The `name` of a part's Content-Disposition, empty if it has none.
fn field_name(headers: &[u8]) -> Result<String, &'static str> {
    const MALFORMED: &str = "malformed part in the multipart body";
    let headers = std::str::from_utf8(headers).map_err(|_| MALFORMED)?;
    let mut found = None;
    for line in headers.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or(MALFORMED)?;
        if name.contains(char::is_whitespace) || value.contains(['\r', '\n']) {
            return Err(MALFORMED);
        }
        if !name.eq_ignore_ascii_case("content-disposition") {
            continue;
        }
        // One name, quoted and without escapes; `name*` would be decoded by some parsers and ignored by others.
        for parameter in quoted_split(value).skip(1) {
            let (name, value) = parameter.split_once('=').ok_or(MALFORMED)?;
            match name.trim().to_ascii_lowercase().as_str() {
                "name" if found.is_none() => {
                    let value = value.trim();
                    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
                    if value.contains(['\\', '"', '%']) {
                        return Err(MALFORMED);
                    }
                    found = Some(value.to_owned());
                }
                name if name.starts_with("name") => return Err(MALFORMED),
                _ => {}
            }
        }
    }
    Ok(found.unwrap_or_default())
}

/// Splits at semicolons that are not inside quotes.
fn quoted_split(value: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    value.split(move |character| {
        let is_quote = character == '"' && !escaped;
        escaped = quoted && character == '\\' && !escaped;
        quoted ^= is_quote;
        character == ';' && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "multipart/form-data; boundary=XX";

    fn part(disposition: &str, value: &str) -> String {
        format!("--XX\r\nContent-Disposition: {disposition}\r\n\r\n{value}\r\n")
    }

    fn find(body: &str) -> Result<Option<String>, &'static str> {
        model(KIND, body.as_bytes()).map(|model| model.map(str::to_owned))
    }

    #[test]
    fn the_model_is_found_between_other_parts() {
        let file = part("form-data; name=\"file\"; filename=\"a;name=model.wav\"", "\r\nRIFF --X model");
        let body = format!("{file}{}--XX--\r\n", part("form-data; name=\"model\"", "whisper"));
        assert_eq!(find(&body), Ok(Some("whisper".into())));
        assert_eq!(find(&format!("{file}--XX--\r\n")), Ok(None));
        assert_eq!(model("multipart/form-data; boundary=\"XX\"", body.as_bytes()), Ok(Some("whisper")));
    }

    #[test]
    fn bodies_that_parsers_could_read_differently_are_refused() {
        let good = part("form-data; name=\"model\"", "a");
        for body in [
            format!("{good}{good}--XX--"),
            format!("{good}{}--XX--", part("form-data; name=\"MODEL\"", "b")),
            format!("{}--XX--", part("form-data; name*=utf-8''model", "b")),
            format!("{}--XX--", part("form-data; name=\"x\"; name=\"model\"", "b")),
            format!("{}--XX--", part("form-data; name=\"mod\\el\"", "b")),
            format!("preamble\r\n{good}--XX--"),
            format!("--XX\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n{good}{good}--XX--"),
            format!("--XX\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n{good}--XX--"),
            good.replace("\r\n", "\n") + "--XX--",
            format!("{good}--XXmore\r\n"),
            good.clone(),
        ] {
            assert!(find(&body).is_err(), "{body}");
        }
        assert!(model("application/json", b"{}").is_err());
        assert!(model("multipart/form-data; boundary=XX; boundary=YY", good.as_bytes()).is_err());
    }
}
