//! The crate `surrealdb-server` is a library; this makes it the program `surreal`.

fn main() -> std::process::ExitCode {
    surrealdb_server::init(surrealdb_server::core::CommunityComposer())
}
