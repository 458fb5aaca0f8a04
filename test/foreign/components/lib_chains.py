"""The tool chains of others: each makes a component of a program of this folder. What they need is fetched into build/foreign, pinned
or, of Debian, as Debian has it; nothing is installed over the machine's."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
BUILD = ROOT / "build/foreign"
PACKAGE = ("javascript/package.json", "javascript/package-lock.json")


class Missing(Exception):
    """A chain cannot be had on this machine, and why."""


def run(*command, cwd: pathlib.Path = HERE, **more) -> str:
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def kept(name: str, *lists: str, make) -> pathlib.Path:
    """The folder build/foreign/NAME, made anew when one of the lists has changed."""
    folder, stamp = BUILD / name, BUILD / f"{name}.stamp"
    key = hashlib.sha256(b"".join((HERE / x).read_bytes() for x in lists)).hexdigest()
    if not stamp.exists() or stamp.read_text() != key:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)
        stamp.write_text(key)
    return folder


def unpack(folder: pathlib.Path) -> None:
    if not shutil.which("apt-get"):
        raise Missing("Debian's packages for WASI are unpacked by apt-get, and there is none")
    names = [line for line in (HERE / "packages.txt").read_text().splitlines() if not line.startswith("#")]
    with tempfile.TemporaryDirectory(dir=BUILD) as fetched:
        os.chmod(fetched, 0o755)
        run("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *names, cwd=pathlib.Path(fetched))
        for package in pathlib.Path(fetched).glob("*.deb"):
            run("dpkg-deb", "-x", package, folder)


def debian() -> pathlib.Path:
    return kept("debian", "packages.txt", make=unpack) / "usr"


def adapted(core: pathlib.Path) -> None:
    run(ROOT / "scripts/build-component", "--adapt", core, core.with_suffix(".wasm"))
    core.unlink()


def c(folder: pathlib.Path) -> None:
    """Debian's clang and wasi-libc."""
    usr, core = debian(), folder / "c.core"
    llvm = usr / "lib/llvm-14"
    run("clang-14", "--target=wasm32-wasi", f"--sysroot={usr}", f"-fuse-ld={llvm}/bin/wasm-ld", "-nodefaultlibs", "-O2", "-s", "-o", core,
        "numbers.c", "-lc", llvm / "lib/clang/14.0.6/lib/wasi/libclang_rt.builtins-wasm32.a")
    adapted(core)


def rust(folder: pathlib.Path) -> None:
    """Debian's rustc, whose libraries lie beside it."""
    usr, core = debian(), folder / "rust.core"
    run(usr / "bin/rustc", "--edition", "2021", "--sysroot", usr, "--target", "wasm32-wasi", "-O", "-C", "strip=symbols",
        "-C", "linker-flavor=wasm-ld", "-C", f"linker={usr}/lib/llvm-14/bin/wasm-ld", "-o", core, "numbers.rs",
        env={**os.environ, "LD_LIBRARY_PATH": f"{usr}/lib/x86_64-linux-gnu"})
    adapted(core)


def environment(folder: pathlib.Path) -> None:
    run(sys.executable, "-m", "venv", folder)
    run(folder / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input", "-r", HERE / "python/requirements.txt")


def python(folder: pathlib.Path) -> None:
    """A program of componentize-py, with all that CPython's library could want."""
    tool = kept("python", "python/requirements.txt", make=environment) / "bin/componentize-py"
    run(tool, "-d", HERE / "wit", "-w", "command", "componentize", "-p", HERE / "python", "numbers_program", "-o", folder / "python.wasm")


def modules(folder: pathlib.Path) -> None:
    if not shutil.which("npm"):
        raise Missing("JavaScript's tools come by npm, and there is none (Debian: apt install npm)")
    for name in PACKAGE:
        shutil.copy(HERE / name, folder)
    run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)


def javascript(folder: pathlib.Path) -> None:
    """A library of jco with QuickJS, for WASI 0.2, where nothing is asynchronous; and, in C, who asks it."""
    tool = kept("javascript", *PACKAGE, make=modules) / "node_modules/.bin/jco"
    run(tool, "componentize", HERE / "javascript/numbers.js", "--backend", "quickjs", "--backend-qjs-disable-async", "--wit", HERE / "wit", "-n", "numbers", "-o", folder / "javascript.wasm")
    run(ROOT / "scripts/build-component", "--command", "--world", "asks", "--wit", HERE / "wit", HERE / "asks.c", folder / "asks.wasm")


CHAINS = {"c": c, "rust": rust, "javascript": javascript, "python": python}
