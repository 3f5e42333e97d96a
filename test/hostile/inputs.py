# SPDX-License-Identifier: Apache-2.0
"""Class H39: what a VM is built from, in every way that is wrong. Kernels, initial file systems, trees and places that
no honest build makes, each in the description of a VM of its own beside the victim, in one bundle that `mezzo pack`
would never make. That VM alone is refused, in words; the others run.
"""

import contextlib
import dataclasses
import random
import re
import struct
import sys

import suite
from suite import machine

sys.path.insert(0, str(machine.ROOT / "test/boot"))

import bundles  # noqa: E402  (found by the line above)
from trees import text, u32, u64  # noqa: E402

RAM, MIB, TOP = 0x40000000, 1 << 20, 1 << 64
HELLO = machine.KERNELS / "hello.img"
SEEDS = 24  # VMs whose kernel's or tree's first bytes are random


@dataclasses.dataclass(frozen=True)
class Input:
    """A row: what is wrong, how it is done to (bundle, number of the VM), what Mezzo says of that VM."""

    id: str
    what: str
    change: object
    says: str


def image(text_offset=0, image_size=MIB, flags=0xa, size=4096):
    head = struct.pack("<IIQQQQQQ4sI", 0x14000010, 0, text_offset % TOP, image_size % TOP, flags, 0, 0, 0, b"ARM\x64", 0)
    return (head + bytes(size))[:size]


def elf(segments=((RAM + MIB, 4096, 64, 64),), entry=RAM + MIB, count=None, offset=64, kind=b"\x7fELF\x02\x01\x01"):
    """Segments: (address, offset in the file, bytes there, bytes in memory)."""
    head = struct.pack("<16sHHIQQQIHHHHHH", kind, 2, 183, 1, entry % TOP, offset % TOP, 0, 0, 64, 56,
                       len(segments) if count is None else count, 0, 0, 0)
    table = b"".join(struct.pack("<IIQQQQQQ", 1, 5, at % TOP, to % TOP, to % TOP, size % TOP, memory % TOP, 4)
                     for to, at, size, memory in segments)
    return (head + table).ljust(8192, b"\0")


def tree(total=None, structure=None, strings=0x40, body=b""):
    """A flattened tree whose header says what it is told to."""
    body = body or struct.pack(">III", 1, 0, 2) + struct.pack(">I", 9)
    size = 0x48 + len(body)
    head = struct.pack(">10I", 0xd00dfeed, size if total is None else total, 0x48 if structure is None else structure,
                       strings, 0x28, 17, 16, 0, 8, len(body))
    return head + bytes(0x48 - len(head)) + body


def kernel(data):
    return lambda bundle, number: bundle.describe(f"H39-{number}.img", data)


def other(key, name, data):
    """Another file, under `key` of the VM."""
    def change(bundle, number):
        bundle.add(f"{name}-{number}", data)
        bundle.vm(number)[key] = text(f"{name}-{number}")
    return change


def put(**keys):
    def change(bundle, number):
        for key, value in keys.items():
            bundle.vm(number)[key] = value
    return change


def both(*changes):
    def change(bundle, number):
        for one in changes:
            one(bundle, number)
    return change


def spoil(bundle, number):
    data = bundle.files[f"H39-{number}.img"]
    bundle.files[f"H39-{number}.img"] = data[:100] + bytes([data[100] ^ 1]) + data[101:]


DEEP = struct.pack(">II", 1, 0) * 2000 + struct.pack(">I", 2) * 2000 + struct.pack(">I", 9)
LONG = struct.pack(">II", 1, 0) + struct.pack(">III", 3, 0xfffffff0, 0) + struct.pack(">II", 2, 9)
RAW = b"\x14" * 4096

INPUTS = [
    Input("H39.1", "Half a header, which is a program like any other.", kernel(image(size=32)), r"cannot go on"),
    Input("H39.2", "An Image that begins at 2^64 - 2 MiB.", kernel(image(text_offset=-2 * MIB)), r"header is damaged"),
    Input("H39.3", "An Image that begins at an odd place.", kernel(image(text_offset=0x123)), r"header is damaged"),
    Input("H39.4", "An Image of 2^64 - 1 bytes.", kernel(image(image_size=-1)), r"takes 18014398509481983 KiB"),
    Input("H39.5", "An Image of 2^63 bytes.", kernel(image(image_size=1 << 63)), r"takes 9007199254740992 KiB"),
    Input("H39.6", "A big-endian Image.", kernel(image(flags=0xb)), r"big-endian"),
    Input("H39.7", "An ELF whose table is behind its end.", kernel(elf(offset=1 << 20)), r"program headers at 0x100000 are not usable"),
    Input("H39.8", "An ELF whose table is at 2^64 - 56.", kernel(elf(offset=-56)), r"program headers at 0xf+c8 are not usable"),
    Input("H39.9", "An ELF with 65,535 segments.", kernel(elf(count=65535)), r"65535 program headers"),
    Input("H39.10", "A segment whose bytes end behind 2^64.", kernel(elf([(RAM + MIB, 4096, -4096, -4096)])), r"beyond the file's end"),
    Input("H39.11", "A segment from behind the file's end.", kernel(elf([(RAM + MIB, 1 << 40, 64, 64)])), r"beyond the file's end"),
    Input("H39.12", "A segment with less memory than bytes.", kernel(elf([(RAM + MIB, 4096, 128, 64)])), r"impossible size"),
    Input("H39.13", "A segment that runs over 2^64.", kernel(elf([(-4096, 4096, 64, 8192)])), r"impossible size"),
    Input("H39.14", "Two segments at one place.",
          kernel(elf([(RAM + MIB, 4096, 64, 8192), (RAM + MIB + 4096, 4096, 64, 64)])), r"overlap"),
    Input("H39.15", "An ELF for 32 bits.", kernel(elf(kind=b"\x7fELF\x01\x01\x01")), r"for another machine"),
    Input("H39.16", "An entry point in the distributor.", kernel(elf(entry=0x08000000)), r"entry point 0x8000000 is not in the kernel"),
    Input("H39.17", "A raw file at 2^48 - 4096.", both(kernel(RAW), put(load=u64((1 << 48) - 4096))), r"is not in the VM's memory"),
    Input("H39.18", "A raw file over the end of memory.", both(kernel(RAW), put(load=u64(RAM + 16 * MIB - 2048))), r"is not in the VM's memory"),
    Input("H39.19", "An initial file system as large as memory.", other("initrd", "initrd", bytes(16 * MIB)), r"does not fit"),
    Input("H39.20", "A tree of 4 GiB in 80 bytes.", other("dtb", "tree", tree(total=0xfffffff8)), r"larger than the space"),
    Input("H39.21", "A tree whose structure is outside.", other("dtb", "tree", tree(structure=0xfffffff0)), r"structure is damaged"),
    Input("H39.22", "A tree of 2,000 levels.", other("dtb", "tree", tree(body=DEEP)), r"deeper than 16 levels"),
    Input("H39.23", "A property of 4 GiB.", other("dtb", "tree", tree(body=LONG)), r"structure is damaged"),
    Input("H39.24", "One bit that its CRC-32 does not know of.", spoil, r"CRC-32"),
    Input("H39.25", "Compressed.", kernel(b"\x1f\x8b\x08\0" + bytes(4000)), r"compressed"),
]


def mangled(seed):
    """A kernel with random bytes in its header; it may be refused, or run and end in its own way."""
    rng = random.Random(seed)
    data = bytearray(rng.choice([HELLO.read_bytes(), elf(), elf([(RAM + MIB, 4096, 64, 64)] * 3)]))
    for _ in range(rng.randrange(1, 12)):
        data[rng.randrange(256)] = rng.randrange(256)
    return kernel(bytes(data))


def bundle_of(directory):
    """All of them behind the victim."""
    number = len(INPUTS) + SEEDS
    conf = "overcommit = true\n" + machine.vm("victim", suite.IMAGE, "victim=1")
    for n in range(1, number + 1):
        (directory / f"H39-{n}.img").write_bytes(HELLO.read_bytes() + n.to_bytes(2, "little"))
        conf += machine.vm(f"H39.{n}", directory / f"H39-{n}.img", on_crash="stop")
    bundle = bundles.pack(conf, directory)
    for n, row in enumerate(INPUTS, 1):
        row.change(bundle, n)
    for seed in range(SEEDS):
        mangled(seed)(bundle, len(INPUTS) + 1 + seed)
    return bundle


class Run(suite.Run):
    """One machine: all of them are there when it boots, behind the victim."""

    def __init__(self, board, directory):
        self.file = directory / "inputs.cpio"
        self.file.write_bytes(bundle_of(directory).to_bytes())
        super().__init__(board, [], qemu=["-initrd", str(self.file)], name=f"inputs-{board}")

    def description(self, _disk):
        return machine.vm("not-looked-at", "hello")  # the bundle of `mezzo run`, which QEMU does not get

    def judge(self, link, row):
        def said():
            return [line for line in link.log().text.split("\n")
                    if re.search(rf"\b{re.escape(row.id)}\b(?: \(.*\))?: ", line)]

        def is_said():
            return any(re.search(row.says, line) for line in said())

        if link.vm(row.id):
            link.wait_state(row.id, "crashed")  # what was no kernel of a known kind has run
            with contextlib.suppress(AssertionError):
                link.wait(is_said, 20)  # the log comes by a channel of its own
        return ("right", "") if is_said() else ("wrong", str(said()))

    def end(self, link, name):
        """One of random bytes: refused, or it comes to an end of its own or by `kill`."""
        if (link.vm(name) or {"state": "refused"})["state"] == "running":
            link.command(f"kill {name}")
        state = (link.vm(name) or {"state": "refused"})["state"]
        return ("right", "") if state in ("refused", "off", "crashed", "ending", "cleaning") else ("wrong", state)

    def attack(self, link, monitor, directory):
        self.victim, self.differences, self.unsure = link.console("victim"), 0, []
        link.wait(lambda: len(suite.BEAT.findall(self.victim.text)) >= 2)
        self.outside = suite.Outside(monitor, directory, self.image)
        self.verdicts = {row.id: self.judge(link, row) for row in INPUTS}
        for number in range(len(INPUTS) + 1, len(INPUTS) + SEEDS + 1):
            self.verdicts[f"H39.{number}"] = self.end(link, f"H39.{number}")
        self.unsure = list(self.verdicts)
        self.look(self.outside)
        self.check(link, "")
        self.log = link.log().text
