//! What a browser fetches before a page is alive, in bytes as they are sent.

use std::collections::BTreeMap;

use crate::harness::{Home, Server, http};

const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/site/manifest.json");
/// WASM of any one page, compressed with brotli.
const MOST_WASM: usize = 400_000;
/// The same with scripts and style sheet.
const MOST: usize = 500_000;

/// The build's list of files, as far as a page fetches them.
#[derive(serde::Deserialize)]
struct Manifest {
    js: String,
    loader: String,
    wasm: String,
    css: String,
    chart_js: String,
    /// For each page its files beside the main one.
    pages: BTreeMap<String, Vec<String>>,
}

/// How long the body is that a browser gets.
async fn weight(server: &Server, path: &str) -> usize {
    let answer = http().get(server.url(path)).header("accept-encoding", "gzip, deflate, br").send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    assert_eq!(answer.headers()["content-encoding"], "br", "{path}");
    assert!(answer.headers()["cache-control"].to_str().unwrap().contains("immutable"), "{path}");
    answer.bytes().await.unwrap().len()
}

#[tokio::test]
async fn no_page_weighs_more_than_it_may() {
    let text = std::fs::read_to_string(MANIFEST)
        .unwrap_or_else(|_| panic!("the pages are not built: run `cargo xtask build` first"));
    let manifest: Manifest = serde_json::from_str(&text).unwrap();
    let home = Home::new();
    let server = home.start();
    let main = weight(&server, &manifest.wasm).await;
    let mut rest = 0;
    for path in [&manifest.js, &manifest.loader, &manifest.css, &manifest.chart_js] {
        rest += weight(&server, path).await;
    }
    let loader = http().get(server.url(&manifest.loader)).send().await.unwrap().text().await.unwrap();
    for (page, files) in &manifest.pages {
        let mut wasm = main;
        for path in files {
            assert!(loader.contains(path.trim_start_matches("/pkg/")), "the loader does not know {path}");
            wasm += weight(&server, path).await;
        }
        assert!(wasm <= MOST_WASM, "{page} needs {wasm} bytes of WASM");
        assert!(wasm + rest <= MOST, "{page} needs {} bytes", wasm + rest);
    }
    assert!(manifest.pages.contains_key("dashboard") && manifest.pages.contains_key("login"), "{text}");
    server.stop();
}
