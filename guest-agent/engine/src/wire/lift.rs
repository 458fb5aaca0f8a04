//! Out of a guest's memory, into a region. The guest's memory may hold anything: every pointer, count, case, character and
//! string is checked as the canonical ABI says. Each step writes at least one byte, so the region bounds the work.

use super::shape::{Cases, Kind, Shape};
use super::{Crossing, Encoding, Fault, MEMORY_BYTES_MAX, Writer, le, strings};
use wasmtime::ValRaw;

/// Where a value is lifted from.
#[derive(Clone, Copy)]
pub struct Guest<'a> {
    pub memory: &'a [u8],
    pub encoding: Encoding,
}

impl<'a> Guest<'a> {
    /// `n` things of `size` bytes at a pointer that the guest gave.
    pub(super) fn block(&self, at: u32, n: u32, size: u32, align: u32) -> Crossing<&'a [u8]> {
        let bytes = u64::from(n) * u64::from(size);
        if at % align != 0 || bytes > MEMORY_BYTES_MAX {
            return Err(Fault::Memory);
        }
        let from = self.memory.get(at as usize..).ok_or(Fault::Memory)?;
        from.get(..bytes as usize).ok_or(Fault::Memory)
    }
}

/// A value at an offset of memory: a function's results.
pub fn from_memory(g: Guest<'_>, shape: &Shape, at: u32, out: &mut Writer<'_>) -> Crossing<()> {
    let bytes = g.block(at, 1, shape.size, shape.align)?;
    load(g, shape, bytes, out)
}

/// A value that lies in `bytes`, which are exactly `shape.size`.
fn load(g: Guest<'_>, shape: &Shape, bytes: &[u8], out: &mut Writer<'_>) -> Crossing<()> {
    if shape.plain {
        return out.put(bytes);
    }
    match &shape.kind {
        Kind::Bits { .. } => out.put(bytes),
        Kind::Bool => out.put(&[u8::from(bytes[0] != 0)]),
        Kind::Char => put_char(le(bytes) as u32, out),
        Kind::Flags(mask) => put_flags(le(bytes) as u32, *mask, shape.size, out),
        Kind::String => {
            let (at, count) = pair(bytes);
            strings::lift(g, at, count, out)
        }
        Kind::List(element) => {
            let (at, count) = pair(bytes);
            list(g, element, at, count, out)
        }
        Kind::Record(fields) => {
            for (offset, field) in fields {
                let end = offset + field.size;
                load(g, field, &bytes[*offset as usize..end as usize], out)?;
            }
            Ok(())
        }
        Kind::Cases(c) => {
            let (tag, rest) = bytes.split_at(c.tag as usize);
            let Some(payload) = case(c, le(tag) as u32, out)? else {
                return Ok(());
            };
            let skip = (c.payload - c.tag) as usize;
            load(g, payload, &rest[skip..skip + payload.size as usize], out)
        }
    }
}

fn pair(bytes: &[u8]) -> (u32, u32) {
    (le(&bytes[..4]) as u32, le(&bytes[4..8]) as u32)
}

fn put_char(n: u32, out: &mut Writer<'_>) -> Crossing<()> {
    char::from_u32(n).ok_or(Fault::Memory)?;
    out.put_u32(n)
}

/// Bits that the type does not name say nothing, and do not cross.
fn put_flags(bits: u32, mask: u32, size: u32, out: &mut Writer<'_>) -> Crossing<()> {
    out.put(&(bits & mask).to_le_bytes()[..size as usize])
}

/// Writes the case; its payload's shape, if it has any.
fn case<'s>(c: &'s Cases, tag: u32, out: &mut Writer<'_>) -> Crossing<Option<&'s Shape>> {
    let payload = c.cases.get(tag as usize).ok_or(Fault::Memory)?;
    out.put_u32(tag)?;
    Ok(payload.as_ref())
}

fn list(g: Guest<'_>, element: &Shape, at: u32, count: u32, out: &mut Writer<'_>) -> Crossing<()> {
    let bytes = g.block(at, count, element.size, element.align)?;
    out.put_u32(count)?;
    if element.plain {
        return out.put(bytes);
    }
    if let Kind::Bool = element.kind {
        let room = out.room(bytes.len())?;
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = u8::from(*from != 0);
        }
        return Ok(());
    }
    for one in bytes.chunks_exact(element.size as usize) {
        load(g, element, one, out)?;
    }
    Ok(())
}

/// A value in flat core values, exactly `shape.flat` of them: a function's parameters, or its one result.
pub fn from_flat(
    g: Guest<'_>,
    shape: &Shape,
    flat: &[ValRaw],
    out: &mut Writer<'_>,
) -> Crossing<()> {
    match &shape.kind {
        Kind::Bits { .. } if shape.size == 8 => out.put(&flat[0].get_u64().to_le_bytes()),
        Kind::Bits { .. } => out.put(&flat[0].get_u32().to_le_bytes()[..shape.size as usize]),
        Kind::Bool => out.put(&[u8::from(flat[0].get_u32() != 0)]),
        Kind::Char => put_char(flat[0].get_u32(), out),
        Kind::Flags(mask) => put_flags(flat[0].get_u32(), *mask, shape.size, out),
        Kind::String => strings::lift(g, flat[0].get_u32(), flat[1].get_u32(), out),
        Kind::List(element) => list(g, element, flat[0].get_u32(), flat[1].get_u32(), out),
        Kind::Record(fields) => {
            let mut flat = flat;
            for (_, field) in fields {
                let (own, rest) = flat.split_at(field.flat as usize);
                from_flat(g, field, own, out)?;
                flat = rest;
            }
            Ok(())
        }
        Kind::Cases(c) => match case(c, flat[0].get_u32(), out)? {
            // A core value that cases share is as wide as the widest of them; a narrower one lies in its low bits.
            Some(payload) => from_flat(g, payload, &flat[1..1 + payload.flat as usize], out),
            None => Ok(()),
        },
    }
}
