//! Standard input, output and error, and files. One thread: a read waits for bytes and a write for room, here and nowhere
//! else.

use bytes::Bytes;
use std::io;
use std::os::fd::RawFd;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamError, StreamResult,
};

/// Most bytes read at a time: what a pipe holds.
const PART: usize = 64 << 10;

fn failed(e: io::Error) -> StreamError {
    StreamError::LastOperationFailed(e.into())
}

/// A system call that is begun anew when a signal cut it short.
fn retried(mut call: impl FnMut() -> isize) -> io::Result<usize> {
    loop {
        match usize::try_from(call()) {
            Ok(n) => return Ok(n),
            Err(_) => {
                let e = io::Error::last_os_error();
                if e.kind() != io::ErrorKind::Interrupted {
                    return Err(e);
                }
            }
        }
    }
}

/// Whoever reads at the other end may have ended: then the stream is closed.
fn write_all(fd: RawFd, mut bytes: &[u8]) -> StreamResult<()> {
    while !bytes.is_empty() {
        match retried(|| unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) }) {
            Ok(n) => bytes = &bytes[n..],
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Err(StreamError::Closed),
            Err(e) => return Err(failed(e)),
        }
    }
    Ok(())
}

/// Standard input out of a pipe. It is always ready to be asked: the answer then waits.
#[derive(Clone)]
pub struct Source(RawFd);

impl Source {
    pub fn new(fd: RawFd) -> Self {
        Source(fd)
    }
}

impl IsTerminal for Source {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Source {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncRead + Send + Sync> {
        Box::new(tokio::io::empty()) // WASI 0.3 only, which is not linked
    }
    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Source {
    async fn ready(&mut self) {}
}

#[async_trait]
impl InputStream for Source {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        let mut part = vec![0; size.min(PART)];
        let n = retried(|| unsafe { libc::read(self.0, part.as_mut_ptr().cast(), part.len()) });
        match n.map_err(failed)? {
            0 => Err(StreamError::Closed),
            n => {
                part.truncate(n);
                Ok(part.into())
            }
        }
    }
}

/// `struct cvm_engine_sink`
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SinkSpec {
    pub fd: RawFd,
    pub pipe: u32,
    pub max: u64,
}

/// Standard output or error: counted, and handed on where a channel takes it.
#[derive(Clone)]
pub struct Sink {
    spec: SinkSpec,
    written: Arc<AtomicU64>,
}

impl Sink {
    pub fn new(spec: SinkSpec) -> Self {
        Sink {
            spec,
            written: Arc::default(),
        }
    }

    pub fn bytes(&self) -> u64 {
        self.written.load(Relaxed)
    }
}

impl IsTerminal for Sink {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Sink {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink()) // WASI 0.3 only, which is not linked
    }
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Sink {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for Sink {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        let at = self.written.fetch_add(bytes.len() as u64, Relaxed);
        if self.spec.pipe != 0 && self.spec.fd >= 0 {
            return write_all(self.spec.fd, &bytes);
        }
        let room = self.spec.max.saturating_sub(at).min(bytes.len() as u64) as usize;
        let mut part = &bytes[..room];
        let mut offset = at;
        while self.spec.fd >= 0 && !part.is_empty() {
            // The descriptor is the channel's memfd, preallocated: a failure is for whoever reads the length to see.
            let n = unsafe {
                libc::pwrite(
                    self.spec.fd,
                    part.as_ptr().cast(),
                    part.len(),
                    offset as libc::off_t,
                )
            };
            if n <= 0 {
                break;
            }
            part = &part[n as usize..];
            offset += n as u64;
        }
        Ok(())
    }
    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }
    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(1 << 20)
    }
}

/// What the library does on this thread is done at the first look.
fn at_once<T>(work: impl Future<Output = StreamResult<T>>) -> StreamResult<T> {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => Err(StreamError::trap("a file made its reader wait")),
    }
}

/// A file's bytes. Where a guest does not want to wait, the library would read in a thread of its own; a file is always
/// ready, and read here.
pub struct FileInput(pub DynInputStream);

#[async_trait]
impl Pollable for FileInput {
    async fn ready(&mut self) {}
}

#[async_trait]
impl InputStream for FileInput {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new()); // the library would take it for the file's end
        }
        at_once(self.0.blocking_read(size))
    }
}

/// The same for writing.
pub struct FileOutput(pub DynOutputStream);

#[async_trait]
impl Pollable for FileOutput {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for FileOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        at_once(self.0.blocking_write_and_flush(bytes))
    }
    fn flush(&mut self) -> StreamResult<()> {
        self.0.flush()
    }
    fn check_write(&mut self) -> StreamResult<usize> {
        self.0.check_write()
    }
}
