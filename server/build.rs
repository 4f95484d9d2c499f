//! Makes the folder of the browser's assets when nothing was built for the browser yet, so that a plain `cargo build`
//! works (the admin pages then say what is missing), and has the server compiled again when the assets change.

fn main() -> std::io::Result<()> {
    let site = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/site");
    std::fs::create_dir_all(&site)?;
    println!("cargo::rerun-if-changed={}", site.display());
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}
