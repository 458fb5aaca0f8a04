"""The class `vm` of scripts/bench: the measured guest in QEMU, each figure beside the least that the same kernel and the same line can do.

Starts are taken by turns, so that both sides see the same machine; medians are shown. Where something cannot be had, the reason
is printed and the figure left out."""
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
VM = ROOT / "test/e2e/vm"
sys.dont_write_bytecode = True
sys.path[:0] = [str(VM), str(ROOT / "guest-agent/image")]
import cpio  # noqa: E402
from lib_vm import GUEST, Machine, need  # noqa: E402

STARTS = 9
BLOCK = bytes(16384)
SWALLOWED = 8 << 20  # as in tool-echo.c
CLOUD = "linux-image-cloud-amd64"


def built(source: str, folder: pathlib.Path) -> bytes:
    program = folder / source
    subprocess.run(["cc", "-Os", "-static", "-s", "-D_GNU_SOURCE", "-o", program, VM / f"{source}.c"], check=True)
    return program.read_bytes()


def archive(folder: pathlib.Path, name: str, init: bytes, others: dict[str, bytes] | None = None) -> pathlib.Path:
    path = folder / name
    path.write_bytes(cpio.archive({"init": init, **(others or {})}))
    return path


def until_ready(m: Machine, mark: str = "2cvm-agent: ready") -> float:
    """Seconds from the start of QEMU until the guest says that it listens, to a few milliseconds."""
    end = time.monotonic() + 60
    while mark not in m.console():
        assert m.qemu.poll() is None and time.monotonic() < end, f"not ready: {m.console()}"
        time.sleep(0.003)
    return time.monotonic() - m.started


def processor(pid: int) -> float:
    """Seconds that all threads of a process have run."""
    files = pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(f.read_text().split()[0]) for f in files) / 1e9


def start(psp: bool, **more) -> tuple[float, float]:
    with Machine(psp=psp, **more) as m:
        if psp:
            m.accept_psp()
        return until_ready(m), processor(m.qemu.pid)


def starts(row, small: pathlib.Path) -> None:
    """By the clock, and by QEMU's processor time, which other work on the same machine disturbs less."""
    ours, least = [], []
    for _ in range(STARTS):
        least.append(start(False, initramfs=small))
        ours.append(start(True))
    for i, what in enumerate(("start of QEMU to ready", "QEMU's processor time until ready")):
        a, b = [x[i] for x in ours], [x[i] for x in least]
        value, ratio = statistics.median(a), statistics.median(a) / statistics.median(b)
        text = f"same kernel, an init that says hello: {statistics.median(b):.2f} s ({min(b):.2f} to {max(b):.2f}; ours {min(a):.2f} to {max(a):.2f})"
        row("vm", what, value, "s", text, ratio, "1.05", ratio <= 1.05)


def cloud_kernel(folder: pathlib.Path) -> pathlib.Path:
    """Debian's own, fetched by apt for this measurement and thrown away again."""
    said = subprocess.run(["apt-cache", "depends", "--important", CLOUD], capture_output=True, text=True, check=True).stdout
    package = re.search(r"Depends: (linux-image-\S+cloud-amd64\S*)", said).group(1)
    subprocess.run(["apt-get", "download", "-qq", package], cwd=folder, check=True, capture_output=True)
    deb = next(folder.glob("*.deb"))
    subprocess.run(["dpkg-deb", "-x", deb, folder / "cloud"], check=True)
    return next((folder / "cloud/boot").glob("vmlinuz-*"))


def sizes(row, folder: pathlib.Path) -> None:
    part = {n: (GUEST / "production" / n).stat().st_size for n in ("kernel", "initramfs")}
    total = sum(part.values()) / 1e6
    row("vm", "initramfs", part["initramfs"] / 1e6, "MB")
    try:
        cloud = cloud_kernel(folder)
    except (subprocess.CalledProcessError, OSError, AttributeError, StopIteration) as e:
        print(f"vm: no {CLOUD} to compare with: {e}", file=sys.stderr)
        row("vm", "kernel and initramfs", total, "MB")
        return
    theirs = (cloud.stat().st_size + part["initramfs"]) / 1e6
    row("vm", "kernel and initramfs", total, "MB", f"{cloud.name} with the same: {theirs:.1f} MB", total / theirs)


def resident(pid: int) -> float:
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+) kB$", text, re.M).group(1)) / 1024


def idle(row, small: pathlib.Path, full: pathlib.Path) -> None:
    """Half a second after the guest is ready. What the guest has left is said by our own init in the same archive: the agent says
    nothing of the kind to its host."""
    rss = []
    for psp, more in ((True, {}), (False, {"initramfs": small})):
        with Machine(psp=psp, **more) as m:
            if psp:
                m.accept_psp()
            until_ready(m)
            time.sleep(0.5)
            rss.append(resident(m.qemu.pid))
    row("vm", "idle guest of 512 MiB, QEMU resident", rss[0], "MiB", f"an init that says hello: {rss[1]:.0f} MiB", rss[0] / rss[1])
    left = []
    for initramfs in (full, small):
        with Machine(psp=False, initramfs=initramfs) as m:
            until_ready(m)
            total, available = map(int, re.search(r"memory: total (\d+) kB, available (\d+) kB", m.console()).groups())
            left.append(available / 1024)
    row("vm", "guest memory available, our archive", left[0], "MiB", f"of {total / 1024:.0f} MiB; with one small init: {left[1]:.0f} MiB",
        left[0] / left[1])


def trips(ask, times: int = 300) -> float:
    took = []
    for _ in range(times):
        begin = time.monotonic()
        ask()
        took.append(time.monotonic() - begin)
    return statistics.median(took) * 1e6


def exactly(s: socket.socket, n: int) -> None:
    while n:
        piece = s.recv(min(n, 65536))
        assert piece, "the guest has ended the connection"
        n -= len(piece)


def raw_line(small: pathlib.Path) -> tuple[float, float, float]:
    """Microseconds of a round trip; MB/s into the guest; MB/s out of it."""
    with Machine(psp=False, initramfs=small) as m:
        until_ready(m)

        def line(how: bytes) -> socket.socket:
            s = m.connect().socket
            s.sendall(how)
            return s

        echo = line(b"e")

        def one() -> None:
            echo.sendall(BLOCK[:40])
            exactly(echo, 40)

        trip = trips(one)
        echo.close()
        sink, begin = line(b"s"), time.monotonic()
        for _ in range(4):
            for _ in range(SWALLOWED // len(BLOCK)):
                sink.sendall(BLOCK)
            exactly(sink, 1)
        into = 4 * SWALLOWED / (time.monotonic() - begin) / 1e6
        sink.close()
        flood = line(b"f")
        exactly(flood, 1 << 20)
        begin = time.monotonic()
        exactly(flood, 4 * SWALLOWED)
        out = 4 * SWALLOWED / (time.monotonic() - begin) / 1e6
        flood.close()
    return trip, into, out


def agent_trip() -> float:
    with Machine() as m:
        m.accept_psp()
        until_ready(m)
        with m.connect() as agent:
            return trips(lambda: agent.ask(op="hello", version=1))


def life() -> list[tuple[float, str]]:
    """What test/e2e/vm/vm-life prints: seconds since the guest was ready, and the step that is done."""
    said = subprocess.run([sys.executable, VM / "vm-life"], capture_output=True, text=True, cwd=ROOT)
    if said.returncode:
        print(f"vm: vm-life: {said.stdout[-300:]}{said.stderr[-300:]}", file=sys.stderr)
        return []
    return [(float(t), what) for t, what in re.findall(r"^ +([\d.]+) s  (item \S+|sealed|releasing)$", said.stdout, re.M)]


def steps(row, into: float) -> None:
    """A whole collaboration with a component that is compiled in the guest, and 32 MiB of data."""
    before = 0.0
    done = life()
    for t, what in done:
        row("vm", f"attested to result: {what}", t - before, "s")
        if what == "item bulk" and t > before:
            rate = (32 << 20) / (t - before) / 1e6
            row("vm", "sealed data into the guest, opened there", rate, "MB/s", f"raw line: {into:.1f} MB/s", rate / into)
        before = t
    if done:
        row("vm", "attested to result", done[-1][0], "s")


def vm(row) -> None:
    try:
        need()
    except SystemExit:
        return
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as temporary:
        folder = pathlib.Path(temporary)
        echo = built("tool-echo", folder)
        small = archive(folder, "small", echo)
        hello = archive(folder, "hello", built("tool-hello", folder))
        full = folder / "full"
        # The image's own archive with another init behind it: the later file of a name wins.
        full.write_bytes((GUEST / "simulation/initramfs").read_bytes() + cpio.archive({"init": echo}))
        sizes(row, folder)
        starts(row, hello)
        idle(row, small, full)
        trip, into, out = raw_line(small)
        ours = agent_trip()
        row("vm", "round trip of a request", ours, "us", f"raw line: {trip:.0f} us", ours / trip)
        row("vm", "raw line into the guest", into, "MB/s")
        row("vm", "raw line out of the guest", out, "MB/s")
        steps(row, into)
