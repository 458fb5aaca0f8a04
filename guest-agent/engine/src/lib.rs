//! Wasmtime behind `cvm-engine.h`. The C header says what each function does; here is how.
//!
//! The library is built twice (`scripts/build-engine`): with feature `compiler` it admits and compiles, with feature
//! `runner` it loads and runs. Both use `config::config`. A panic aborts the process: it is one component's own.

mod config;
mod functions;

#[cfg(feature = "compiler")]
mod compile;
#[cfg(feature = "compiler")]
mod texts;

#[cfg(feature = "runner")]
mod calls;
#[cfg(feature = "runner")]
mod link;
#[cfg(feature = "runner")]
mod run;
#[cfg(feature = "runner")]
mod streams;
#[cfg(feature = "runner")]
mod wire;
#[cfg(feature = "runner")]
mod world;
