"""A libvirtd of one's own, beside whatever the machine has, for demos and tests.

As root it lives in a mount namespace where libvirt's folders are its own; as another user it is a session daemon in folders of
its own. Its socket lies in a folder that everybody of this machine can reach, so that `virsh -c URI` works from any terminal.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

FOLDERS = ("etc", "run", "lib", "cache", "log")
# What a privileged libvirtd writes to, and which of our folders stands there in its namespace.
PLACES = {"/etc/libvirt": "etc", "/run/libvirt": "run", "/var/lib/libvirt": "lib", "/var/cache/libvirt": "cache", "/var/log/libvirt": "log"}


class Libvirtd:
    def __init__(self) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="2cvm-libvirt-"))
        self.root = os.geteuid() == 0
        self.runtime = self.folder / "vm"  # short paths for the sockets of machines
        for name in (*FOLDERS, "vm"):
            (self.folder / name).mkdir(mode=0o700)
        self.socket = self.folder / ("libvirt-sock" if self.root else "run/libvirt/libvirt-sock")
        self.uri = f"qemu:///{'system' if self.root else 'session'}?socket={self.socket}"
        self.daemon: subprocess.Popen | None = None
        (self.folder / "libvirtd.conf").write_text(
            (f'unix_sock_dir = "{self.folder}"\nunix_sock_rw_perms = "0700"\n' if self.root else "")
            + 'auth_unix_rw = "none"\nauth_unix_ro = "none"\n'
            f'log_outputs = "2:file:{self.folder}/libvirtd.log"\n')
        # QEMU writes the consoles itself, so that no virtlogd is needed.
        conf = 'stdio_handler = "file"\nsecurity_driver = "none"\nseccomp_sandbox = 1\n'
        if self.root:
            conf += 'user = "root"\ngroup = "root"\ndynamic_ownership = 0\nremember_owner = 0\nnamespaces = []\ncgroup_controllers = []\n'
        for place in ("etc", "etc/libvirt"):
            (self.folder / place).mkdir(exist_ok=True)
            (self.folder / place / "qemu.conf").write_text(conf)

    def start(self) -> "Libvirtd":
        environment = dict(os.environ)
        command = [shutil.which("libvirtd", path="/usr/sbin:/sbin:" + os.environ.get("PATH", "")) or "libvirtd",
                   "-f", str(self.folder / "libvirtd.conf"), "-p", str(self.folder / "libvirtd.pid")]
        if self.root:
            mounts = " && ".join(f"mkdir -p {place} && mount --bind {self.folder / ours} {place}" for place, ours in PLACES.items())
            command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{mounts} && exec "$@"', "sh", *command]
        else:
            environment |= {"XDG_CONFIG_HOME": str(self.folder / "etc"), "XDG_RUNTIME_DIR": str(self.folder / "run"),
                            "XDG_CACHE_HOME": str(self.folder / "cache"), "XDG_DATA_HOME": str(self.folder / "lib")}
        log = (self.folder / "start.log").open("ab")
        self.daemon = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + 20
        while not self.answers():
            if self.daemon.poll() is not None or time.monotonic() > end:
                raise RuntimeError("libvirtd does not start: " + "\n".join(
                    p.read_text(errors="replace")[-1500:] for p in (self.folder / "start.log", self.folder / "libvirtd.log") if p.exists()))
            time.sleep(0.1)
        return self

    def answers(self) -> bool:
        return self.socket.exists() and subprocess.run(["virsh", "-c", self.uri, "uri"], capture_output=True).returncode == 0

    def virsh(self, *words, check: bool = True) -> str:
        done = subprocess.run(["virsh", "-q", "-c", self.uri, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
        if check and done.returncode:
            raise RuntimeError(f"virsh {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Ends the daemon only; its machines run on."""
        if self.daemon and self.daemon.poll() is None:
            self.daemon.send_signal(number)
            self.daemon.wait(20)

    def stop(self) -> None:
        """Ends its machines, then the daemon, and removes the folder."""
        if self.daemon and self.daemon.poll() is None:
            for name in self.virsh("list", "--name", check=False).split():
                self.virsh("destroy", name, check=False)
            self.kill(signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)


if __name__ == "__main__":  # for trying things by hand: prints the URI, ends with the terminal
    with_one = Libvirtd().start()
    print(f"virsh -c '{with_one.uri}' list --title\nruntime folder: {with_one.runtime}", flush=True)
    try:
        sys.stdin.read()
    finally:
        with_one.stop()
