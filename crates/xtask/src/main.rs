//! `cargo xtask …`: everything the README's commands need. Building, testing and serving from a checkout; nothing here
//! is part of the program.

mod assets;
mod bench;
mod chaos;
mod deny;
mod fuzz;
#[cfg(test)]
mod graph;
mod lint;
mod remote;
mod run;
mod sbom;
mod serve;
mod test;
mod tools;
mod watch;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Build, serve and test Ollama Proxy Fortress from a checkout")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Set up what is missing, build everything and serve; on a first run it ends on the set-up link
    Serve {
        /// Use the quickly built development profile
        #[arg(long)]
        dev: bool,
        /// Passed on to `ollama-fortress serve`
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Build the browser's half and the binary without starting it
    Build {
        /// Use the quickly built development profile
        #[arg(long)]
        dev: bool,
    },
    /// Build the browser's half only, into target/site
    Assets,
    /// Build the fully optimised single binary for production (SurrealDB takes about 25 minutes on two cores)
    Dist,
    /// Measure CPU time, latency and memory beside nginx, HAProxy and Envoy; about seven minutes
    Bench(bench::Options),
    /// Let backends die, hang, stall and return at random under 200 clients, and hold the gateway to its promises; about three
    /// minutes
    Chaos(chaos::Options),
    /// Run every fuzz target for a minute; needs the nightly toolchain
    Fuzz(fuzz::Options),
    /// Rebuild, restart and reload the page whenever a file changes
    Watch,
    /// Run every test: formatting, lints, rules on dependencies, units, integration, browser, real clients
    Test {
        /// Run only these parts
        #[arg(long, value_enum)]
        only: Vec<test::Part>,
    },
    /// Run the tests that need a SurrealDB server, which is built first (about a quarter of an hour, once)
    Remote,
    /// Formatting, lints and the rules on dependencies
    Lint,
    /// The rules on dependencies alone: directions, licences, sources, advisories
    Deny,
    /// Write the bill of materials of the binary (CycloneDX) into target/ollama-fortress.cdx.json; `dist` does it too
    Sbom,
}

fn main() {
    let cli = Cli::parse();
    let done = match cli.task {
        Task::Serve { dev, args } => serve::serve(serve::profile(dev), &args),
        Task::Build { dev } => serve::build(serve::profile(dev)).map(drop),
        Task::Assets => assets::build(),
        Task::Dist => serve::dist(),
        Task::Bench(options) => bench::bench(&options),
        Task::Chaos(options) => chaos::chaos(&options),
        Task::Fuzz(options) => fuzz::fuzz(&options),
        Task::Watch => watch::watch(),
        Task::Test { only } => test::test(&only),
        Task::Remote => remote::remote(),
        Task::Lint => lint::lint(),
        Task::Deny => deny::check(),
        Task::Sbom => sbom::write(&run::target().join("ollama-fortress.cdx.json")),
    };
    if let Err(error) = done {
        eprintln!("xtask: {error:#}");
        std::process::exit(1);
    }
}
