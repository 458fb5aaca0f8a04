#!/usr/bin/env python3
"""Genuine evidence and random changes of it, judged by us and by go-sev-guest: test-go-sev-guest.py [CHANGES]

The verdicts must be equal, or the difference must be one of those that differences.json explains. The samples come with
go-sev-guest's own module, so that this runs in any clone that can build it."""
import collections
import json
import pathlib
import random
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import lib_go as go

CHANGES = int(sys.argv[1]) if len(sys.argv) > 1 else 500
EXPLAINED = json.loads((go.HERE / "differences.json").read_text())
UNSIGNED = 0x330  # behind the signature: zeros that nothing protects, up to the report's end
PROGRAM = go.ROOT / "build/release/bin/2cvm"


def change(rng: random.Random, parts: list[bytes], others: list[bytes]) -> tuple[str, list[bytes]]:
    """One change of one part: a bit, a byte, a few bytes, an end cut or grown, or another sample's part."""
    out, k, how = list(parts), rng.choice((0, 0, 1, 1, 2, 3)), rng.randrange(8)
    data = bytearray(out[k])
    at = rng.randrange(len(data))
    if how < 4:
        data[at] ^= 1 << rng.randrange(8)
    elif how == 4:
        data[at] = rng.randrange(256)
    elif how == 5:
        for i in range(at, min(at + 4, len(data))):
            data[i] = rng.randrange(256)
    elif how == 6:
        data = data[:at] if rng.random() < 0.5 else data + bytes(rng.randrange(1, 5))
    else:
        data = bytearray(others[k])
    out[k] = bytes(data)
    if k == 0 and out[0][:UNSIGNED] == parts[0][:UNSIGNED]:
        return "tail", out
    return ("report", "leaf", "issuer", "root")[k], out


def explained(part: str, ours: str, theirs: str) -> str | None:
    for row in EXPLAINED:
        if row["ours"] == ours[0] and part in row["parts"] and row["words"] in (ours if row["ours"] == "0" else theirs):
            return row["why"]
    return None


def main() -> int:
    module = go.build()
    if not module:
        print("skipped: go-sev-guest cannot be built here")
        return 77
    samples = go.samples(module)
    failures = 0
    # The command itself, on what the module carries: no other file is needed.
    trust = module / "verify/trust"
    words = [PROGRAM, "evidence", "verify", "--offline", "--at", "2025-06-01T00:00:00Z", module / "verify/testdata/attestation.bin"]
    done = subprocess.run([*words, module / "verify/testdata/vcek.testcer", *sorted(trust.glob("*.pem"))], capture_output=True)
    failures += done.returncode != 0
    print(f"2cvm on the module's sample, all products' chains beside it: exit {done.returncode}")
    wrong = subprocess.run([*words, module / "verify/testdata/vcek.testcer", trust / "ask_ark_genoa.pem"], capture_output=True)
    failures += wrong.returncode != 1 or b"SEV-Milan" not in wrong.stdout
    print(f"2cvm with another product's chain: exit {wrong.returncode}")
    seen = collections.Counter()
    for name, kind, at, *parts in samples:
        others = samples[(samples.index((name, kind, at, *parts)) + 1) % len(samples)][3:]
        rng = random.Random(f"go-sev-guest {name}")
        cases = [("none", parts)] + [change(rng, parts, others) for _ in range(CHANGES // len(samples))]
        requests = [go.request(kind, *p) for _, p in cases]
        for (part, _), ours, theirs in zip(cases, go.ask(go.OURS, requests, at), go.ask(go.THEIRS, requests, at)):
            why = "both accept" if ours[0] == theirs[0] == "1" else "both refuse" if ours[0] == theirs[0] else \
                explained(part, ours, theirs)
            if part == "none" and ours[0] != "1":
                why = None
            seen[why or "NOT EXPLAINED"] += 1
            if not why and (failures := failures + 1) < 12:
                print(f"{name}, {part} changed:\n  ours   {ours}\n  theirs {theirs}")
    for why, n in seen.most_common():
        print(f"{n:7}  {why}")
    print("FAILED" if failures else "ok")
    return 1 if failures else 0


sys.exit(main())
