#!/usr/bin/env python3
"""Evidence judged by programs that nobody here wrote: pyca/cryptography and the openssl command. The simulated samples of the
repository always, the demos' public folders where they have run, and genuine evidence where it lies beside the repository.
Then random changes of genuine evidence: our verdict must be theirs."""
import base64
import hashlib
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "build/release/bin/2cvm"
VECTORS = ROOT.parent / "shared/vectors/snp"
CHANGES = int(sys.argv[1]) if len(sys.argv) > 1 else 200
SIMULATED_ROOT = next(line.split('"')[5] for line in (ROOT / "core/evidence/lines.def").read_text().splitlines()
                      if line.startswith("LINE(SIMULATED"))


def un_b64u(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def labelled(label: str, *parts: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(x)) + x for x in (label.encode(), *parts))


def openssl(*args: str, data: bytes = b"") -> tuple[int, bytes]:
    done = subprocess.run(["openssl", *args], input=data, capture_output=True)
    return done.returncode, done.stdout


def der_to_pem(der: bytes) -> bytes:
    body = base64.encodebytes(der).decode().replace("\n", "")
    lines = [body[i:i + 64] for i in range(0, len(body), 64)]
    return ("-----BEGIN CERTIFICATE-----\n" + "\n".join(lines) + "\n-----END CERTIFICATE-----\n").encode()


def public_key(pem: bytes) -> bytes:
    code, out = openssl("x509", "-noout", "-pubkey", data=pem)
    return out if code == 0 else b""


def spki_digest(pem: bytes) -> str:
    code, der = openssl("pkey", "-pubin", "-outform", "DER", data=public_key(pem))
    return hashlib.sha256(der).hexdigest() if code == 0 else ""


def report_signature_good(report: bytes, leaf_pem: bytes) -> bool:
    key = serialization.load_pem_public_key(public_key(leaf_pem))
    r, s = (int.from_bytes(report[at:at + 72], "little") for at in (0x2A0, 0x2E8))
    try:
        key.verify(utils.encode_dss_signature(r, s), report[:0x2A0], ec.ECDSA(hashes.SHA384()))
        return True
    except InvalidSignature:
        return False


def chain_good(leaf: bytes, issuer: bytes, root: bytes, at: int) -> bool:
    with tempfile.TemporaryDirectory() as d:
        names = {}
        for name, data in (("leaf", leaf), ("issuer", issuer), ("root", root)):
            names[name] = f"{d}/{name}.pem"
            pathlib.Path(names[name]).write_bytes(data)
        return openssl("verify", "-check_ss_sig", "-attime", str(at), "-CAfile", names["root"], "-untrusted", names["issuer"],
                       names["leaf"])[0] == 0


def nonce_root(nonce: bytes, path: dict) -> bytes:
    """RFC 9162, 2.1.3.2."""
    fn, sn, r = path["index"], path["size"] - 1, hashlib.sha256(b"\0" + nonce).digest()
    for p in (bytes.fromhex(h[7:]) for h in path["hashes"]):
        assert sn
        if fn & 1 or fn == sn:
            r = hashlib.sha256(b"\1" + p + r).digest()
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = hashlib.sha256(b"\1" + r + p).digest()
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    return r


def check_bundle(bundle: dict, manifest_bytes: bytes | None) -> None:
    report = un_b64u(bundle["report"])
    leaf, issuer, root = (der_to_pem(un_b64u(c)) for c in bundle["certificates"])
    assert spki_digest(root) == SIMULATED_ROOT
    assert chain_good(leaf, issuer, root, int(time.time()))
    assert report_signature_good(report, leaf)
    assert struct.unpack_from("<I", report, 0)[0] == 3 and report[0x0A] & 0x08, "DEBUG is not set"
    if manifest_bytes is None:
        return
    digest = hashlib.sha256(manifest_bytes).digest()
    assert report[0xC0:0xE0] == digest == bytes.fromhex(bundle["manifest"][7:])
    tree = nonce_root(un_b64u(bundle["nonce"]), bundle["path"]) if "nonce" in bundle else hashlib.sha256(b"").digest()
    want = hashlib.sha512(labelled("2cvm/report-data/1", un_b64u(bundle["session"]["sign"]["x"]), un_b64u(bundle["session"]["seal"]["x"]),
                                   digest, bytes.fromhex(bundle["transcript"]["head"][7:]), tree)).digest()
    assert report[0x50:0x90] == want
    assert "sha384:" + report[0x90:0xC0].hex() in json.loads(manifest_bytes)["isolate"]["measurements"]


def simulated() -> None:
    check_bundle(json.loads((ROOT / "test/corpus/cvm-evidence-fuzz-bundle/last").read_bytes()), None)
    print("simulated sample of the repository: agreed")
    for public in sorted((ROOT / "build/demo").glob("*/public")):
        files = [public / "evidence.json", *sorted((public / "evidence").glob("*.json"))]
        if not all(f.exists() for f in files):
            continue
        for f in files:
            check_bundle(json.loads(f.read_bytes()), (public / "manifest.json").read_bytes())
        print(f"{public.parent.name}: {len(files)} bundles agreed")


def ours(folder: pathlib.Path, report: bytes, leaf: bytes, issuer: bytes, root: bytes) -> int:
    files = []
    for name, data in (("report", report), ("leaf", leaf), ("issuer", issuer), ("root", root)):
        (folder / name).write_bytes(data)
        files.append(str(folder / name))
    return subprocess.run([PROGRAM, "evidence", "verify", "--at", "2026-06-01T00:00:00Z", *files], capture_output=True).returncode


def genuine() -> None:
    if not VECTORS.is_dir():
        print("skipped: no genuine evidence beside the repository")
        return
    samples = []
    for name, issuer, root in (("milan-v3", "milan-v3/ask.pem", "roots/milan_ark.pem"), ("genoa-v3", "genoa-v3/ask.pem", "roots/genoa_ark.pem")):
        samples.append(((VECTORS / name / "report.bin").read_bytes(), (VECTORS / name / "vcek.pem").read_bytes(),
                        (VECTORS / issuer).read_bytes(), (VECTORS / root).read_bytes()))
    at, dice = 1780272000, random.Random(2)
    with tempfile.TemporaryDirectory() as d:
        folder = pathlib.Path(d)
        for s in samples:
            assert ours(folder, *s) == 0 and report_signature_good(s[0], s[1]) and chain_good(*s[1:], at)
        refused = 0
        for _ in range(CHANGES):
            parts = list(dice.choice(samples))
            which = dice.choice((0, 0, 0, 1, 2, 3))
            if dice.random() < 0.1:
                parts[which] = dice.choice(samples)[which]  # a mix, or nothing changed at all
            elif which == 0:
                b = bytearray(parts[0])
                for _ in range(dice.randint(1, 3)):
                    b[dice.randrange(len(b))] ^= 1 << dice.randrange(8)
                parts[0] = bytes(b)
            else:
                der = bytearray(openssl("x509", "-outform", "DER", data=parts[which])[1])
                der[dice.randrange(len(der))] ^= 1 << dice.randrange(8)
                parts[which] = der_to_pem(bytes(der))
            theirs = chain_good(*parts[1:], at) and report_signature_good(parts[0], parts[1])
            # Bytes behind S are outside the signature: openssl does not look at them, the format wants zeros.
            theirs = theirs and not any(parts[0][0x330:]) and not any(parts[0][0x2A0 + 48:0x2E8]) and not any(parts[0][0x2E8 + 48:0x330])
            code = ours(folder, *parts)
            assert (code == 0) == theirs, f"we say {code}, they say {theirs}"
            refused += code != 0
    print(f"genuine evidence: {CHANGES} changes, {refused} refused, all verdicts agreed")


if __name__ == "__main__":
    simulated()
    if PROGRAM.exists():
        genuine()
