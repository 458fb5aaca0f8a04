//! Wire values as the engine's typed functions take them: types whose shape is decided at run time, by the number of core
//! values alone. The traits and their helpers are hidden ones of the engine, whose version is pinned exactly.
//!
//! * `Taken`: what a guest hands to an import. It only holds the core values and where the memory is; the import's own
//!   function lifts from there at once, because only that knows the region.
//! * `Given`: bytes of a region that a guest gets, as results of an import or as parameters of an export.
//! * `Kept`: results of an export, lifted at once (its post-return function runs right behind) to a place set before.
//!
//! `typecheck` admits exactly the functions whose number of core values these types hold, whatever their types: admission
//! compared those. On that number, and on the engine's word for the memory, rests every `unsafe` here.

use super::{Crossing, Encoding, Fault, Reader, Shape, Writer, lift, lower};
use crate::config::CALL_PARAMETERS_MAX;
use std::cell::Cell;
use std::mem::MaybeUninit;
use wasmtime::component::__internal::wasmtime_environ::component::{
    CanonicalOptions, StringEncoding,
};
use wasmtime::component::__internal::{
    CanonicalAbiInfo, ComponentTypes, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, Lower};
use wasmtime::{Result, ValRaw, bail};

pub struct Taken<const N: usize> {
    flat: [ValRaw; N],
    memory: *const [u8],
    encoding: Encoding,
}

pub struct Given<const N: usize, const MEMORY: bool> {
    shape: *const Shape,
    bytes: *const [u8],
}

pub struct Kept<const N: usize, const MEMORY: bool> {
    pub bytes: usize,
}

// SAFETY: one thread makes and uses them all; the engine asks for these of every type.
unsafe impl<const N: usize> Send for Taken<N> {}
unsafe impl<const N: usize> Sync for Taken<N> {}
unsafe impl<const N: usize, const MEMORY: bool> Send for Given<N, MEMORY> {}
unsafe impl<const N: usize, const MEMORY: bool> Sync for Given<N, MEMORY> {}

impl<const N: usize> Taken<N> {
    /// Lifts what was taken.
    ///
    /// # Safety
    /// The guest has not run since the engine made this.
    pub unsafe fn lift(&self, shape: &Shape, region: &mut [u8]) -> Crossing<usize> {
        if shape.flat as usize != N {
            return Err(Fault::Memory);
        }
        let guest = lift::Guest {
            memory: unsafe { &*self.memory },
            encoding: self.encoding,
        };
        let mut out = Writer::new(region);
        lift::from_flat(guest, shape, &self.flat, &mut out)?;
        Ok(out.written())
    }
}

impl<const N: usize, const MEMORY: bool> Given<N, MEMORY> {
    /// # Safety
    /// Both outlive the value, and nobody writes to the bytes meanwhile.
    pub unsafe fn new(shape: &Shape, bytes: &[u8]) -> Self {
        Given { shape, bytes }
    }

    fn parts(&self) -> (&Shape, Reader<'_>) {
        // SAFETY: as `new` asked.
        unsafe { (&*self.shape, Reader::new(&*self.bytes)) }
    }
}

/// Where the results of the export that is running go.
#[derive(Clone, Copy)]
struct Place {
    shape: *const Shape,
    region: *mut [u8],
}

thread_local! {
    static PLACE: Cell<Option<Place>> = const { Cell::new(None) };
}

/// Runs `call`; what it keeps is lifted to `region`.
///
/// # Safety
/// Nobody else reads or writes the region while results are lifted, which is after the guest's function has returned.
pub unsafe fn keeping<T>(shape: &Shape, region: *mut [u8], call: impl FnOnce() -> T) -> T {
    PLACE.set(Some(Place { shape, region }));
    let r = call();
    PLACE.set(None);
    r
}

impl<const N: usize, const MEMORY: bool> Kept<N, MEMORY> {
    fn lift(
        cx: &LiftContext<'_>,
        ty: InterfaceType,
        from: impl FnOnce(lift::Guest<'_>, &Shape, &mut Writer<'_>) -> Crossing<()>,
    ) -> Result<Self> {
        let Some(place) = PLACE.take() else {
            bail!("no place for results");
        };
        // SAFETY, here and below: `keeping` is on the stack, and holds both for us.
        let shape = unsafe { &*place.shape };
        check_layout(shape, ty, cx.types)?;
        let guest = lift::Guest {
            memory: cx.memory(),
            encoding: encoding(cx.options()),
        };
        let mut out = unsafe { Writer::new(&mut *place.region) };
        from(guest, shape, &mut out)?;
        Ok(Kept {
            bytes: out.written(),
        })
    }
}

fn encoding(options: &CanonicalOptions) -> Encoding {
    match options.string_encoding {
        StringEncoding::Utf8 => Encoding::Utf8,
        StringEncoding::Utf16 => Encoding::Utf16,
        StringEncoding::CompactUtf16 => Encoding::Compact,
    }
}

/// Exactly N core values; or, through memory, more than the one that a function may return.
fn check_flat(ty: &InterfaceType, types: &InstanceType<'_>, n: usize, memory: bool) -> Result<()> {
    let InterfaceType::Tuple(i) = ty else {
        bail!("not a function's parameters or results");
    };
    let abi = &types.types[*i].abi;
    let fits = if memory {
        abi.flat_count(1).is_none()
    } else {
        abi.flat_count(CALL_PARAMETERS_MAX as usize) == Some(n)
    };
    if !fits {
        bail!("another number of core values");
    }
    Ok(())
}

/// What the engine reserves for the type is what we take.
fn check_layout(shape: &Shape, ty: InterfaceType, types: &ComponentTypes) -> Result<()> {
    let InterfaceType::Tuple(i) = ty else {
        bail!("not a function's parameters or results");
    };
    let abi = &types[i].abi;
    if (shape.size, shape.align) != (abi.size32, abi.align32) {
        bail!("another layout");
    }
    Ok(())
}

macro_rules! component_type {
    ([$($generics:tt)*] $name:ty, $memory:expr) => {
        // SAFETY: `Lower` is N adjacent core values, which `check_flat` compares. Size and alignment are not used for
        // what is passed flat; through memory, offset and room are checked against the real type by the engine (lowering)
        // or by us (lifting).
        unsafe impl<$($generics)*> ComponentType for $name {
            type Lower = [ValRaw; N];
            const ABI: CanonicalAbiInfo = CanonicalAbiInfo {
                size32: 0,
                align32: 1,
                size64: 0,
                align64: 1,
                flat_count: Some(N as u8),
            };
            fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
                check_flat(ty, types, N, $memory)
            }
        }
        // SAFETY: a list of values, as `typecheck` sees it.
        unsafe impl<$($generics)*> ComponentNamedList for $name {}
    };
}

component_type!([const N: usize] Taken<N>, false);
component_type!([const N: usize, const MEMORY: bool] Given<N, MEMORY>, MEMORY);
component_type!([const N: usize, const MEMORY: bool] Kept<N, MEMORY>, MEMORY);

// SAFETY: copies what it is given.
unsafe impl<const N: usize> Lift for Taken<N> {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        _: InterfaceType,
        flat: &[ValRaw; N],
    ) -> Result<Self> {
        Ok(Taken {
            flat: *flat,
            memory: cx.memory(),
            encoding: encoding(cx.options()),
        })
    }
    fn linear_lift_from_memory(
        _: &mut LiftContext<'_>,
        _: InterfaceType,
        _: &[u8],
    ) -> Result<Self> {
        bail!("parameters in memory");
    }
}

// SAFETY: reads core values that the engine has initialised, and memory within bounds that it checks.
unsafe impl<const N: usize, const MEMORY: bool> Lift for Kept<N, MEMORY> {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        flat: &[ValRaw; N],
    ) -> Result<Self> {
        Self::lift(cx, ty, |guest, shape, out| {
            if shape.flat as usize != N {
                return Err(Fault::Memory);
            }
            lift::from_flat(guest, shape, flat, out)
        })
    }
    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        bytes: &[u8],
    ) -> Result<Self> {
        // An empty slice of the memory, at the right place.
        let at = bytes.as_ptr() as usize - cx.memory().as_ptr() as usize;
        Self::lift(cx, ty, |guest, shape, out| {
            let at = u32::try_from(at).map_err(|_| Fault::Memory)?;
            lift::from_memory(guest, shape, at, out)
        })
    }
}

struct Target<'a, 'b, T: 'static>(&'a mut LowerContext<'b, T>);

impl<T: 'static> lower::Guest for Target<'_, '_, T> {
    fn memory(&mut self) -> &mut [u8] {
        self.0.as_slice_mut()
    }
    fn encoding(&self) -> Encoding {
        encoding(self.0.options())
    }
    fn allocate(&mut self, align: u32, bytes: u32) -> Result<u32> {
        let at = self.0.realloc(0, 0, align, bytes as usize)?;
        Ok(u32::try_from(at)?)
    }
}

// SAFETY: all of `flat` is written before it is given back; memory is written within bounds that are checked.
unsafe impl<const N: usize, const MEMORY: bool> Lower for Given<N, MEMORY> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        flat: &mut MaybeUninit<[ValRaw; N]>,
    ) -> Result<()> {
        let (shape, mut wire) = self.parts();
        check_layout(shape, ty, cx.types)?;
        if shape.flat as usize != N {
            return Err(Fault::Memory.into());
        }
        let flat = flat.write([ValRaw::u64(0); N]);
        lower::to_flat(&mut Target(cx), shape, flat, &mut wire)?;
        Ok(wire.end()?)
    }
    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        at: usize,
    ) -> Result<()> {
        let (shape, mut wire) = self.parts();
        check_layout(shape, ty, cx.types)?;
        lower::to_memory(&mut Target(cx), shape, u32::try_from(at)?, &mut wire)?;
        Ok(wire.end()?)
    }
}
