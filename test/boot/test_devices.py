# SPDX-License-Identifier: Apache-2.0
"""The board's own virtio devices: what Mezzo finds, in each place where QEMU can put them, and that each of them answers by
its interrupt, beside a guest that loops."""

import random
import re
import socket
import zlib

import disks
import machine
import pexpect
import pytest
from test_shell import PROMPT, Shell

CONF = f"""
board = virt
on_all_off = shell
vm loop {{{{ kernel = "{machine.ROOT}/build/guest/loop.img" memory = 16M }}}}
"""
SECTORS = 65536
PARTITIONS = {1: (2048, 18431, "boot"), 2: (18432, 51199, "root fs"), 5: (60000, 60007, "last")}
# How QEMU calls a device's front end, and what else it wants to be told.
PLACES = {"legacy": ("device", []), "modern": ("device", ["-global", "virtio-mmio.force-legacy=false"]),
          "pci": ("pci", [])}


def drive(name, path, device, *more, options=""):
    return ["-drive", f"file={path},format=raw,if=none,id={name}{options}",
            "-device", ",".join([f"virtio-blk-{device}", f"drive={name}", *more])]


def start(tmp_path, arguments, gic=3, timeout=120, keys=""):
    conf = tmp_path / "devices.conf"
    conf.write_text(CONF.format().replace("16M", f"16M {keys}"))
    command = ["run", str(conf), "--cpu", "cortex-a72", "--smp", "2", "--ram", "256M", "--timeout", str(timeout), "--gic", str(gic), "--",
               *arguments]
    child = pexpect.spawn(str(machine.MEZZO), command, timeout=60, encoding="utf-8", codec_errors="replace",
                          dimensions=(50, 400))
    child.expect("about to loop")
    child.send("\x1d0")
    child.expect_exact(PROMPT)
    return Shell(child)


@pytest.mark.parametrize("gic,place", [(2, "legacy"), (3, "legacy"), (3, "modern"), (2, "pci"), (3, "pci")])
def test_disks(gic, place, tmp_path):
    device, arguments = PLACES[place]
    small = disks.make(tmp_path / "small.img", SECTORS, PARTITIONS)
    large = disks.make(tmp_path / "large.img", SECTORS, {3: (512, 1023, "of 4096")}, 4096)
    shell = start(tmp_path, arguments + drive("a", small, device, "serial=one") +
                  drive("b", large, device, "logical_block_size=4096", "physical_block_size=4096",
                        options=",readonly=on"), gic)
    rows = {row["name"]: row for row in shell.json("disks")["disks"]}
    # Linux, too, finds the slots of virtio-mmio in the other order.
    first, second = ("vda", "vdb") if place == "pci" else ("vdb", "vda")
    assert set(rows) == {first, second, f"{first}1", f"{first}2", f"{first}5", f"{second}3"}
    assert (rows[first]["size"], rows[first]["block"], rows[first]["read_only"]) == (SECTORS * 512, 512, False)
    assert (rows[second]["block"], rows[second]["read_only"], rows[second]["driver"]) == (4096, True, "virtio-blk")
    for number, (at, last, label) in PARTITIONS.items():
        row = rows[f"{first}{number}"]
        assert (row["first"], row["size"], row["label"]) == (at, (last - at + 1) * 512, label)
    assert (rows[f"{second}3"]["first"], rows[f"{second}3"]["size"]) == (4096, 512 * 4096)
    # What is read by interrupt is what is in the file.
    for name, path, block, at in ((first, small, 512, 0), (f"{first}2", small, 512, 18432), (f"{first}5", small, 512, 60000),
                                  (second, large, 4096, 0), (f"{second}3", large, 4096, 4096)):
        with open(path, "rb") as file:
            file.seek(at * 512)
            data = file.read(block)
        answer = shell.json(f"try {name}")
        assert (answer["bytes"], int(answer["crc32"], 16)) == (block, zlib.crc32(data)), name
    assert "no such device" in shell.json(f"try {first}3")["error"]
    bus = "virtio-pci" if place == "pci" else "virtio-mmio"
    assert [(row["bus"], row["kind"], row["state"]) for row in shell.json("devices")["devices"]] == [(bus, "disk", "live")] * 2
    shell.child.close(force=True)


@pytest.mark.parametrize("place", PLACES)
def test_other_kinds(place, tmp_path):
    device, arguments = PLACES[place]
    port = random.randrange(20000, 60000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind(("127.0.0.1", 0))
        wire.settimeout(20)
        mine = wire.getsockname()[1]
        net = "romfile=," if place == "pci" else ""
        hello = tmp_path / "serial.out"
        shell = start(tmp_path, arguments + [
            "-device", f"virtio-rng-{device}", "-netdev",
            f"dgram,id=n,local.type=inet,local.host=127.0.0.1,local.port={port},"
            f"remote.type=inet,remote.host=127.0.0.1,remote.port={mine}",
            "-device", f"virtio-net-{device},{net}netdev=n,mac=52:54:00:aa:bb:cc",
            "-device", f"virtio-serial-{device}", "-chardev", f"file,id=c,path={hello}", "-device", "virtconsole,chardev=c"])
        assert {(row["name"], row["driver"], row["state"]) for row in shell.json("devices")["devices"]} == {
            ("rng0", "virtio-rng", "live"), ("net0", "virtio-net", "live"), ("hvc0", "virtio-console", "live")}
        one, other = shell.json("try rng0"), shell.json("try rng0")
        assert one["bytes"] == other["bytes"] == 32 and one["crc32"] != other["crc32"]
        assert shell.json("try hvc0")["sent"] == len("Mezzo: hvc0\r\n")
        shell.child.send("try net0 --json\r")
        frame = wire.recv(2048)
        assert frame[:14] == b"\xff" * 6 + bytes.fromhex("525400aabbcc") + b"\x88\xb5" and frame[14:20] == b"Mezzo\0"
        answer = bytes.fromhex("525400aabbcc 020000000001 88b5") + bytes(range(100))
        wire.sendto(answer, ("127.0.0.1", port))
        shell.child.expect(r'"crc32":"(0x[0-9a-f]+)"')
        assert int(shell.child.match[1], 16) == zlib.crc32(answer)
        shell.child.expect_exact(PROMPT)
        assert "net0: 52:54:00:aa:bb:cc, virtio-net at virtio-" in shell.text("log")
        assert hello.read_bytes() == b"Mezzo: hvc0\r\n"
        shell.child.close(force=True)


@pytest.mark.parametrize("board", [[], ["-device", "virtio-rng-pci"]], ids=["none", "rng"])
def test_entropy_for_guests(board, tmp_path):
    """On a CPU without FEAT_RNG a guest has an entropy device if the board has one."""
    shell = start(tmp_path, board, keys="rng = true")
    refused = "loop: it gets no rng: this board has no source of true random numbers"
    assert (refused in shell.text("log")) == (not board)
    shell.child.close(force=True)


def test_slow_disk(tmp_path):
    """A disk that needs 9 s for an answer is given up after 5, and the rest of the board starts all the same."""
    good = disks.make(tmp_path / "good.img", SECTORS, PARTITIONS)
    shell = start(tmp_path, ["-blockdev", "driver=null-co,node-name=slow,size=1048576,latency-ns=9000000000",
                             "-device", "virtio-blk-pci,drive=slow"] + drive("b", good, "pci"))
    rows = {row["name"]: row["dead"] for row in shell.json("disks")["disks"]}
    assert rows == {"vda": True, "vdb": False, "vdb1": None, "vdb2": None, "vdb5": None}
    log = shell.text("log")
    assert re.search(r"vda, virtio-pci 01\.0: it does not answer: reset, and given up", log)
    assert "vda: cannot be read: its partitions are not known" in log
    assert shell.json("try vda")["error"] == "vda: it was given up"
    assert shell.json("try vdb1")["bytes"] == 512
    shell.child.close(force=True)


def test_none(tmp_path):
    shell = start(tmp_path, [])
    assert shell.json("disks") == {"disks": []} and shell.json("devices") == {"devices": []}
    assert "no disk was found" in shell.text("disks")
    assert "no such device" in shell.json("try rng0")["error"]
    shell.child.close(force=True)


def test_more_than_can_be(tmp_path):
    """32 slots and 4 functions of PCI: the last are left alone, with a sentence."""
    arguments = [word for _ in range(32) for word in ("-device", "virtio-rng-device")]
    arguments += [word for _ in range(4) for word in ("-device", "virtio-rng-pci")]
    shell = start(tmp_path, arguments)
    assert len(shell.json("devices")["devices"]) == 32
    assert "more than 32 of virtio: the others are left alone" in shell.text("log")
    assert shell.json("try rng0")["bytes"] == 32
    shell.child.close(force=True)
