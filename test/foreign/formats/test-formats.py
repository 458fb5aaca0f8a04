#!/usr/bin/env python3
"""Our formats before programs that nobody here wrote: jwcrypto, pyhpke, Tink, rfc8785, http-message-signatures. Both ways
where the other program writes too, and each time with a change that has to be refused."""
import base64
import datetime
import hashlib
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

import http_message_signatures
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwcrypto import jwk, jws
from pyhpke import KEMKey

import lib_formats
from lib_formats import b64u, labelled, suite, tink_open, tink_seal, un_b64u

ROOT = pathlib.Path(__file__).resolve().parents[3]
TOOL = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build/release/bin/tool-formats"
FOLDER = tempfile.TemporaryDirectory(prefix="formats-")  # gone at the end
DIR = pathlib.Path(FOLDER.name)
MANIFEST, SESSION = hashlib.sha256(b"manifest").digest(), hashlib.sha256(b"session").digest()


class Refused(Exception):
    pass


def tool(*words) -> bytes:
    done = subprocess.run([TOOL, *map(str, words)], capture_output=True)
    if done.returncode == 1:
        raise Refused(done.stderr.decode())
    assert done.returncode == 0, done
    return done.stdout


def refused(code: str, *words) -> None:
    try:
        tool(*words)
    except Refused as e:
        assert str(e).startswith(code + ":"), e
    else:
        raise AssertionError(f"accepted, but {code} is due: {words}")


def file(name: str, data: bytes | str) -> pathlib.Path:
    path = DIR / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


class Key:
    def __init__(self, name: str, curve: str):
        self.private = file(name + ".key", tool("keygen", curve))
        both = json.loads(tool("public", curve, self.private))
        self.jwk, self.kid = both["jwk"], both["kid"]
        self.public = file(name + ".pub", json.dumps(self.jwk))
        self.foreign = jwk.JWK.from_json(self.private.read_text())


def keys() -> None:
    for curve in ("Ed25519", "X25519"):
        key = Key("k", curve)
        assert key.foreign.thumbprint() == key.kid
        assert json.loads(key.foreign.export_public()) == key.jwk


def statements() -> None:
    """jwcrypto checks ours, attached and detached (RFC 7797), and we check its own."""
    key, payload = Key("sign", "Ed25519"), b'{"title":"a.b","version":1}'
    path = file("payload", payload)
    for how, typ in (("attached", "2cvm-act+jws"), ("attached", "2cvm-receipt+jws"), ("detached", "2cvm-commitment+jws")):
        text = tool("jws", how, typ, key.private, path).decode()
        theirs = jws.JWS()
        theirs.deserialize(text)
        assert (".." in text) == (how == "detached")
        theirs.verify(key.foreign, detached_payload=payload if how == "detached" else None)
        header = theirs.jose_header
        assert header["typ"] == typ and header["kid"] == key.kid and header["alg"] == "EdDSA"
        wrong = jws.JWS()
        wrong.deserialize(text)
        try:
            wrong.verify(Key("other", "Ed25519").foreign, detached_payload=payload if how == "detached" else None)
        except jws.InvalidJWSSignature:
            pass
        else:
            raise AssertionError("another key verified")

        header = {"alg": "EdDSA", "kid": key.kid, "typ": typ}
        if how == "detached":
            header |= {"b64": False, "crit": ["b64"]}
        made = jws.JWS(payload)
        made.add_signature(key.foreign, None, rfc8785.dumps(header).decode())
        if how == "detached":
            made.detach_payload()
        theirs = file("theirs.jws", made.serialize(compact=True))
        assert tool("jws-check", typ, key.public, theirs, path) == payload
        refused("jws-type", "jws-check", "2cvm-other+jws", key.public, theirs, path)
        refused("jws-key", "jws-check", typ, Key("other", "Ed25519").public, theirs, path)
    refused("jws-signature", "jws-check", "2cvm-commitment+jws", key.public, theirs, file("more", payload + b"\n"))


def hpke_open(key: Key, label: str, item: str, enc: bytes, ct: bytes) -> bytes:
    return lib_formats.hpke_open(json.loads(key.private.read_text()), label, MANIFEST, SESSION, item, enc, ct)


def releases() -> None:
    """pyhpke opens our key release, and makes one that we open."""
    key, content = Key("session", "X25519"), random.randbytes(32)
    arguments = (MANIFEST.hex(), SESSION.hex(), "rows-a")
    sealed = json.loads(tool("release-seal", key.public, *arguments, content.hex()))
    assert hpke_open(key, "2cvm/release/1", "rows-a", un_b64u(sealed["enc"]), un_b64u(sealed["ct"])) == content
    enc, context = suite().create_sender_context(KEMKey.from_jwk(key.jwk), info=labelled("2cvm/release/1"))
    ct = context.seal(content, aad=labelled("2cvm/release/1", MANIFEST, SESSION, b"rows-a"))
    path = file("sealed", json.dumps({"ct": b64u(ct), "enc": b64u(enc)}))
    assert tool("release-open", key.private, *arguments, path).decode() == content.hex()
    refused("hpke-open", "release-open", key.private, MANIFEST.hex(), SESSION.hex(), "rows-b", path)
    refused("hpke-open", "release-open", key.private, SESSION.hex(), SESSION.hex(), "rows-a", path)


def content_digest(salt: bytes, content: bytes) -> str:
    return "sha256:" + hashlib.sha256(labelled("2cvm/content/1", salt, hashlib.sha256(content).digest())).hexdigest()


def blobs() -> None:
    """Tink opens our blobs and makes some that we open; sizes around the ends of segments."""
    key, salt = random.randbytes(32), random.randbytes(32)
    associated, first = labelled("2cvm/blob/1", b"rows-a"), (1 << 20) - 56 - 40
    for size in (0, 1, 5000, first - 1, first, first + 1, first + (1 << 20) - 16, 3_000_000):
        content = random.randbytes(size)
        for padding, maximum in (("none", size + 7), ("max", size), ("max", size + 70_000)):
            zeros = bytes(maximum - size if padding == "max" else 0)
            plain = salt + struct.pack(">Q", size) + content + zeros
            ours, opened = DIR / "blob", DIR / "opened"
            digest = tool("blob-seal", key.hex(), "rows-a", padding, maximum, salt.hex(), file("c", content), ours)
            assert digest.decode() == content_digest(salt, content)
            assert tink_open(key, associated, ours.read_bytes()) == plain
            theirs = file("theirs", tink_seal(key, associated, plain))
            assert len(theirs.read_bytes()) == len(ours.read_bytes())
            assert tool("blob-open", key.hex(), "rows-a", padding, maximum, theirs, opened) == digest
            assert opened.read_bytes() == content
    refused("blob-corrupt", "blob-open", key.hex(), "rows-b", padding, maximum, theirs, opened)
    refused("padding", "blob-open", key.hex(), "rows-a", "none", maximum, theirs, opened)
    stream = bytearray(ours.read_bytes())
    stream[len(stream) // 2] ^= 1
    try:
        tink_open(key, associated, bytes(stream))
    except Exception:
        pass
    else:
        raise AssertionError("Tink took a changed stream, so it judges nothing")


def outputs() -> None:
    """pyhpke and Tink together open a sealed output."""
    key, content = Key("recipient", "X25519"), b"the result"
    path = DIR / "out.sealed"
    digest = tool("output-seal", key.public, MANIFEST.hex(), SESSION.hex(), "model", "pow2", 1000, file("c", content), path)
    sealed = path.read_bytes()
    assert digest.decode() == "sha256:" + hashlib.sha256(sealed).hexdigest()
    (length,) = struct.unpack(">I", sealed[:4])
    header_bytes, blob = sealed[4:4 + length], sealed[4 + length:]
    header = json.loads(header_bytes)
    assert rfc8785.dumps(header) == header_bytes
    assert header["manifest"] == "sha256:" + MANIFEST.hex() and header["session"] == b64u(SESSION)
    assert header["output"] == "model" and header["version"] == 1 and [k["kid"] for k in header["keys"]] == [key.kid]
    content_key = hpke_open(key, "2cvm/output/1", "model", un_b64u(header["keys"][0]["enc"]), un_b64u(header["keys"][0]["ct"]))
    plain = tink_open(content_key, hashlib.sha256(header_bytes).digest(), blob)
    assert plain[32:40] == struct.pack(">Q", 10) and plain[40:50] == content and plain[50:] == bytes(6)


def canonical() -> None:
    """rfc8785 writes the same bytes, for random values of our restricted kind."""
    pick = random.Random(8785)

    def text(letters: str) -> str:
        return "".join(pick.choice(letters) for _ in range(pick.randrange(9)))

    def value(depth: int):
        kind = pick.randrange(6 if depth < 5 else 4)
        if kind == 0:
            return pick.randint(-(2**53) + 1, 2**53 - 1)
        if kind == 1:
            return pick.choice((True, False))
        if kind in (2, 3):
            return text("aA/\\\"\b\t\n\f\r\x01\x1f\x7f\x80\u00e4\u20ac\u2028\ufb33\U0001f602")
        if kind == 4:
            return [value(depth + 1) for _ in range(pick.randrange(5))]
        return {text("aAbB019_-~ {"): value(depth + 1) for _ in range(pick.randrange(6))}

    for _ in range(150):
        v = value(0)
        path = file("json", json.dumps(v, ensure_ascii=pick.choice((True, False)), indent=pick.choice((None, 1))))
        assert tool("canonical", path) == rfc8785.dumps(v)
    for code, bad in (("json-duplicate-member", '{"a":1,"a":1}'), ("json-number", "1.5"), ("json-type", "[null]")):
        refused(code, "canonical", file("json", bad))


def requests() -> None:
    """http-message-signatures accepts a signed request of ours, and refuses it with another path or body."""
    key = Key("http", "Ed25519")
    public = Ed25519PublicKey.from_public_bytes(un_b64u(key.jwk["x"]))

    class Resolver(http_message_signatures.HTTPSignatureKeyResolver):
        def resolve_public_key(self, key_id: str):
            assert key_id == key.kid
            return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    class Message:
        def __init__(self, method: str, url: str, headers: dict):
            self.method, self.url, self.headers = method, url, http_message_signatures.structures.CaseInsensitiveDict(headers)

    verifier = http_message_signatures.HTTPMessageVerifier(
        signature_algorithm=http_message_signatures.algorithms.ED25519, key_resolver=Resolver())
    created = int(datetime.datetime.now().timestamp())
    for method, query, body in (("GET", "", None), ("PUT", "a=1&b=%20", b"the body")):
        path = file("body", body) if body else ""
        lines = tool("http-sign", key.private, method, "host.example:8443", "/v1/blobs/rows-a", query, created, path)
        headers = dict(line.split(": ", 1) for line in lines.decode().splitlines()) | {"Host": "host.example:8443"}
        url = "https://host.example:8443/v1/blobs/rows-a" + ("?" + query if query else "")
        (result,) = verifier.verify(Message(method, url, headers))
        assert result.label == "cvm" and result.parameters["tag"] == "2cvm-rest" and result.parameters["keyid"] == key.kid
        assert set(result.covered_components) >= {'"@method"', '"@authority"', '"@path"', '"@query"'}
        changes = [Message(method, url.replace("rows-a", "rows-b"), headers), Message("POST", url, headers)]
        if body:
            assert headers["Content-Digest"] == f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
            changes.append(Message(method, url, headers | {"Content-Digest": "sha-256=:AA==:"}))
        for change in changes:
            try:
                verifier.verify(change)
            except http_message_signatures.InvalidSignature:
                continue
            raise AssertionError("a changed request verified")


if __name__ == "__main__":
    for test in (keys, statements, releases, blobs, outputs, canonical, requests):
        test()
        print("ok", test.__name__)
