//! The fake backend as a process, for browser and client tests: prints its address as the first line and ends when its
//! standard input closes, so that it never outlives the test that started it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is its interface")]

use std::{collections::VecDeque, env, process::ExitCode};

use testkit::{Builder, FakeOllama};
use tokio::io::AsyncReadExt;

const USAGE: &str = "usage: fake-ollama [--port N] [--models a,b] [--version V] [--chunks N] [--chunk-delay-ms N] \
                     [--first-byte-delay-ms N] [--token T]";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let builder = match configure(env::args().skip(1).collect()) {
        Ok(builder) => builder,
        Err(fault) => {
            eprintln!("fake-ollama: {fault}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    let fake = builder.control().start().await;
    println!("{}", fake.base());
    let mut input = tokio::io::stdin();
    let mut buffer = [0; 256];
    while matches!(input.read(&mut buffer).await, Ok(read) if read > 0) {}
    // A blocked read of standard input must not keep the process.
    drop(fake);
    std::process::exit(0)
}

fn configure(mut arguments: VecDeque<String>) -> Result<Builder, String> {
    let mut builder = FakeOllama::builder().models(["llama3.2:latest", "nomic-embed-text:latest"]);
    while let Some(option) = arguments.pop_front() {
        let value = arguments.pop_front().ok_or_else(|| format!("{option} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{option} needs a number"));
        builder = match option.as_str() {
            "--port" => builder.port(value.parse().map_err(|_| format!("{option} needs a port"))?),
            "--models" => builder.models(value.split(',').filter(|name| !name.is_empty())),
            "--version" => builder.version(&value),
            "--chunks" => builder.chunks(usize::try_from(number()?).map_err(|_| "too many chunks".to_owned())?),
            "--chunk-delay-ms" => builder.chunk_delay(number()?),
            "--first-byte-delay-ms" => builder.first_byte_delay(number()?),
            "--token" => builder.token(&value),
            _ => return Err(format!("unknown option {option}")),
        };
    }
    Ok(builder)
}
