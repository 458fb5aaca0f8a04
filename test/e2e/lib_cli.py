"""What the end-to-end tests of the command line share: people who type, a daemon that can be killed, and counted checks."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/release/bin").resolve()
CVM = BIN / "2cvm"
counts = {"checked": 0, "failed": 0}


def check(name, good, detail=""):
    counts["checked"] += 1
    if not good:
        counts["failed"] += 1
        print(f"FAILED {name}: {detail}", flush=True)
    return good


def run(who, *words):
    """One command line of one person: exit code, and the JSON document that it printed."""
    done = subprocess.run([CVM, *(w if isinstance(w, bytes) else str(w) for w in words), "--home", who, "--json"], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=120)
    try:
        said = json.loads(done.stdout) if done.stdout else None
    except json.JSONDecodeError:
        said = done.stdout
    return done.returncode, said


def ok(who, *words, exit_code=0):
    code, said = run(who, *words)
    check(f"{who}: {' '.join(map(str, words))}", code == exit_code, f"exit {code}: {said}")
    return said


def refused(error, who, *words, exit_code=1):
    code, said = run(who, *words)
    got = said.get("code") if isinstance(said, dict) else said
    check(f"{who}: {' '.join(map(str, words))} -> {error}", (code, got) == (exit_code, error), f"exit {code}, {got}: {said}")
    if isinstance(said, dict):
        check(f"{error} says what to do", bool(said.get("remedy")), said)


def usage(who, *words):
    refused("usage", who, *words, exit_code=2)


def write(path, value):
    pathlib.Path(path).write_text(value if isinstance(value, str) else json.dumps(value))


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def finish():
    print(f"{counts['checked'] - counts['failed']} of {counts['checked']} as expected")
    return 1 if counts["failed"] else 0


def wait(what, ready, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = ready()
        if value:
            return value
        time.sleep(0.05)
    check(what, False, f"not within {seconds} s")
    return None


class Host:
    """A daemon with a state folder of its own."""

    def __init__(self, name, image, tls=False):
        self.folder, self.image = pathlib.Path(name).resolve(), image
        self.folder.mkdir()
        self.more = self.make_tls() if tls else []
        self.socket = self.folder / "op.sock"
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.process = None

    def make_tls(self):
        self.certificate, key, config = self.folder / "tls.pem", self.folder / "key.pem", self.folder / "2cvmd.json"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
                        self.certificate, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
                       check=True, capture_output=True)
        key.chmod(0o600)
        write(config, {"tls": {"certificate": str(self.certificate), "key": str(key)}})
        config.chmod(0o600)
        return ["--config", config]

    def start(self):
        (self.folder / "state").mkdir(exist_ok=True)
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([BIN / "2cvmd", "--state", self.folder / "state", "--listen", f"127.0.0.1:{self.port}",
                                             "--socket", self.socket, "--image", self.image, *self.more], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        wait("the daemon answers", lambda: run("operator", "ps", "--socket", self.socket)[0] == 0, 20)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def isolate_pid(self, uuid, which="psp"):
        try:
            return int((self.folder / "state/isolates" / uuid / f"{which}.pid").read_text())
        except (OSError, ValueError):
            return 0

    def kill_isolate(self, uuid):
        pid = self.isolate_pid(uuid)
        if pid and b"2cvm-psp" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        for folder in self.folder.glob("state/isolates/*"):
            try:
                self.kill_isolate(folder.name)
            except OSError:
                pass
