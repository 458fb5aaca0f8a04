"""What the classes of scripts/bench share: the rows, programs and their figures, a manifest's draft, a process's memory."""
import json
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build/release/bin"
ROWS: list[dict] = []
TABLES: list[str] = []  # printed behind the rows


def row(group: str, what: str, value: float, unit: str, against: str = "", ratio: float | None = None,
        goal: str = "", met: bool | None = None) -> None:
    ROWS.append({"class": group, "what": what, "value": value, "unit": unit, "against": against, "ratio": ratio,
                 "goal": goal, "met": met})


def run(*words, **more) -> str:
    return subprocess.run([str(w) for w in words], capture_output=True, text=True, check=True, cwd=ROOT, **more).stdout


def figures(program: str, *words) -> dict[str, tuple[float, str]]:
    lines = [json.loads(line) for line in run(BIN / program, *words).splitlines()]
    return {x["what"]: (x["value"], x["unit"]) for x in lines}


def draft(people: list[str], data: list[str], missing: list[str], clock: str) -> dict:
    """One component of the first participant, its standard output, and how it went."""
    return {
        "title": "A measurement", "participants": people,
        "isolate": {"platforms": ["sim-process"], "vcpus": 1, "waive": missing},
        "components": [{"id": "work", "owner": people[0], "grants": ["wasi:cli", "wasi:filesystem"], "clock": clock,
                        "random": "none", "limits": {"memory_bytes": 64 << 20, "cpu_ms": 60000, "wall_ms": 120000}}],
        "data": [{"id": x, "owner": people[0]} for x in data],
        "channels": [*({"kind": "file", "from": x, "to": "work", "to_path": f"in/{x}"} for x in data),
                     {"kind": "file", "from": "work", "from_path": "/dev/stdout", "to": "result"}],
        "outputs": [{"id": "result", "recipients": [people[0]], "max_bytes": 4096, "padding": "max"},
                    {"id": "how", "recipients": [people[0]], "max_bytes": 4096, "padding": "max", "diagnostics": True}],
    }


def memory(pid: int, field: str) -> float:
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{field}:\s+(\d+) kB$", text, re.M).group(1)) / 1024


def children(pid: int) -> list[int]:
    return [int(x) for x in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
