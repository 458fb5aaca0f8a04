"""A second implementer's client of the daemon: requests signed after doc/PROTOCOL.md section 8 alone, with the standard library and the
openssl program. Also starts and kills the daemon, and makes manifests and commitments."""
import base64
import hashlib
import http.client
import json
import os
import pathlib
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[3]
BIN = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/release/bin").resolve()
checked, failures = 0, 0


def check(name, good, detail=""):
    global checked, failures
    checked += 1
    if not good:
        failures += 1
        print(f"FAILED {name}: {detail}", flush=True)


def verdict():
    print(f"{checked} checks, {failures} failed")
    return 1 if failures or not checked else 0


def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Person:
    """A participant: an Ed25519 key that signs, an X25519 key that only has to be there."""

    def __init__(self, folder, name):
        self.id, self.pem = name, folder / f"{name}.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.pem], check=True, stderr=subprocess.DEVNULL)
        self.sign_jwk = {"crv": "Ed25519", "kty": "OKP", "x": b64u(self.public(self.pem))}
        seal = folder / f"{name}-seal.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "x25519", "-out", seal], check=True, stderr=subprocess.DEVNULL)
        self.seal_jwk = {"crv": "X25519", "kty": "OKP", "x": b64u(self.public(seal))}
        self.kid = b64u(hashlib.sha256(canonical(self.sign_jwk)).digest())

    @staticmethod
    def public(pem):
        der = subprocess.run(["openssl", "pkey", "-in", pem, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
        return der[-32:]

    def signature(self, data):
        path = self.pem.with_suffix(".in")
        path.write_bytes(data)
        return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.pem, "-in", path], check=True,
                              capture_output=True).stdout

    def participant(self):
        return {"id": self.id, "name": self.id, "sign": self.sign_jwk, "seal": self.seal_jwk, "seed": digest(secrets.token_bytes(32))}

    def commitment(self, manifest):
        header = b64u(canonical({"alg": "EdDSA", "b64": False, "crit": ["b64"], "kid": self.kid, "typ": "2cvm-commitment+jws"}))
        return f"{header}..{b64u(self.signature(header.encode() + b'.' + manifest))}".encode()

    def act(self, **members):
        header = b64u(canonical({"alg": "EdDSA", "kid": self.kid, "typ": "2cvm-act+jws"}))
        text = f"{header}.{b64u(canonical(members))}"
        return f"{text}.{b64u(self.signature(text.encode()))}".encode()

    def headers(self, method, authority, path, body, query="", created=None, lifetime=60, nonce=None):
        created = int(time.time()) if created is None else created
        parts = [("@method", method), ("@authority", authority), ("@path", path), ("@query", "?" + query)]
        headers = {}
        if body:
            headers["Content-Digest"] = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
            parts += [("content-digest", headers["Content-Digest"]), ("content-length", str(len(body)))]
        names = " ".join(f'"{name}"' for name, _ in parts)
        params = (f'({names});created={created};expires={created + lifetime};nonce="{nonce or b64u(secrets.token_bytes(16))}"'
                  f';keyid="{self.kid}";alg="ed25519";tag="2cvm-rest"')
        base = "\n".join(f'"{name}": {value}' for name, value in parts) + f'\n"@signature-params": {params}'
        headers["Signature-Input"] = f"cvm={params}"
        headers["Signature"] = f"cvm=:{base64.b64encode(self.signature(base.encode())).decode()}:"
        return headers


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Daemon:
    def __init__(self, folder, image=BIN, more=()):
        self.folder, self.image, self.more = folder, image, more
        self.state, self.socket, self.log = folder / "state", folder / "op.sock", folder / "2cvmd.log"
        self.start()

    def start(self, port=0):
        with self.log.open("ab") as log:
            at = log.tell()
            self.process = subprocess.Popen([BIN / "2cvmd", "--state", self.state, "--listen", f"127.0.0.1:{port}", "--socket", self.socket,
                                             "--image", self.image, *self.more], stderr=log)
        end = time.monotonic() + 20
        while time.monotonic() < end and self.process.poll() is None:
            found = re.search(rb'"event":"listening".*?"port":(\d+)', self.log.read_bytes()[at:])
            if found:
                self.port = int(found[1])
                return
            time.sleep(0.02)
        raise SystemExit("2cvmd did not start: " + self.log.read_text()[-600:])

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        return self.process.wait(20)

    @property
    def authority(self):
        return f"127.0.0.1:{self.port}"

    def exchange(self, connection, method, path, body=None, headers=None):
        try:
            connection.request(method, path, body=body, headers=headers or {})
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before the body was through: the answer is there to read
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if answer.getheader("Content-Type") in ("application/json", "application/problem+json"):
            data = json.loads(data)
        return answer.status, data

    def call(self, person, method, path, body=None, **how):
        """As a participant (None: unsigned), over TCP."""
        headers = person.headers(method, self.authority, path, body, **how) if person else {}
        return self.exchange(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60), method, path, body, headers)

    def operate(self, method, path, body=None):
        return self.exchange(UnixConnection(self.socket), method, path, body)

    def raw(self, data):
        """The status and the problem's code for bytes that no library would send."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as s:
            s.sendall(data)
            answer = b""
            try:
                while piece := s.recv(65536):
                    answer += piece
                    head, _, rest = answer.partition(b"\r\n\r\n")
                    length = re.search(rb"(?i)content-length: (\d+)", head)
                    if length and len(rest) >= int(length[1]):
                        break
            except ConnectionResetError:
                pass
        status = re.match(rb"HTTP/1.1 (\d+)", answer)
        code = re.search(rb'"code":"([a-z0-9-]+)"', answer)
        return int(status[1]) if status else 0, code[1].decode() if code else ""


def refused(name, answer, status, code):
    got_status, problem = answer
    check(name, got_status == status and isinstance(problem, dict) and problem.get("code") == code, answer)
    if isinstance(problem, dict):
        members = {"type", "title", "status", "detail", "code", "expected", "got", "remedy"}
        check(name + " is a whole problem", set(problem) == members and problem["type"] == f"urn:2cvm:error:{problem.get('code')}", problem)


def manifest(people, measurement="00" * 48, **changes):
    """Two components in a row would be more than these tests need: one, with one data item and one output."""
    a, b = people[0].id, people[1].id
    m = {"version": 1, "collaboration": str(uuid.uuid4()), "title": "Daemon test", "not_after": int(time.time()) + 3600,
         "participants": [p.participant() for p in people],
         "isolate": {"platforms": ["sim-process"], "measurements": ["sha384:" + measurement], "chips": "any", "min_tcb": {}, "vcpus": 1,
                     "memory_mib": 512,
                     "waive": ["user-namespace", "mount-namespace", "pid-namespace", "network-namespace", "ipc-namespace",
                               "uts-namespace", "seccomp", "landlock", "cgroup", "core-scheduling", "speculation-control"]},
         "components": [{"id": "count", "owner": b, "digest": digest(b"count"), "max_bytes": 1048576, "kind": "command",
                         "grants": ["wasi:cli", "wasi:filesystem"], "clock": "none", "random": "none",
                         "limits": {"memory_bytes": 16777216, "cpu_ms": 10000, "wall_ms": 20000}}],
         "data": [{"id": "rows", "owner": a, "digest": digest(b"rows"), "max_bytes": 1048576}],
         "channels": [{"kind": "file", "from": "rows", "to": "count", "to_path": "in/rows.csv"},
                      {"kind": "file", "from": "count", "from_path": "out/number", "to": "number"}],
         "outputs": [{"id": "number", "recipients": [a], "max_bytes": 4096, "padding": "max", "release": []}]}
    m.update(changes)
    return canonical(m)
