//! The processes of `cargo xtask chaos`: a backend that fails as it is told, and clients that know every byte they must
//! get. When what fails, and what may follow from it, is decided in `crates/xtask`.

pub mod backend;
mod call;
mod judge;
pub mod load;
mod random;
