"""Our verifier, go-sev-guest and the sev crate, asked in the same words: what the tests and the benchmark share."""
import base64
import collections
import dataclasses
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PROGRAM = ROOT / "build/release/bin/2cvm"
OURS = ROOT / "build/release/bin/tool-evidence"
GO = ROOT / "build/tools/bin/evidence-by-go-sev-guest"
SEV = ROOT / "build/tools/bin/evidence-by-sev"
NEAR = ROOT.parent / "shared/vectors/snp"
UNSIGNED = 0x330  # behind the signature: zeros that nothing protects, up to the report's end
RESERVED_TCB = {at + i for at in (0x38, 0x180, 0x1E0, 0x1F0) for i in range(2, 6)}  # as Milan and Genoa lay a TCB out
AT_2025, AT_2026 = 1748736000, 1780000000


def der(data: bytes) -> list[bytes]:
    """Every certificate of a file, DER or PEM."""
    if data[:1] == b"\x30":
        return [data]
    return [base64.b64decode(x) for x in re.findall(rb"-----BEGIN CERTIFICATE-----(.*?)-----END", data, re.S)]


def say_failed(done: subprocess.CompletedProcess) -> None:
    print("\n".join(done.stderr.strip().splitlines()[-12:]))


def build_go() -> pathlib.Path | None:
    """Builds go-sev-guest's program; the folder of its module, which carries genuine evidence. go.sum pins both."""
    if not shutil.which("go"):
        return None
    GO.parent.mkdir(parents=True, exist_ok=True)
    folder = HERE / "go-sev-guest"
    done = subprocess.run(["nice", "go", "build", "-o", GO, "."], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        say_failed(done)
        return None
    return pathlib.Path(subprocess.run(["go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/go-sev-guest"], cwd=folder,
                                       check=True, capture_output=True, text=True).stdout.strip())


def build_sev() -> pathlib.Path | None:
    """Builds the sev crate's program, or takes it from the cache; the crate's folder, which carries genuine evidence."""
    if not shutil.which("cargo"):
        return None
    folder = HERE / "sev-crate"
    sources = [folder / "Cargo.toml", folder / "Cargo.lock", folder / "src/main.rs"]
    version = subprocess.run(["rustc", "-vV"], check=True, capture_output=True).stdout
    key = hashlib.sha256(version + b"".join(x.read_bytes() for x in sources)).hexdigest()[:40]
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "2cvm/sev-judge"
    kept = cache / key / SEV.name
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["flock", cache / "lock", "nice", "cargo", "build", "--quiet", "--locked", "--release"], cwd=folder,
                              capture_output=True, text=True, env={**os.environ, "CARGO_TARGET_DIR": str(cache / "target")})
        if done.returncode:
            say_failed(done)
            return None
        kept.parent.mkdir(exist_ok=True)
        part = kept.with_name(f"part-{os.getpid()}")  # renamed when whole, as another may look
        shutil.copy2(cache / "target/release" / SEV.name, part)
        part.rename(kept)
    SEV.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(kept, SEV)
    listed = subprocess.run(["cargo", "metadata", "--format-version", "1", "--locked"], cwd=folder, check=True, capture_output=True)
    package = next(x for x in json.loads(listed.stdout)["packages"] if x["name"] == "sev")
    return pathlib.Path(package["manifest_path"]).parent


def request(kind: str, report: bytes, leaf: bytes, issuer: bytes, root: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(x)) + x for x in (kind.encode(), report, leaf, issuer, root))


def ask(program: pathlib.Path, requests: list[bytes], at: int, times: int = 1) -> list[str]:
    done = subprocess.run([program, "-at", str(at), "-times", str(times)], input=b"".join(requests), capture_output=True)
    lines = done.stdout.decode(errors="replace").split("\n")[:-1]
    if done.returncode or len(lines) != len(requests):
        raise RuntimeError(f"{program.name} ended with {done.returncode} after {len(lines)} of {len(requests)} answers: "
                           f"{done.stderr.decode(errors='replace')[:400]}")
    return lines


@dataclasses.dataclass
class Sample:
    """Genuine evidence; the parts are report, signing key, issuer, root."""
    name: str
    kind: str
    at: int
    parts: list[bytes]


def go_samples(module: pathlib.Path) -> list[Sample]:
    found = [Sample("milan-v2 of go-sev-guest", "vcek", AT_2025,
                    [(module / "verify/testdata/attestation.bin").read_bytes(),
                     *der((module / "verify/testdata/vcek.testcer").read_bytes()),
                     *der((module / "verify/trust/ask_ark_milan.pem").read_bytes())])]
    if NEAR.is_dir():
        asvk = der((module / "verify/trust/ask_ark_milan_vlek.pem").read_bytes())
        found.append(Sample("milan-v3-vlek", "vlek", AT_2025, [(NEAR / "milan-v3-vlek/report.bin").read_bytes(),
                                                              (NEAR / "milan-v3-vlek/vlek.der").read_bytes(), *asvk]))
    return found


def sev_samples(crate: pathlib.Path) -> list[Sample]:
    folder = crate / "tests/certs_data"
    return [Sample("milan-v2 of the sev crate", "vcek", AT_2025,
                   [bytes.fromhex((folder / "report_milan.hex").read_text()), (folder / "vcek_milan.der").read_bytes(),
                    *der((folder / "cert_chain_milan").read_bytes())])]


def near_samples() -> list[Sample]:
    """More lies beside some clones."""
    if not NEAR.is_dir():
        return []
    return [Sample(name, "vcek", AT_2026, [(NEAR / name / "report.bin").read_bytes(),
                                           *(der((NEAR / x).read_bytes())[0]
                                             for x in (f"{name}/vcek.pem", f"{name}/ask.pem", f"roots/{line}_ark.pem"))])
            for name, line in (("milan-v3", "milan"), ("genoa-v3", "genoa"))]


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
    if k == 0 and len(data) == len(parts[0]) and {i for i in range(len(data)) if data[i] != parts[0][i]} <= RESERVED_TCB:
        return "reserved TCB bytes", out
    if k and len(data) > len(parts[k]) and data.startswith(parts[k]):
        return "longer certificate", out
    return ("report", "leaf", "issuer", "root")[k], out


def explained(tool: str, part: str, ours: str, theirs: str) -> str | None:
    for row in json.loads((HERE / "differences.json").read_text()):
        if tool in row["tools"] and row["ours"] == ours[0] and part in row["parts"] and \
                row["words"] in (ours if row["ours"] == "0" else theirs):
            return row["why"]
    return None


def compare(tool: str, program: pathlib.Path, samples: list[Sample], changes: int) -> int:
    """The same requests to both: equal verdicts, or a difference of differences.json. Returns how many were neither."""
    failures, seen = 0, collections.Counter()
    for i, s in enumerate(samples):
        others = samples[(i + 1) % len(samples)].parts
        rng = random.Random(f"{tool} {s.name}")
        cases = [("none", s.parts)] + [change(rng, s.parts, others) for _ in range(-(-changes // len(samples)))]
        requests = [request(s.kind, *p) for _, p in cases]
        for (part, _), ours, theirs in zip(cases, ask(OURS, requests, s.at), ask(program, requests, s.at)):
            why = "both accept" if ours[0] == theirs[0] == "1" else "both refuse" if ours[0] == theirs[0] else \
                explained(tool, part, ours, theirs)
            if part == "none" and ours[0] != "1":
                why = None
            seen[why or "NOT EXPLAINED"] += 1
            if not why and (failures := failures + 1) < 12:
                print(f"{s.name}, {part} changed:\n  ours   {ours}\n  theirs {theirs}")
    for why, n in seen.most_common():
        print(f"{n:7}  {why}")
    return failures
