# SPDX-License-Identifier: Apache-2.0
"""QEMU's board with a device tree of the test's own.

QEMU completes a tree that it is given with -dtb: memory, PSCI, initrd. So these machines are started
as a boot loader would start them: everything is put into RAM, and a stub of three instructions
enters Mezzo with the tree's address in x0.
"""

import functools
import pathlib
import subprocess
import tempfile

import machine
import trees

RAM = 0x40000000
STUB, TREE, IMAGE, BUNDLE = (RAM + offset for offset in (0x100000, 0x200000, 0x400000, 0x1000000))
MEMORY = 128  # MiB


def options(gic=3, cpus=1, level=2):
    virtualization = "on" if level == 2 else "off"
    return ["-M", f"virt,virtualization={virtualization},gic-version={gic}", "-cpu", "max",
            "-smp", str(cpus), "-m", f"{MEMORY}M", "-display", "none", "-monitor", "none",
            "-nic", "none", "-serial", "stdio"]


@functools.cache
def dump(gic, cpus):
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "board.dtb"
        dumping = options(gic, cpus)
        dumping[1] += f",dumpdtb={file}"
        subprocess.run(["qemu-system-aarch64", *dumping], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return file.read_bytes()


def tree(gic=3, cpus=1):
    """The root node of the board's own tree."""
    return trees.parse(dump(gic, cpus))


def place_bundle(root, bundle, at=BUNDLE):
    """Says in the tree where start() puts the bundle."""
    chosen = root.at("chosen")
    chosen["linux,initrd-start"] = trees.u64(at)
    chosen["linux,initrd-end"] = trees.u64(at + len(bundle))


def stub(x0):
    """ldr x0, =x0; ldr x4, =IMAGE; br x4"""
    code = b"".join(word.to_bytes(4, "little")
                    for word in (0x58000080, 0x580000a4, 0xd61f0080, 0xd503201f))
    return code + x0.to_bytes(8, "little") + IMAGE.to_bytes(8, "little")


def start(directory, blob, bundle=b"", at=BUNDLE, x0=TREE, time_limit=60, until=None, **board):
    """Boots Mezzo with these bytes as device tree and as bundle."""
    command = ["qemu-system-aarch64", *options(**board)]
    parts = {"stub": (stub(x0), STUB), "tree": (blob, TREE), "bundle": (bundle, at)}
    for name, (data, address) in parts.items():
        if data:
            file = directory / name
            file.write_bytes(data)
            command += ["-device", f"loader,file={file},addr={address:#x},force-raw=on"]
    image = machine.ROOT / "build/mezzo.img"
    command += ["-device", f"loader,file={image},addr={IMAGE:#x},force-raw=on",
                "-device", f"loader,addr={STUB:#x},cpu-num=0"]
    return machine.run(command, time_limit, until)
