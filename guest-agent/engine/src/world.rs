//! What a component finds around it: clocks, randomness, limits. All by the manifest.

use crate::config::{CLOCK_HOST, Options, RANDOM_SEEDED};
use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, Result};
use wasmtime_wasi::p2::Pollable;
use wasmtime_wasi::{
    HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView, async_trait,
};

/// Clock "fixed", and what stands behind "none", where no function reaches it.
pub struct FixedWall;

impl HostWallClock for FixedWall {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }
    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

const TICK: u64 = 1000;

#[derive(Clone, Default)]
pub struct FixedMonotonic(Arc<AtomicU64>);

impl HostMonotonicClock for FixedMonotonic {
    fn resolution(&self) -> u64 {
        TICK
    }
    fn now(&self) -> u64 {
        self.0.fetch_add(TICK, Relaxed) + TICK
    }
}

/// The monotonic clock as the guest sees it, and waiting on it without another thread.
#[derive(Clone)]
pub enum Monotonic {
    Fixed(FixedMonotonic),
    Host(Instant),
}

impl Monotonic {
    pub fn now(&self) -> u64 {
        match self {
            Monotonic::Fixed(clock) => clock.0.load(Relaxed),
            Monotonic::Host(start) => start.elapsed().as_nanos() as u64,
        }
    }

    fn wait_until(&self, deadline: u64) {
        match self {
            Monotonic::Fixed(clock) => {
                clock.0.fetch_max(deadline, Relaxed);
            }
            Monotonic::Host(_) => {
                std::thread::sleep(Duration::from_nanos(deadline.saturating_sub(self.now())));
            }
        }
    }
}

impl HostMonotonicClock for Monotonic {
    fn resolution(&self) -> u64 {
        match self {
            Monotonic::Fixed(_) => TICK,
            Monotonic::Host(_) => 1,
        }
    }
    fn now(&self) -> u64 {
        match self {
            Monotonic::Fixed(clock) => clock.now(),
            Monotonic::Host(_) => Monotonic::now(self),
        }
    }
}

/// A wait of the guest. All else that it can wait for is ready at once, so the first look only gives the others their
/// turn, and the second one sleeps.
pub struct Deadline {
    pub clock: Monotonic,
    pub at: u64,
}

struct Wait<'a> {
    deadline: &'a Deadline,
    looked: bool,
}

impl Future for Wait<'_> {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.deadline.clock.now() >= self.deadline.at {
            return Poll::Ready(());
        }
        if self.looked {
            self.deadline.clock.wait_until(self.deadline.at);
            return Poll::Ready(());
        }
        self.looked = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[async_trait]
impl Pollable for Deadline {
    async fn ready(&mut self) {
        Wait {
            deadline: self,
            looked: false,
        }
        .await
    }
}

/// All linear memories and tables of the cell draw on one budget.
pub struct Limits {
    left: u64,
    memory: u64,
    pub most: u64,
    pub refused: Arc<AtomicBool>,
}

const TABLE_ELEMENT: u64 = 16; // bytes of ours for one element of a table

impl Limits {
    pub fn new(bytes: u64) -> Self {
        Limits {
            left: bytes,
            memory: 0,
            most: 0,
            refused: Arc::default(),
        }
    }

    fn take(&mut self, bytes: u64) -> bool {
        let ok = bytes <= self.left;
        if ok {
            self.left -= bytes;
        } else {
            self.refused.store(true, Relaxed);
        }
        ok
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        max: Option<usize>,
    ) -> Result<bool> {
        if max.is_some_and(|m| desired > m) {
            return Ok(false); // its own declared maximum, not our limit
        }
        let more = desired.saturating_sub(current) as u64;
        if !self.take(more) {
            return Ok(false);
        }
        self.memory += more;
        self.most = self.most.max(self.memory);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> Result<()> {
        self.refused.store(true, Relaxed);
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        max: Option<usize>,
    ) -> Result<bool> {
        if max.is_some_and(|m| desired > m) {
            return Ok(false);
        }
        let more = desired.saturating_sub(current) as u64;
        Ok(self.take(more.saturating_mul(TABLE_ELEMENT)))
    }
}

pub struct World {
    pub table: ResourceTable,
    pub wasi: WasiCtx,
    pub clock: Monotonic,
    pub limits: Limits,
}

impl WasiView for World {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// One stream of the component's seed: ChaCha20 (RFC 8439's block function, 64-bit counter from 0), key = seed, the stream's
/// number as the 64-bit nonce. 0: wasi:random/random, 1: wasi:random/insecure, 2: wasi:random/insecure-seed.
fn stream(seed: &[u8; 32], number: u64) -> ChaCha20Rng {
    let mut rng = ChaCha20Rng::from_seed(*seed);
    rng.set_stream(number);
    rng
}

/// Clocks and randomness of a context. Where the manifest grants none, fixed ones stand behind functions that nothing links.
pub fn set_clock_and_random(
    builder: &mut WasiCtxBuilder,
    o: &Options,
    seed: &[u8; 32],
) -> Monotonic {
    use chacha20::rand_core::Rng;
    let clock = if o.clock == CLOCK_HOST {
        Monotonic::Host(Instant::now())
    } else {
        builder.wall_clock(FixedWall);
        Monotonic::Fixed(FixedMonotonic::default())
    };
    builder.monotonic_clock(clock.clone());
    if o.random <= RANDOM_SEEDED {
        let mut first = stream(seed, 2);
        let low = first.next_u64() as u128;
        let high = first.next_u64() as u128;
        builder.secure_random(stream(seed, 0));
        builder.insecure_random(stream(seed, 1));
        builder.insecure_random_seed(high << 64 | low);
    }
    clock
}
