# SPDX-License-Identifier: Apache-2.0
"""Bundles, taken apart so that a test can damage one place and leave all others right.

docs/bundle.md has the layout. `mezzo pack` makes the good ones; it would refuse most of what tests
want to see Mezzo refuse.
"""

import hashlib
import subprocess
import zlib

import machine
import trees

DESCRIPTION = "mezzo.dtb"
TRAILER = "TRAILER!!!"
HEADER = 110  # bytes: "070701" and 13 fields of eight digits
FILE_SIZE, NAME_SIZE = 6, 11  # of the fields
PAGE = 4096


def member(name, data, at, aligned=True):
    """One member of an archive, to be put at offset `at`; its data starts on a page if aligned."""
    name = name.encode() + b"\0"
    if data and aligned:
        name += bytes(-(at + HEADER + len(name)) % PAGE)
    fields = [0] * 13
    fields[1], fields[FILE_SIZE], fields[NAME_SIZE] = 0o100644, len(data), len(name)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name
    return trees.pad(head) + trees.pad(data)


def archive(members, aligned=True):
    """A newc cpio archive of (name, data); not aligned, as cpio -H newc makes it."""
    out = b""
    for name, data in [*members, (TRAILER, b"")]:
        out += member(name, data, len(out), aligned)
    return out + bytes(-len(out) % PAGE)


class Bundle:
    """A description and the files it names. After a change to `files` call `describe`, or do not:
    that is the damage."""

    def __init__(self, data):
        self.files, at = {}, 0
        while True:
            fields = [int(data[at + 6 + 8 * n:at + 14 + 8 * n], 16) for n in range(13)]
            name = data[at + HEADER:at + HEADER + fields[NAME_SIZE]].partition(b"\0")[0].decode()
            start = at + HEADER + fields[NAME_SIZE] + 3 & ~3
            if name == TRAILER:
                break
            self.files[name] = data[start:start + fields[FILE_SIZE]]
            at = start + fields[FILE_SIZE] + 3 & ~3
        self.tree = trees.parse(self.files.pop(DESCRIPTION))

    @property
    def system(self):
        return self.tree.at("mezzo")

    def vm(self, number=0):
        return self.tree.at(f"mezzo/vm@{number:x}")

    def file(self, path):
        """The description of a file."""
        return next(node for node in self.tree.at("mezzo/files").children
                    if node["path"] == trees.text(path))

    def describe(self, path, data):
        """Replaces a file, and tells the description about it."""
        self.files[path] = data
        node = self.file(path)
        node["size"] = trees.u64(len(data))
        node["crc32"] = trees.u32(zlib.crc32(data))
        node["sha256"] = hashlib.sha256(data).digest()

    def add(self, path, data):
        """Another file, with its description."""
        files = self.tree.at("mezzo/files")
        number = len(files.children)
        files.add(trees.Node(f"file@{number:x}", reg=trees.u32(number), path=trees.text(path)))
        self.describe(path, data)

    def to_bytes(self, first=(), aligned=True):
        """`first`: (name, data) of members that stand before all others."""
        return archive([*first, (DESCRIPTION, self.tree.to_bytes()), *self.files.items()], aligned)


def pack(conf, directory):
    """The Bundle that `mezzo pack` makes of a .conf file with this text."""
    source, target = directory / "system.conf", directory / "system.cpio"
    source.write_text(conf, encoding="ascii")
    subprocess.run([machine.MEZZO, "pack", source, "-o", target], check=True, stdout=subprocess.DEVNULL)
    return Bundle(target.read_bytes())
