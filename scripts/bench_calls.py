"""The class `calls` of scripts/bench: a call from cell to cell beside every other way that the same call can go, all in one run.

The goals of the lists are held against memcpy of the same bytes with both blocks in the core's own cache, the hardest measure that
there is (benchmarks/README.md says what else stands beside it, and why)."""
import json
import pathlib
import re
import subprocess
import sys
import time

from bench_parts import BIN, ROOT, TABLES, children, draft, figures, memory, row, run
from demo_parts import Demo

CALLS = {"empty": "empty", **{f"{what}-{kib}": f"{kib} KiB {text}" for kib in (64, 1024) for what, text in (
    ("take-bytes", "list<u8> to the callee"), ("give-bytes", "list<u8> back"),
    ("take-numbers", "list<f64> to the callee"), ("give-numbers", "list<f64> back"))}}
FOLDER = ROOT / "build/bench-calls"
STOCK = " ".join(re.search(r"^(wasmtime)==(\S+)", (ROOT / "benchmarks/requirements.txt").read_text(), re.M).groups())


def component(world: str, *sources: str) -> pathlib.Path:
    out = FOLDER / f"{world}.wasm"
    run("scripts/build-component", "--world", world, "--wit", "benchmarks/calls", *(f"benchmarks/calls/{x}.c" for x in sources), out)
    return out


def by_call(program: str, *words) -> dict[str, float]:
    """Microseconds a call."""
    return {what: us for what, (us, _) in figures(program, *words).items()}


def one_component() -> None:
    """The path of a call in one process, each direction alone. Figures with a region are held against memcpy of the same bytes."""
    code = FOLDER / "bench.cwasm"
    run(BIN / "compile-calls", component("bench", "caller", "callee", "memory"), code, "bench")
    got = by_call("bench-calls", code)
    for what, us in got.items():
        plain = got.get("memcpy, " + what.rsplit(", ", 1)[1]) if what.endswith("KiB") and not what.startswith("memcpy") else None
        row("calls", what, us, "us", f"memcpy: {plain:.1f} us" if plain else "", us / plain if plain else None,
            "4" if plain else "", us <= 4 * plain if plain else None)


def composed(caller: pathlib.Path, callee: pathlib.Path) -> pathlib.Path:
    """Both as parts of one component, compiled for the engine of a cell."""
    both, code = FOLDER / "composed.wasm", FOLDER / "composed.cwasm"
    run(ROOT / "build/venv/bin/wasm-tools", "compose", caller, "-d", callee, "-o", both)
    run(BIN / "compile-calls", both, code, "composed")
    return code


def stock() -> pathlib.Path | None:
    """The library with the C API of the engine's makers, as they publish it."""
    subprocess.run(["scripts/setup", "bench"], cwd=ROOT, stdout=sys.stderr)
    library = next(ROOT.glob("build/venv/lib/python3*/site-packages/wasmtime/linux-*/_libwasmtime.so"), None)
    if not library:
        print(f"calls: {STOCK} is not to be had here", file=sys.stderr)
    return library


WORDS = {"ask": ["--command", "--world", "caller", "--wit", "wit", "ask.c"], "work": ["--world", "library", "--wit", "wit", "work.c"],
         "pour": ["pour.c"], "drain": ["drain.c"]}


def call_channel(caller: str, callee: str) -> dict:
    return {"kind": "call", "from": caller, "to": callee, "interface": "bench:calls/work@1.0.0", "max_calls": 1 << 30,
            "max_bytes": 1 << 40, "max_call_bytes": 1 << 20}


def together(name: str, components: dict[str, tuple[str, dict]], channels: list[dict], looks=None) -> dict[str, dict]:
    """Components that run together, in cells of one collaboration: what each `ask` or `drain` said, and the diagnostics of all.
    `components`: id -> (word of WORDS, more members); `looks` is called with the agent's process while they run."""
    people = {"owner": "Owner"}
    say = [x for x, (kind, _) in components.items() if kind in ("ask", "drain")]
    play = Demo(name, "sim-process", {
        "folder": "benchmarks/between", "build": {x: WORDS[kind] for x, (kind, _) in components.items()}, "people": people,
        "items": [("owner", x, f"{x}.wasm", 262144, []) for x in components], "outputs": {f"said-{x}": ["owner"] for x in say}})
    play.prepare()
    play.build()
    try:
        play.know_each_other()
        play.pack()
        made = draft(list(people), [], play.health("host").get("protections_missing", []), "host")
        grants = {"grants": ["wasi:cli", "wasi:filesystem"], "clock": "host"}
        made["components"] = [
            {"id": x, "owner": "owner", "kind": "library" if kind == "work" else "command", "random": "none",
             **(grants if kind != "work" else {"grants": [], "clock": "none"}), **more,
             "limits": {"memory_bytes": 64 << 20, "cpu_ms": 300000, "wall_ms": 600000}} for x, (kind, more) in components.items()]
        made["channels"] = [*channels, *({"kind": "file", "from": x, "from_path": "/dev/stdout", "to": f"said-{x}"} for x in say)]
        made["outputs"] = [*({"id": f"said-{x}", "recipients": ["owner"], "max_bytes": 4096, "padding": "max"} for x in say),
                           made["outputs"][1]]
        path = play.folder / "owner/draft.json"
        path.write_text(json.dumps(made))
        uuid = play.agree("manifest", path)
        play.commit("manifest")
        play.operator("launch", uuid)
        play.wait_state("owner", uuid, "attested")
        play.upload(uuid)
        play.release("owner", uuid)
        if looks:
            play.wait_state("owner", uuid, "running")
            looks(int(next(play.folder.glob("host/state/isolates/*/agent.pid")).read_text().split()[0]))
        play.wait_state("owner", uuid, "closed")
        play.fetch(uuid)
        lines = {x: dict(line.split() for line in play.opened("owner", uuid, f"said-{x}").read_text().splitlines()) for x in say}
        return {x: {k: float(v) for k, v in words.items()} for x, words in lines.items()}
    finally:
        play.stop_hosts()


def best(*runs: dict[str, float]) -> dict[str, float]:
    return {what: min(x[what] for x in runs) for what in runs[0]}


def three_copies(kib: int | str) -> str:
    return f"three copies of {kib} KiB through three processes"


def times(ratio: float) -> str:
    """How many times as long, or the fraction of it."""
    x, of = (ratio, "") if ratio >= 1 else (1 / ratio, "1/")
    return f"{of}{x:.0f}" if x >= 100 else f"{of}{x:.3g}"


def side_by_side(cells: dict[str, float], ways: dict[str, dict[str, float]]) -> None:
    """One line a call, one column a way: microseconds, and how many times as long the call between cells takes."""
    lines = [f"{'one call, us (cells take so many times as long)':<50}{'cells':>9}" + "".join(f"{way:>24}" for way in ways)]
    for call, text in CALLS.items():
        line = f"{text:<50}{cells[call]:>9.2f}"
        for way, got in ways.items():
            if call not in got:
                line += f"{'-':>24}"
                continue
            ratio = cells[call] / got[call]
            row("ways", f"{text}, {way}", got[call], "us", "cells", ratio)
            line += f"{got[call]:>15,.3f}{'(' + times(ratio) + ')':>9}"
        lines.append(line)
    TABLES.append("\n".join(lines))


def values(cells: dict[str, float], plain: dict[str, float], ping: float) -> None:
    """What a value adds to a call, against copies of its bytes."""
    for kib in (64, 1024):
        hot, cold = (plain[f"memcpy of {kib} KiB, {x}"] for x in ("hot", "cold"))
        for call, text in CALLS.items():
            if call.endswith(f"-{kib}"):
                us = cells[call] - cells["empty"]
                row("calls", f"{text}, beyond the round trip", us, "us", f"memcpy, hot: {hot:.1f} us; cold: {cold:.1f} us ({us / cold:.2f})",
                    us / hot, "4", us <= 4 * hot)
        floor = plain[three_copies(kib)] - ping
        row("calls", f"{kib} KiB, the same copies in 3 bare processes", floor, "us", f"memcpy, hot: {hot:.1f} us", floor / hot)
    parts = plain["1024 KiB through them in parts of 256 KiB"] - ping
    row("calls", "1024 KiB, in 3 bare processes, 256 KiB at a time", parts, "us", f"memcpy, hot: {hot:.1f} us; 3 more round trips in it", parts / hot)


def between_cells() -> None:
    """A caller's own clock, against the same wake-ups without cells, copies in memory, and the same calls in one process. Three
    times by turns: all see the same machine."""
    caller, callee = component("caller", "caller", "memory"), component("callee", "callee", "memory")
    both, library = composed(caller, callee), stock()
    said, plains, one_store, by_stock, streams = [], [], [], [], []
    for _ in range(3):
        plains.append({what: value for what, (value, _) in figures("bench-between").items()})
        got = together("calls", {"ask": ("ask", {"args": ["200"]}), "work": ("work", {})}, [call_channel("ask", "work")])["ask"]
        said.append({what: ns / 1e3 for what, ns in got.items()})
        one_store.append(by_call("bench-composed", both))
        by_stock.append(by_call("bench-stock", library, caller, callee) if library else {})
        streams.append(stream())
    plain, cells = best(*plains), best(*said)
    ping = plain["bare ping-pong through a third process"]
    row("calls", "round trip of an empty call", cells["empty"], "us", f"bare ping-pong of 3 processes: {ping:.1f} us",
        cells["empty"] / ping, "1.5", cells["empty"] <= 1.5 * ping)
    values(cells, plain, ping)
    sizes = {call: call.rsplit("-", 1)[1] for call in CALLS if call != "empty"}
    side_by_side(cells, {
        "3 bare processes": {"empty": ping, **{c: plain[three_copies(kib)] for c, kib in sizes.items()}},
        "composed, one store": best(*one_store), f"{STOCK} C API": best(*by_stock),
        **{f"memcpy, {x}": {c: plain[f"memcpy of {kib} KiB, {x}"] for c, kib in sizes.items()} for x in ("hot", "cold")}})
    fast, small = (max(x[what] for x in plains) for what in ("a pipe between two processes", "a pipe, 4 KiB a write"))
    row("calls", "a stream between two cells", max(streams), "MB/s", f"a pipe: {fast:.0f} MB/s; 4 KiB a write, as WASI's: {small:.0f} MB/s",
        max(streams) / fast)


def many_cells() -> None:
    for pairs in (1, 2, 4):
        parts = {f"ask-{i}": ("ask", {"args": ["100", "empty"]}) for i in range(pairs)} | {
            f"work-{i}": ("work", {}) for i in range(pairs)}
        got = together(f"calls-{2 * pairs}", parts, [call_channel(f"ask-{i}", f"work-{i}") for i in range(pairs)])
        mean = sum(x["mean"] for x in got.values()) / pairs / 1e3
        row("calls", f"{2 * pairs} cells, mean round trip of each pair", mean, "us", f"all pairs: {pairs / mean * 1e6:.0f} calls/s")


def fresh_process() -> None:
    fresh = together("calls-fresh", {"ask": ("ask", {"args": ["1", "empty"]}), "work": ("work", {"instance": "call"})},
                     [call_channel("ask", "work")])["ask"]["empty"] / 1e6
    row("calls", "a call with a process of its own", fresh, "ms")


def memory_of_a_cell() -> None:
    resident: list[float] = []

    def look(agent: int) -> None:
        time.sleep(1)
        resident.extend(memory(pid, "VmRSS") for pid in children(agent))

    together("calls-memory", {"ask": ("ask", {"args": ["600", "empty"]}), "work": ("work", {})}, [call_channel("ask", "work")], look)
    if resident:
        row("calls", "memory that a cell adds, resident", max(resident), "MiB", goal="5", met=max(resident) <= 5)


def stream() -> float:
    """MB/s, by the reader's own clock, through the agent between."""
    return together("calls-stream", {"pour": ("pour", {"args": ["256"]}), "drain": ("drain", {})},
                    [{"kind": "stream", "from": "pour", "from_path": "/dev/stdout", "to": "drain", "to_path": "/dev/stdin",
                      "max_bytes": 1 << 30}])["drain"]["stream"] / 1e6


def decisions() -> None:
    """Flat: a decision on one of 1,000 channels takes no longer than on one of 10, but for what a clock's noise is."""
    got = {what: ns for what, (ns, _) in figures("bench-policy").items() if "call" in what}
    few = got["one decision on a call, 10 channels"]
    for what, ns in got.items():
        row("calls", f"policy, {what}", ns, "ns", f"10 channels: {few:.1f} ns", ns / few, "flat: 1.5", ns <= 1.5 * few)


def calls() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    one_component()
    between_cells()
    many_cells()
    fresh_process()
    memory_of_a_cell()
    decisions()
