"""A real virtual machine for tests: QEMU without memory encryption, its vsock through vhost-device-vsock, a folder for all of it.

The host's side of vsock is Unix sockets: one to connect to a port of the guest ("CONNECT 1024"), and a listener for each port
of the host that the guest connects to."""
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
GUEST = ROOT / "build/guest"
BACKEND = ROOT / "build/tools/bin/vhost-device-vsock"
AGENT_PORT, DEVICE_PORT = 1024, 1025
REQUEST, RESPONSE, DATA, END, EVENT = 1, 2, 3, 4, 5


def skip(why: str) -> None:
    print(f"skipped: {why}")
    sys.exit(77)


def need() -> None:
    """What a machine must have, or exit 77."""
    if not shutil.which("qemu-system-x86_64"):
        skip("no qemu-system-x86_64 (./run test vm installs it)")
    if not BACKEND.exists():
        skip("no vhost-device-vsock (./run test vm builds it)")
    for kind in ("simulation", "production"):
        if not (GUEST / kind / "kernel").exists():
            skip("no guest image (./run image makes it)")


class Frames:
    """The protocol's frames over one connection (doc/PROTOCOL.md section 7)."""

    def __init__(self, s: socket.socket) -> None:
        self.socket, self.stream = s, 0

    def send(self, kind: int, stream: int, payload: bytes) -> None:
        self.socket.sendall(struct.pack(">IBI", len(payload) + 5, kind, stream) + payload)

    def receive(self) -> tuple[int, int, bytes]:
        length, kind, stream = struct.unpack(">IBI", self.exactly(9))
        return kind, stream, self.exactly(length - 5)

    def exactly(self, n: int) -> bytes:
        out = b""
        while len(out) < n:
            piece = self.socket.recv(n - len(out))
            if not piece:
                raise EOFError("the guest has ended the connection")
            out += piece
        return out

    def ask(self, **control) -> dict:
        self.stream += 1
        self.send(REQUEST, self.stream, json.dumps(control, sort_keys=True, separators=(",", ":")).encode())
        while True:
            kind, stream, payload = self.receive()
            if kind == RESPONSE and stream == self.stream:
                return json.loads(payload)
            assert kind == EVENT, f"a frame of type {kind}"

    def closed(self) -> bool:
        """Whether the guest ends the connection, events before it passed over."""
        try:
            while True:
                self.receive()
        except (EOFError, ConnectionError):
            return True
        except TimeoutError:
            return False

    def __enter__(self) -> "Frames":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()


def connect_guest(vsock: pathlib.Path, port: int = AGENT_PORT) -> Frames:
    """To a port of a guest, at the host's end of its vsock."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(30)
    s.connect(str(vsock))
    s.sendall(b"CONNECT %d\n" % port)
    answer = b""
    while not answer.endswith(b"\n"):
        byte = s.recv(1)
        if not byte:
            raise ConnectionRefusedError(f"nothing listens at port {port} of the guest")
        answer += byte
    assert answer.startswith(b"OK "), answer
    return Frames(s)


class Machine:
    def __init__(self, image: str = "simulation", memory_mib: int = 512, vcpus: int = 2, cmdline: str | None = None,
                 psp: bool = True, extra: list[str] | None = None, before=None,
                 initramfs: pathlib.Path | None = None) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="2cvm-vm-"))
        self.console_file = self.folder / "console"
        files = GUEST / image
        if before:
            before(self.folder)
        self.psp = None
        if psp:
            self.psp = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.psp.bind(str(self.folder / f"v_{DEVICE_PORT}"))
            self.psp.listen(1)
            self.psp.settimeout(60)
        self.backend = subprocess.Popen([BACKEND, "--guest-cid", "3", "--socket", self.folder / "vhost", "--uds-path", self.folder / "v"],
                                        stdout=subprocess.DEVNULL, stderr=(self.folder / "backend").open("wb"))
        self.wait_for(lambda: (self.folder / "vhost").exists(), "the vsock backend")
        self.started = time.monotonic()
        self.qemu = subprocess.Popen([
            "qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot", "-no-user-config",
            "-machine", "q35,accel=tcg,memory-backend=ram", "-cpu", "max", "-smp", str(vcpus), "-m", str(memory_mib),
            "-object", f"memory-backend-memfd,id=ram,size={memory_mib}M,share=on",
            "-chardev", f"socket,id=vsock,path={self.folder}/vhost", "-device", "vhost-user-vsock-pci-non-transitional,chardev=vsock",
            "-serial", f"file:{self.console_file}",
            "-kernel", str(files / "kernel"), "-initrd", str(initramfs or files / "initramfs"),
            "-append", cmdline or (files / "cmdline").read_text(), *(extra or [])],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(self.folder / "qemu").open("wb"))

    def wait_for(self, what, name: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, f"{name} did not come within {seconds} s; console:\n{self.console()}"
            time.sleep(0.02)

    def console(self) -> str:
        return self.console_file.read_text(errors="replace") if self.console_file.exists() else ""

    def accept_psp(self) -> socket.socket:
        """The guest's connection to its evidence device."""
        return self.psp.accept()[0]

    def connect(self, port: int = AGENT_PORT) -> Frames:
        return connect_guest(self.folder / "v", port)

    def ready(self) -> None:
        self.wait_for(lambda: "2cvm-agent: ready" in self.console() or self.qemu.poll() is not None, "the agent")
        assert self.qemu.poll() is None, f"the machine has ended:\n{self.console()}{(self.folder / 'qemu').read_text()}"

    def ended(self, seconds: float = 60) -> int:
        """Waits until the guest has powered itself off."""
        try:
            return self.qemu.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the machine still runs after {seconds} s:\n{self.console()}") from None

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_) -> None:
        for p in (self.qemu, self.backend):
            if p.poll() is None:
                p.kill()
            p.wait()
        if self.psp:
            self.psp.close()
        if os.environ.get("KEEP") is None:
            shutil.rmtree(self.folder)
