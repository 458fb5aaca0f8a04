//! The shape of a type: how its values lie in memory, in flat core values, and on the wire.

use super::{Crossing, Fault};
use crate::config::CALL_DEPTH_MAX;
use wasmtime::component::Type;

const FLAGS_MAX: usize = 32;

#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub struct Shape {
    pub kind: Kind,
    /// In memory; a size is a multiple of its alignment.
    pub size: u32,
    pub align: u32,
    /// Core values that a flat value of it takes.
    pub flat: u32,
    /// The fewest bytes that a wire value of it has; never 0 but for the outermost record.
    pub least: u32,
    /// Its wire value is its memory, byte for byte, and any bytes are a value of it.
    pub plain: bool,
    /// There is a string or list in it, so that lowering may ask the guest for memory.
    pub pointers: bool,
}

#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub enum Kind {
    /// An integer or a float. Signed: narrow ones fill their core value with the sign.
    Bits {
        signed: bool,
    },
    Bool,
    Char,
    /// Which bits may be set.
    Flags(u32),
    String,
    List(Box<Shape>),
    /// Fields, each with its offset in memory.
    Record(Box<[(u32, Shape)]>),
    Cases(Cases),
}

/// Variant, option, result, enum.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub struct Cases {
    /// Bytes of the case's number in memory.
    pub tag: u32,
    /// Offset of the payload in memory.
    pub payload: u32,
    pub cases: Box<[Option<Shape>]>,
}

fn round_up(n: u32, align: u32) -> Option<u32> {
    Some(n.checked_add(align - 1)? & !(align - 1))
}

impl Shape {
    pub fn bits(size: u32, signed: bool) -> Shape {
        Shape {
            kind: Kind::Bits { signed },
            size,
            align: size,
            flat: 1,
            least: size,
            plain: true,
            pointers: false,
        }
    }

    fn checked(kind: Kind, size: u32) -> Shape {
        Shape {
            kind,
            plain: false,
            ..Shape::bits(size, false)
        }
    }

    pub fn bool() -> Shape {
        Shape::checked(Kind::Bool, 1)
    }

    pub fn char() -> Shape {
        Shape::checked(Kind::Char, 4)
    }

    pub fn flags(labels: usize) -> Crossing<Shape> {
        let size = match labels {
            1..=8 => 1,
            9..=16 => 2,
            17..=FLAGS_MAX => 4,
            _ => return Err(Fault::Bytes),
        };
        Ok(Shape::checked(
            Kind::Flags((u32::MAX) >> (FLAGS_MAX - labels)),
            size,
        ))
    }

    fn pointer_pair(kind: Kind) -> Shape {
        Shape {
            kind,
            size: 8,
            align: 4,
            flat: 2,
            least: 4,
            plain: false,
            pointers: true,
        }
    }

    pub fn string() -> Shape {
        Shape::pointer_pair(Kind::String)
    }

    pub fn list(element: Shape) -> Shape {
        Shape::pointer_pair(Kind::List(Box::new(element)))
    }

    /// A record or tuple. Only the outermost one, of a function's parameters or results, may be empty: else a list of
    /// nothings could be as long as it liked.
    pub fn record(fields: Vec<Shape>) -> Crossing<Shape> {
        let (mut size, mut align, mut flat, mut least) = (0u32, 1, 0u32, 0u32);
        let mut plain = true;
        let mut pointers = false;
        let mut placed = Vec::new();
        for shape in fields {
            let offset = round_up(size, shape.align).ok_or(Fault::Bytes)?;
            plain &= shape.plain && offset == size;
            pointers |= shape.pointers;
            size = offset.checked_add(shape.size).ok_or(Fault::Bytes)?;
            align = align.max(shape.align);
            flat = flat.saturating_add(shape.flat);
            least = least.saturating_add(shape.least);
            placed.push((offset, shape));
        }
        let whole = round_up(size, align).ok_or(Fault::Bytes)?;
        Ok(Shape {
            kind: Kind::Record(placed.into()),
            size: whole,
            align,
            flat,
            least,
            plain: plain && whole == size,
            pointers,
        })
    }

    pub fn cases(cases: Vec<Option<Shape>>) -> Crossing<Shape> {
        let tag = match cases.len() {
            0 => return Err(Fault::Bytes),
            1..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 4,
        };
        let payloads = || cases.iter().flatten();
        let align = payloads().map(|p| p.align).max().unwrap_or(1);
        let payload = round_up(tag, align).ok_or(Fault::Bytes)?;
        let largest = payloads().map(|p| p.size).max().unwrap_or(0);
        let align = align.max(tag);
        let size = payload.checked_add(largest).ok_or(Fault::Bytes)?;
        let least = |p: &Option<Shape>| p.as_ref().map_or(0, |p| p.least);
        Ok(Shape {
            size: round_up(size, align).ok_or(Fault::Bytes)?,
            align,
            flat: 1u32.saturating_add(payloads().map(|p| p.flat).max().unwrap_or(0)),
            least: 4u32.saturating_add(cases.iter().map(least).min().unwrap_or(0)),
            plain: false,
            pointers: payloads().any(|p| p.pointers),
            kind: Kind::Cases(Cases {
                tag,
                payload,
                cases: cases.into(),
            }),
        })
    }

    /// The shape of a type inside `depth` others.
    fn of(ty: &Type, depth: usize) -> Crossing<Shape> {
        if depth >= CALL_DEPTH_MAX {
            return Err(Fault::Bytes);
        }
        let inner = |ty: Type| Shape::of(&ty, depth + 1);
        let maybe = |ty: Option<Type>| ty.map(inner).transpose();
        Ok(match ty {
            Type::Bool => Shape::bool(),
            Type::S8 => Shape::bits(1, true),
            Type::U8 => Shape::bits(1, false),
            Type::S16 => Shape::bits(2, true),
            Type::U16 => Shape::bits(2, false),
            Type::S32 | Type::U32 | Type::Float32 => Shape::bits(4, false),
            Type::S64 | Type::U64 | Type::Float64 => Shape::bits(8, false),
            Type::Char => Shape::char(),
            Type::String => Shape::string(),
            Type::List(l) => Shape::list(inner(l.ty())?),
            Type::Record(r) => some_fields(r.fields().map(|f| inner(f.ty)).collect())?,
            Type::Tuple(t) => some_fields(t.types().map(inner).collect())?,
            Type::Variant(v) => {
                Shape::cases(v.cases().map(|c| maybe(c.ty)).collect::<Crossing<_>>()?)?
            }
            Type::Enum(e) => Shape::cases(e.names().map(|_| None).collect())?,
            Type::Option(o) => Shape::cases(vec![None, Some(inner(o.ty())?)])?,
            Type::Result(r) => Shape::cases(vec![maybe(r.ok())?, maybe(r.err())?])?,
            Type::Flags(f) => Shape::flags(f.names().len())?,
            // Refused at admission; a .cwasm that names one all the same is not linked.
            Type::Map(_)
            | Type::FixedLengthList(_)
            | Type::Own(_)
            | Type::Borrow(_)
            | Type::Future(_)
            | Type::Stream(_)
            | Type::ErrorContext => return Err(Fault::Bytes),
        })
    }

    /// All parameters, or all results, of a function.
    pub fn of_all(types: impl Iterator<Item = Type>) -> Crossing<Shape> {
        Shape::record(types.map(|ty| Shape::of(&ty, 0)).collect::<Crossing<_>>()?)
    }
}

fn some_fields(fields: Crossing<Vec<Shape>>) -> Crossing<Shape> {
    let fields = fields?;
    if fields.is_empty() {
        return Err(Fault::Bytes);
    }
    Shape::record(fields)
}
