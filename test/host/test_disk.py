# SPDX-License-Identifier: Apache-2.0
"""`disk =`, `virtio =` and `--disk`: what they may say, what the bundle has of it, and what QEMU is told."""

import json
import os

import pytest

VM = """vm {} {{
  kernel = Image
  disk = {}
}}
"""


@pytest.fixture
def disks(bench):
    bench.write("a.img", bytes(range(256)) * 4)
    bench.write("b.img", bytes(4096))
    return bench


def listing_of(bench, text):
    bench.write("test.conf", text)
    done = bench.mezzo("pack", "test.conf", "-o", "bundle.cpio")
    assert done.status == 0, done
    listing = json.loads(bench.mezzo("ls", "bundle.cpio", "--json").out)
    assert listing["ok"] is True
    return listing


def test_modes(disks):
    listing = listing_of(disks, VM.format("v", '{ a.img, "keep:b.img", "ro:a.img", "cow:./b.img", "host:vda", '
                                          '"ro:host:vdb12" }'))
    assert listing["vms"][0]["disks"] == [
        {"file": "a.img", "mode": "cow"}, {"file": "b.img", "mode": "keep"}, {"file": "a.img", "mode": "ro"},
        {"file": "b.img", "mode": "cow"}, {"host": "vda", "mode": "rw"}, {"host": "vdb12", "mode": "ro"}]
    assert [file["name"] for file in listing["files"]] == ["mezzo.dtb", "Image", "a.img", "b.img"]


def test_one_and_many(disks):
    """One disk needs no braces; a VM may have eight; two VMs may have the same image."""
    listing = listing_of(disks, VM.format("v", "a.img") + VM.format("w", "{ " + ", ".join(["a.img"] * 8) + " }"))
    assert [len(vm["disks"]) for vm in listing["vms"]] == [1, 8]


@pytest.mark.parametrize("value,why", [
    ('"rw:a.img"', "disk: `rw:` is unknown; use cow:, keep:, ro: or host:, or write `./rw:a.img` for a file"),
    ('"ro:"', "disk names no file"),
    ('""', "disk names no file"),
    ('"keep:host:vda"', "host:vda` cannot be used: No such file or directory"),
    ('"host:"', "disk: `` names no disk of a board; write for example `host:vda`"),
    ('"host:1"', "disk: `1` names no disk of a board"),
    ('"host:vda/x"', "disk: `vda/x` names no disk of a board"),
    ('"host:vdaaaaaa"', "disk: `vdaaaaaa` names no disk of a board"),
    ('"ro:host:VDA"', "disk: `VDA` names no disk of a board"),
    ("gone.img", "gone.img` cannot be used: No such file or directory; check the path"),
    ("{ a.img, empty.img }", "empty.img` cannot be used: it is empty"),
    ("odd.img", "odd.img` has 513 bytes, which are no whole sectors of 512; round it up"),
    ("{ " + ", ".join(["a.img"] * 9) + " }", "disk: 9 disks are too many; give at most 8"),
    ('{ "host:vda", "host:vda" }', "VM `v` is given `host:vda` already, as `host:vda`; only if both are `ro:`"),
    ('{ "ro:host:vda2", "host:vda" }', "VM `v` is given `host:vda` already, as `host:vda2`"),
])
def test_bad(disks, value, why):
    disks.write("empty.img", b"")
    disks.write("odd.img", bytes(513))
    lines = disks.complaints(VM.format("v", value))
    assert len(lines) == 1 and lines[0].startswith("test.conf:3: ") and why in lines[0], lines


@pytest.mark.parametrize("first,second,good", [
    ("host:vda", "host:vda", False), ("host:vda", "ro:host:vda", False), ("ro:host:vda", "host:vda", False),
    ("ro:host:vda", "ro:host:vda", True), ("host:vda", "ro:host:vda3", False), ("host:vda1", "host:vda", False),
    ("host:vda1", "host:vda2", True), ("host:vda1", "host:vda12", True), ("host:vda", "host:vdb", True),
    ("host:vda", "host:vdaa", True),
])
def test_sharing(disks, first, second, good):
    """Nobody shares what somebody may write, be it all of a disk or a part of it."""
    text = VM.format("v", f'"{first}"') + VM.format("w", f'"{second}"')
    if good:
        assert disks.check(text).status == 0
    else:
        lines = disks.complaints(text)
        assert len(lines) == 1 and lines[0].startswith("test.conf:7: disk: VM `v` is given "), lines


def test_no_such_machine(disks):
    lines = disks.complaints(VM.format("v", "a.img").replace("disk", "machine = raspi3\n virtio = legacy\n disk"))
    assert lines == ["test.conf:4: virtio: a VM of machine `raspi3` has no virtio devices; drop the line",
                     "test.conf:5: disk: a VM of machine `raspi3` has no virtio devices; drop the line, or give it "
                     "an `sdcard`"]


def test_no_such_board(disks):
    lines = disks.complaints("board = raspi4b\n" + VM.format("v", '{ a.img, "host:vda" }'))
    assert lines == ["test.conf:4: disk: the board has no disk `vda` that Mezzo can drive; take an image"]


def test_disks_count(disks):
    """They stay in the board's memory as every file does, each once."""
    with open(disks.path / "big.img", "wb") as file:
        file.truncate(400 << 20)
    text = VM.format("v", '{ big.img, "ro:big.img" }') + VM.format("w", "big.img")
    disks.write("test.conf", text.replace("disk", "memory = 128M\n disk"))
    assert disks.mezzo("check", "test.conf", "--ram", "800M").status == 0
    done = disks.mezzo("check", "test.conf", "--ram", "640M")
    assert done.status == 2 and "memory not available" in done.err, done


@pytest.mark.parametrize("value,said", [("modern", None), ("legacy", "legacy")])
def test_virtio(disks, value, said):
    listing = listing_of(disks, VM.format("v", "a.img").replace("disk", f"virtio = {value}\n disk"))
    assert listing["vms"][0].get("virtio") == said


def command(bench, *words):
    done = bench.mezzo("run", *words, "--dry-run", "--bundle", "bundle.cpio")
    assert done.status == 0, done
    return done.out


def test_run_disk(disks):
    """The VM has what the board has, in the same order."""
    text = command(disks, "-k", "Image", "--disk", "b.img", "--disk", "ro:a.img")
    assert "virtio-mmio.force-legacy=false" in text
    assert "if=none,id=disk0,format=raw,cache=writeback,discard=unmap,file=b.img" in text
    assert "if=none,id=disk1,format=raw,cache=writeback,discard=unmap,readonly=on,file=a.img" in text
    for n in range(2):
        assert f"virtio-blk-device,drive=disk{n},bus=virtio-mmio-bus.{n}" in text
    assert json.loads(disks.mezzo("ls", "bundle.cpio", "--json").out)["vms"][0]["disks"] == [
        {"host": "vda", "mode": "rw"}, {"host": "vdb", "mode": "ro"}]


def test_run_disk_for_a_file(disks):
    """A .conf says itself who has which disk."""
    disks.write("test.conf", VM.format("v", '"host:vda1"') + VM.format("w", '"host:vdb"'))
    text = command(disks, "test.conf", "--disk", "b.img", "--disk", "a.img")
    assert "file=b.img" in text and "file=a.img" in text
    assert [vm["disks"][0]["host"] for vm in json.loads(disks.mezzo("ls", "bundle.cpio", "--json").out)["vms"]] == [
        "vda1", "vdb"]


def test_run_without_disk(disks):
    assert "virtio" not in command(disks, "-k", "Image")


def test_run_comma(disks):
    disks.write("c,d.img", bytes(512))
    assert "file=c,,d.img" in command(disks, "-k", "Image", "--disk", "c,d.img")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_run_read_only_file(disks):
    os.chmod(disks.path / "a.img", 0o444)
    assert "readonly=on,file=a.img" in command(disks, "-k", "Image", "--disk", "a.img")


@pytest.mark.parametrize("words,why", [
    (["--disk", "odd.img"], "`odd.img` cannot be used: its 513 bytes are no whole sectors of 512; check"),
    (["--disk", "empty.img"], "`empty.img` cannot be used: it is empty"),
    (["--disk", "ro:gone"], "`ro:gone` cannot be used: No such file"),
    (["--disk", "."], "`.` cannot be used: it is neither a file nor a block device"),
    (["--disk", "a.img"] * 9, "`a.img` cannot be used: the board has as many as it can"),
    (["--disk", "a.img", "--board", "raspi3b"], "--disk: Mezzo drives no disk of the board `raspi3b`; drop"),
])
def test_run_bad(disks, words, why):
    disks.write("empty.img", b"")
    disks.write("odd.img", bytes(513))
    done = disks.mezzo("run", "-k", "Image", *words, "--dry-run")
    assert done.status == 2 and why in done.err, done
