"""Writes the initramfs: a cpio archive ("newc") whose bytes depend on its entries and on nothing else.

No times, no owners, no inode or device numbers of a file system; entries in the order of their names."""
import stat


def entry(number: int, name: str, mode: int, data: bytes = b"", rdev: tuple[int, int] = (0, 0)) -> bytes:
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (number, mode, 0, 0, links, 0, len(data), 0, 0, *rdev, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
    return pad(head) + pad(data)


def pad(data: bytes, to: int = 4) -> bytes:
    return data + bytes(-len(data) % to)


def archive(programs: dict[str, bytes]) -> bytes:
    """The folders and nodes that the kernel and /init need, and the programs, executable by everybody (cells have users of
    their own) and writable by nobody."""
    entries = {
        "dev": (stat.S_IFDIR | 0o755, b"", (0, 0)),
        "dev/console": (stat.S_IFCHR | 0o600, b"", (5, 1)),
        "root": (stat.S_IFDIR | 0o755, b"", (0, 0)),
        **{name: (stat.S_IFREG | 0o555, data, (0, 0)) for name, data in programs.items()},
    }
    out = b"".join(entry(i, name, *entries[name]) for i, name in enumerate(sorted(entries), 1))
    return pad(out + entry(0, "TRAILER!!!", 0), 512)
