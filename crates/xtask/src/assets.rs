//! The browser's half: WASM, JavaScript glue, style sheet, Chart.js and public files, hashed and precompressed, in
//! `target/site`, where the server embeds them from. Nothing is rewritten that did not change, so that the server is not
//! rebuilt for nothing.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
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
    bind(&raw, &work)?;
    let style = work.join("style.css");
    run(npm_bin("tailwindcss").args(["--input", "style/main.css", "--minify", "--output"]).arg(&style))?;

    let mut site = Site::open()?;
    let js = site.hashed(OUTPUT_NAME, "js", fs::read(work.join("bound").join(format!("{OUTPUT_NAME}.js")))?)?;
    let wasm = site.hashed(&format!("{OUTPUT_NAME}_bg"), "wasm", fs::read(work.join("optimised.wasm"))?)?;
    let css = site.hashed(OUTPUT_NAME, "css", fs::read(style)?)?;
    let chart = site.hashed("chart", "js", fs::read(root().join("node_modules/chart.js/dist/chart.umd.min.js"))?)?;
    let mut manifest = json!({ "js": js, "wasm": wasm, "css": css, "chart_js": chart });
    if std::env::var_os(crate::watch::WATCHING).is_some() {
        manifest["reload_js"] = site.hashed("reload", "js", crate::watch::RELOAD_JS.into())?.into();
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

/// wasm-bindgen, then wasm-opt; skipped where the same WASM was bound before.
fn bind(raw: &Path, work: &Path) -> Result<()> {
    let optimised = work.join("optimised.wasm");
    let stamp = work.join("bound-from");
    let hash = hash(&fs::read(raw).with_context(|| raw.display().to_string())?);
    if optimised.is_file() && fs::read_to_string(&stamp).is_ok_and(|from| from == hash) {
        return Ok(());
    }
    let bound = work.join("bound");
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(raw)
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .omit_default_module_path(false)
        .out_name(OUTPUT_NAME)
        .generate(&bound)?;
    run(npm_bin("wasm-opt")
        .args(["-Oz", "--enable-bulk-memory", "--enable-nontrapping-float-to-int", "--enable-reference-types"])
        .args(["--enable-sign-ext", "--enable-mutable-globals", "--enable-multivalue"])
        .arg("--output")
        .arg(&optimised)
        .arg(bound.join(format!("{OUTPUT_NAME}_bg.wasm"))))?;
    fs::write(stamp, hash)?;
    Ok(())
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
    fn hashed(&mut self, stem: &str, extension: &str, bytes: Vec<u8>) -> Result<String> {
        let name = format!("pkg/{stem}.{}.{extension}", &hash(&bytes)[..12]);
        let path = self.folder.join(&name);
        if !path.is_file() {
            let mut brotli = Vec::new();
            brotli::BrotliCompress(&mut bytes.as_slice(), &mut brotli, &brotli::enc::BrotliEncoderParams::default())?;
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            gzip.write_all(&bytes)?;
            fs::write(with_suffix(&path, "br"), brotli)?;
            fs::write(with_suffix(&path, "gz"), gzip.finish()?)?;
            // The plain file is written last: its presence says that the others are whole.
            fs::write(&path, &bytes)?;
        }
        self.kept.extend([with_suffix(&path, "br"), with_suffix(&path, "gz"), path]);
        Ok(format!("/{name}"))
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
