#!/usr/bin/env python3
"""The files that a collaboration leaves, read by programs that nobody here wrote: jwcrypto, rfc8785, pyhpke, hashlib. The test
vectors always; the public folders of the demos where they have run."""
import hashlib
import json
import pathlib
import struct

import rfc8785
from jwcrypto import jwk, jws
from lib_formats import hpke_open, labelled, tink_open, un_b64u

ROOT = pathlib.Path(__file__).resolve().parents[3]


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def text(digest: bytes) -> str:
    return "sha256:" + digest.hex()


def raw(digest: str) -> bytes:
    assert digest.startswith("sha256:")
    return bytes.fromhex(digest[7:])


def check_jws(data: bytes, key: dict, typ: str, detached: bytes | None = None) -> bytes:
    """The payload, after jwcrypto has verified it and the header is exactly what PROTOCOL section 3 says."""
    token, key = jws.JWS(), jwk.JWK(**key)
    token.deserialize(data.decode())
    token.verify(key, detached_payload=detached)
    header = {"alg": "EdDSA", "kid": key.thumbprint(), "typ": typ}
    if detached is not None:
        header |= {"b64": False, "crit": ["b64"]}
    assert un_b64u(data.decode().split(".")[0]) == rfc8785.dumps(header)
    return detached if detached is not None else token.payload


class Collaboration:
    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.manifest_bytes = (folder / "manifest.json").read_bytes()
        self.manifest = json.loads(self.manifest_bytes)
        self.digest = sha256(self.manifest_bytes)
        self.people = {p["id"]: p for p in self.manifest["participants"]}
        keys, evidence = folder / "keys.json", folder / "evidence.json"
        self.keys = json.loads(keys.read_text()) if keys.exists() else {}
        if evidence.exists():
            self.session = json.loads(evidence.read_text())["session"]["sign"]
        else:
            self.session = {k: v for k, v in self.keys["session"]["sign"].items() if k != "d"}
        self.thumbprint = un_b64u(jwk.JWK(**self.session).thumbprint())

    def commitments(self) -> None:
        assert rfc8785.dumps(self.manifest) == self.manifest_bytes
        names = {p.stem for p in (self.folder / "commitments").iterdir()}
        assert names == set(self.people)
        for who, person in self.people.items():
            data = (self.folder / "commitments" / f"{who}.jws").read_bytes()
            check_jws(data, person["sign"], "2cvm-commitment+jws", self.manifest_bytes)

    def acts(self) -> dict[bytes, dict]:
        found = {}
        for path in sorted((self.folder / "acts").iterdir()):
            who, _, seq = path.stem.rpartition("-")
            data = path.read_bytes()
            payload = check_jws(data, self.people[who]["sign"], "2cvm-act+jws")
            act = json.loads(payload)
            assert rfc8785.dumps(act) == payload
            assert (act["participant"], act["seq"]) == (who, int(seq)) and act["manifest"] == text(self.digest)
            assert un_b64u(act["session"]) == self.thumbprint
            if act["act"] == "release" and self.keys:
                self.release(who, act)
            found[sha256(data)] = act
        return found

    def release(self, who: str, act: dict) -> None:
        """Only where the session's private key is known: pyhpke opens every key, and the share is the one committed to."""
        for item in act["items"]:
            key = hpke_open(self.keys["session"]["seal"], "2cvm/release/1", self.digest, self.thumbprint, item["id"],
                            un_b64u(item["enc"]), un_b64u(item["ct"]))
            assert len(key) == 32
            if item["id"] == "seed":
                assert text(sha256(labelled("2cvm/seed/1", key))) == self.people[who]["seed"]

    def transcript(self, acts: dict[bytes, dict]) -> tuple[list[bytes], list[dict]]:
        data = (self.folder / "transcript.jsonl").read_bytes()
        assert data.endswith(b"\n")
        heads, entries = [sha256(labelled("2cvm/transcript/1", self.digest))], []
        for n, line in enumerate(data[:-1].split(b"\n"), 1):
            entry = json.loads(line)
            assert rfc8785.dumps(entry) == line and entry["n"] == n
            if entry["type"] == "act":
                act = acts.pop(raw(entry["digest"]))
                assert (entry["participant"], entry["seq"], entry["act"]) == (act["participant"], act["seq"], act["act"])
            heads.append(sha256(labelled("2cvm/transcript/1", heads[-1], line)))
            entries.append(entry)
        assert not acts, "acts that the transcript does not name"
        return heads, entries

    def receipt(self, heads: list[bytes], entries: list[dict]) -> None:
        payload = check_jws((self.folder / "receipt.jws").read_bytes(), self.session, "2cvm-receipt+jws")
        receipt = json.loads(payload)
        assert rfc8785.dumps(receipt) == payload and receipt["manifest"] == text(self.digest)
        assert un_b64u(receipt["session"]) == self.thumbprint
        at = receipt["transcript"]
        assert raw(at["head"]) == heads[at["n"]] and at["n"] < len(entries)
        assert entries[-1]["to"] == "closed" and raw(entries[-1]["receipt"]) == sha256(payload)
        for output in receipt["outputs"]:
            sealed = self.folder / "outputs" / (output["id"] + ".sealed")
            if sealed.exists():
                assert sha256(sealed.read_bytes()) == raw(output["digest"])

    def last_evidence(self, heads: list[bytes]) -> None:
        path = self.folder / "evidence.json"
        if not path.exists():
            return
        evidence = json.loads(path.read_bytes())
        assert rfc8785.dumps(evidence) == path.read_bytes()
        assert raw(evidence["transcript"]["head"]) == heads[-1] and evidence["transcript"]["n"] == len(heads) - 1
        keys = [un_b64u(evidence["session"][k]["x"]) for k in ("sign", "seal")]
        expected = hashlib.sha512(labelled("2cvm/report-data/1", *keys, self.digest, heads[-1], sha256(b""))).digest()
        report = un_b64u(evidence["report"])
        assert report[0x50:0x90] == expected, "REPORT_DATA"
        assert report[0xC0:0xE0] == self.digest, "HOST_DATA"

    def check(self) -> None:
        self.commitments()
        heads, entries = self.transcript(self.acts())
        self.receipt(heads, entries)
        self.last_evidence(heads)


def content(plain: bytes, maximum: int) -> tuple[bytes, bytes]:
    """Salt and content of a blob's plain form."""
    (length,) = struct.unpack(">Q", plain[32:40])
    assert length <= maximum and plain[40 + length:] == bytes(len(plain) - 40 - length)
    return plain[:32], plain[40:40 + length]


class Demo(Collaboration):
    """A demo's folder: here the participants' keys are at hand, so that Tink and pyhpke can open what was sealed."""

    def __init__(self, demo: pathlib.Path):
        super().__init__(demo / "public")
        self.demo = demo

    def check(self) -> None:
        super().check()
        for item in self.manifest["data"]:  # the component's owner cheats in the demo, and has another key by now
            self.packed(item)
        for output in self.manifest["outputs"]:
            for who in output["recipients"]:
                self.opened(output, who)

    def packed(self, item: dict) -> None:
        key = self.demo / item["owner"] / "home/items" / f"{item['id']}.{raw(item['digest']).hex()}.key"
        blob = (self.demo / item["owner"] / f"{item['id']}.blob").read_bytes()
        salt, plain = content(tink_open(key.read_bytes(), labelled("2cvm/blob/1", item["id"].encode()), blob), item["max_bytes"])
        assert text(sha256(labelled("2cvm/content/1", salt, sha256(plain)))) == item["digest"]

    def opened(self, output: dict, who: str) -> None:
        home = self.demo / who / "home"
        private = json.loads((home / "seal.jwk").read_text())
        sealed = (self.folder / "outputs" / f"{output['id']}.sealed").read_bytes()
        (length,) = struct.unpack(">I", sealed[:4])
        header = json.loads(sealed[4:4 + length])
        (entry,) = [e for e in header["keys"] if e["kid"] == jwk.JWK(**private).thumbprint()]
        key = hpke_open(private, "2cvm/output/1", self.digest, self.thumbprint, output["id"], un_b64u(entry["enc"]), un_b64u(entry["ct"]))
        _, plain = content(tink_open(key, sha256(sealed[4:4 + length]), sealed[4 + length:]), output["max_bytes"])
        theirs = home / "collaborations" / self.manifest["collaboration"] / "outputs" / output["id"]
        assert plain == theirs.read_bytes()


def must_fail(collaboration: Collaboration) -> None:
    """A check that cannot fail is worth nothing: one changed byte in what was signed."""
    collaboration.manifest_bytes = collaboration.manifest_bytes.replace(b"clinic", b"clinik", 1)
    try:
        collaboration.commitments()
    except (AssertionError, jws.InvalidJWSSignature):
        return
    raise AssertionError("a changed manifest passed")


if __name__ == "__main__":
    vectors = ROOT / "test/vectors/collaboration"
    found = [Collaboration(vectors), *(Demo(p.parents[1]) for p in sorted((ROOT / "build/demo").glob("*/public/receipt.jws")))]
    for collaboration in found:
        collaboration.check()
        print("ok", collaboration.folder.relative_to(ROOT))
    must_fail(Collaboration(vectors))
