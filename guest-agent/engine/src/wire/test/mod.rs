//! Wire values without an engine: each type constructor in both directions, then random types with right, changed and random
//! bytes. A guest is a vector with an allocator.

pub mod gen_types;

use self::gen_types::{Rng, Ty};
use super::lower::Guest as _;
use super::shape::Shape;
use super::{Encoding, Fault, Reader, Writer, lift, lower};
use wasmtime::{Result, ValRaw, bail};

const MEMORY_MAX: usize = 1 << 20;

struct Guest {
    memory: Vec<u8>,
    encoding: Encoding,
    requests: Vec<(u32, u32)>,
}

impl Guest {
    fn new(encoding: Encoding) -> Guest {
        Guest {
            memory: vec![0xa5; 64],
            encoding,
            requests: Vec::new(),
        }
    }

    fn lift(&self) -> lift::Guest<'_> {
        lift::Guest {
            memory: &self.memory,
            encoding: self.encoding,
        }
    }
}

impl lower::Guest for Guest {
    fn memory(&mut self) -> &mut [u8] {
        &mut self.memory
    }
    fn encoding(&self) -> Encoding {
        self.encoding
    }
    fn allocate(&mut self, align: u32, bytes: u32) -> Result<u32> {
        self.requests.push((align, bytes));
        let at = self.memory.len().next_multiple_of(align as usize);
        if at + bytes as usize > MEMORY_MAX {
            bail!("no memory");
        }
        self.memory.resize(at + bytes as usize, 0xa5);
        Ok(at as u32)
    }
}

fn fault(e: wasmtime::Error) -> Option<Fault> {
    e.downcast_ref::<Fault>().copied()
}

/// Lowers to memory; where the value lies.
fn to_memory(g: &mut Guest, shape: &Shape, wire: &[u8]) -> std::result::Result<u32, Option<Fault>> {
    let mut reader = Reader::new(wire);
    let at = g.allocate(shape.align, shape.size).map_err(fault)?;
    g.requests.clear();
    lower::to_memory(g, shape, at, &mut reader).map_err(fault)?;
    reader.end().map_err(Some)?;
    Ok(at)
}

fn to_flat(
    g: &mut Guest,
    shape: &Shape,
    wire: &[u8],
) -> std::result::Result<Vec<ValRaw>, Option<Fault>> {
    let mut reader = Reader::new(wire);
    let mut flat = vec![ValRaw::u64(u64::MAX); shape.flat as usize];
    lower::to_flat(g, shape, &mut flat, &mut reader).map_err(fault)?;
    reader.end().map_err(Some)?;
    Ok(flat)
}

fn from_memory(g: &Guest, shape: &Shape, at: u32) -> std::result::Result<Vec<u8>, Fault> {
    let mut region = vec![0; 1 << 16];
    let mut out = Writer::new(&mut region);
    lift::from_memory(g.lift(), shape, at, &mut out)?;
    let n = out.written();
    region.truncate(n);
    Ok(region)
}

fn from_flat(g: &Guest, shape: &Shape, flat: &[ValRaw]) -> std::result::Result<Vec<u8>, Fault> {
    let mut region = vec![0; 1 << 16];
    let mut out = Writer::new(&mut region);
    lift::from_flat(g.lift(), shape, flat, &mut out)?;
    let n = out.written();
    region.truncate(n);
    Ok(region)
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|b| b.is_ascii_hexdigit())
        .map(|b| (b as char).to_digit(16).unwrap() as u8)
        .collect();
    digits.chunks(2).map(|d| d[0] << 4 | d[1]).collect()
}

/// These bytes are a value, in memory and flat, and come back as they were.
fn good(shape: &Shape, wire: &str) {
    let wire = hex(wire);
    for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Compact] {
        let mut g = Guest::new(encoding);
        let at = to_memory(&mut g, shape, &wire).expect("to memory");
        assert_eq!(from_memory(&g, shape, at).unwrap(), wire);
        let flat = to_flat(&mut g, shape, &wire).expect("to flat");
        assert_eq!(from_flat(&g, shape, &flat).unwrap(), wire);
        // One byte less or more is no value.
        if let Some((_, less)) = wire.split_last() {
            let less = &wire[..less.len()];
            assert_eq!(to_memory(&mut g, shape, less), Err(Some(Fault::Bytes)));
            assert_eq!(to_flat(&mut g, shape, less).err(), Some(Some(Fault::Bytes)));
        }
        let more = [&wire[..], &[0]].concat();
        assert_eq!(to_memory(&mut g, shape, &more), Err(Some(Fault::Bytes)));
        assert_eq!(
            to_flat(&mut g, shape, &more).err(),
            Some(Some(Fault::Bytes))
        );
    }
}

fn bad(shape: &Shape, wire: &str) {
    let mut g = Guest::new(Encoding::Utf8);
    let wire = hex(wire);
    assert_eq!(to_memory(&mut g, shape, &wire), Err(Some(Fault::Bytes)));
    assert_eq!(
        to_flat(&mut g, shape, &wire).err(),
        Some(Some(Fault::Bytes))
    );
}

/// This memory holds the value that these bytes are.
fn holds(shape: &Shape, memory: &str, wire: &str) {
    let g = Guest {
        memory: hex(memory),
        ..Guest::new(Encoding::Utf8)
    };
    assert_eq!(from_memory(&g, shape, 0).unwrap(), hex(wire));
}

fn holds_none(shape: &Shape, memory: &str) {
    for encoding in [Encoding::Utf8, Encoding::Utf16] {
        let g = Guest {
            memory: hex(memory),
            ..Guest::new(encoding)
        };
        assert_eq!(from_memory(&g, shape, 0), Err(Fault::Memory));
    }
}

#[test]
fn scalars() {
    good(&Shape::bits(1, false), "ff");
    good(&Shape::bits(1, true), "80");
    good(&Shape::bits(2, true), "0080");
    good(&Shape::bits(2, false), "feff");
    good(&Shape::bits(4, false), "01020384");
    good(&Shape::bits(8, false), "0102030405060788");
    let mut g = Guest::new(Encoding::Utf8);
    let sign = |shape, wire: &str| to_flat(&mut g, &shape, &hex(wire)).unwrap()[0].get_u64();
    let mut sign = sign;
    assert_eq!(sign(Shape::bits(1, true), "80"), 0xffff_ff80);
    assert_eq!(sign(Shape::bits(1, false), "80"), 0x80);
    assert_eq!(sign(Shape::bits(2, true), "0080"), 0xffff_8000);
    assert_eq!(sign(Shape::bits(4, false), "000000ff"), 0xff00_0000);
}

#[test]
fn bools() {
    good(&Shape::bool(), "00");
    good(&Shape::bool(), "01");
    bad(&Shape::bool(), "02");
    bad(&Shape::bool(), "ff");
    holds(&Shape::bool(), "80", "01");
    good(&Shape::list(Shape::bool()), "03000000 01 00 01");
    bad(&Shape::list(Shape::bool()), "03000000 01 02 01");
    holds(
        &Shape::list(Shape::bool()),
        "08000000 03000000 00ff01",
        "03000000 000101",
    );
}

#[test]
fn chars() {
    good(&Shape::char(), "41000000");
    good(&Shape::char(), "ffff1000");
    bad(&Shape::char(), "00d80000"); // a surrogate
    bad(&Shape::char(), "00001100"); // above the last one
    holds_none(&Shape::char(), "ffdf0000");
    holds_none(&Shape::char(), "000000ff");
    bad(&Shape::list(Shape::char()), "02000000 41000000 00dc0000");
}

#[test]
fn flags() {
    let nine = Shape::flags(9).unwrap();
    good(&nine, "ff01");
    bad(&nine, "0002");
    holds(&nine, "ffff", "ff01"); // what has no name does not cross
    good(&Shape::flags(32).unwrap(), "ffffffff");
    good(&Shape::flags(8).unwrap(), "ff");
    bad(&Shape::flags(1).unwrap(), "02");
    bad(&Shape::flags(17).unwrap(), "00000200");
    assert!(Shape::flags(33).is_err());
    assert!(Shape::flags(0).is_err());
}

#[test]
fn enums_and_variants() {
    let three = Shape::cases(vec![None, None, None]).unwrap();
    good(&three, "02000000");
    bad(&three, "03000000");
    bad(&three, "00000001");
    holds(&three, "02", "02000000");
    holds_none(&three, "03");
    let variant = Shape::cases(vec![
        Some(Shape::bits(8, false)),
        None,
        Some(Shape::bits(1, true)),
        Some(Shape::string()),
    ])
    .unwrap();
    assert_eq!((variant.size, variant.align, variant.flat), (16, 8, 3));
    good(&variant, "00000000 0102030405060708");
    good(&variant, "01000000");
    good(&variant, "02000000 ff");
    good(&variant, "03000000 02000000 c3a9");
    bad(&variant, "03000000 02000000 c328");
    bad(&variant, "04000000");
    // A narrow case in wide core values: all the others are 0.
    let mut g = Guest::new(Encoding::Utf8);
    let flat = to_flat(&mut g, &variant, &hex("02000000 ff")).unwrap();
    let flat: Vec<u64> = flat.iter().map(|v| v.get_u64()).collect();
    assert_eq!(flat, [2, 0xffff_ffff, 0]);
    // Numbers of cases by their count.
    for (n, tag) in [(256, 1), (257, 2), (65536, 2), (65537, 4)] {
        let shape = Shape::cases((0..n).map(|_| None).collect()).unwrap();
        assert_eq!(shape.size, tag);
        good(&shape, &hex_of(&((n - 1) as u32).to_le_bytes()));
        bad(&shape, &hex_of(&(n as u32).to_le_bytes()));
    }
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn options_and_results() {
    let option = Shape::cases(vec![None, Some(Shape::bits(2, false))]).unwrap();
    good(&option, "00000000");
    good(&option, "01000000 3412");
    bad(&option, "00000000 3412");
    bad(&option, "02000000");
    let result = Shape::cases(vec![Some(option), Some(Shape::string())]).unwrap();
    good(&result, "00000000 00000000");
    good(&result, "00000000 01000000 ffff");
    good(&result, "01000000 00000000");
    good(&result, "01000000 03000000 e282ac");
    bad(&result, "01000000 03000000 e282");
}

#[test]
fn records() {
    // Padding stays behind.
    let r = Shape::record(vec![
        Shape::bits(1, false),
        Shape::bits(4, false),
        Shape::bool(),
    ]);
    let r = r.unwrap();
    assert_eq!((r.size, r.align, r.plain), (12, 4, false));
    good(&r, "07 01020304 01");
    bad(&r, "07 01020304 03");
    holds(&r, "07eeeeee 01020304 01eeeeee", "07 01020304 01");
    let plain = Shape::record(vec![Shape::bits(8, false), Shape::bits(8, false)]).unwrap();
    assert!(plain.plain);
    good(
        &Shape::list(plain),
        "01000000 0102030405060708 1112131415161718",
    );
    let empty = Shape::record(vec![]).unwrap();
    good(&empty, "");
}

#[test]
fn strings() {
    let s = Shape::string();
    good(&s, "00000000");
    good(&s, "05000000 68656c6c6f");
    good(&s, "02000000 c3a9"); // Latin 1
    good(&s, "04000000 f09f9880"); // a pair of UTF-16
    bad(&s, "01000000 ff");
    bad(&s, "03000000 eda080"); // a surrogate
    bad(&s, "02000000 c080"); // overlong
    bad(&s, "ffffffff 00");
    holds_none(&s, "08000000 ffffffff 41");
    holds_none(&s, "09000000 01000000 41"); // beyond
    holds_none(&s, "fffffff0 02000000 41");
    let utf8 = Guest {
        memory: hex("08000000 01000000 ff"),
        ..Guest::new(Encoding::Utf8)
    };
    assert_eq!(from_memory(&utf8, &s, 0), Err(Fault::Memory));
    let lone = Guest {
        memory: hex("08000000 01000000 00d8"),
        ..Guest::new(Encoding::Utf16)
    };
    assert_eq!(from_memory(&lone, &s, 0), Err(Fault::Memory));
    let odd = Guest {
        memory: hex("09000000 01000000 004100"),
        ..Guest::new(Encoding::Utf16)
    };
    assert_eq!(from_memory(&odd, &s, 0), Err(Fault::Memory));
    let latin = Guest {
        memory: hex("08000000 02000000 41e9"),
        ..Guest::new(Encoding::Compact)
    };
    assert_eq!(from_memory(&latin, &s, 0).unwrap(), hex("03000000 41c3a9"));
    let tagged = Guest {
        memory: hex("08000000 01000080 ac20"),
        ..Guest::new(Encoding::Compact)
    };
    assert_eq!(from_memory(&tagged, &s, 0).unwrap(), hex("03000000 e282ac"));
}

#[test]
fn lists() {
    let doubles = Shape::list(Shape::bits(8, false));
    good(&doubles, "00000000");
    good(&doubles, "02000000 0102030405060708 1112131415161718");
    bad(&doubles, "02000000 0102030405060708 11121314151617");
    holds_none(&doubles, "04000000 01000000 0000000000000000 00"); // not aligned
    holds_none(
        &doubles,
        "08000000 02000000 0000000000000000 00000000000000",
    );
    let nested = Shape::list(Shape::list(Shape::string()));
    good(&nested, "02000000 00000000 02000000 01000000 41 00000000");
    bad(&nested, "02000000 00000000 02000000 01000000 41");
}

/// A count that the bytes cannot hold asks the guest for nothing.
#[test]
fn lying_counts() {
    for element in [
        Shape::bits(1, false),
        Shape::cases(vec![None]).unwrap(),
        Shape::cases(vec![None, Some(Shape::string())]).unwrap(),
        Shape::string(),
        Shape::list(Shape::string()),
        Shape::flags(3).unwrap(),
    ] {
        let shape = Shape::list(element);
        for count in ["ffffffff", "00000080", "00000040", "05000000"] {
            let mut g = Guest::new(Encoding::Utf8);
            let wire = hex(&format!("{count} 01000000"));
            assert_eq!(
                to_flat(&mut g, &shape, &wire).err(),
                Some(Some(Fault::Bytes))
            );
            assert!(g.requests.is_empty());
        }
    }
}

/// Wide elements of short wire bytes: 4 GiB of memory are not asked for, nor is the product cut.
#[test]
fn wide_elements() {
    let mut wide = Shape::bits(8, false);
    for _ in 0..17 {
        wide = Shape::record(vec![wide.clone(), wide]).unwrap();
    }
    let element = Shape::cases(vec![None, Some(wide)]).unwrap();
    let count = (1u64 << 32) / u64::from(element.size) + 1;
    let shape = Shape::list(element);
    let mut wire = (count as u32).to_le_bytes().to_vec();
    wire.resize(4 + 4 * count as usize, 0);
    let mut g = Guest::new(Encoding::Utf8);
    assert_eq!(
        to_flat(&mut g, &shape, &wire).err(),
        Some(Some(Fault::TooLarge))
    );
    assert!(g.requests.is_empty());
}

/// What does not fit into the region is refused, at whatever byte; nothing behind it is touched.
#[test]
fn small_regions() {
    let shape = Shape::record(vec![
        Shape::string(),
        Shape::list(Shape::bool()),
        Shape::char(),
        Shape::list(Shape::cases(vec![None, Some(Shape::flags(9).unwrap())]).unwrap()),
    ])
    .unwrap();
    let wire = hex("03000000 e282ac 02000000 0001 41000000 02000000 00000000 01000000 ff01");
    for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Compact] {
        let mut g = Guest::new(encoding);
        let at = to_memory(&mut g, &shape, &wire).unwrap();
        for n in 0..=wire.len() {
            let mut region = vec![0xee; wire.len() + 8];
            let mut out = Writer::new(&mut region[..n]);
            let r = lift::from_memory(g.lift(), &shape, at, &mut out);
            assert_eq!(r.is_ok(), n == wire.len());
            assert!(r.is_ok() || r == Err(Fault::TooLarge));
            assert!(region[n..].iter().all(|b| *b == 0xee));
        }
    }
}

/// One string, named by a thousand elements: the region bounds what comes out of it.
#[test]
fn amplified() {
    let shape = Shape::list(Shape::string());
    let mut g = Guest::new(Encoding::Utf8);
    g.memory = vec![b'a'; 1 << 18];
    g.memory[..8].copy_from_slice(&hex("08000000 00400000"));
    for i in 0..0x4000 {
        g.memory[8 + 8 * i..16 + 8 * i].copy_from_slice(&hex("00000200 00000200"));
    }
    assert_eq!(from_memory(&g, &shape, 0), Err(Fault::TooLarge));
}

/* ------------------------------------------------------------------------------------ random ones */

/// Any bytes: lowered exactly when they are a value, and then they come back.
fn check_bytes(ty: &Ty, shape: &Shape, wire: &[u8], encoding: Encoding) {
    let right = ty.is_value(wire);
    let mut g = Guest::new(encoding);
    match to_memory(&mut g, shape, wire) {
        Ok(at) => {
            assert!(right, "{ty:?}: lowered {wire:02x?}");
            assert_eq!(from_memory(&g, shape, at).unwrap(), wire);
        }
        Err(Some(Fault::Bytes)) => assert!(!right, "{ty:?}: refused {wire:02x?}"),
        Err(None) => assert!(g.memory.len() > MEMORY_MAX / 4), // the guest's memory is used up
        Err(f) => panic!("{ty:?}: {f:?}"),
    }
    let mut g = Guest::new(encoding);
    match to_flat(&mut g, shape, wire) {
        Ok(flat) => {
            assert!(right);
            assert_eq!(from_flat(&g, shape, &flat).unwrap(), wire);
        }
        Err(Some(Fault::Bytes)) => assert!(!right),
        Err(None) => {}
        Err(f) => panic!("{ty:?}: {f:?}"),
    }
}

/// Any memory, any core values: what comes out is a value, or nothing.
fn check_memory(ty: &Ty, shape: &Shape, rng: &mut Rng, encoding: Encoding) {
    let size = shape.size as usize + rng.below(400);
    let mut g = Guest::new(encoding);
    g.memory = (0..size)
        .map(|i| {
            if i % 4 == 0 || rng.below(4) == 0 {
                rng.next() as u8
            } else {
                0
            }
        })
        .collect();
    if let Ok(wire) = from_memory(&g, shape, 0) {
        assert!(ty.is_value(&wire), "{ty:?}: lifted {wire:02x?}");
    }
    let flat: Vec<ValRaw> = (0..shape.flat)
        .map(|_| ValRaw::u64(rng.next() % 400))
        .collect();
    if let Ok(wire) = from_flat(&g, shape, &flat) {
        assert!(ty.is_value(&wire), "{ty:?}: lifted {wire:02x?}");
    }
}

#[test]
fn random_values() {
    let mut rng = Rng::new(1);
    for round in 0..4000 {
        let ty = Ty::random(&mut rng, 4);
        let shape = ty.shape();
        let encoding = [Encoding::Utf8, Encoding::Utf16, Encoding::Compact][round % 3];
        for _ in 0..4 {
            let mut wire = Vec::new();
            ty.value(&mut rng, &mut wire, 30);
            assert!(ty.is_value(&wire));
            check_bytes(&ty, &shape, &wire, encoding);
            for _ in 0..6 {
                let mut changed = wire.clone();
                rng.change(&mut changed);
                check_bytes(&ty, &shape, &changed, encoding);
            }
        }
        for _ in 0..4 {
            let random: Vec<u8> = (0..rng.below(60)).map(|_| rng.next() as u8).collect();
            check_bytes(&ty, &shape, &random, encoding);
            check_memory(&ty, &shape, &mut rng, encoding);
        }
    }
}
