//! The bill of materials of the binary (T35), in CycloneDX: every crate that is compiled into it or that builds it, with
//! version, licence and the checksum that `Cargo.lock` holds, and what its pages carry from npm. Cargo says what that is;
//! nothing here guesses. The same checkout gives the same file.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{
    run::{cargo, output, root},
    tools::WASM_TARGET,
};

/// Of npm's packages those that are in the pages: the charts, and what is bundled with them.
const FROM_NPM: [&str; 2] = ["chart.js", "@kurkle/color"];

/// Writes it to `path`.
pub fn write(path: &Path) -> Result<()> {
    let bill = serde_json::to_string_pretty(&bill()?)?;
    fs::write(path, bill + "\n").with_context(|| path.display().to_string())?;
    eprintln!("bill of materials: {}", path.display());
    Ok(())
}

fn bill() -> Result<Value> {
    let lock = fs::read_to_string(root().join("Cargo.lock")).context("Cargo.lock")?;
    let checksums = checksums(&lock);
    let inside = crates("normal,no-proc-macro")?;
    let lock: Value = serde_json::from_str(&fs::read_to_string(root().join("package-lock.json"))?)?;
    let mut components = FROM_NPM.map(|name| from_npm(&lock, name)).into_iter().collect::<Result<Vec<_>>>()?;
    for (package, licence) in crates("normal,build")? {
        let scope = if inside.contains_key(&package) { "required" } else { "excluded" };
        components.push(component(&package, &licence, scope, checksums.get(&package).copied()));
    }
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": {
            "type": "application",
            "bom-ref": "ollama-fortress",
            "name": "ollama-fortress",
            "version": env!("CARGO_PKG_VERSION"),
            "licenses": [{ "expression": "Apache-2.0" }],
        } },
        "components": components,
    }))
}

/// Name and version.
type Package = (String, String);

/// The foreign crates of the binary and of the browser's half that it embeds, with their licences.
fn crates(edges: &str) -> Result<BTreeMap<Package, String>> {
    let of = |arguments: &[&str]| {
        let mut command = cargo();
        command.args(["tree", "--locked", "--prefix", "none", "--format", "{p}|{l}", "--edges", edges]);
        output(command.args(arguments))
    };
    let server = of(&["--package", "server"])?;
    let pages = of(&["--package", "frontend", "--target", WASM_TARGET])?;
    Ok(server.lines().chain(pages.lines()).filter_map(parse).collect())
}

/// `name v1.2.3 (proc-macro)|licence (*)`; crates of a folder are ours.
fn parse(line: &str) -> Option<(Package, String)> {
    let (package, licence) = line.trim_end_matches(" (*)").split_once('|')?;
    let mut words = package.split(' ');
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    let ours = words.any(|word| word.starts_with("(/"));
    (!ours).then(|| ((name.to_owned(), version.to_owned()), licence.trim().to_owned()))
}

fn component((name, version): &Package, licence: &str, scope: &str, checksum: Option<&str>) -> Value {
    let purl = format!("pkg:cargo/{name}@{version}");
    let licences = match licence {
        "" if name.starts_with("surrealdb") => json!([{ "license": { "id": "BUSL-1.1" } }]),
        "" => json!([{ "license": { "name": "in a file of the package" } }]),
        // As older crates write it.
        expression => json!([{ "expression": expression.replace('/', " OR ") }]),
    };
    let hashes: Vec<Value> =
        checksum.map(|content| json!({ "alg": "SHA-256", "content": content })).into_iter().collect();
    json!({
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "scope": scope,
        "licenses": licences,
        "hashes": hashes,
        "purl": purl,
    })
}

fn from_npm(lock: &Value, name: &str) -> Result<Value> {
    let package = &lock["packages"][format!("node_modules/{name}")];
    let version = package["version"].as_str().with_context(|| format!("package-lock.json has no {name}"))?;
    let purl = format!("pkg:npm/{}@{version}", name.replace('@', "%40"));
    Ok(json!({
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "scope": "required",
        "licenses": [{ "expression": package["license"] }],
        "hashes": [],
        "purl": purl,
    }))
}

/// SHA-256 of each package of the registry.
fn checksums(lock: &str) -> BTreeMap<Package, &str> {
    let packages = lock.split("[[package]]").skip(1);
    packages
        .filter_map(|package| {
            let value = |name: &str| {
                let line = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
                line.map(|value| value.trim_end_matches('"'))
            };
            Some(((value("name")?.to_owned(), value("version")?.to_owned()), value("checksum")?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_bill_names_every_foreign_crate_once_with_licence_and_checksum() {
        let bill = bill().unwrap();
        let components = bill["components"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let named = |name: &str| components.iter().find(|component| component["name"] == name);
        for inside in ["hyper", "surrealdb-core", "argon2", "wasm-bindgen", "leptos", "chart.js"] {
            assert_eq!(named(inside).unwrap()["scope"], "required", "{inside}");
        }
        assert_eq!(named("cc").unwrap()["scope"], "excluded", "it builds");
        for absent in ["server", "gateway", "testkit", "proptest", "wasm-bindgen-cli-support"] {
            assert!(named(absent).is_none(), "{absent}");
        }
        assert_eq!(named("surrealdb-core").unwrap()["licenses"][0]["license"]["id"], "BUSL-1.1");
        let mut seen = BTreeSet::new();
        for component in components {
            assert!(seen.insert(text(&component["bom-ref"])), "{component}");
            assert!(!component["licenses"].as_array().unwrap().is_empty(), "{component}");
            let hashed = component["hashes"][0]["content"].as_str().is_some_and(|hash| hash.len() == 64);
            assert!(hashed || text(&component["purl"]).starts_with("pkg:npm/"), "{component}");
        }
        assert!(seen.len() > 300, "{}", seen.len());
    }
}
