//! Wire values: what crosses between cells in a call. Depth first, little-endian, fixed width; bool and 8-bit integers one
//! byte; string and list a u32 count, then the bytes or elements; option, result, variant and enum a u32 case, then its
//! payload; flags 1, 2 or 4 bytes; records and tuples their fields in order, with no padding.
//!
//! `lift` makes one out of a guest's linear memory, `lower` checks one and puts it into a guest's memory, both without a
//! value of ours in between, by a `Shape` made once a function. `typed` joins this to the engine.
//!
//! This is a boundary: the bytes that `lower` reads come from another component's cell. No byte is believed before its
//! check, nothing is allocated for a count that the bytes left cannot hold, and nesting is bounded by the shape's.

use std::fmt;

pub mod lift;
pub mod lower;
pub mod shape;
mod strings;
pub mod typed;

#[cfg(test)]
pub mod test;

pub use shape::Shape;

/// Why a value did not cross.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// More bytes than its region has.
    TooLarge,
    /// Wire bytes that are no value of the type.
    Bytes,
    /// A guest's memory that holds no value of the type.
    Memory,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::TooLarge => "the value is larger than its region",
            Fault::Bytes => "the bytes are no value of the type",
            Fault::Memory => "the memory holds no value of the type",
        })
    }
}

impl std::error::Error for Fault {}

pub type Crossing<T> = std::result::Result<T, Fault>;

/// Longest string or list of the canonical ABI, in bytes of memory.
const MEMORY_BYTES_MAX: u64 = (1 << 31) - 1;

/// How a guest keeps its strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Utf16,
    /// Latin 1, or UTF-16 where the count's highest bit is set.
    Compact,
}

const UTF16_TAG: u32 = 1 << 31;

/// Bytes that are written from the start of a region.
pub struct Writer<'a> {
    region: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    pub fn new(region: &'a mut [u8]) -> Self {
        Writer { region, at: 0 }
    }

    pub fn written(&self) -> usize {
        self.at
    }

    /// The next `n` bytes, to be filled.
    #[inline]
    fn room(&mut self, n: usize) -> Crossing<&mut [u8]> {
        let room = self.region[self.at..].get_mut(..n).ok_or(Fault::TooLarge)?;
        self.at += n;
        Ok(room)
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) -> Crossing<()> {
        self.room(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    #[inline]
    fn put_u32(&mut self, n: u32) -> Crossing<()> {
        self.put(&n.to_le_bytes())
    }
}

/// Bytes that are read from the start of a value, and that must all be used.
pub struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { left: bytes }
    }

    pub fn end(&self) -> Crossing<()> {
        if self.left.is_empty() {
            Ok(())
        } else {
            Err(Fault::Bytes)
        }
    }

    #[inline]
    fn take(&mut self, n: usize) -> Crossing<&'a [u8]> {
        let (taken, left) = self.left.split_at_checked(n).ok_or(Fault::Bytes)?;
        self.left = left;
        Ok(taken)
    }

    #[inline]
    fn take_u32(&mut self) -> Crossing<u32> {
        Ok(le(self.take(4)?) as u32)
    }
}

/// Up to 8 bytes as a number.
#[inline]
fn le(bytes: &[u8]) -> u64 {
    match *bytes {
        [a] => a.into(),
        [a, b] => u16::from_le_bytes([a, b]).into(),
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f, g, h] => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)),
    }
}
