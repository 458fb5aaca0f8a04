"""Our verifier and go-sev-guest, asked in the same words: what the test and the benchmark share."""
import pathlib
import shutil
import struct
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
OURS = ROOT / "build/release/bin/tool-evidence"
THEIRS = ROOT / "build/tools/bin/evidence-by-go-sev-guest"
MODULE = "github.com/google/go-sev-guest"


def der(data: bytes) -> list[bytes]:
    """Every certificate of a file, DER or PEM."""
    import base64
    import re
    if data[:1] == b"\x30":
        return [data]
    return [base64.b64decode(x) for x in re.findall(rb"-----BEGIN CERTIFICATE-----(.*?)-----END", data, re.S)]


def build() -> pathlib.Path | None:
    """Builds their program; the folder of their module, which carries genuine evidence. go.sum pins both."""
    if not shutil.which("go"):
        return None
    THEIRS.parent.mkdir(parents=True, exist_ok=True)
    folder = HERE / "go-sev-guest"
    done = subprocess.run(["nice", "go", "build", "-o", THEIRS, "."], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr.strip())
        return None
    return pathlib.Path(subprocess.run(["go", "list", "-m", "-f", "{{.Dir}}", MODULE], cwd=folder, check=True,
                                       capture_output=True, text=True).stdout.strip())


def request(kind: str, report: bytes, leaf: bytes, issuer: bytes, root: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(x)) + x for x in (kind.encode(), report, leaf, issuer, root))


def ask(program: pathlib.Path, requests: list[bytes], at: int, times: int = 1) -> list[str]:
    done = subprocess.run([program, "-at", str(at), "-times", str(times)], input=b"".join(requests), capture_output=True)
    lines = done.stdout.decode(errors="replace").split("\n")[:-1]
    if done.returncode or len(lines) != len(requests):
        raise RuntimeError(f"{program.name} ended with {done.returncode} after {len(lines)} of {len(requests)} answers: "
                           f"{done.stderr.decode(errors='replace')[:400]}")
    return lines


def samples(module: pathlib.Path) -> list[tuple[str, str, int, bytes, bytes, bytes, bytes]]:
    """Name, kind, time, report, leaf, issuer, root. One is always there; more lie beside some clones."""
    milan = der((module / "verify/trust/ask_ark_milan.pem").read_bytes())
    found = [("milan-v2 of the module", "vcek", 1748736000, (module / "verify/testdata/attestation.bin").read_bytes(),
              der((module / "verify/testdata/vcek.testcer").read_bytes())[0], *milan)]
    near = ROOT.parent / "shared/vectors/snp"
    if near.is_dir():
        for name, line, at in (("milan-v3", "milan", 1780000000), ("genoa-v3", "genoa", 1780000000)):
            found.append((name, "vcek", at, (near / name / "report.bin").read_bytes(),
                          *(der((near / x).read_bytes())[0] for x in (f"{name}/vcek.pem", f"{name}/ask.pem", f"roots/{line}_ark.pem"))))
        asvk = der((module / "verify/trust/ask_ark_milan_vlek.pem").read_bytes())
        found.append(("milan-v3-vlek", "vlek", 1748736000, (near / "milan-v3-vlek/report.bin").read_bytes(),
                      (near / "milan-v3-vlek/vlek.der").read_bytes(), *asvk))
    return found
