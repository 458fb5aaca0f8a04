//! Running a .cwasm.

use crate::calls::{self, Calls, Exports, Stopped};
use crate::config::{self, Options};
use crate::functions;
use crate::link;
use crate::streams::{Sink, SinkSpec, Source};
use crate::wire::Fault;
use crate::world::{self, Limits, World};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use wasmtime::component::{Component, ComponentExportIndex, Instance, Linker, ResourceTable};
use wasmtime::{Engine, Result, Store, Trap};
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtxBuilder};

const OK: u32 = 0;
const EXIT: u32 = 1;
const TRAP: u32 = 2;
const NO_MEMORY: u32 = 3;
const NO_FUEL: u32 = 4;
const CALL: u32 = 5;
const UNUSABLE: u32 = 6;
const STOPPED: u32 = 7;

/// `struct cvm_engine_run`
#[repr(C)]
pub struct Run {
    options: Options,
    fuel: u64,
    args: *const *const c_char,
    n_args: usize,
    in_folder: *const c_char,
    out_folder: *const c_char,
    seed: [u8; 32],
    stdout: SinkSpec,
    stderr: SinkSpec,
    stdin: RawFd,
    zero: u32,
    calls: *const Calls,
    loaded: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    context: *mut c_void,
}

/// `struct cvm_engine_result`
#[repr(C)]
#[derive(Default)]
pub struct Outcome {
    end: u32,
    exit_code: u32,
    fuel: u64,
    memory_bytes: u64,
    stdout_bytes: u64,
    stderr_bytes: u64,
}

/// # Safety
/// NULL, or a C string that outlives the call.
unsafe fn text<'a>(p: *const c_char) -> Option<&'a str> {
    if p.is_null() {
        None
    } else {
        unsafe { CStr::from_ptr(p) }.to_str().ok()
    }
}

struct Prepared {
    store: Store<World>,
    linker: Linker<World>,
    component: Component,
    /// With calls to serve: what they reach.
    serving: Option<(Exports, &'static Calls)>,
    refused: Arc<AtomicBool>,
    stdout: Sink,
    stderr: Sink,
}

/// # Safety
/// As for `cvm_engine_run`.
unsafe fn prepare(code: &[u8], spec: &Run) -> Result<Prepared> {
    let engine = Engine::new(&config::config(&spec.options))?;
    // Machine code that is not ours: the process that runs it is its component's own, and walled in.
    let component = unsafe { Component::deserialize(&engine, code)? };
    let calls = unsafe { spec.calls.as_ref() };
    let linker = link::linker(&engine, &component, &spec.options, calls)?;
    let serving = match calls {
        Some(calls) if calls.serve != 0 => Some((Exports::find(&component, calls)?, calls)),
        _ => None,
    };

    let mut builder = WasiCtxBuilder::new();
    builder.allow_blocking_current_thread(true); // copied into each folder, so before them
    for i in 0..spec.n_args {
        builder.arg(unsafe { text(*spec.args.add(i)) }.unwrap_or(""));
    }
    if spec.options.grants & config::GRANT_FILESYSTEM != 0 {
        if let Some(path) = unsafe { text(spec.in_folder) } {
            builder.preopened_dir(path, "/in", FsPerms::ReadOnly)?;
        }
        if let Some(path) = unsafe { text(spec.out_folder) } {
            builder.preopened_dir(path, "/out", FsPerms::ReadWrite)?;
        }
    }
    let stdout = Sink::new(spec.stdout);
    let stderr = Sink::new(spec.stderr);
    if spec.stdin >= 0 {
        builder.stdin(Source::new(spec.stdin));
    }
    builder.stdout(stdout.clone());
    builder.stderr(stderr.clone());
    let clock = world::set_clock_and_random(&mut builder, &spec.options, &spec.seed);
    let limits = Limits::new(spec.options.memory_bytes);
    let refused = limits.refused.clone();
    let world = World {
        table: ResourceTable::new(),
        wasi: builder.build(),
        clock,
        limits,
    };
    let mut store = Store::new(&engine, world);
    store.limiter(|w| &mut w.limits);
    if spec.options.count_fuel != 0 {
        store.set_fuel(spec.fuel)?;
    }
    Ok(Prepared {
        store,
        linker,
        component,
        serving,
        refused,
        stdout,
        stderr,
    })
}

fn run_export(component: &Component) -> Option<ComponentExportIndex> {
    let engine = component.engine();
    let ty = component.component_type();
    let name = ty
        .exports(engine)
        .map(|(name, _)| name.to_owned())
        .find(|name| functions::unversioned(name) == Some("wasi:cli/run"))?;
    let instance = component.get_export_index(None, &name)?;
    component.get_export_index(Some(&instance), "run")
}

/// 0: nothing to call, all calls served, or `run` returned ok; an error for a trap and for `exit`.
fn call(p: &mut Prepared) -> Result<u32> {
    let instance: Instance = p.linker.instantiate(&mut p.store, &p.component)?;
    if let Some((exports, calls)) = &p.serving {
        calls::serve(&mut p.store, &instance, exports, calls)?;
        return Ok(0);
    }
    let Some(run) = run_export(&p.component) else {
        return Ok(0);
    };
    let f = instance.get_typed_func::<(), (std::result::Result<(), ()>,)>(&mut p.store, &run)?;
    let (r,) = f.call(&mut p.store, ())?;
    Ok(if r.is_ok() { 0 } else { 1 })
}

fn classify(r: Result<u32>, refused: bool) -> (u32, u32) {
    let code = match r {
        Ok(code) => code,
        Err(e) => match e.downcast_ref::<I32Exit>() {
            Some(exit) => exit.0 as u8 as u32,
            None if matches!(e.downcast_ref::<Trap>(), Some(Trap::OutOfFuel)) => {
                return (NO_FUEL, 0);
            }
            None if e.is::<Stopped>() => return (STOPPED, 0),
            None if refused => return (NO_MEMORY, 0),
            None if e.is::<Fault>() => return (CALL, 0),
            None => return (TRAP, 0),
        },
    };
    match code {
        0 => (OK, 0),
        _ if refused => (NO_MEMORY, 0),
        _ => (EXIT, code),
    }
}

/// # Safety
/// The pointers are as the C header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cvm_engine_run(
    code: *const u8,
    len: usize,
    spec: &Run,
    ret: &mut Outcome,
) {
    *ret = Outcome::default();
    let bytes = if len == 0 {
        &[]
    } else {
        unsafe { std::slice::from_raw_parts(code, len) }
    };
    // Stock WASI starts threads of its own unless it finds a runtime entered; this one has none.
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else {
        ret.end = UNUSABLE;
        return;
    };
    let _entered = runtime.enter();
    let Ok(mut p) = (unsafe { prepare(bytes, spec) }) else {
        ret.end = UNUSABLE;
        return;
    };
    if let Some(loaded) = spec.loaded {
        if unsafe { loaded(spec.context) } != 0 {
            ret.end = STOPPED;
            return;
        }
    }
    let r = call(&mut p);
    (ret.end, ret.exit_code) = classify(r, p.refused.load(Relaxed));
    if spec.options.count_fuel != 0 {
        ret.fuel = spec.fuel - p.store.get_fuel().unwrap_or(0).min(spec.fuel);
    }
    ret.memory_bytes = p.store.data().limits.most;
    ret.stdout_bytes = p.stdout.bytes();
    ret.stderr_bytes = p.stderr.bytes();
}
