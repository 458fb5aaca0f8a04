#!/usr/bin/env python3
"""`2cvm measure` against sev-snp-measure: random kernels, initramfs, command lines, processors, features; and images that both refuse."""
import hashlib
import json
import pathlib
import random
import subprocess
import sys
import tempfile

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from sevsnpmeasure import guest, id_block, vcpu_types
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


def id_blocks(folder: pathlib.Path, image: pathlib.Path, dice: random.Random) -> None:
    """The block that an ID key signs, and the names of keys in a report."""
    for _ in range(5):
        keys, options = [], []
        for option in ("id-key", "author-key"):
            keys.append(ec.generate_private_key(ec.SECP384R1()))
            path = folder / option
            path.write_bytes(keys[-1].public_key().public_bytes(serialization.Encoding.PEM,
                                                                serialization.PublicFormat.SubjectPublicKeyInfo))
            options += [f"--{option}", path]
        svn, policy = dice.randrange(1 << 32), 0x30000 | dice.randrange(1 << 16)
        said = json.loads(subprocess.run([PROGRAM, "measure", "--ovmf", image, "--vcpus", "2", "--guest-svn", str(svn), "--policy",
                                          hex(policy), *options, "--json"], check=True, capture_output=True).stdout)
        theirs = bytes(id_block.IdBlock(launch_digest=id_block.LaunchDigest.from_buffer_copy(bytes.fromhex(said["measurements"][0][7:])),
                                        ids=id_block.DefaultIDs, version=1, guest_svn=svn.to_bytes(4, "little"), policy=policy))
        assert said["id_block"] == theirs.hex() and said["id_block_digest"] == "sha384:" + hashlib.sha384(theirs).hexdigest()
        assert [said["id_keys"], said["author_keys"]] == [["sha384:" + id_block.pub_to_digest(k).hex()] for k in keys]


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
        id_blocks(pathlib.Path(d), images[0], dice)
    print(f"sev-snp-measure: 5 ID blocks and {RUNS} measurements, {refused} refused by both, all equal")


if __name__ == "__main__":
    main()
