//! The one place where an engine is configured: the compiler and the runner must agree on every bit of it.

use wasmtime::{Config, WasmFeatures};

pub const CLOCK_HOST: u32 = 2;
#[cfg(feature = "runner")]
pub const RANDOM_SEEDED: u32 = 1;
#[cfg(feature = "compiler")]
pub const RANDOM_REAL: u32 = 2;
pub const GRANT_CLI: u32 = 1;
pub const GRANT_FILESYSTEM: u32 = 2;
pub const GRANT_SOCKETS_DENIED: u32 = 4;
#[cfg(feature = "compiler")]
pub const KIND_COMMAND: u32 = 0;

/// Types inside one another in a call. Admission refuses more, and no walk over a value goes deeper.
pub const CALL_DEPTH_MAX: usize = 64;
/// Core values that the parameters of a call may be; more would go through memory.
pub const CALL_PARAMETERS_MAX: u32 = 16;

/// `struct cvm_engine_options`
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Options {
    pub grants: u32,
    pub clock: u32,
    pub random: u32,
    pub kind: u32,
    pub count_fuel: u32,
    pub zero: u32,
    pub memory_bytes: u64,
}

impl Options {
    /// Nothing that the component can observe differs from one run to the next.
    #[cfg(feature = "compiler")]
    pub fn deterministic(&self) -> bool {
        self.clock != CLOCK_HOST && self.random != RANDOM_REAL
    }
}

/// What a component may use, beyond the first version of WebAssembly: version 2 (SIMD, bulk memory, reference types, …)
/// and the component model. No threads, shared or 64-bit memories, garbage collection, exceptions, tail calls,
/// stack switching, relaxed SIMD; nothing asynchronous between components. Several memories in one module are not here:
/// the engine's own modules between the parts of a component have them. Admission refuses a component's own module that does.
const OFF: WasmFeatures = WasmFeatures::THREADS
    .union(WasmFeatures::SHARED_EVERYTHING_THREADS)
    .union(WasmFeatures::MEMORY64)
    .union(WasmFeatures::CUSTOM_PAGE_SIZES)
    .union(WasmFeatures::GC)
    .union(WasmFeatures::GC_TYPES)
    .union(WasmFeatures::FUNCTION_REFERENCES)
    .union(WasmFeatures::EXCEPTIONS)
    .union(WasmFeatures::LEGACY_EXCEPTIONS)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::STACK_SWITCHING)
    .union(WasmFeatures::WIDE_ARITHMETIC)
    .union(WasmFeatures::RELAXED_SIMD);

pub fn config(options: &Options) -> Config {
    let mut c = Config::new();
    c.wasm_features(OFF, false);
    c.wasm_component_model(true);
    c.concurrency_support(false);
    c.consume_fuel(options.count_fuel != 0);
    // No lazily made image of a memory: it would need memfd_create after the walls stand, and every cell runs once.
    c.memory_init_cow(false);
    c.max_wasm_stack(1 << 20);
    // Addresses of instructions serve backtraces, which nobody sees.
    c.generate_address_map(false);
    #[cfg(feature = "compiler")]
    {
        c.cranelift_opt_level(wasmtime::OptLevel::Speed);
        c.cranelift_nan_canonicalization(options.deterministic());
    }
    c
}

#[cfg(feature = "compiler")]
pub fn admitted_features() -> wasmparser::WasmFeatures {
    use wasmparser::WasmFeatures as F;
    F::WASM2
        .union(F::EXTENDED_CONST)
        .union(F::COMPONENT_MODEL)
        .difference(F::GC_TYPES)
}
