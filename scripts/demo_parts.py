"""The stage of the demos: folders, programs, and the life of one collaboration piece by piece. The story is in scripts/demo.

Each participant, the operator and the host have a folder of their own under build/demo/NAME/; only the programs 2cvm and 2cvmd
are used, as people would use them. Every command line and its answer is in build/demo/NAME/commands.log."""
import copy
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build/release/bin"
KIB = 1024
GATE_SCHEMA = [f"../gates/{name}.c" for name in ("schema-check", "schema", "json", "decimal", "text")]

DEMOS = {
    "joint-study": {
        "about": "Two clinics train one model on both their tables; an analyst brings the program.",
        "people": {"clinic-a": "Clinic A", "clinic-b": "Clinic B", "analyst": "The analyst"},
        "prepare": ["split-data", "clinic-a/rows.csv", "clinic-b/rows.csv"],
        "build": {"train": ["train.c"]},
        "items": [("analyst", "train", "train.wasm", 512 * KIB, []), ("clinic-a", "rows-a", "rows.csv", 256 * KIB, []),
                  ("clinic-b", "rows-b", "rows.csv", 256 * KIB, [])],
        "outputs": {"model": ["clinic-a", "clinic-b", "analyst"], "report": ["analyst"]},
        "names": {"model": "model.json", "report": "report.csv"},
    },
    "private-intersection": {
        "about": "A hospital learns which identifiers a registry has too; the registry learns only how many.",
        "people": {"hospital": "The hospital", "registry": "The registry"},
        "prepare": ["make-lists", "hospital/ids.txt", "registry/ids.txt"],
        "build": {"intersect": ["intersect.c"]},
        "items": [("hospital", "intersect", "intersect.wasm", 512 * KIB, ["--public"]),
                  ("hospital", "ids-hospital", "ids.txt", 128 * KIB, []),
                  ("registry", "ids-registry", "ids.txt", 128 * KIB, [])],
        "outputs": {"common": ["hospital"], "count": ["registry"]},
        "names": {"common": "common.txt", "count": "count.txt"},
    },
    "sealed-auction": {
        "about": "Three bidders, sealed bids: all learn the winner and the second price, not before the hour agreed.",
        "people": {"house": "The auction house", "bidder-a": "Bidder A", "bidder-b": "Bidder B", "bidder-c": "Bidder C"},
        "prepare": ["make-bids", "bidder-a/bid.txt", "bidder-b/bid.txt", "bidder-c/bid.txt"],
        "build": {"auction": ["auction.c"], "gate": GATE_SCHEMA},
        "items": [("house", "auction", "auction.wasm", 512 * KIB, ["--public"]), ("bidder-a", "bid-a", "bid.txt", 64, []),
                  ("bidder-a", "gate", "gate.wasm", 512 * KIB, ["--public"]), ("bidder-b", "bid-b", "bid.txt", 64, []),
                  ("bidder-c", "bid-c", "bid.txt", 64, [])],
        "outputs": {"result": ["house", "bidder-a", "bidder-b", "bidder-c"]},
        "names": {"result": "result.json"},
        "clocks": ["bidder-a", "bidder-b", "bidder-c"],
        "opens_after": 20,
    },
    "private-inference": {
        "about": "A clinic asks a laboratory's model about its images; neither sees the other's bytes.",
        "people": {"lab": "The laboratory", "clinic": "The clinic"},
        "prepare": ["split-data", "archive/labelled.csv", "clinic/images.csv", "clinic/truth.txt"],
        "build": {"infer": ["--world", "model", "--wit", "wit", "--flag", "-I{lab}", "infer.c"],
                  "classify": ["--command", "--world", "client", "--wit", "wit", "classify.c"]},
        "items": [("lab", "infer", "infer.wasm", 512 * KIB, []), ("clinic", "images", "images.csv", 256 * KIB, []),
                  ("clinic", "classify", "classify.wasm", 512 * KIB, [])],
        "outputs": {"labels": ["clinic"]},
        "names": {"labels": "labels.csv"},
        "first": {
            "draft": "draft-train.json",
            "people": {"lab": "The laboratory", "archive": "The archive"},
            "build": {"train": ["train.c"]},
            "items": [("lab", "train", "train.wasm", 512 * KIB, []), ("archive", "labelled", "labelled.csv", 512 * KIB, [])],
            "outputs": {"model": ["lab"], "report": ["lab", "archive"]},
            "names": {"model": "model.csv", "report": "report.csv"},
        },
    },
}


class Refused(Exception):
    """A program said no: exit code and what it said."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


class Demo:
    def __init__(self, name: str, isolate: str, spec: dict | None = None) -> None:
        """A demo of the table, or a collaboration of another `spec`, which names the folder of its sources."""
        self.name, self.spec, self.isolate = name, spec or DEMOS[name], isolate
        self.folder = ROOT / ("build/bench" if spec else "build/demo") / name
        self.sources = ROOT / self.spec.get("folder", f"policies/{name}")
        self.people = list(self.spec["people"])
        self.code_owner, self.code = self.spec["items"][0][0], self.spec["items"][0][1]
        self.begin = self.step_begin = time.monotonic()
        self.log = self.only_one = None
        self.daemons: dict[str, subprocess.Popen] = {}
        self.urls: dict[str, str] = {}
        self.timings: list[tuple[str, float]] = []

    # -- what is said ---------------------------------------------------------------------------------------------------
    def say(self, text: str = "") -> None:
        print(text, flush=True)

    def step(self, number: int, title: str) -> None:
        self.finish_step()
        self.current, self.step_begin = title, time.monotonic()
        self.say(f"[{number}/8] {title}")

    def finish_step(self) -> None:
        if getattr(self, "current", None):
            self.timings.append((self.current.split(":")[0], time.monotonic() - self.step_begin))
        self.current = None

    def tell(self, who: str, text: str) -> None:
        seconds = time.monotonic() - self.begin
        self.say(f"  {seconds:5.1f} s  {who:<9} {text}")

    # -- programs -------------------------------------------------------------------------------------------------------
    def run(self, command: list, cwd: pathlib.Path | None = None, ok: tuple = (0,), timeout: int = 300) -> str:
        words = [str(w) for w in command]
        shown = " ".join(w.replace(str(self.folder) + "/", "").replace(str(ROOT) + "/", "") for w in words)
        done = subprocess.run(words, cwd=cwd or self.folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout)
        self.log.write(f"$ {shown}\n{done.stdout}{done.stderr}[exit {done.returncode}]\n\n")
        self.log.flush()
        if done.returncode not in ok:
            raise Refused(done.returncode, (done.stderr or done.stdout).strip())
        return done.stdout

    def cvm(self, who: str, *words, ok: tuple = (0,)) -> str:
        """The command-line tool, as one person uses it: in that person's folder."""
        return self.run([BIN / "2cvm", *words, "--home", "home"], cwd=self.folder / who, ok=ok)

    def cvm_json(self, who: str, *words, ok: tuple = (0,)):
        return json.loads(self.cvm(who, *words, "--json", ok=ok))

    def start_host(self, host: str) -> None:
        """A host is a daemon and its state folder."""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        folder = self.folder / host
        folder.mkdir(mode=0o700, exist_ok=True)
        log = (folder / "2cvmd.log").open("ab")
        self.urls[host] = f"http://127.0.0.1:{port}"
        self.daemons[host] = subprocess.Popen(
            [BIN / "2cvmd", "--state", folder / "state", "--listen", f"127.0.0.1:{port}", "--socket", folder / "operator.sock",
             "--image", BIN], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait(lambda: self.health(host), 20, "the daemon does not answer; see " + str(folder / "2cvmd.log"))

    def health(self, host: str):
        if self.daemons[host].poll() is not None:
            raise Refused(1, f"2cvmd ended: {(self.folder / host / '2cvmd.log').read_text()[-600:]}")
        try:
            with urllib.request.urlopen(self.urls[host] + "/v1/health", timeout=2) as answer:
                return json.load(answer)
        except OSError:
            return None

    def stop_hosts(self) -> None:
        for daemon in self.daemons.values():
            if daemon.poll() is None:
                daemon.terminate()
                try:
                    daemon.wait(10)
                except subprocess.TimeoutExpired:
                    daemon.kill()
        # Isolates outlive their daemon on purpose: those that an attack left are ended here, each by the id in its own folder.
        for pid_file in self.folder.glob("host*/state/isolates/*/psp.pid"):
            end_process(pid_file, self.folder, "2cvm-psp")
        if self.only_one:
            self.only_one.close()

    @staticmethod
    def wait(ready, seconds: float, what: str):
        end = time.monotonic() + seconds
        while not (value := ready()):
            if time.monotonic() > end:
                raise Refused(1, what)
            time.sleep(0.05)
        return value

    def status(self, who: str, uuid: str) -> dict:
        return self.cvm_json(who, "status", "--collaboration", uuid)

    def wait_state(self, who: str, uuid: str, *states: str, no_refusals: bool = False, phase: str = "") -> dict:
        last = {}

        def ready():
            last.update(self.status(who, uuid))
            if last["state"] in ("failed", "aborted") and last["state"] not in states:
                raise Refused(1, f"the collaboration ended {last['state']}: {last.get('reason')} {last.get('refusals')}")
            if last["state"] in states or (phase and last.get("phase") == phase):
                return last
            if last.get("refusals") and no_refusals:
                raise Refused(1, "; ".join(f"{r['item']} was refused: {r['code']}: {r['message']}" for r in last["refusals"]))
            return None

        return self.wait(ready, 120, f"not {' or '.join(states)} in time")

    # -- the life of one collaboration, piece by piece ------------------------------------------------------------------
    def prepare(self) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.only_one = open(self.folder.with_suffix(".lock"), "w")  # held until the program ends
        fcntl.flock(self.only_one, fcntl.LOCK_EX)  # another run of the same demo: after it
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.log = (self.folder / "commands.log").open("w")
        for who in (*self.everyone(), "operator", "outsider", "public"):
            (self.folder / who).mkdir(mode=0o755 if who == "public" else 0o700)
        if "prepare" in self.spec:
            script, *files = self.spec["prepare"]
            self.run([self.sources / script, *files])
        self.start_host("host")

    def build(self) -> None:
        """Each owner compiles its components; a word in braces is that participant's folder."""
        owners = {item: who for who, item, *_ in self.spec["items"]}
        folders = {who: self.folder / who for who in self.people}
        for component, words in self.spec["build"].items():
            self.run([ROOT / "scripts/build-component", *(w.format(**folders) for w in words),
                      self.folder / owners[component] / f"{component}.wasm"], cwd=self.sources)

    def everyone(self) -> dict[str, str]:
        return {**self.spec.get("first", {}).get("people", {}), **self.spec["people"]}

    def know_each_other(self) -> None:
        cards, people = {}, self.everyone()
        for who, name in people.items():
            cards[who] = self.cvm_json(who, "keygen", "--id", who, "--name", name, "-o", "card.json")
        for who in people:
            for other in people:
                if other != who:
                    self.cvm(who, "contact", "add", f"../{other}/card.json", "--thumbprint", cards[other]["thumbprint"])

    def first(self) -> "Demo":
        """The collaboration that comes before, on the same stage."""
        before = copy.copy(self)
        before.spec = self.spec["first"]
        before.people = list(before.spec["people"])
        before.code_owner, before.code = before.spec["items"][0][:2]
        return before

    def pack(self) -> None:
        for who, item, file, room, more in self.spec["items"]:
            self.cvm(who, "pack", "--id", item, "--max-bytes", room, *more, file, "-o", f"{item}.blob")

    def agree(self, tag: str, draft: pathlib.Path) -> str:
        """Offers, manifest, everyone's own look at it. The owner of the code writes it; everyone gets the same bytes."""
        offers = []
        for who in self.people:
            self.cvm(who, "manifest", "offer", "-o", f"{tag}.offer.json")
            offers += ["--offer", self.folder / who / f"{tag}.offer.json"]
        self.cvm(self.code_owner, "manifest", "init", "--draft", draft, *offers, "--image", BIN, "-o", f"{tag}.json")
        for who in self.people:
            if who != self.code_owner:
                shutil.copy(self.folder / self.code_owner / f"{tag}.json", self.folder / who / f"{tag}.json")
            self.cvm(who, "manifest", "check", f"{tag}.json")
            explained = self.cvm(who, "manifest", "explain", f"{tag}.json")
            (self.folder / who / f"{tag}.explained.txt").write_text(explained)
        return json.loads((self.folder / self.code_owner / f"{tag}.json").read_text())["collaboration"]

    def commit(self, tag: str, host: str = "host") -> None:
        for who in self.people:
            self.cvm(who, "commit", f"{tag}.json", "--image", BIN, "--host", self.urls[host])

    def upload(self, uuid: str) -> None:
        for who, item, *_ in self.spec["items"]:
            self.cvm(who, "upload", item, "--collaboration", uuid)

    def operator(self, verb: str, *words, host: str = "host") -> str:
        return self.run([BIN / "2cvm", verb, *words, "--socket", self.folder / host / "operator.sock", "--home", "home"],
                        cwd=self.folder / "operator")

    def release(self, who: str, uuid: str, *more) -> str:
        return self.cvm(who, "release", "--collaboration", uuid, "--simulated", *more)

    def fetch(self, uuid: str) -> None:
        for output, recipients in self.spec["outputs"].items():
            for who in recipients:
                self.cvm(who, "fetch", output, "--collaboration", uuid)

    def home(self, who: str, uuid: str) -> pathlib.Path:
        return self.folder / who / "home/collaborations" / uuid

    def opened(self, who: str, uuid: str, output: str) -> pathlib.Path:
        return self.home(who, uuid) / "outputs" / output

    def make_public(self, uuid: str) -> None:
        """What anyone may see, under the names of the protocol: the host's public files, and what each verified."""
        public, state = self.folder / "public", self.folder / "host/state/collaborations" / uuid
        for name in ("manifest.json", "evidence.json", "transcript.jsonl", "receipt.jws", "commitments", "acts", "outputs"):
            source = state / name
            if source.is_dir():
                shutil.copytree(source, public / name)
            else:
                shutil.copy(source, public / name)
        (public / "evidence").mkdir()
        for who in self.people:
            shutil.copy(self.home(who, uuid) / f"evidence/{who}.json", public / f"evidence/{who}.json")


def end_process(pid_file: pathlib.Path, folder: pathlib.Path, program: str) -> bool:
    """Ends the process of a pid file in this demo's folder, if it still is the program that wrote it there."""
    try:
        pid = int(pid_file.read_text().split()[0])
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if pathlib.Path(words[0].decode()).name != program or folder not in pid_file.parents:
            return False
        os.kill(pid, signal.SIGKILL)
        return True
    except (OSError, ValueError, IndexError):
        return False
