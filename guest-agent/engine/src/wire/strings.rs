//! Strings: UTF-8 on the wire, in the guest whatever it chose.

use super::lower::room;
use super::{
    Crossing, Encoding, Fault, MEMORY_BYTES_MAX, Reader, UTF16_TAG, Writer, le, lift, lower,
};
use wasmtime::Result;

pub fn lift(g: lift::Guest<'_>, at: u32, count: u32, out: &mut Writer<'_>) -> Crossing<()> {
    match g.encoding {
        Encoding::Utf8 => {
            let bytes = g.block(at, count, 1, 1)?;
            std::str::from_utf8(bytes).map_err(|_| Fault::Memory)?;
            out.put_u32(count)?;
            out.put(bytes)
        }
        Encoding::Utf16 => utf16(g.block(at, count, 2, 2)?, out),
        Encoding::Compact if count & UTF16_TAG != 0 => {
            utf16(g.block(at, count & !UTF16_TAG, 2, 2)?, out)
        }
        Encoding::Compact => {
            let bytes = g.block(at, count, 1, 2)?;
            chars(bytes.iter().map(|b| Ok(char::from(*b))), out)
        }
    }
}

fn utf16(bytes: &[u8], out: &mut Writer<'_>) -> Crossing<()> {
    let units = bytes.chunks_exact(2).map(|u| le(u) as u16);
    chars(
        char::decode_utf16(units).map(|c| c.map_err(|_| Fault::Memory)),
        out,
    )
}

fn chars(chars: impl Iterator<Item = Crossing<char>>, out: &mut Writer<'_>) -> Crossing<()> {
    let start = out.at;
    out.put_u32(0)?;
    for c in chars {
        let mut bytes = [0; 4];
        out.put(c?.encode_utf8(&mut bytes).as_bytes())?;
    }
    let count = u32::try_from(out.at - start - 4).map_err(|_| Fault::TooLarge)?;
    out.region[start..start + 4].copy_from_slice(&count.to_le_bytes());
    Ok(())
}

/// Pointer and count as the guest counts.
pub fn lower<G: lower::Guest>(g: &mut G, wire: &mut Reader<'_>) -> Result<(u32, u32)> {
    let bytes = wire.take_u32()?;
    let bytes = wire.take(bytes as usize)?;
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::Bytes)?;
    match g.encoding() {
        Encoding::Utf8 => put(g, 1, bytes),
        Encoding::Utf16 => put_utf16(g, text),
        Encoding::Compact if text.chars().all(|c| u32::from(c) <= 0xff) => {
            let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
            put(g, 2, &latin)
        }
        Encoding::Compact => {
            let (at, count) = put_utf16(g, text)?;
            Ok((at, count | UTF16_TAG))
        }
    }
}

fn put<G: lower::Guest>(g: &mut G, align: u32, bytes: &[u8]) -> Result<(u32, u32)> {
    let count = fits(bytes.len())?;
    let at = g.allocate(align, count)?;
    room(g.memory(), at, count)?.copy_from_slice(bytes);
    Ok((at, count))
}

fn put_utf16<G: lower::Guest>(g: &mut G, text: &str) -> Result<(u32, u32)> {
    let units = text.encode_utf16().count();
    let bytes = fits(units * 2)?;
    let at = g.allocate(2, bytes)?;
    let to = room(g.memory(), at, bytes)?;
    for (to, unit) in to.chunks_exact_mut(2).zip(text.encode_utf16()) {
        to.copy_from_slice(&unit.to_le_bytes());
    }
    Ok((at, units as u32))
}

fn fits(bytes: usize) -> Crossing<u32> {
    if bytes as u64 > MEMORY_BYTES_MAX {
        return Err(Fault::TooLarge);
    }
    Ok(bytes as u32)
}
