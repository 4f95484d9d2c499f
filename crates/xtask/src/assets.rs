//! The browser's half: WASM, JavaScript glue, style sheet, Chart.js and public files, hashed and precompressed, in
//! `target/site`, where the server embeds them from. Nothing is rewritten that did not change, so that the server is not
//! rebuilt for nothing.

mod bundle;

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    run::{cargo, command, root, run, step, target},
    tools,
};

/// Name of all our files in the browser, as Leptos knows it.
const OUTPUT_NAME: &str = "ollama-fortress";

/// Where the site is put together; the server's build script looks there too.
pub fn site() -> PathBuf {
    root().join("target/site")
}

pub fn build() -> Result<()> {
    step("WASM target", tools::ensure_wasm_target)?;
    step("npm packages", || tools::ensure_npm(&root()))?;
    step("WASM bundle", || {
        run(cargo().args([
            "build",
            "--locked",
            "--package",
            "frontend",
            "--profile",
            "wasm",
            "--target",
            tools::WASM_TARGET,
        ]))
    })?;
    step("site", assemble)
}

/// Everything after cargo.
fn assemble() -> Result<()> {
    let raw = target().join(tools::WASM_TARGET).join("wasm/frontend.wasm");
    let work = target().join("site-work");
    fs::create_dir_all(&work)?;
    let bundle = bundle::make(&raw, &work)?;
    let style = work.join("style.css");
    run(npm_bin("tailwindcss").args(["--input", "style/main.css", "--minify", "--output"]).arg(&style))?;

    let mut site = Site::open()?;
    let mut files = BTreeMap::new();
    for (part, wasm) in &bundle.parts {
        files.insert(part.clone(), file_name(&site.hashed(part.trim_start_matches("split_"), "wasm", wasm)?));
    }
    // The two scripts import each other, so that one hash of both is in the names of both.
    let both = hash(format!("{}{}", bundle.script(""), bundle.loader("", &files)).as_bytes());
    let [script, loader] = [OUTPUT_NAME, "loader"].map(|stem| name(stem, &both, "js"));
    let js = site.named(&script, bundle.script(&loader).as_bytes())?;
    let loader = site.named(&loader, bundle.loader(&script, &files).as_bytes())?;
    let wasm = site.hashed(&format!("{OUTPUT_NAME}_bg"), "wasm", &bundle.main)?;
    let css = site.hashed(OUTPUT_NAME, "css", &fs::read(style)?)?;
    let chart = site.hashed("chart", "js", &fs::read(root().join("node_modules/chart.js/dist/chart.umd.min.js"))?)?;
    let path = |part: &String| files.get(part).map(|file| format!("/pkg/{file}"));
    let pages: BTreeMap<_, Vec<_>> =
        bundle.pages.iter().map(|(page, parts)| (page, parts.iter().filter_map(path).collect())).collect();
    let mut manifest =
        json!({ "js": js, "loader": loader, "wasm": wasm, "pages": pages, "css": css, "chart_js": chart });
    if std::env::var_os(crate::watch::WATCHING).is_some() {
        manifest["reload_js"] = site.hashed("reload", "js", crate::watch::RELOAD_JS.as_bytes())?.into();
    }
    site.plain("manifest.json", serde_json::to_vec_pretty(&manifest)?)?;
    for entry in fs::read_dir(root().join("public"))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            site.plain(&format!("pkg/{}", entry.file_name().to_string_lossy()), fs::read(entry.path())?)?;
        }
    }
    site.sweep()
}

/// The last part of a URL path.
fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// A file's name with a hash in it, by which the server knows that what is under it never changes.
fn name(stem: &str, hash: &str, extension: &str) -> String {
    format!("{stem}.{}.{extension}", &hash[..12])
}

fn npm_bin(name: &str) -> Command {
    command(root().join("node_modules/.bin").join(name))
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `target/site` while it is put together: knows which files belong, so that old ones can go.
struct Site {
    folder: PathBuf,
    kept: Vec<PathBuf>,
}

impl Site {
    fn open() -> Result<Self> {
        let folder = site();
        fs::create_dir_all(folder.join("pkg"))?;
        Ok(Self { folder, kept: Vec::new() })
    }

    /// Puts a file under `/pkg` with its hash in the name and its compressed forms beside it; returns its URL path.
    fn hashed(&mut self, stem: &str, extension: &str, bytes: &[u8]) -> Result<String> {
        self.named(&name(stem, &hash(bytes), extension), bytes)
    }

    /// The same for a file that has a hash in its name already.
    fn named(&mut self, name: &str, bytes: &[u8]) -> Result<String> {
        let path = self.folder.join("pkg").join(name);
        if !path.is_file() {
            let mut brotli = Vec::new();
            brotli::BrotliCompress(&mut &*bytes, &mut brotli, &brotli::enc::BrotliEncoderParams::default())?;
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            gzip.write_all(bytes)?;
            fs::write(with_suffix(&path, "br"), brotli)?;
            fs::write(with_suffix(&path, "gz"), gzip.finish()?)?;
            // The plain file is written last: its presence says that the others are whole.
            fs::write(&path, bytes)?;
        }
        self.kept.extend([with_suffix(&path, "br"), with_suffix(&path, "gz"), path]);
        Ok(format!("/pkg/{name}"))
    }

    /// Puts a file under its own name.
    fn plain(&mut self, name: &str, bytes: Vec<u8>) -> Result<()> {
        let path = self.folder.join(name);
        if !fs::read(&path).is_ok_and(|old| old == bytes) {
            fs::write(&path, bytes)?;
        }
        self.kept.push(path);
        Ok(())
    }

    /// Removes what an earlier build left.
    fn sweep(self) -> Result<()> {
        for folder in [self.folder.clone(), self.folder.join("pkg")] {
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_file() && !self.kept.contains(&path) {
                    fs::remove_file(path)?;
                }
            }
        }
        Ok(())
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}
