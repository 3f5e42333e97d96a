# SPDX-License-Identifier: Apache-2.0
"""The SD card of the Raspberry Pi programs: one FAT32 partition with a few files, made with mtools and mkfs.fat.

Its size is a power of two, which QEMU's board wants. lib/card.c knows what is on it.
"""

import os
import pathlib
import struct
import subprocess
import tempfile

SIZE = 64 << 20
SECTOR = 512
FIRST = 2048  # sector of the partition
TEXT = b"The quick brown fox jumps over the lazy dog.\n"
BIG = bytes((7 * i + i // 251) & 0xff for i in range(100000))

FILES = [
    ("CONFIG.TXT", b"kernel=kernel8.img\n"),
    ("A long name with spaces.txt", TEXT),
    ("a name that is longer than one would think a name on a small card would ever have to be.dat", b"x" * 5000),
    ("big file.bin", BIG),
]

# Debian keeps mkfs.fat where a user's PATH may not lead.
ENVIRONMENT = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin", "MTOOLS_SKIP_CHECK": "1"}


def _call(*command):
    subprocess.run(command, check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL)


def blank(path):
    """Zeroes and nothing else."""
    with open(path, "wb") as file:
        file.truncate(SIZE)


def build(path):
    """The whole card. It gets its name when it is complete: a test that runs meanwhile reads the one before."""
    target, path = path, f"{path}.new"
    blank(path)
    sectors = SIZE // SECTOR - FIRST
    entry = struct.pack("<BBBBBBBBII", 0, 0xfe, 0xff, 0xff, 0x0c, 0xfe, 0xff, 0xff, FIRST, sectors)
    with open(path, "r+b") as file:
        file.seek(446)
        file.write(entry)
        file.seek(510)
        file.write(b"\x55\xaa")
    _call("mkfs.fat", "-F", "32", "-s", "1", "-n", "MEZZO", "-i", "4d455a5a", "--offset", str(FIRST), str(path),
          str(sectors // 2))
    volume = f"{path}@@{FIRST * SECTOR}"
    _call("mmd", "-i", volume, "::boot folder")
    with tempfile.TemporaryDirectory() as directory:
        for name, content in FILES:
            file = pathlib.Path(directory) / name
            file.write_bytes(content)
            _call("mcopy", "-i", volume, str(file), "::")
    os.replace(path, target)
