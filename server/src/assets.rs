//! The browser's half, embedded in the binary: WASM, script, style sheet and public files with their precompressed
//! forms. They are built by `cargo xtask build` before the server is compiled.

mod negotiate;

use std::borrow::Cow;

use bytes::Bytes;
use gateway::Body;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::reply;

/// What `cargo xtask build` put together.
#[derive(RustEmbed)]
#[folder = "../target/site"]
struct Site;

/// The list of hashed names.
const MANIFEST: &str = "manifest.json";
/// Endings of precompressed forms.
const COMPRESSED: [&str; 2] = [".br", ".gz"];

/// A file that may be asked for, in all its forms.
pub struct File {
    /// Path without the leading slash.
    name: String,
    identity: EmbeddedFile,
}

/// The file at `path`, which begins with a slash.
pub fn find(path: &str) -> Option<File> {
    let name = path.strip_prefix('/')?;
    if name == MANIFEST || COMPRESSED.iter().any(|ending| name.ends_with(ending)) {
        return None;
    }
    Site::get(name).map(|identity| File { name: name.to_owned(), identity })
}

/// The names of the hashed files, or `None` in a binary that was built without its assets.
pub fn manifest() -> Option<app::Assets> {
    let file = Site::get(MANIFEST)?;
    let Manifest { js, loader, wasm, css, chart_js, reload_js } = serde_json::from_slice(&file.data)
        .inspect_err(|error| tracing::error!(%error, "the list of the admin pages' files is broken"))
        .ok()?;
    Some(app::Assets { js, loader, wasm, css, chart_js, reload_js })
}

/// URL paths, as the build wrote them.
#[derive(serde::Deserialize)]
struct Manifest {
    js: String,
    loader: String,
    wasm: String,
    css: String,
    chart_js: String,
    reload_js: Option<String>,
}

/// Answers `GET` and `HEAD`, in the smallest form the caller takes.
pub fn respond(file: File, method: &Method, request: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(reply::body(Bytes::new()));
    let etag = etag(&file.identity);
    let (encoding, chosen) = negotiate::choose(request)
        .into_iter()
        .find_map(|coding| Some((Some(coding), Site::get(&format!("{}{}", file.name, coding.ending()))?)))
        .unwrap_or((None, file.identity));
    let headers = response.headers_mut();
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, &mime(&file.name));
    set(header::VARY, "accept-encoding");
    set(header::ETAG, &etag);
    set(header::CACHE_CONTROL, if is_hashed(&file.name) { "public, max-age=31536000, immutable" } else { "no-cache" });
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(http::HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if let Some(coding) = encoding {
        set(header::CONTENT_ENCODING, coding.name());
    }
    let known = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    if known.flat_map(|line| line.split(',')).any(|tag| tag.trim() == etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    set(header::CONTENT_LENGTH, &chosen.data.len().to_string());
    if *method == Method::GET {
        *response.body_mut() = reply::body(bytes(chosen.data));
    }
    response
}

fn bytes(data: Cow<'static, [u8]>) -> Bytes {
    match data {
        Cow::Borrowed(data) => Bytes::from_static(data),
        Cow::Owned(data) => Bytes::from(data),
    }
}

/// Weak, because the same tag stands for every coding of the file.
fn etag(file: &EmbeddedFile) -> String {
    let digits: String = file.metadata.sha256_hash()[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("W/\"{digits}\"")
}

fn mime(name: &str) -> String {
    let mime = mime_guess::from_path(name).first_or_octet_stream();
    if mime.type_() == "text" { format!("{mime}; charset=utf-8") } else { mime.to_string() }
}

/// The content's hash is part of the name, so what is under the name never changes: `name.0123456789ab.js`.
fn is_hashed(name: &str) -> bool {
    let hash = name.rsplit('/').next().and_then(|file| file.rsplit('.').nth(1));
    name.starts_with("pkg/")
        && hash.is_some_and(|hash| hash.len() >= 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hashed_names_live_for_ever() {
        assert!(is_hashed("pkg/ollama-fortress.0123456789ab.js"));
        assert!(is_hashed("pkg/ollama-fortress_bg.0123456789ab.wasm"));
        assert!(!is_hashed("pkg/favicon.svg"));
        assert!(!is_hashed("pkg/ollama-fortress.js"));
        assert!(!is_hashed("favicon.0123456789ab.svg"));
    }

    #[test]
    fn types_are_the_ones_browsers_insist_on() {
        assert_eq!(mime("pkg/x.wasm"), "application/wasm");
        assert_eq!(mime("pkg/x.js"), "text/javascript; charset=utf-8");
        assert_eq!(mime("pkg/x.css"), "text/css; charset=utf-8");
        assert_eq!(mime("favicon.svg"), "image/svg+xml");
    }

    #[test]
    fn the_list_and_the_compressed_forms_are_no_addresses() {
        assert!(find("/manifest.json").is_none());
        assert!(find("/pkg/x.js.br").is_none());
        assert!(find("pkg/x.js").is_none());
        assert!(find("/../Cargo.toml").is_none());
    }
}
