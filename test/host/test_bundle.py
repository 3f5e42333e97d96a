# SPDX-License-Identifier: Apache-2.0
"""`mezzo pack` and `mezzo ls`: the archive, the description in it, and damage."""

import gzip
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import zlib

import pytest
from conftest import MIB, ONE, ROOT, elf, image, zboot

SYSTEM = """
on_all_off = shell
vm linux {
  kernel  = Image.gz
  initrd  = initrd
  cmdline = "console=ttyAMA0 quiet"
  memory  = 64M
  cpus    = 2
}
vm second {
  kernel    = copy/Image
  initrd    = sub/initrd
  memory    = 32M
  pin       = { 3 }
  gic       = 3
  exclusive = true
  weight    = 200
  priority  = 7
  budget    = 2ms/10ms
  stop_timeout = 90
  on_crash  = restart
  autostart = false
  verify    = sha256
  vsock     = 4095
  vsock_group = fleet
  manage    = true
}
"""


@pytest.fixture
def packed(bench):
    """A bench with a bundle of two VMs that share a kernel, once packed and once plain."""
    bench.write("Image.gz", gzip.compress(image(MIB)))
    bench.write("copy/Image", image(MIB))
    bench.write("sub/initrd", b"another one of that name")
    bench.write("test.conf", SYSTEM)
    done = bench.mezzo("pack", "test.conf", "-o", "bundle.cpio")
    assert done.status == 0 and re.fullmatch(r"bundle.cpio: \d+K, 4 files, 2 VMs\n", done.out), done
    return bench


def members(archive):
    """(name, offset of the data, data, header) of each member, read by the letter of cpio(5)."""
    at = 0
    while True:
        assert archive[at:at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * n:at + 14 + 8 * n], 16) for n in range(13)]
        size, name_size = fields[6], fields[11]
        name = archive[at + 110:at + 110 + name_size]
        assert name.endswith(b"\0")
        name = name.rstrip(b"\0").decode()
        data = (at + 110 + name_size + 3) & ~3
        if name == "TRAILER!!!":
            return
        yield name, data, archive[data:data + size], fields
        at = (data + size + 3) & ~3


def source(tree):
    return subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", "-"], input=tree, check=True,
                          stdout=subprocess.PIPE).stdout.decode()


def test_layout(packed):
    archive = (packed.path / "bundle.cpio").read_bytes()
    found = list(members(archive))
    assert [m[0] for m in found] == ["mezzo.dtb", "Image.gz", "initrd", "initrd.2"]
    assert all(offset % 4096 == 0 for _, offset, _, _ in found)
    assert len(archive) % 4096 == 0
    data = {name: content for name, _, content, _ in found}
    assert data["Image.gz"] == image(MIB), "gzip was not unpacked"
    assert data["initrd"] == b"\x5a" * 5000
    assert data["initrd.2"] == b"another one of that name"
    for number, (_, _, content, fields) in enumerate(found, 1):
        assert fields == [number, 0o100644, 0, 0, 1, 0, len(content), 0, 0, 0, 0, fields[11], 0]


def test_description(packed):
    found = {m[0]: m[2] for m in members((packed.path / "bundle.cpio").read_bytes())}
    text = source(found["mezzo.dtb"])
    for name in ("Image.gz", "initrd", "initrd.2"):
        assert f'path = "{name}"' in text
        assert f"crc32 = <0x{zlib.crc32(found[name]):x}>" in text
        words = struct.unpack(">8I", hashlib.sha256(found[name]).digest())
        assert "sha256 = <" + " ".join(f"0x{w:x}" for w in words) + ">" in text
    system, first, second = text[:text.index("vm@0")], *text[text.index("vm@0"):].split("vm@1")
    assert 'on-all-off = "shell"' in system and "version = <0x01>" in system
    assert "overcommit" not in system and "plain-exits" not in system and "console" not in system
    for line in ('vm-name = "linux"', 'machine = "virt"', 'kernel = "Image.gz"', 'initrd = "initrd"',
                 'cmdline = "console=ttyAMA0 quiet"', "memory = <0x00 0x4000000>", "cpus = <0x02>",
                 'on-crash = "stop"', "autostart = <0x01>"):
        assert line in first, line
    for word in ("gic", "pin", "exclusive", "verify", "load", "entry", "weight", "priority", "budget", "stop-timeout"):
        assert f"\t{word}" not in first
    for line in ('kernel = "Image.gz"', 'initrd = "initrd.2"', "pin = <0x03>", "gic = <0x03>", "exclusive;",
                 "weight = <0xc8>", "priority = <0x07>", "budget = <0x7d0 0x2710>", "stop-timeout = <0x15f90>",
                 'on-crash = "restart"', "autostart = <0x00>", 'verify = "sha256"', "vsock = <0xfff>", 'vsock-group = "fleet"', "manage;"):
        assert line in second, line


def test_load_and_entry(bench):
    bench.write("test.conf", "vm a { kernel = initrd load = 0x40100000 entry = 0x40100010 }")
    bench.mezzo("pack", "test.conf", "-o", "b")
    text = source(next(members((bench.path / "b").read_bytes()))[2])
    assert "load = <0x00 0x40100000>" in text and "entry = <0x00 0x40100010>" in text


def test_firmware(bench):
    """Firmware is packed as it is, and the schemas know it."""
    bench.write("u-boot.bin", gzip.compress(b"not to be unpacked"))
    bench.write("test.conf", "vm a {\n firmware = u-boot.bin\n memory = 32M\n}\n")
    assert bench.mezzo("pack", "test.conf", "-o", "bundle.cpio").status == 0
    archive = (bench.path / "bundle.cpio").read_bytes()
    files = {name: data for name, _, data, _ in members(archive)}
    assert files["u-boot.bin"] == gzip.compress(b"not to be unpacked")
    listing = json.loads(bench.mezzo("ls", "--json", "bundle.cpio").out)
    assert listing["vms"][0]["firmware"] == "u-boot.bin" and "kernel" not in listing["vms"][0]
    assert "u-boot.bin" in bench.mezzo("ls", "bundle.cpio").out
    if shutil.which("dt-validate"):
        tree = bench.write("bundle.dtb", files["mezzo.dtb"])
        done = subprocess.run(["dt-validate", "-s", ROOT / "docs/bindings", tree], check=False, capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout + done.stderr == "", done


def test_schema(packed):
    if shutil.which("dt-validate") is None:
        pytest.skip("dt-validate is not installed")
    tree = packed.write("mezzo.dtb", next(members((packed.path / "bundle.cpio").read_bytes()))[2])

    def validate():
        done = subprocess.run(["dt-validate", "-s", ROOT / "docs/bindings", tree], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout.decode()

    assert validate() == ""
    # The schema does look: a wrong value is found.
    subprocess.run(["fdtput", tree, "/mezzo/vm@0", "on-crash", "explode"], check=True)
    assert "on-crash" in validate()


def test_deterministic(packed, tmp_path_factory):
    first = (packed.path / "bundle.cpio").read_bytes()
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(packed.path, elsewhere, dirs_exist_ok=True)
    for file in elsewhere.rglob("*"):
        os.utime(file, (1, 1))
        file.chmod(0o755)
    done = packed.mezzo("pack", elsewhere / "test.conf", "-o", "-")
    assert done.status == 0 and done.out.encode(errors="surrogateescape") == first


@pytest.mark.parametrize("tool", [["cpio", "-t", "--quiet"], ["bsdtar", "-tf", "-"]], ids=["cpio", "bsdtar"])
def test_other_tools_list_it(packed, tool):
    if shutil.which(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed")
    with open(packed.path / "bundle.cpio", "rb") as archive:
        done = subprocess.run(tool, stdin=archive, capture_output=True, check=True)
    assert done.stdout.decode().split() == ["mezzo.dtb", "Image.gz", "initrd", "initrd.2"]
    assert done.stderr == b""


@pytest.mark.parametrize("tool", [["cpio", "-i", "--quiet"], ["bsdtar", "-xf", "-"]], ids=["cpio", "bsdtar"])
def test_other_tools_unpack_it(packed, tool):
    if shutil.which(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed")
    out = packed.path / "out"
    out.mkdir()
    with open(packed.path / "bundle.cpio", "rb") as archive:
        subprocess.run(tool, stdin=archive, cwd=out, check=True)
    assert (out / "Image.gz").read_bytes() == image(MIB)
    assert (out / "initrd.2").read_bytes() == b"another one of that name"


def test_ls_reads_an_archive_of_another_tool(packed):
    out = packed.path / "out"
    out.mkdir()
    for name, _, content, _ in members((packed.path / "bundle.cpio").read_bytes()):
        (out / name).write_bytes(content)
    names = b"initrd.2\nmezzo.dtb\nImage.gz\ninitrd\n"
    with open(packed.path / "foreign.cpio", "wb") as archive:
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], input=names, cwd=out, stdout=archive,
                       check=True)
    done = packed.mezzo("ls", "foreign.cpio")
    assert done.status == 0 and done.err == "", done
    assert "(unaligned: will be copied)" in done.out


@pytest.mark.parametrize("kernel", [image(MIB), gzip.compress(image(MIB)), zboot(image(MIB)),
                                    elf((0x40100000, b"\1" * 64, 64))])
def test_kernels(bench, kernel):
    bench.write("Image", kernel)
    bench.write("test.conf", ONE)
    assert bench.mezzo("pack", "test.conf", "-o", "b").status == 0
    content = list(members((bench.path / "b").read_bytes()))[1][2]
    assert content == (kernel if kernel.startswith(b"\x7fELF") else image(MIB))


def test_names(bench):
    bench.write("wéird näme; rm -rf", b"one")
    bench.write("TRAILER!!!", b"two")
    bench.write("mezzo.dtb", b"three")
    bench.write("x" * 240, b"four")
    bench.write("test.conf", "\n".join(
        f"vm v{n} {{ kernel = Image initrd = '{name}' }}"
        for n, name in enumerate(["wéird näme; rm -rf", "TRAILER!!!", "mezzo.dtb", "x" * 240])))
    assert bench.mezzo("pack", "test.conf", "-o", "b").status == 0
    names = [m[0] for m in members((bench.path / "b").read_bytes())]
    assert names[:2] == ["mezzo.dtb", "Image"] and names[3:] == ["TRAILER___", "mezzo.dtb.2", "x" * 200]
    assert re.fullmatch(r"[A-Za-z0-9._+-]+", names[2])
    assert bench.mezzo("ls", "b").status == 0


def test_many_vms(bench):
    bench.write("test.conf", "".join(f"vm v{n} {{ kernel = Image }}\n" for n in range(1024)))
    assert bench.mezzo("pack", "test.conf", "-o", "b").status == 0
    assert len(json.loads(bench.mezzo("ls", "b", "--json").out)["vms"]) == 1024
    lines = bench.complaints("".join(f"vm v{n} {{ kernel = Image }}\n" for n in range(1025)))
    assert lines == ["test.conf:1025: this is one VM more than Mezzo takes; keep at most 1024"]


def test_pack_says_what_is_wrong_and_writes_nothing(bench):
    bench.write("test.conf", "vm a { kernel = gone }")
    done = bench.mezzo("pack", "test.conf", "-o", "b")
    assert done.status == 2 and done.err.startswith("test.conf:1: kernel `gone`"), done
    assert not (bench.path / "b").exists()


def test_pack_cannot_write(bench):
    bench.write("test.conf", ONE)
    done = bench.mezzo("pack", "test.conf", "-o", "no/such/place")
    assert done.status == 1 and "cannot write `no/such/place`: No such file" in done.err, done
    assert bench.mezzo("pack", "test.conf", "-o", "/dev/full").status == 1
    assert bench.mezzo("pack", "test.conf").status == 2
    assert os.path.exists("/dev/full") and not os.path.isfile("/dev/full")


# --- ls -------------------------------------------------------------------------------------------


def test_ls(packed):
    done = packed.mezzo("ls", "bundle.cpio")
    assert done.status == 0 and done.err == "", done
    lines = done.out.splitlines()
    crc = f"{zlib.crc32(image(MIB)):08x}"
    assert re.fullmatch(rf" +0x2000 +4K  {crc}  ok +Image.gz", lines[2]), lines
    assert re.fullmatch(r"  1 linux +2 +64M  Image.gz +initrd +console=ttyAMA0 quiet", lines[7]), lines
    assert len([line for line in lines if "  ok  " in line]) == 3


def test_ls_json(packed):
    listing = json.loads(packed.mezzo("ls", "bundle.cpio", "--json").out)
    assert listing["ok"] is True and [f["name"] for f in listing["files"]][0] == "mezzo.dtb"
    assert listing["files"][1] == {"name": "Image.gz", "offset": 8192, "size": 4096, "ok": True,
                                   "crc32": f"{zlib.crc32(image(MIB)):08x}", "check": "ok"}
    assert listing["vms"][1]["name"] == "second" and listing["vms"][1]["autostart"] is False


def damaged(bench, change):
    content = bytearray((bench.path / "bundle.cpio").read_bytes())
    changed = change(content)
    content = content if changed is None else changed
    bench.write("bad.cpio", bytes(content))
    done = bench.mezzo("ls", "bad.cpio")
    assert done.status == 2, done
    bad = bench.mezzo("ls", "bad.cpio", "--json")
    assert bad.status == 2 and json.loads(bad.out)["ok"] is False
    return done.err


def flip(content):
    content[0x2100] ^= 1


def test_wrong_crc(packed):
    assert "bad.cpio: Image.gz: crc wrong, was " in damaged(packed, flip)


def test_wrong_sha256(packed):
    """Content changed so that the CRC-32 stays: only SHA-256 tells."""
    name, offset, content, _ = list(members((packed.path / "bundle.cpio").read_bytes()))[2]

    def forge(archive):
        changed = bytearray(content)
        changed[0] ^= 1
        # CRC is affine: try the four last bytes' bits until the sum is the old one again.
        base, rows = zlib.crc32(changed), []
        for bit in range(32):
            probe = bytearray(changed)
            probe[-4 + bit // 8] ^= 1 << bit % 8
            rows.append((zlib.crc32(probe) ^ base, 1 << bit))
        want, mask, solved = zlib.crc32(content) ^ base, 0, []
        for row, bits in rows:
            for pivot, pivot_row, pivot_bits in solved:
                if row >> pivot & 1:
                    row, bits = row ^ pivot_row, bits ^ pivot_bits
            if row:
                solved.append((row.bit_length() - 1, row, bits))
        for pivot, row, bits in sorted(solved, reverse=True):
            if want >> pivot & 1:
                want, mask = want ^ row, mask ^ bits
        assert want == 0
        for byte in range(4):
            changed[-4 + byte] ^= mask >> 8 * byte & 0xff
        assert zlib.crc32(changed) == zlib.crc32(content) and changed != content
        archive[offset:offset + len(content)] = changed

    assert f"bad.cpio: {name}: sha256 wrong" in damaged(packed, forge)


@pytest.mark.parametrize("size", [0, 50, 109, 120, 4096, 4200, 0x2000, 0x2fff, 0x3010])
def test_truncated(packed, size):
    assert re.match(r"bad.cpio: .*(archive|trunc|end|short|beyond|cpio).*", damaged(packed, lambda c: c[:size]))


def test_not_a_cpio(packed):
    assert "bad.cpio: " in damaged(packed, lambda c: b"hello" * 1000)
    done = packed.mezzo("ls", "gone.cpio")
    assert done.status == 2 and "No such file" in done.err


def test_described_file_is_missing(packed):
    def rename(archive):
        at = archive.rindex(b"initrd.2\0\0")
        archive[at:at + 8] = b"initrd.3"

    assert "initrd.2: described, but not in it" in damaged(packed, rename)


def test_no_description(packed):
    def rename(archive):
        at = archive.index(b"mezzo.dtb\0")
        archive[at:at + 9] = b"mezzo.DTB"

    assert "no mezzo.dtb in it" in damaged(packed, rename)


def test_damaged_description(packed):
    def break_tree(archive):
        archive[0x1000:0x1004] = b"\0\0\0\0"

    assert "mezzo.dtb: " in damaged(packed, break_tree)


def test_every_byte_of_a_header_may_be_wrong(packed):
    """No damage makes the reader stumble: it ends with 0 or 2 and says what it saw."""
    archive = (packed.path / "bundle.cpio").read_bytes()
    for at in list(range(0, 120, 7)) + list(range(0x1000, 0x1400, 61)):
        content = bytearray(archive)
        content[at] ^= 0xff
        packed.write("bad.cpio", bytes(content))
        done = packed.mezzo("ls", "bad.cpio")
        assert done.status in (0, 2) and "Sanitizer" not in done.err, (at, done)
