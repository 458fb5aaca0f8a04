//! Out of a region, into a guest's memory. The bytes come from another component: see the module above. The guest's own
//! allocator gives the memory and may grow or change it while it does, so memory is looked at anew after each request.

use super::shape::{Cases, Kind, Shape};
use super::{Crossing, Encoding, Fault, MEMORY_BYTES_MAX, Reader, le, strings};
use wasmtime::{Result, ValRaw};

/// Where a value is lowered to.
pub trait Guest {
    fn memory(&mut self) -> &mut [u8];
    fn encoding(&self) -> Encoding;
    /// New memory by the guest's allocator; what comes back lies within `memory()` and is aligned.
    fn allocate(&mut self, align: u32, bytes: u32) -> Result<u32>;
}

/// `size` bytes of the guest at an offset that `allocate` or the engine gave.
pub(super) fn room(memory: &mut [u8], at: u32, size: u32) -> Crossing<&mut [u8]> {
    let from = memory.get_mut(at as usize..).ok_or(Fault::Memory)?;
    from.get_mut(..size as usize).ok_or(Fault::Memory)
}

/// A value to an offset of memory that is aligned and has room for it: a function's results.
pub fn to_memory<G: Guest>(g: &mut G, shape: &Shape, at: u32, wire: &mut Reader<'_>) -> Result<()> {
    if !shape.pointers {
        store(shape, room(g.memory(), at, shape.size)?, wire)?;
        return Ok(());
    }
    match &shape.kind {
        Kind::String => {
            let (to, count) = strings::lower(g, wire)?;
            store_pair(g, at, to, count)
        }
        Kind::List(element) => {
            let (to, count) = list(g, element, wire)?;
            store_pair(g, at, to, count)
        }
        Kind::Record(fields) => {
            for (offset, field) in fields {
                to_memory(g, field, at + offset, wire)?;
            }
            Ok(())
        }
        Kind::Cases(c) => {
            let (tag, payload) = case(c, wire)?;
            let to = room(g.memory(), at, c.tag)?;
            to.copy_from_slice(&tag.to_le_bytes()[..c.tag as usize]);
            match payload {
                Some(payload) => to_memory(g, payload, at + c.payload, wire),
                None => Ok(()),
            }
        }
        Kind::Bits { .. } | Kind::Bool | Kind::Char | Kind::Flags(_) => unreachable!(),
    }
}

fn store_pair<G: Guest>(g: &mut G, at: u32, to: u32, count: u32) -> Result<()> {
    let bytes = room(g.memory(), at, 8)?;
    bytes[..4].copy_from_slice(&to.to_le_bytes());
    bytes[4..].copy_from_slice(&count.to_le_bytes());
    Ok(())
}

/// A value without strings and lists, into exactly `shape.size` bytes.
fn store(shape: &Shape, to: &mut [u8], wire: &mut Reader<'_>) -> Crossing<()> {
    if shape.plain {
        to.copy_from_slice(wire.take(to.len())?);
        return Ok(());
    }
    match &shape.kind {
        Kind::Bits { .. } => to.copy_from_slice(wire.take(to.len())?),
        Kind::Bool => to[0] = take_bool(wire)?,
        Kind::Char => to.copy_from_slice(&take_char(wire)?.to_le_bytes()),
        Kind::Flags(mask) => {
            let bits = take_flags(*mask, shape.size, wire)?;
            to.copy_from_slice(&bits.to_le_bytes()[..shape.size as usize]);
        }
        Kind::Record(fields) => {
            for (offset, field) in fields {
                let end = offset + field.size;
                store(field, &mut to[*offset as usize..end as usize], wire)?;
            }
        }
        Kind::Cases(c) => {
            let (tag, payload) = case(c, wire)?;
            to[..c.tag as usize].copy_from_slice(&tag.to_le_bytes()[..c.tag as usize]);
            if let Some(payload) = payload {
                let end = c.payload + payload.size;
                store(payload, &mut to[c.payload as usize..end as usize], wire)?;
            }
        }
        Kind::String | Kind::List(_) => unreachable!(),
    }
    Ok(())
}

fn take_bool(wire: &mut Reader<'_>) -> Crossing<u8> {
    match wire.take(1)?[0] {
        b @ (0 | 1) => Ok(b),
        _ => Err(Fault::Bytes),
    }
}

fn take_char(wire: &mut Reader<'_>) -> Crossing<u32> {
    let n = wire.take_u32()?;
    char::from_u32(n).map(u32::from).ok_or(Fault::Bytes)
}

fn take_flags(mask: u32, size: u32, wire: &mut Reader<'_>) -> Crossing<u32> {
    let bits = le(wire.take(size as usize)?) as u32;
    if bits & !mask == 0 {
        Ok(bits)
    } else {
        Err(Fault::Bytes)
    }
}

fn case<'s>(c: &'s Cases, wire: &mut Reader<'_>) -> Crossing<(u32, Option<&'s Shape>)> {
    let tag = wire.take_u32()?;
    let payload = c.cases.get(tag as usize).ok_or(Fault::Bytes)?;
    Ok((tag, payload.as_ref()))
}

/// Pointer and count.
fn list<G: Guest>(g: &mut G, element: &Shape, wire: &mut Reader<'_>) -> Result<(u32, u32)> {
    let count = wire.take_u32()?;
    // Before anything is asked of the guest: could the bytes that are left hold that many?
    if u64::from(count) * u64::from(element.least) > wire.left.len() as u64 {
        return Err(Fault::Bytes.into());
    }
    let bytes = u64::from(count) * u64::from(element.size);
    if bytes > MEMORY_BYTES_MAX {
        return Err(Fault::TooLarge.into());
    }
    let bytes = bytes as u32;
    let at = g.allocate(element.align, bytes)?;
    if element.pointers {
        for i in 0..count {
            to_memory(g, element, at + i * element.size, wire)?;
        }
        return Ok((at, count));
    }
    let to = room(g.memory(), at, bytes)?;
    if element.plain {
        to.copy_from_slice(wire.take(to.len())?);
    } else if let Kind::Bool = element.kind {
        let from = wire.take(to.len())?;
        if from.iter().fold(0, |all, b| all | b) > 1 {
            return Err(Fault::Bytes.into());
        }
        to.copy_from_slice(from);
    } else {
        for one in to.chunks_exact_mut(element.size as usize) {
            store(element, one, wire)?;
        }
    }
    Ok((at, count))
}

/// A value into flat core values, exactly `shape.flat` of them: a function's parameters, or its one result.
pub fn to_flat<G: Guest>(
    g: &mut G,
    shape: &Shape,
    flat: &mut [ValRaw],
    wire: &mut Reader<'_>,
) -> Result<()> {
    match &shape.kind {
        Kind::Bits { signed } => {
            let n = le(wire.take(shape.size as usize)?);
            flat[0] = ValRaw::u64(match (signed, shape.size) {
                (true, 1) => u64::from(n as u8 as i8 as i32 as u32),
                (true, 2) => u64::from(n as u16 as i16 as i32 as u32),
                _ => n,
            });
        }
        Kind::Bool => flat[0] = ValRaw::u32(take_bool(wire)?.into()),
        Kind::Char => flat[0] = ValRaw::u32(take_char(wire)?),
        Kind::Flags(mask) => flat[0] = ValRaw::u32(take_flags(*mask, shape.size, wire)?),
        Kind::String => {
            let (to, count) = strings::lower(g, wire)?;
            flat[0] = ValRaw::u32(to);
            flat[1] = ValRaw::u32(count);
        }
        Kind::List(element) => {
            let (to, count) = list(g, element, wire)?;
            flat[0] = ValRaw::u32(to);
            flat[1] = ValRaw::u32(count);
        }
        Kind::Record(fields) => {
            let mut flat = flat;
            for (_, field) in fields {
                let (own, rest) = flat.split_at_mut(field.flat as usize);
                to_flat(g, field, own, wire)?;
                flat = rest;
            }
        }
        Kind::Cases(c) => {
            let (tag, payload) = case(c, wire)?;
            // What the case does not use is 0, and a narrow value in a wide core value is filled with zeros.
            flat.fill(ValRaw::u64(0));
            flat[0] = ValRaw::u32(tag);
            if let Some(payload) = payload {
                to_flat(g, payload, &mut flat[1..1 + payload.flat as usize], wire)?;
            }
        }
    }
    Ok(())
}
