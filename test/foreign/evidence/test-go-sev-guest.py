#!/usr/bin/env python3
"""Genuine evidence and random changes of it, judged by us and by go-sev-guest: test-go-sev-guest.py [CHANGES]

The verdicts must be equal, or the difference must be one of those that differences.json explains. The samples come with
go-sev-guest's own module, so that this runs in any clone that can build it."""
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import lib_judges as judges

CHANGES = int(sys.argv[1]) if len(sys.argv) > 1 else 5000


def bits(s: judges.Sample) -> int:
    """Every single bit of a report: also where no other sample lies beside the repository."""
    requests = []
    for bit in range(8 * len(s.parts[0])):
        report = bytearray(s.parts[0])
        report[bit // 8] ^= 1 << bit % 8
        requests.append(judges.request(s.kind, bytes(report), *s.parts[1:]))
    passed = [i for i, answer in enumerate(judges.ask(judges.OURS, requests, s.at)) if answer[0] != "0"]
    print(f"{len(requests)} single bits of a report changed, {len(requests) - len(passed)} refused")
    return len(passed)


def main() -> int:
    module = judges.build_go()
    if not module:
        print("skipped: go-sev-guest cannot be built here")
        return 77
    # The command itself, on what the module carries: no other file is needed.
    trust = module / "verify/trust"
    words = [judges.PROGRAM, "evidence", "verify", "--offline", "--at", "2025-06-01T00:00:00Z",
             module / "verify/testdata/attestation.bin"]
    done = subprocess.run([*words, module / "verify/testdata/vcek.testcer", *sorted(trust.glob("*.pem"))], capture_output=True)
    failures = int(done.returncode != 0)
    print(f"2cvm on the module's sample, all products' chains beside it: exit {done.returncode}")
    wrong = subprocess.run([*words, module / "verify/testdata/vcek.testcer", trust / "ask_ark_genoa.pem"], capture_output=True)
    failures += wrong.returncode != 1 or b"SEV-Milan" not in wrong.stdout
    print(f"2cvm with another product's chain: exit {wrong.returncode}")
    failures += bits(judges.go_samples(module)[0])
    failures += judges.compare("go-sev-guest", judges.GO, judges.go_samples(module) + judges.near_samples(), CHANGES)
    print("FAILED" if failures else "ok")
    return 1 if failures else 0


sys.exit(main())
