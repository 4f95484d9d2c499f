//! From cargo's one WASM file to what the browser fetches: cut into pages and what they share (wasm-split), bound to
//! JavaScript (wasm-bindgen), partly put together again (wasm-merge), and made small (wasm-opt).
//!
//! wasm-split makes a file for every set of pages that share something. These are hundreds, most of them tiny, and a browser
//! would wait for them longer than for their bytes. So the main part, which every page needs, takes in all but the few that
//! are worth a request of their own.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, ensure};

use super::{OUTPUT_NAME, hash, npm_bin};
use crate::run::output;

/// The name by which wasm-bindgen's script imports the script that fetches the parts.
const LOADER: &str = "./loader.js";
/// What the parts call the main one.
const MAIN: &str = "__wasm_split";
/// How wasm-split's files of pages begin.
const PAGE: &str = "split_";
/// From this size on, in bytes before compression, something that few pages share is a file of its own.
const WORTH_A_REQUEST: u64 = 8 * 1024;
/// From so many pages on, what they share is in the main part.
const MANY: usize = 8;
/// Passes of wasm-opt. Those of `-Oz` make the file smaller and what is sent larger: functions that were alike, as generic
/// code is, come out different, and brotli finds less.
const PASSES: [&str; 11] = [
    "--duplicate-function-elimination",
    "--optimize-instructions",
    "--vacuum",
    "--remove-unused-brs",
    "--remove-unused-names",
    "--vacuum",
    "--merge-blocks",
    "--reorder-locals",
    // What calls functions that were alike is alike only now.
    "--duplicate-function-elimination",
    "--duplicate-function-elimination",
    "--remove-unused-module-elements",
];
/// What rustc makes use of, and every browser of the last years knows.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-multivalue",
];

/// What was made, before hashes are put into names.
pub struct Bundle {
    /// wasm-bindgen's script. It imports the loader.
    script: String,
    /// What all pages need.
    pub main: Vec<u8>,
    /// The other parts by their names.
    pub parts: BTreeMap<String, Vec<u8>>,
    /// For each page in `app::pages::lazy` the names of the parts it needs besides the main one; the last is its own.
    pub pages: BTreeMap<String, Vec<String>>,
}

impl Bundle {
    /// wasm-bindgen's script where the loader is called `loader`.
    pub fn script(&self, loader: &str) -> String {
        // Where it is imported from only: under the old name its functions are handed to the main part.
        self.script.replace(&format!("from \"{LOADER}\""), &format!("from \"./{loader}\""))
    }

    /// The script that fetches parts, where wasm-bindgen's is called `script` and the parts' files are called `files`. It has
    /// one function a page, which `wasm_split` made the main part import.
    pub fn loader(&self, script: &str, files: &BTreeMap<String, String>) -> String {
        let mut text = include_str!("loader.js").replace("SCRIPT", script);
        for (page, parts) in &self.pages {
            let files: Vec<_> = parts.iter().filter_map(|part| Some(format!("./{}", files.get(part)?))).collect();
            text.push_str(&format!("export const __wasm_split_load_{page} = load({page:?}, {files:?});\n"));
        }
        text
    }
}

/// Makes the bundle in `work`; skipped where it was made from the same WASM before.
pub fn make(raw: &Path, work: &Path) -> Result<Bundle> {
    let folders = Folders { split: work.join("split"), bound: work.join("bound"), small: work.join("small") };
    let stamp = work.join("bundled-from");
    let wasm = read(raw)?;
    let hash = hash(&wasm);
    if !fs::read_to_string(&stamp).is_ok_and(|from| from == hash) {
        let _ = fs::remove_file(&stamp);
        folders.fill(&wasm)?;
        fs::write(stamp, hash)?;
    }
    folders.read()
}

struct Folders {
    /// From wasm-split.
    split: PathBuf,
    /// From wasm-bindgen.
    bound: PathBuf,
    /// From wasm-opt.
    small: PathBuf,
}

/// For each page what it needs, as wasm-split tells it and as it is kept beside the parts.
const PAGES: &str = "pages.json";
const MAIN_PART: &str = "main";

impl Folders {
    fn fill(&self, wasm: &[u8]) -> Result<()> {
        for folder in [&self.split, &self.bound, &self.small] {
            let _ = fs::remove_dir_all(folder);
            fs::create_dir_all(folder)?;
        }
        let main = self.split.join("main.wasm");
        let mut options = wasm_split_cli_support::Options::new(wasm);
        options.output_dir = &self.split;
        options.main_out_path = &main;
        options.link_name = LOADER;
        let split = wasm_split_cli_support::transform(options).map_err(|error| anyhow!("{error:#}"))?;
        wasm_bindgen_cli_support::Bindgen::new()
            .input_path(&main)
            .web(true)?
            .typescript(false)
            // The parts find in the main one what they share by its exports.
            .keep_lld_exports(true)
            .demangle(false)
            .remove_name_section(true)
            .remove_producers_section(true)
            .omit_default_module_path(false)
            .out_name(OUTPUT_NAME)
            .generate(&self.bound)?;

        let mut pages: BTreeMap<String, Vec<String>> = split.prefetch_map.into_iter().collect();
        let mut users: BTreeMap<String, usize> = BTreeMap::new();
        pages.values().flatten().for_each(|part| *users.entry(part.clone()).or_default() += 1);
        let merged = self.bound.join("merged.wasm");
        let mut merge = npm_bin("wasm-merge");
        merge.args(FEATURES).arg(self.bound.join(format!("{OUTPUT_NAME}_bg.wasm"))).arg(MAIN);
        for (part, users) in users {
            let path = self.split.join(format!("{part}.wasm"));
            let alone = part.starts_with(PAGE) || users < MANY && code_size(&path)? >= WORTH_A_REQUEST;
            if alone {
                optimise(&path, &self.small.join(format!("{part}.wasm")))?;
            } else {
                merge.arg(path).arg(&part);
                pages.values_mut().for_each(|parts| parts.retain(|other| *other != part));
            }
        }
        output(merge.arg("--output").arg(&merged))?;
        optimise(&merged, &self.small.join(format!("{MAIN_PART}.wasm")))?;
        fs::write(self.small.join(PAGES), serde_json::to_vec_pretty(&pages)?)?;
        Ok(())
    }

    fn read(&self) -> Result<Bundle> {
        let path = self.bound.join(format!("{OUTPUT_NAME}.js"));
        let script = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        ensure!(script.contains(LOADER), "wasm-bindgen's script imports no {LOADER}: no page was split off");
        let pages: BTreeMap<String, Vec<String>> = serde_json::from_slice(&read(&self.small.join(PAGES))?)?;
        let part = |name: &str| read(&self.small.join(format!("{name}.wasm")));
        let parts = pages.values().flatten().map(|name| Ok((name.clone(), part(name)?))).collect::<Result<_>>()?;
        Ok(Bundle { script, main: part(MAIN_PART)?, parts, pages })
    }
}

/// Bytes of a WASM file without its custom sections, which hold names and go.
fn code_size(path: &Path) -> Result<u64> {
    let wasm = read(path)?;
    let (mut size, mut at) = (0, 8);
    while let Some(&section) = wasm.get(at) {
        let (mut length, mut shift) = (0_u64, 0);
        loop {
            at += 1;
            let byte = *wasm.get(at).with_context(|| format!("{} ends early", path.display()))?;
            length |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        at += 1 + usize::try_from(length)?;
        if section != 0 {
            size += length;
        }
    }
    Ok(size)
}

/// What it prints is kept back: it does not know every kind of name in files that are about to lose their names.
fn optimise(from: &Path, to: &Path) -> Result<()> {
    output(
        npm_bin("wasm-opt")
            .args(PASSES)
            .args(FEATURES)
            .args(["--strip-debug", "--strip-producers", "--strip-target-features", "--output"])
            .args([to, from]),
    )
    .map(drop)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}
