//! Calls to and from other components: imports that leave through a region, and exports that calls reach.

use crate::config::CALL_PARAMETERS_MAX;
use crate::wire::Shape;
use crate::wire::typed::{Given, Kept, Taken, keeping};
use crate::world::World;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::fmt;
use std::sync::Arc;
use wasmtime::component::types::{ComponentFunc, ComponentInstance, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, Func, Instance, LinkerInstance};
use wasmtime::{Engine, Result, Store, StoreContextMut, bail};

#[cfg(test)]
mod test;

/// `struct cvm_engine_channel`
#[repr(C)]
pub struct Channel {
    interface: *const c_char,
    region: *mut u8,
    bytes: usize,
    channel: u32,
    zero: u32,
}

/// `struct cvm_engine_calls`
#[repr(C)]
pub struct Calls {
    exports: *const Channel,
    n_exports: usize,
    imports: *const Channel,
    n_imports: usize,
    pub serve: u32,
    zero: u32,
    call: Option<unsafe extern "C" fn(*mut c_void, u32, u32, usize, *mut usize) -> c_int>,
    ready: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    next: Option<unsafe extern "C" fn(*mut c_void, *mut u32, *mut u32, *mut usize) -> c_int>,
    reply: Option<unsafe extern "C" fn(*mut c_void, u32, u32, usize) -> c_int>,
    context: *mut c_void,
}

/// A function of the caller's said no.
#[derive(Debug)]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped")
    }
}

impl std::error::Error for Stopped {}

impl Channel {
    fn region(&self) -> *mut [u8] {
        std::ptr::slice_from_raw_parts_mut(self.region, self.bytes)
    }

    fn name(&self) -> &str {
        // SAFETY: a C string, as the header says.
        unsafe { CStr::from_ptr(self.interface) }
            .to_str()
            .unwrap_or("")
    }
}

impl Calls {
    fn list(first: *const Channel, n: usize) -> &'static [Channel] {
        if n == 0 {
            return &[];
        }
        // SAFETY: as the header says; they outlive the run.
        unsafe { std::slice::from_raw_parts(first, n) }
    }

    pub fn import(&self, interface: &str) -> Option<&'static Channel> {
        Calls::list(self.imports, self.n_imports)
            .iter()
            .find(|c| c.name() == interface)
    }
}

/// What C gave, in a place where the engine asks for `Send` and `Sync`.
#[derive(Clone, Copy)]
struct Shared<T: ?Sized + 'static>(*const T);
// SAFETY: there is one thread.
unsafe impl<T: ?Sized> Send for Shared<T> {}
unsafe impl<T: ?Sized> Sync for Shared<T> {}

impl<T> Shared<T> {
    fn get(&self) -> &'static T {
        // SAFETY: it outlives the run.
        unsafe { &*self.0 }
    }
}

struct Signature {
    params: Shape,
    results: Shape,
}

impl Signature {
    fn of(f: &ComponentFunc) -> Result<Arc<Signature>> {
        let params = Shape::of_all(f.params().map(|(_, ty)| ty))?;
        let results = Shape::of_all(f.results())?;
        if params.flat > CALL_PARAMETERS_MAX || f.async_() {
            bail!("a function that is not admitted");
        }
        Ok(Arc::new(Signature { params, results }))
    }
}

/// `$f::<N, M, MEMORY>` for a signature: N core values of parameters, M of results or these in memory.
macro_rules! by_count {
    ($s:expr, $f:ident $args:tt) => {
        by_count!(@ $s, $f $args, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
    };
    (@ $s:expr, $f:ident $args:tt, $($n:literal)*) => {
        match ($s.params.flat, $s.results.flat) {
            $(
                ($n, 0) => $f::<$n, 0, false> $args,
                ($n, 1) => $f::<$n, 1, false> $args,
                ($n, _) => $f::<$n, 2, true> $args,
            )*
            _ => bail!("too many parameters"),
        }
    };
}

/// The functions of an interface, sorted by name: the order in which both sides count them.
fn functions<'a>(
    engine: &'a Engine,
    instance: &'a ComponentInstance,
) -> Vec<(&'a str, ComponentFunc)> {
    let mut all: Vec<_> = instance
        .exports(engine)
        .filter_map(|(name, item)| match item.ty {
            ComponentItem::ComponentFunc(f) => Some((name, f)),
            _ => None,
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(b.0));
    all
}

/* ---------------------------------------------------------------- imports */

struct Import {
    calls: Shared<Calls>,
    channel: Shared<Channel>,
    function: u32,
    signature: Arc<Signature>,
}

impl Import {
    fn call<const N: usize, const M: usize, const MEMORY: bool>(
        &self,
        taken: &Taken<N>,
    ) -> Result<Given<M, MEMORY>> {
        let channel = self.channel.get();
        let region = channel.region();
        let calls = self.calls.get();
        // SAFETY: the engine has just made `taken`; the region is ours until `call` and again behind it.
        let bytes = unsafe { taken.lift(&self.signature.params, &mut *region)? };
        let mut got = 0;
        let call = calls.call.ok_or(Stopped)?;
        let rc = unsafe {
            call(
                calls.context,
                channel.channel,
                self.function,
                bytes,
                &mut got,
            )
        };
        if rc != 0 || got > channel.bytes {
            return Err(Stopped.into());
        }
        // SAFETY: the signature lives as long as the linker; the next call comes when this value is used up.
        Ok(unsafe { Given::new(&self.signature.results, &(&*region)[..got]) })
    }
}

fn link<const N: usize, const M: usize, const MEMORY: bool>(
    l: &mut LinkerInstance<'_, World>,
    name: &str,
    import: Import,
) -> Result<()> {
    l.func_wrap(
        name,
        move |_: StoreContextMut<'_, World>, taken: Taken<N>| import.call::<N, M, MEMORY>(&taken),
    )
}

/// Puts the functions of an imported interface into the linker.
pub fn link_interface(
    l: &mut LinkerInstance<'_, World>,
    engine: &Engine,
    instance: &ComponentInstance,
    calls: &Calls,
    channel: &'static Channel,
) -> Result<()> {
    for (i, (name, f)) in functions(engine, instance).into_iter().enumerate() {
        let signature = Signature::of(&f)?;
        let import = Import {
            calls: Shared(calls),
            channel: Shared(channel),
            function: i as u32,
            signature: signature.clone(),
        };
        by_count!(signature, link(l, name, import))?;
    }
    Ok(())
}

/* ---------------------------------------------------------------- exports */

/// Runs a function on the first bytes of a region, and leaves the results there: how many bytes.
type Callee = Box<dyn Fn(&mut Store<World>, *mut [u8], usize) -> Result<usize>>;

fn callee<const N: usize, const M: usize, const MEMORY: bool>(
    store: &mut Store<World>,
    f: Func,
    s: Arc<Signature>,
) -> Result<Callee> {
    let f = f.typed::<Given<N, false>, Kept<M, MEMORY>>(&*store)?;
    Ok(Box::new(move |store, region, bytes| {
        // SAFETY: the region is ours until `reply`. The engine reads the arguments before it runs the guest's function, and
        // lifts the results behind that.
        unsafe {
            let given = Given::new(&s.params, &(&*region)[..bytes]);
            Ok(keeping(&s.results, region, || f.call(store, given))?.bytes)
        }
    }))
}

struct Exported {
    channel: &'static Channel,
    functions: Vec<(ComponentExportIndex, Arc<Signature>)>,
}

/// What calls reach, found before anything runs.
pub struct Exports(Vec<Exported>);

impl Exports {
    pub fn find(component: &Component, calls: &Calls) -> Result<Exports> {
        let engine = component.engine();
        let types = component.component_type();
        let mut all = Vec::new();
        for channel in Calls::list(calls.exports, calls.n_exports) {
            let Some(item) = types.get_export(engine, channel.name()) else {
                bail!("export");
            };
            let ComponentItem::ComponentInstance(ty) = item.ty else {
                bail!("export");
            };
            let Some(instance) = component.get_export_index(None, channel.name()) else {
                bail!("export");
            };
            let mut found = Vec::new();
            for (name, f) in functions(engine, &ty) {
                let Some(index) = component.get_export_index(Some(&instance), name) else {
                    bail!("export");
                };
                found.push((index, Signature::of(&f)?));
            }
            all.push(Exported {
                channel,
                functions: found,
            });
        }
        Ok(Exports(all))
    }
}

/// Answers calls until no more come.
pub fn serve(
    store: &mut Store<World>,
    instance: &Instance,
    exports: &Exports,
    calls: &Calls,
) -> Result<()> {
    let (Some(ready), Some(next), Some(reply)) = (calls.ready, calls.next, calls.reply) else {
        return Err(Stopped.into());
    };
    let mut served = Vec::new();
    for e in &exports.0 {
        let mut callees = Vec::new();
        for (index, signature) in &e.functions {
            let Some(f) = instance.get_func(&mut *store, index) else {
                bail!("export");
            };
            callees.push(by_count!(signature, callee(store, f, signature.clone()))?);
        }
        served.push((e.channel, callees));
    }
    if unsafe { ready(calls.context) } != 0 {
        return Err(Stopped.into());
    }
    loop {
        let (mut number, mut function, mut bytes) = (0, 0, 0);
        match unsafe { next(calls.context, &mut number, &mut function, &mut bytes) } {
            0 => return Ok(()),
            1 => {}
            _ => return Err(Stopped.into()),
        }
        let Some((channel, callees)) = served.iter().find(|(c, _)| c.channel == number) else {
            return Err(Stopped.into());
        };
        let callee = callees.get(function as usize).ok_or(Stopped)?;
        if bytes > channel.bytes {
            return Err(Stopped.into());
        }
        let results = callee(store, channel.region(), bytes)?;
        if unsafe { reply(calls.context, number, function, results) } != 0 {
            return Err(Stopped.into());
        }
    }
}
