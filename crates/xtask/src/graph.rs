//! Holds the direction of the crates' dependencies, which the design promises, by asking cargo.

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use crate::run::{cargo, output};

    /// Every arrow that may exist between our crates, development dependencies aside.
    const ALLOWED: [(&str, &[&str]); 9] = [
        ("bench", &[]),
        ("domain", &[]),
        ("gateway", &["domain"]),
        ("store", &["domain"]),
        ("control", &["domain", "gateway", "store"]),
        ("app", &["domain", "control"]),
        ("frontend", &["app"]),
        ("server", &["app", "control", "domain", "gateway", "store"]),
        ("testkit", &[]),
    ];

    /// Libraries that must stay behind one crate of ours.
    const ONLY_IN: [(&str, &[&str]); 4] = [
        ("surrealdb", &["store"]),
        ("leptos", &["app", "frontend", "server"]),
        ("axum", &["app", "server"]),
        ("redis", &["gateway"]),
    ];

    fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
        let text = output(cargo().args(["metadata", "--no-deps", "--format-version", "1", "--offline"])).unwrap();
        let metadata: serde_json::Value = serde_json::from_str(&text).unwrap();
        let text_of = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let packages = metadata["packages"].as_array().unwrap();
        packages
            .iter()
            .map(|package| {
                let names = package["dependencies"].as_array().unwrap().iter();
                (
                    text_of(&package["name"]),
                    names.filter(|dep| dep["kind"] != "dev").map(|dep| text_of(&dep["name"])).collect(),
                )
            })
            .collect()
    }

    #[test]
    fn dependencies_point_one_way() {
        let graph = dependencies();
        let ours: BTreeSet<&String> = graph.keys().collect();
        for (name, allowed) in ALLOWED {
            for dependency in &graph[name] {
                assert!(!ours.contains(dependency) || allowed.contains(&dependency.as_str()), "{name} -> {dependency}");
            }
        }
        assert_eq!(graph.len(), ALLOWED.len() + 1, "a new crate needs its arrows written here");
    }

    #[test]
    fn libraries_stay_behind_their_crate() {
        let graph = dependencies();
        for (library, allowed) in ONLY_IN {
            for (name, names) in &graph {
                assert!(!names.contains(library) || allowed.contains(&name.as_str()), "{name} -> {library}");
            }
        }
    }
}
