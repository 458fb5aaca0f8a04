#!/usr/bin/env python3
"""`2cvm measure` against sev-snp-measure: random kernels, initramfs, command lines, processors, features; and images that both refuse."""
import hashlib
import pathlib
import random
import subprocess
import sys
import tempfile

try:
    from sevsnpmeasure import guest, vcpu_types
    from sevsnpmeasure.sev_mode import SevMode
except ImportError:
    print("skipped: sev-snp-measure is not installed (scripts/setup test)")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "build/release/bin/2cvm"
VECTORS = ROOT.parent / "shared/vectors/snp/measure"
RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 60
# They know one more name for the first line's model, which QEMU has dropped.
MODELS = [m for m in vcpu_types.CPU_SIGS if m != "EPYC-IBPB"]


def ours(*args: object) -> str | None:
    done = subprocess.run([PROGRAM, "measure", *map(str, args)], capture_output=True, text=True)
    return done.stdout.strip().removeprefix("sha384:") if done.returncode == 0 else None


def theirs(ovmf: pathlib.Path, kernel: str | None, initrd: str | None, append: str | None, vcpus: int, model: str, features: int) -> str | None:
    try:
        return guest.calc_launch_digest(SevMode.SEV_SNP, vcpus, vcpu_types.CPU_SIGS[model], str(ovmf), kernel, initrd, append, features).hex()
    except RuntimeError:
        return None


def main() -> None:
    if not PROGRAM.exists():
        print("skipped: 2cvm is not built")
        sys.exit(77)
    images = [ROOT / "test/corpus/cvm-evidence-fuzz-ovmf/image", *sorted(VECTORS.glob("*.bin"))]
    dice, refused = random.Random(4), 0
    with tempfile.TemporaryDirectory() as d:
        for i in range(RUNS):
            image, model = dice.choice(images), dice.choice(MODELS)
            vcpus, features = dice.choice((1, 2, 3, 8, 64)), dice.choice((0x1, 0x21, 0x8001))
            args = ["--ovmf", image, "--vcpus", vcpus, "--cpu", model, "--features", hex(features)]
            kernel = initrd = append = None
            if dice.random() < 0.8:
                kernel = f"{d}/kernel"
                pathlib.Path(kernel).write_bytes(hashlib.shake_256(bytes([i])).digest(dice.randrange(9000)))
                args += ["--kernel", kernel]
                if dice.random() < 0.7:
                    initrd = f"{d}/initrd"
                    pathlib.Path(initrd).write_bytes(dice.randbytes(dice.randrange(5000)))
                    args += ["--initrd", initrd]
                if dice.random() < 0.7:
                    append = "console=ttyS0 " + dice.choice(("quiet", "panic=-1", "x" * 300))
                    args += ["--cmdline", append]
            a, b = ours(*args), theirs(image, kernel, initrd, append, vcpus, model, features)
            assert a == b, f"{args}: we say {a}, they say {b}"
            refused += a is None
    print(f"sev-snp-measure: {RUNS} measurements, {refused} refused by both, all equal")


if __name__ == "__main__":
    main()
