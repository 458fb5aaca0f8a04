//! Calls through the engine: random types both as parameters and as results, through imports and exports, against the
//! engine's own values (`Val`), in each encoding of strings. The component is made for its types: its core functions are the
//! imports themselves, so that everything that arrives was lowered and lifted by the two sides under test.

use super::{Calls, Channel, Exports, link_interface, serve};
use crate::config::{self, Options};
use crate::streams::{Sink, SinkSpec};
use crate::wire::Fault;
use crate::wire::test::gen_types::{Rng, Ty};
use crate::world::{Limits, Monotonic, World};
use std::ffi::{CStr, c_int, c_void};
use std::fmt::Write;
use std::time::Instant;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, ResourceTable, Val};
use wasmtime::{Engine, Result, Store};
use wasmtime_wasi::WasiCtxBuilder;

const REGION: usize = 1 << 18;

/* --------------------------------------------------------------------------------- components as text */

/// The types that have to have a name, in the order of need, and how a type is written that uses them.
struct Text {
    named: Vec<String>,
}

impl Text {
    fn of(&mut self, ty: &Ty) -> String {
        let body = match ty {
            Ty::Bool => return "bool".into(),
            Ty::Bits(name, ..) => return (*name).into(),
            Ty::Char => return "char".into(),
            Ty::Str => return "string".into(),
            Ty::List(t) => return format!("(list {})", self.of(t)),
            Ty::Option(t) => return format!("(option {})", self.of(t)),
            Ty::Tuple(f) => {
                let f: Vec<_> = f.iter().map(|t| self.of(t)).collect();
                return format!("(tuple {})", f.join(" "));
            }
            Ty::Result(ok, err) => {
                let ok = ok
                    .as_ref()
                    .map_or(String::new(), |t| format!(" {}", self.of(t)));
                let err = err
                    .as_ref()
                    .map_or(String::new(), |t| format!(" (error {})", self.of(t)));
                return format!("(result{ok}{err})");
            }
            Ty::Record(f) => {
                let mut text = "(record".to_string();
                for (i, t) in f.iter().enumerate() {
                    write!(text, " (field \"f{i}\" {})", self.of(t)).unwrap();
                }
                text + ")"
            }
            Ty::Variant(cases) => {
                let mut text = "(variant".to_string();
                for (i, t) in cases.iter().enumerate() {
                    let t = t
                        .as_ref()
                        .map_or(String::new(), |t| format!(" {}", self.of(t)));
                    write!(text, " (case \"c{i}\"{t})").unwrap();
                }
                text + ")"
            }
            Ty::Enum(n) => list_of("enum", "c", *n),
            Ty::Flags(n) => list_of("flags", "b", *n),
        };
        self.named.push(body);
        format!("$t{}", self.named.len() - 1)
    }
}

fn list_of(kind: &str, prefix: &str, n: usize) -> String {
    let names: Vec<_> = (0..n).map(|i| format!("\"{prefix}{i}\"")).collect();
    format!("({kind} {})", names.join(" "))
}

/// Imports t:t/i { a: func(x: T); b: func() -> U }, exports t:t/e with the same two, which go straight through.
fn component(param: &Ty, result: &Ty, encoding: &str) -> String {
    let mut text = Text { named: Vec::new() };
    let (t, u) = (text.of(param), text.of(result));
    let mut inside = String::new();
    let mut outside = String::new();
    for (i, body) in text.named.iter().enumerate() {
        writeln!(
            inside,
            "(type $d{i} {body}) (export \"t{i}\" (type $t{i} (eq $d{i})))"
        )
        .unwrap();
        writeln!(outside, "(alias export $i \"t{i}\" (type $t{i}))").unwrap();
    }
    let options = format!("(memory $m \"memory\") (realloc (func $m \"realloc\")) {encoding}");
    let flat = result.shape().flat;
    let (through, back) = if flat > 1 {
        (
            "(core module $s (import \"\" \"b\" (func $b (param i32)))
                (func (export \"b\") (result i32) (call $b (i32.const 16)) (i32.const 16)))
             (core instance $s (instantiate $s (with \"\" (instance (export \"b\" (func $lb))))))",
            "(core func $s \"b\")",
        )
    } else {
        ("", "(core func $lb)")
    };
    format!(
        "(component
  (import \"t:t/i\" (instance $i
    {inside}
    (export \"a\" (func (param \"x\" {t})))
    (export \"b\" (func (result {u})))))
  {outside}
  (core module $m
    (memory (export \"memory\") 2)
    (global $at (mut i32) (i32.const 65536))
    (func (export \"realloc\") (param i32 i32 i32 i32) (result i32)
      (local $p i32)
      (local.set $p (i32.and
        (i32.add (global.get $at) (i32.sub (local.get 2) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get 2))))
      (global.set $at (i32.add (local.get $p) (local.get 3)))
      (block $enough (loop $more
        (br_if $enough (i32.le_u (global.get $at)
          (i32.mul (memory.size) (i32.const 65536))))
        (br_if $more (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0)))
        unreachable))
      (memory.copy (local.get $p) (local.get 0)
        (select (local.get 1) (local.get 3) (i32.lt_u (local.get 1) (local.get 3))))
      (local.get $p)))
  (core instance $m (instantiate $m))
  (core func $la (canon lower (func $i \"a\") {options}))
  (core func $lb (canon lower (func $i \"b\") {options}))
  {through}
  (func $ea (param \"x\" {t}) (canon lift (core func $la) {options}))
  (func $eb (result {u}) (canon lift {back} {options}))
  (instance $e (export \"a\" (func $ea)) (export \"b\" (func $eb)))
  (export \"t:t/e\" (instance $e)))"
    )
}

/* ----------------------------------------------------------------------------- values of the engine */

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b))
}

fn take<'a>(wire: &mut &'a [u8], n: usize) -> &'a [u8] {
    let (taken, rest) = wire.split_at(n);
    *wire = rest;
    taken
}

/// A right wire value as the engine's own.
fn val(ty: &Ty, wire: &mut &[u8]) -> Val {
    let field = |i: usize, t: &Ty, wire: &mut &[u8]| (format!("f{i}"), val(t, wire));
    match ty {
        Ty::Bool => Val::Bool(take(wire, 1)[0] != 0),
        Ty::Bits(name, size, _) => {
            let n = number(take(wire, *size));
            match *name {
                "u8" => Val::U8(n as u8),
                "s8" => Val::S8(n as i8),
                "u16" => Val::U16(n as u16),
                "s16" => Val::S16(n as i16),
                "u32" => Val::U32(n as u32),
                "s32" => Val::S32(n as i32),
                "u64" => Val::U64(n),
                "s64" => Val::S64(n as i64),
                "f32" => Val::Float32(f32::from_bits(n as u32)),
                _ => Val::Float64(f64::from_bits(n)),
            }
        }
        Ty::Char => Val::Char(char::from_u32(number(take(wire, 4)) as u32).unwrap()),
        Ty::Str => {
            let n = number(take(wire, 4)) as usize;
            Val::String(String::from_utf8(take(wire, n).to_vec()).unwrap())
        }
        Ty::List(t) => {
            let n = number(take(wire, 4));
            Val::List((0..n).map(|_| val(t, wire)).collect())
        }
        Ty::Record(f) => Val::Record(
            f.iter()
                .enumerate()
                .map(|(i, t)| field(i, t, wire))
                .collect(),
        ),
        Ty::Tuple(f) => Val::Tuple(f.iter().map(|t| val(t, wire)).collect()),
        Ty::Variant(cases) => {
            let n = number(take(wire, 4)) as usize;
            let payload = cases[n].as_ref().map(|t| Box::new(val(t, wire)));
            Val::Variant(format!("c{n}"), payload)
        }
        Ty::Enum(_) => Val::Enum(format!("c{}", number(take(wire, 4)))),
        Ty::Flags(n) => {
            let size = ty.shape().size as usize;
            let bits = number(take(wire, size));
            let set = (0..*n).filter(|i| bits >> i & 1 != 0);
            Val::Flags(set.map(|i| format!("b{i}")).collect())
        }
        Ty::Option(t) => match number(take(wire, 4)) {
            0 => Val::Option(None),
            _ => Val::Option(Some(Box::new(val(t, wire)))),
        },
        Ty::Result(ok, err) => {
            let one =
                |t: &Option<Box<Ty>>, wire: &mut &[u8]| t.as_ref().map(|t| Box::new(val(t, wire)));
            match number(take(wire, 4)) {
                0 => Val::Result(Ok(one(ok, wire))),
                _ => Val::Result(Err(one(err, wire))),
            }
        }
    }
}

/// A value without NaNs, which the engine may change.
fn value(ty: &Ty, rng: &mut Rng) -> Vec<u8> {
    loop {
        let mut wire = Vec::new();
        ty.value(rng, &mut wire, 20);
        let v = val(ty, &mut &wire[..]);
        if v == v.clone() && !format!("{v:?}").contains("NaN") {
            return wire;
        }
    }
}

/* -------------------------------------------------------------------------------------- the other side */

/// What plays the agent and the component behind it.
struct Other {
    import: Vec<u8>,
    export: Vec<u8>,
    /// Calls to make: function, arguments.
    calls: Vec<(u32, Vec<u8>)>,
    /// What the import `b` answers.
    answer: Vec<u8>,
    seen: Vec<Vec<u8>>,
    replies: Vec<Vec<u8>>,
}

unsafe extern "C" fn call(
    context: *mut c_void,
    channel: u32,
    function: u32,
    bytes: usize,
    got: *mut usize,
) -> c_int {
    let other = unsafe { &mut *context.cast::<Other>() };
    assert_eq!(channel, 7);
    if function == 0 {
        other.seen.push(other.import[..bytes].to_vec());
        unsafe { *got = 0 };
    } else {
        assert_eq!((function, bytes), (1, 0));
        other.import[..other.answer.len()].copy_from_slice(&other.answer);
        unsafe { *got = other.answer.len() };
    }
    0
}

unsafe extern "C" fn ready(_: *mut c_void) -> c_int {
    0
}

unsafe extern "C" fn next(
    context: *mut c_void,
    channel: *mut u32,
    function: *mut u32,
    bytes: *mut usize,
) -> c_int {
    let other = unsafe { &mut *context.cast::<Other>() };
    let Some((f, args)) = other.calls.pop() else {
        return 0;
    };
    other.export[..args.len()].copy_from_slice(&args);
    unsafe {
        *channel = 9;
        *function = f;
        *bytes = args.len();
    }
    1
}

unsafe extern "C" fn reply(context: *mut c_void, channel: u32, _: u32, bytes: usize) -> c_int {
    let other = unsafe { &mut *context.cast::<Other>() };
    assert_eq!(channel, 9);
    other.replies.push(other.export[..bytes].to_vec());
    0
}

/// Everything that a call needs, at addresses that do not move.
struct Bench {
    other: Box<Other>,
    channels: Box<[Channel; 2]>,
    calls: Box<Calls>,
}

impl Bench {
    fn new() -> Bench {
        Bench::with_region(REGION)
    }

    fn with_region(bytes: usize) -> Bench {
        let mut other = Box::new(Other {
            import: vec![0; bytes],
            export: vec![0; bytes],
            calls: Vec::new(),
            answer: Vec::new(),
            seen: Vec::new(),
            replies: Vec::new(),
        });
        let channel = |name: &'static CStr, region: &mut [u8], channel| Channel {
            interface: name.as_ptr(),
            region: region.as_mut_ptr(),
            bytes,
            channel,
            zero: 0,
        };
        let channels = Box::new([
            channel(c"t:t/i", &mut other.import, 7),
            channel(c"t:t/e", &mut other.export, 9),
        ]);
        let calls = Box::new(Calls {
            exports: &channels[1],
            n_exports: 1,
            imports: &channels[0],
            n_imports: 1,
            serve: 1,
            zero: 0,
            call: Some(call),
            ready: Some(ready),
            next: Some(next),
            reply: Some(reply),
            context: (&raw mut *other).cast(),
        });
        Bench {
            other,
            channels,
            calls,
        }
    }

    fn calls(&self) -> &'static Calls {
        unsafe { &*(&raw const *self.calls) }
    }

    fn import(&self) -> &'static Channel {
        unsafe { &*(&raw const self.channels[0]) }
    }
}

fn engine() -> Engine {
    let options = Options {
        grants: 0,
        clock: 0,
        random: 0,
        kind: 1,
        count_fuel: 0,
        zero: 0,
        memory_bytes: 1 << 24,
    };
    Engine::new(&config::config(&options)).unwrap()
}

fn store(engine: &Engine) -> Store<World> {
    let _ = Sink::new(SinkSpec {
        fd: -1,
        pipe: 0,
        max: 0,
    });
    let world = World {
        table: ResourceTable::new(),
        wasi: WasiCtxBuilder::new().build(),
        clock: Monotonic::Host(Instant::now()),
        limits: Limits::new(1 << 24),
    };
    let mut store = Store::new(engine, world);
    store.limiter(|w| &mut w.limits);
    store
}

fn made(engine: &Engine, text: &str) -> Component {
    let bytes = wat::parse_str(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    Component::new(engine, bytes).unwrap_or_else(|e| panic!("{e:?}\n{text}"))
}

fn linked(component: &Component, b: &Bench) -> Linker<World> {
    let engine = component.engine();
    let mut linker = Linker::new(engine);
    let ty = component.component_type();
    let item = ty.get_import(engine, "t:t/i").unwrap().ty;
    let ComponentItem::ComponentInstance(instance) = item else {
        panic!("not an instance");
    };
    let l = &mut linker.instance("t:t/i").unwrap();
    link_interface(l, engine, &instance, b.calls(), b.import()).unwrap();
    linker
}

fn run(component: &Component, b: &Bench) -> Result<()> {
    let mut store = store(component.engine());
    let linker = linked(component, b);
    let instance = linker.instantiate(&mut store, component)?;
    let exports = Exports::find(component, b.calls())?;
    serve(&mut store, &instance, &exports, b.calls())
}

/* ------------------------------------------------------------------------------------------- tests */

fn fitting(rng: &mut Rng) -> Ty {
    let ty = Ty::random(rng, 3);
    if ty.shape().flat > config::CALL_PARAMETERS_MAX {
        return Ty::List(Box::new(ty));
    }
    ty
}

/// Wire in, wire out.
#[test]
fn round_trips() {
    let engine = engine();
    let mut rng = Rng::new(2);
    for round in 0..120 {
        let (t, u) = (fitting(&mut rng), Ty::random(&mut rng, 3));
        let encoding = ["", "string-encoding=utf16", "string-encoding=latin1+utf16"][round % 3];
        let component = made(&engine, &component(&t, &u, encoding));
        for _ in 0..3 {
            let mut b = Bench::new();
            let (arguments, results) = (value(&t, &mut rng), value(&u, &mut rng));
            b.other.answer = results.clone();
            b.other.calls = vec![(1, vec![]), (0, arguments.clone())];
            run(&component, &b).unwrap_or_else(|e| panic!("{t:?} {u:?}: {e:?}"));
            assert_eq!(b.other.seen, [arguments]);
            assert_eq!(b.other.replies, [vec![], results]);
        }
    }
}

/// What we lower the engine lifts, and the other way round.
#[test]
fn the_engine_agrees() {
    let engine = engine();
    let mut rng = Rng::new(3);
    for round in 0..120 {
        let (t, u) = (fitting(&mut rng), Ty::random(&mut rng, 3));
        let encoding = ["", "string-encoding=utf16", "string-encoding=latin1+utf16"][round % 3];
        let component = made(&engine, &component(&t, &u, encoding));
        let (arguments, results) = (value(&t, &mut rng), value(&u, &mut rng));
        let (argument, result) = (val(&t, &mut &arguments[..]), val(&u, &mut &results[..]));

        // The engine calls, we are the import.
        let mut b = Bench::new();
        b.other.answer = results.clone();
        let mut store = store(&engine);
        let instance = linked(&component, &b)
            .instantiate(&mut store, &component)
            .unwrap();
        let e = component.get_export_index(None, "t:t/e").unwrap();
        let f = |name: &str| component.get_export_index(Some(&e), name).unwrap();
        let a = instance.get_func(&mut store, f("a")).unwrap();
        a.call(&mut store, &[argument.clone()], &mut []).unwrap();
        assert_eq!(b.other.seen, [arguments.clone()], "{t:?}");
        let mut got = [Val::Bool(false)];
        let back = instance.get_func(&mut store, f("b")).unwrap();
        back.call(&mut store, &[], &mut got).unwrap();
        assert_eq!(got[0], result, "{u:?}");

        // We call, the engine is the import.
        let mut b = Bench::new();
        b.other.calls = vec![(1, vec![]), (0, arguments)];
        let mut linker = Linker::new(&engine);
        let mut l = linker.instance("t:t/i").unwrap();
        let expected = argument.clone();
        l.func_new("a", move |_, _, got, _| {
            assert_eq!(got[0], expected);
            Ok(())
        })
        .unwrap();
        let answer = result.clone();
        l.func_new("b", move |_, _, _, ret| {
            ret[0] = answer.clone();
            Ok(())
        })
        .unwrap();
        let mut store = self::store(&engine);
        let instance = linker.instantiate(&mut store, &component).unwrap();
        let exports = Exports::find(&component, b.calls()).unwrap();
        serve(&mut store, &instance, &exports, b.calls()).unwrap();
        assert_eq!(b.other.replies, [vec![], results]);
    }
}

/// Changed bytes from the other side: the call fails or what arrives is what was sent; nothing else happens.
#[test]
fn changed_bytes() {
    let engine = engine();
    let mut rng = Rng::new(4);
    let (mut passed, mut refused) = (0, 0);
    for _ in 0..40 {
        let (t, u) = (fitting(&mut rng), Ty::random(&mut rng, 3));
        let component = made(&engine, &component(&t, &u, ""));
        for _ in 0..20 {
            let mut b = Bench::new();
            let mut arguments = value(&t, &mut rng);
            rng.change(&mut arguments);
            b.other.calls = vec![(0, arguments.clone())];
            check(&t, &component, &b, &arguments);
            match b.other.seen.is_empty() {
                true => refused += 1,
                false => assert_eq!(b.other.seen, [arguments]),
            }
            let mut b = Bench::new();
            let mut results = value(&u, &mut rng);
            rng.change(&mut results);
            b.other.answer = results.clone();
            b.other.calls = vec![(1, vec![])];
            check(&u, &component, &b, &results);
            if !b.other.replies.is_empty() {
                assert_eq!(b.other.replies, [results]);
                passed += 1;
            }
        }
    }
    assert!(passed > 100 && refused > 100);
}

fn check(ty: &Ty, component: &Component, b: &Bench, wire: &[u8]) {
    match run(component, b) {
        Ok(()) => assert!(ty.is_value(wire), "{ty:?}: {wire:02x?}"),
        Err(e) => {
            assert_eq!(
                e.downcast_ref::<Fault>(),
                Some(&Fault::Bytes),
                "{ty:?}: {e:?}"
            );
            assert!(!ty.is_value(wire), "{ty:?}: {wire:02x?}");
        }
    }
}

#[test]
fn regions_that_are_too_small() {
    let engine = engine();
    let t = Ty::List(Box::new(Ty::Bits("u8", 1, false)));
    let component = made(&engine, &component(&t, &t, ""));
    let wire = [&[96u8, 0, 0, 0][..], &[5; 96]].concat();
    let mut b = Bench::with_region(100);
    b.other.calls = vec![(0, wire.clone())];
    run(&component, &b).unwrap();
    assert_eq!(b.other.seen, [wire.clone()]);
    // 97 bytes reach an export by a region of 101, and leave by one of 100.
    let wire = [&[97u8, 0, 0, 0][..], &[5; 97]].concat();
    let mut b = Bench::with_region(101);
    b.channels[0].bytes = 100;
    b.other.calls = vec![(0, wire)];
    let e = run(&component, &b).unwrap_err();
    assert_eq!(e.downcast_ref::<Fault>(), Some(&Fault::TooLarge));
    assert!(b.other.seen.is_empty());
}

/// A type that a third interface declares comes with an import of that interface, which brings nothing else.
#[test]
fn types_of_another_interface() {
    let engine = engine();
    let text = "(component
  (import \"t:t/types\" (instance $t
    (type $d (record (field \"x\" u8) (field \"y\" string)))
    (export \"r\" (type (eq $d)))))
  (alias export $t \"r\" (type $r))
  (import \"t:t/i\" (instance $i
    (alias outer 1 $r (type $o))
    (export \"r\" (type $e (eq $o)))
    (export \"a\" (func (param \"x\" $e)))))
  (core module $m
    (memory (export \"memory\") 1)
    (func (export \"realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 8)))
  (core instance $m (instantiate $m))
  (core func $la (canon lower (func $i \"a\") (memory $m \"memory\") (realloc (func $m \"realloc\"))))
  (func $ea (param \"x\" $r)
    (canon lift (core func $la) (memory $m \"memory\") (realloc (func $m \"realloc\"))))
  (instance $e (export \"a\" (func $ea)))
  (export \"t:t/e\" (instance $e)))";
    let mut b = Bench::new();
    let wire = [&[200u8, 2, 0, 0, 0][..], "é".as_bytes()].concat();
    b.other.calls = vec![(0, wire.clone())];
    run(&made(&engine, text), &b).unwrap();
    assert_eq!(b.other.seen, [wire]);
}
