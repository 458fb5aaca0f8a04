//! Random types and values for the tests, with a description of the wire format of their own: a second opinion.

use crate::wire::shape::Shape;

/// xorshift64*: the tests are the same every time.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
    /// One change of a kind that finds faults: a byte, a bit, a length, a count.
    pub fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        match self.below(6) {
            0 => bytes.truncate(at),
            1 => bytes.push(self.next() as u8),
            2 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
            3 if !bytes.is_empty() => bytes[at] = self.next() as u8,
            4 if !bytes.is_empty() => bytes[at] = bytes[at].wrapping_add(1),
            5 if bytes.len() >= at + 4 => bytes[at..at + 4].fill(0xff),
            _ => {}
        }
    }
}

#[derive(Debug, Clone)]
pub enum Ty {
    Bool,
    /// WIT's name, bytes, signed.
    Bits(&'static str, usize, bool),
    Char,
    Str,
    List(Box<Ty>),
    Record(Vec<Ty>),
    Tuple(Vec<Ty>),
    Variant(Vec<Option<Ty>>),
    Enum(usize),
    Flags(usize),
    Option(Box<Ty>),
    Result(Option<Box<Ty>>, Option<Box<Ty>>),
}

const BITS: [(&str, usize, bool); 10] = [
    ("u8", 1, false),
    ("s8", 1, true),
    ("u16", 2, false),
    ("s16", 2, true),
    ("u32", 4, false),
    ("s32", 4, false),
    ("u64", 8, false),
    ("s64", 8, false),
    ("f32", 4, false),
    ("f64", 8, false),
];

impl Ty {
    pub fn random(rng: &mut Rng, depth: usize) -> Ty {
        let kinds = if depth == 0 { 6 } else { 14 };
        let some = |rng: &mut Rng| -> Vec<Ty> {
            (0..1 + rng.below(4))
                .map(|_| Ty::random(rng, depth - 1))
                .collect()
        };
        let one = |rng: &mut Rng| Box::new(Ty::random(rng, depth - 1));
        let maybe = |rng: &mut Rng| (rng.below(3) > 0).then(|| Ty::random(rng, depth - 1));
        match rng.below(kinds) {
            0 => Ty::Bool,
            1 => Ty::Char,
            2 => Ty::Str,
            3 => Ty::Enum([1, 2, 3, 255, 256, 257, 300][rng.below(7)]),
            4 => Ty::Flags(1 + rng.below(32)),
            6 | 7 => Ty::List(one(rng)),
            8 => Ty::Record(some(rng)),
            9 => Ty::Tuple(some(rng)),
            10 | 11 => Ty::Variant((0..1 + rng.below(4)).map(|_| maybe(rng)).collect()),
            12 => Ty::Option(one(rng)),
            13 => Ty::Result(maybe(rng).map(Box::new), maybe(rng).map(Box::new)),
            _ => {
                let (name, size, signed) = BITS[rng.below(10)];
                Ty::Bits(name, size, signed)
            }
        }
    }

    /// Variants, options, results and enums as what they are.
    fn cases(&self) -> Option<Vec<Option<&Ty>>> {
        Some(match self {
            Ty::Variant(cases) => cases.iter().map(Option::as_ref).collect(),
            Ty::Enum(n) => vec![None; *n],
            Ty::Option(t) => vec![None, Some(t)],
            Ty::Result(ok, err) => vec![ok.as_deref(), err.as_deref()],
            _ => return None,
        })
    }

    pub fn shape(&self) -> Shape {
        if let Some(cases) = self.cases() {
            let cases = cases.into_iter().map(|c| c.map(Ty::shape)).collect();
            return Shape::cases(cases).unwrap();
        }
        match self {
            Ty::Bool => Shape::bool(),
            Ty::Bits(_, size, signed) => Shape::bits(*size as u32, *signed),
            Ty::Char => Shape::char(),
            Ty::Str => Shape::string(),
            Ty::List(t) => Shape::list(t.shape()),
            Ty::Record(f) | Ty::Tuple(f) => {
                Shape::record(f.iter().map(Ty::shape).collect()).unwrap()
            }
            Ty::Flags(n) => Shape::flags(*n).unwrap(),
            _ => unreachable!(),
        }
    }

    /// Appends a random value.
    pub fn value(&self, rng: &mut Rng, out: &mut Vec<u8>, most: usize) {
        if let Some(cases) = self.cases() {
            let n = rng.below(cases.len());
            out.extend((n as u32).to_le_bytes());
            if let Some(t) = cases[n] {
                t.value(rng, out, most / 2);
            }
            return;
        }
        match self {
            Ty::Bool => out.push(rng.below(2) as u8),
            Ty::Bits(_, size, _) => out.extend(&rng.next().to_le_bytes()[..*size]),
            Ty::Char => out.extend(u32::from(character(rng)).to_le_bytes()),
            Ty::Str => {
                let text: String = (0..rng.below(most)).map(|_| character(rng)).collect();
                out.extend((text.len() as u32).to_le_bytes());
                out.extend(text.as_bytes());
            }
            Ty::List(t) => {
                let n = rng.below(most.min(12));
                out.extend((n as u32).to_le_bytes());
                for _ in 0..n {
                    t.value(rng, out, most / 2);
                }
            }
            Ty::Record(f) | Ty::Tuple(f) => f.iter().for_each(|t| t.value(rng, out, most)),
            Ty::Flags(n) => {
                let bits = rng.next() as u32 & (u32::MAX >> (32 - n));
                out.extend(&bits.to_le_bytes()[..flag_bytes(*n)]);
            }
            _ => unreachable!(),
        }
    }

    /// Are these bytes one value, from the first to the last?
    pub fn is_value(&self, bytes: &[u8]) -> bool {
        self.skip(bytes) == Some(&[])
    }

    /// What is left behind one value.
    fn skip<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let number = |bytes: &'a [u8]| {
            let (n, rest) = bytes.split_at_checked(4)?;
            Some((u32::from_le_bytes(n.try_into().ok()?) as usize, rest))
        };
        if let Some(cases) = self.cases() {
            let (n, rest) = number(bytes)?;
            return match cases.get(n)? {
                Some(t) => t.skip(rest),
                None => Some(rest),
            };
        }
        match self {
            Ty::Bool => (*bytes.first()? < 2).then(|| &bytes[1..]),
            Ty::Bits(_, size, _) => bytes.get(*size..),
            Ty::Char => {
                let (n, rest) = number(bytes)?;
                char::from_u32(n as u32).map(|_| rest)
            }
            Ty::Str => {
                let (n, rest) = number(bytes)?;
                let (text, rest) = rest.split_at_checked(n)?;
                std::str::from_utf8(text).ok().map(|_| rest)
            }
            Ty::List(t) => {
                let (n, mut rest) = number(bytes)?;
                for _ in 0..n {
                    rest = t.skip(rest)?;
                }
                Some(rest)
            }
            Ty::Record(f) | Ty::Tuple(f) => f.iter().try_fold(bytes, |rest, t| t.skip(rest)),
            Ty::Flags(n) => {
                let (bits, rest) = bytes.split_at_checked(flag_bytes(*n))?;
                let bits = bits
                    .iter()
                    .rev()
                    .fold(0u64, |all, b| all << 8 | u64::from(*b));
                (bits < 1 << n).then_some(rest)
            }
            _ => unreachable!(),
        }
    }
}

fn flag_bytes(n: usize) -> usize {
    match n {
        1..=8 => 1,
        9..=16 => 2,
        _ => 4,
    }
}

fn character(rng: &mut Rng) -> char {
    let last = [0x7f, 0xff, 0x7ff, 0xd7ff, 0x10_ffff][rng.below(5)];
    char::from_u32(rng.below(last + 1) as u32).unwrap_or('x')
}
