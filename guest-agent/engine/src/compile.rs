//! Admission and compilation.

use crate::config::{self, Options};
use crate::functions::{self, UNKNOWN};
use crate::texts::{self, Interfaces};
use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType};
use wasmparser::types::TypesRef;
use wasmparser::{MemoryType, Parser, Payload, TypeRef, Validator, WasmFeatures};
use wasmtime::Engine;

const ADMITTED: u32 = 0;
const INVALID: u32 = 1;
const IMPORT: u32 = 2;
const FEATURE: u32 = 3;
const EXPORT: u32 = 4;
const MEMORY: u32 = 5;

/// `struct cvm_engine_admission`
#[repr(C)]
#[derive(Default)]
pub struct Admission {
    end: u32,
    function: u32,
    side: u32,
    interface: u32,
    memory_bytes: u64,
}

/// `struct cvm_engine_bytes`
#[repr(C)]
pub struct Bytes {
    data: *mut u8,
    len: usize,
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        let bytes = Box::leak(bytes.into_boxed_slice());
        Bytes {
            data: bytes.as_mut_ptr(),
            len: bytes.len(),
        }
    }
}

#[derive(Default)]
struct Refusal {
    end: u32,
    function: u32,
    side: u32,
    interface: u32,
}

impl From<u32> for Refusal {
    fn from(end: u32) -> Self {
        Refusal {
            end,
            ..Refusal::default()
        }
    }
}

impl From<texts::Refusal> for Refusal {
    fn from(r: texts::Refusal) -> Self {
        Refusal {
            end: r.why as u32,
            function: r.function,
            side: r.side,
            interface: r.interface,
        }
    }
}

/// What the bytes say by themselves, before anything is compiled.
#[derive(Default)]
struct Scan<'a> {
    imports: Vec<&'a str>,
    exports: Vec<&'a str>,
    memory_bytes: u64,
    forbidden_memory: bool,
    component: bool,
}

impl Scan<'_> {
    fn memory(&mut self, m: &MemoryType, own: bool) {
        if m.shared || m.memory64 || m.page_size_log2.is_some() {
            self.forbidden_memory = true;
        }
        if own {
            let bytes = m.initial.saturating_mul(65536);
            self.memory_bytes = self.memory_bytes.saturating_add(bytes);
        }
    }
}

fn scan(bytes: &[u8]) -> wasmparser::Result<Scan<'_>> {
    let mut s = Scan::default();
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { encoding, .. } => {
                if depth == 0 {
                    s.component = encoding == wasmparser::Encoding::Component;
                }
                depth += 1;
            }
            Payload::End(_) => depth -= 1,
            Payload::MemorySection(section) => {
                for m in section {
                    s.memory(&m?, true);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    if let TypeRef::Memory(m) = import?.ty {
                        s.memory(&m, false);
                    }
                }
            }
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    s.imports.push(import?.name.name);
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    s.exports.push(export?.name.name);
                }
            }
            _ => {}
        }
    }
    Ok(s)
}

/// One import: every function in it has to be granted, or a channel names it; types come freely; anything else is not for
/// us.
fn judge_import(
    types: TypesRef<'_>,
    name: &str,
    options: &Options,
    calls: &Interfaces<'_>,
) -> Result<(), Refusal> {
    let refuse = |function| {
        Err(Refusal {
            end: IMPORT,
            function,
            ..Refusal::default()
        })
    };
    if calls.imports.contains(&name) && !name.starts_with("wasi:") {
        return Ok(()); // judged by its text
    }
    match types.component_item_for_import(name).map(|item| item.ty) {
        Some(ComponentEntityType::Instance(id)) => {
            let mut resource = false;
            for (function, item) in &types[id].exports {
                match item.ty {
                    ComponentEntityType::Func(_) => {
                        if let Err(row) = functions::judge(name, function, options) {
                            return refuse(row);
                        }
                    }
                    ComponentEntityType::Type {
                        referenced: ComponentAnyTypeId::Resource(_),
                        ..
                    } => resource = true,
                    ComponentEntityType::Type { .. } => {}
                    _ => return refuse(UNKNOWN),
                }
            }
            // A foreign interface that defines resources cannot be satisfied, even if no function of it is used.
            if resource && functions::unversioned(name).is_none_or(|n| !n.starts_with("wasi:")) {
                return refuse(UNKNOWN);
            }
            Ok(())
        }
        _ => refuse(UNKNOWN),
    }
}

fn exports_what_it_must(types: TypesRef<'_>, exports: &[&str], options: &Options) -> bool {
    let instance = |name: &str| match types.component_item_for_export(name).map(|item| item.ty) {
        Some(ComponentEntityType::Instance(id)) => Some(&types[id].exports),
        _ => None,
    };
    if options.kind != config::KIND_COMMAND {
        return exports.iter().any(|name| instance(name).is_some());
    }
    exports.iter().any(|name| {
        functions::unversioned(name) == Some("wasi:cli/run")
            && instance(name)
                .and_then(|e| e.get("run"))
                .is_some_and(|run| matches!(run.ty, ComponentEntityType::Func(_)))
    })
}

fn validate(bytes: &[u8], features: WasmFeatures) -> Option<wasmparser::types::Types> {
    Validator::new_with_features(features)
        .validate_all(bytes)
        .ok()
}

/// Code and texts.
type Admitted = (Vec<u8>, String);

fn admit(
    bytes: &[u8],
    options: &Options,
    calls: &Interfaces<'_>,
    ret: &mut Admission,
) -> Result<Admitted, Refusal> {
    let scanned = scan(bytes).map_err(|_| INVALID)?;
    if !scanned.component {
        return Err(INVALID.into());
    }
    ret.memory_bytes = scanned.memory_bytes;
    if scanned.forbidden_memory {
        return Err(FEATURE.into());
    }
    let Some(types) = validate(bytes, config::admitted_features()) else {
        // Is it wrong, or only more than we allow? And if so, does a call interface have it?
        let types = validate(bytes, WasmFeatures::all()).ok_or(INVALID)?;
        texts::write(types.as_ref(), calls)?;
        return Err(FEATURE.into());
    };
    for name in &scanned.imports {
        judge_import(types.as_ref(), name, options, calls)?;
    }
    let texts = texts::write(types.as_ref(), calls)?;
    if !exports_what_it_must(types.as_ref(), &scanned.exports, options) {
        return Err(EXPORT.into());
    }
    if scanned.memory_bytes > options.memory_bytes {
        return Err(MEMORY.into());
    }
    drop(types);
    let engine = Engine::new(&config::config(options)).map_err(|_| FEATURE)?;
    // It is valid WebAssembly; what the engine still refuses is something that it does not have.
    let code = engine.precompile_component(bytes).map_err(|_| FEATURE)?;
    Ok((code, texts))
}

/// # Safety
/// `component` points to `len` bytes, `calls` to what the C header says; the three results are writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cvm_engine_compile(
    options: &Options,
    calls: &texts::Named,
    component: *const u8,
    len: usize,
    ret: &mut Admission,
    ret_code: &mut Bytes,
    ret_texts: &mut Bytes,
) {
    let bytes = if len == 0 {
        &[]
    } else {
        unsafe { std::slice::from_raw_parts(component, len) }
    };
    *ret = Admission::default();
    match admit(bytes, options, &unsafe { calls.interfaces() }, ret) {
        Ok((code, texts)) => {
            ret.end = ADMITTED;
            *ret_code = code.into();
            *ret_texts = texts.into_bytes().into();
        }
        Err(refusal) => {
            ret.end = refusal.end;
            ret.function = refusal.function;
            ret.side = refusal.side;
            ret.interface = refusal.interface;
        }
    }
}

/// # Safety
/// What `cvm_engine_compile` wrote, or nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cvm_engine_free(bytes: &mut Bytes) {
    if !bytes.data.is_null() {
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(bytes.data, bytes.len)) });
    }
    bytes.data = std::ptr::null_mut();
    bytes.len = 0;
}
