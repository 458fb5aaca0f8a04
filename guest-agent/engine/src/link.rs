//! The linker: granted functions, and the types that a component may name without a grant. Nothing else can be reached.

use crate::calls::{self, Calls};
use crate::config::{CLOCK_HOST, GRANT_CLI, GRANT_FILESYSTEM, Options};
use crate::functions;
use crate::streams::{FileInput, FileOutput};
use crate::world::{Deadline, World};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, HasData, Linker, Resource, ResourceTable, ResourceType};
use wasmtime::{Engine, Result, StoreContextMut, bail};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::sync::filesystem::types::{
    self, DescriptorStat, ErrorCode, Host as _, HostDescriptor, PathFlags,
};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random, sync};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, FsResult, subscribe};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::{WasiCtxView, WasiView};
use wasmtime_wasi_io::bindings::wasi::io::error::Error as IoError;

struct HasTable;
impl HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

/// A resource type that only fills a place in the types of a component: none of its kind is ever made.
struct Named;

fn view(w: &mut World) -> WasiCtxView<'_> {
    w.ctx()
}

fn add_cli(l: &mut Linker<World>) -> Result<()> {
    cli::exit::add_to_linker::<_, WasiCli>(l, World::cli)?;
    cli::environment::add_to_linker::<_, WasiCli>(l, World::cli)?;
    cli::stdin::add_to_linker::<_, WasiCli>(l, World::cli)?;
    cli::stdout::add_to_linker::<_, WasiCli>(l, World::cli)?;
    cli::stderr::add_to_linker::<_, WasiCli>(l, World::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, World::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, World::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, World::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, World::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, World::cli)
}

fn add_io(l: &mut Linker<World>) -> Result<()> {
    use wasmtime_wasi_io::bindings::wasi::io::error;
    error::add_to_linker::<_, HasTable>(l, |w| view(w).table)?;
    sync::io::poll::add_to_linker::<_, HasTable>(l, |w| view(w).table)?;
    sync::io::streams::add_to_linker::<_, HasTable>(l, |w| view(w).table)
}

fn wait(w: &mut World, at: u64) -> Result<Resource<DynPollable>> {
    let clock = w.clock.clone();
    let deadline = w.table.push(Deadline { clock, at })?;
    subscribe(&mut w.table, deadline)
}

fn add_clocks(l: &mut Linker<World>) -> Result<()> {
    clocks::wall_clock::add_to_linker::<_, WasiClocks>(l, World::clocks)?;
    clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(l, World::clocks)?;
    // The library waits by a timer thread; ours waits on this one, and by the fixed clock not at all.
    let mut i = l.instance("wasi:clocks/monotonic-clock@0.2.12")?;
    i.func_wrap(
        "subscribe-instant",
        |mut cx: StoreContextMut<World>, (at,): (u64,)| Ok((wait(cx.data_mut(), at)?,)),
    )?;
    i.func_wrap(
        "subscribe-duration",
        |mut cx: StoreContextMut<World>, (d,): (u64,)| {
            let at = cx.data().clock.now().saturating_add(d);
            Ok((wait(cx.data_mut(), at)?,))
        },
    )
}

/// File times are a clock too.
fn without_times(w: &mut World, stat: FsResult<DescriptorStat>) -> Result<(Result2,)> {
    match stat {
        Ok(mut s) => {
            s.data_access_timestamp = None;
            s.data_modification_timestamp = None;
            s.status_change_timestamp = None;
            Ok((Ok(s),))
        }
        Err(e) => Ok((Err(w.filesystem().convert_error_code(e)?),)),
    }
}
type Result2 = std::result::Result<DescriptorStat, ErrorCode>;

/// The library's stream of a file, in one of ours.
fn wrapped<T: Send + 'static>(
    w: &mut World,
    stream: FsResult<Resource<T>>,
    wrap: fn(T) -> T,
) -> Result<(std::result::Result<Resource<T>, ErrorCode>,)> {
    match stream {
        Ok(stream) => {
            let inner = w.table.delete(stream)?;
            Ok((Ok(w.table.push(wrap(inner))?),))
        }
        Err(e) => Ok((Err(w.filesystem().convert_error_code(e)?),)),
    }
}

fn add_filesystem(l: &mut Linker<World>, options: &Options) -> Result<()> {
    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(l, World::filesystem)?;
    types::add_to_linker::<_, WasiFilesystem>(l, World::filesystem)?;
    let mut i = l.instance("wasi:filesystem/types@0.2.12")?;
    i.func_wrap(
        "[method]descriptor.read-via-stream",
        |mut cx: StoreContextMut<World>, (fd, offset): (Resource<Descriptor>, u64)| {
            let stream =
                HostDescriptor::read_via_stream(&mut cx.data_mut().filesystem(), fd, offset);
            wrapped(cx.data_mut(), stream, |s| Box::new(FileInput(s)))
        },
    )?;
    i.func_wrap(
        "[method]descriptor.write-via-stream",
        |mut cx: StoreContextMut<World>, (fd, offset): (Resource<Descriptor>, u64)| {
            let stream =
                HostDescriptor::write_via_stream(&mut cx.data_mut().filesystem(), fd, offset);
            wrapped(cx.data_mut(), stream, |s| Box::new(FileOutput(s)))
        },
    )?;
    i.func_wrap(
        "[method]descriptor.append-via-stream",
        |mut cx: StoreContextMut<World>, (fd,): (Resource<Descriptor>,)| {
            let stream = HostDescriptor::append_via_stream(&mut cx.data_mut().filesystem(), fd);
            wrapped(cx.data_mut(), stream, |s| Box::new(FileOutput(s)))
        },
    )?;
    if options.clock == CLOCK_HOST {
        return Ok(());
    }
    i.func_wrap(
        "[method]descriptor.stat",
        |mut cx: StoreContextMut<World>, (fd,): (Resource<Descriptor>,)| {
            let stat = HostDescriptor::stat(&mut cx.data_mut().filesystem(), fd);
            without_times(cx.data_mut(), stat)
        },
    )?;
    i.func_wrap(
        "[method]descriptor.stat-at",
        |mut cx: StoreContextMut<World>,
         (fd, f, path): (Resource<Descriptor>, PathFlags, String)| {
            let stat = HostDescriptor::stat_at(&mut cx.data_mut().filesystem(), fd, f, path);
            without_times(cx.data_mut(), stat)
        },
    )
}

fn add_random(l: &mut Linker<World>) -> Result<()> {
    random::random::add_to_linker::<_, WasiRandom>(l, |w| view(w).ctx.random())?;
    random::insecure::add_to_linker::<_, WasiRandom>(l, |w| view(w).ctx.random())?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(l, |w| view(w).ctx.random())
}

/// Is the whole interface linked already?
fn linked(interface: &str, o: &Options) -> bool {
    let cli = o.grants & GRANT_CLI != 0;
    let filesystem = o.grants & GRANT_FILESYSTEM != 0;
    match interface.split('/').next() {
        Some("wasi:cli") => cli,
        Some("wasi:filesystem") => filesystem,
        Some("wasi:clocks") => o.clock != 0,
        Some("wasi:random") => o.random != 0,
        Some("wasi:io") => cli || filesystem || o.clock != 0,
        _ => false,
    }
}

/// The type of a resource in an interface that is not linked. Such an interface may use those of `wasi:io`, by their names.
fn resource(name: &str, o: &Options) -> ResourceType {
    match name {
        "pollable" if linked("wasi:io/", o) => ResourceType::host::<DynPollable>(),
        "input-stream" if linked("wasi:io/", o) => ResourceType::host::<DynInputStream>(),
        "output-stream" if linked("wasi:io/", o) => ResourceType::host::<DynOutputStream>(),
        "error" if linked("wasi:io/", o) => ResourceType::host::<IoError>(),
        _ => ResourceType::host::<Named>(),
    }
}

/// The linker for one component. Fails when it imports a function that is not granted: the compiler has said that it does
/// not, but what the compiler says is one component's word.
/// An interface of a call channel leads to another component.
pub fn linker(
    engine: &Engine,
    component: &Component,
    o: &Options,
    calls: Option<&Calls>,
) -> Result<Linker<World>> {
    let mut l = Linker::new(engine);
    l.allow_shadowing(true);
    if linked("wasi:io/", o) {
        add_io(&mut l)?;
    }
    if linked("wasi:cli/", o) {
        add_cli(&mut l)?;
    }
    if linked("wasi:filesystem/", o) {
        add_filesystem(&mut l, o)?;
    }
    if linked("wasi:clocks/", o) {
        add_clocks(&mut l)?;
    }
    if linked("wasi:random/", o) {
        add_random(&mut l)?;
    }
    for (name, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            bail!("import");
        };
        if let Some((calls, channel)) = calls.and_then(|c| Some((c, c.import(name)?)))
            && !name.starts_with("wasi:")
        {
            calls::link_interface(&mut l.instance(name)?, engine, &instance, calls, channel)?;
            continue;
        }
        for (export, item) in instance.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => {
                    if functions::judge(name, export, o).is_err() {
                        bail!("function");
                    }
                    if name.starts_with("wasi:sockets/") {
                        l.instance(name)?
                            .func_new(export, |_, _, _, _| bail!("denied"))?;
                    }
                }
                ComponentItem::Resource(_) => {
                    let interface = functions::unversioned(name).unwrap_or("");
                    if !linked(interface, o) {
                        let ty = resource(export, o);
                        l.instance(name)?.resource(export, ty, |_, _| Ok(()))?;
                    }
                }
                ComponentItem::Type(_) => {}
                _ => bail!("import"),
            }
        }
    }
    Ok(l)
}
