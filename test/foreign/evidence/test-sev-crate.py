#!/usr/bin/env python3
"""Genuine evidence and random changes of it, judged by us and by the sev crate, which snpguest stands on: test-sev-crate.py [CHANGES]

The verdicts must be equal, or the difference must be one of those that differences.json explains. The crate carries a sample
of its own, and the chain of a Turin chip."""
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import lib_judges as judges

CHANGES = int(sys.argv[1]) if len(sys.argv) > 1 else 5000


def command(folder: pathlib.Path, data: pathlib.Path) -> int:
    """The crate's files given to the command: Milan verifies; Turin's chain too, but it has signed another report."""
    report = folder / "report.bin"
    report.write_bytes(bytes.fromhex((data / "report_milan.hex").read_text()))
    failures = 0
    for line, code, words in (("milan", 0, b"VERIFIED"), ("turin", 1, b"VCEK under the root of Turin")):
        done = subprocess.run([judges.PROGRAM, "evidence", "verify", "--offline", "--at", "2025-06-01T00:00:00Z", report,
                               data / f"cert_chain_{line}", data / f"vcek_{line}.der"], capture_output=True)
        good = done.returncode == code and words in done.stdout
        print(f"2cvm with the chain of {line}: exit {done.returncode}, as it must be: {good}")
        failures += not good
    return failures


def main() -> int:
    crate = judges.build_sev()
    if not crate:
        print("skipped: the sev crate cannot be built here")
        return 77
    with tempfile.TemporaryDirectory() as d:
        failures = command(pathlib.Path(d), crate / "tests/certs_data")
    failures += judges.compare("sev", judges.SEV, judges.sev_samples(crate) + judges.near_samples(), CHANGES)
    print("FAILED" if failures else "ok")
    return 1 if failures else 0


sys.exit(main())
