# SPDX-License-Identifier: Apache-2.0
"""config.txt, read as a Raspberry Pi's firmware does: for a guest by `config =`, so that `mezzo check` tells what
it was understood to mean."""

import json
import os
import random
import re

import pytest
from conftest import elf

VM = "vm pi {\n machine = raspi3\n config = card/config.txt\n memory = 256M\n}\n"
PROGRAM = bytes(range(1, 200))  # no Image, no ELF: a flat program


@pytest.fixture
def card(bench):
    """A folder with the files that lines of the tests name."""
    for name in ("kernel8.img", "a.img", "b.img", "os/a.img", "initrd8", "os/initrd8"):
        bench.write(f"card/{name}", PROGRAM)
    return bench


def plan(bench, text, conf=VM):
    """What the VM gets from a config.txt with this text: what `mezzo check` prints."""
    bench.write("card/config.txt", text)
    done = bench.check(conf)
    assert done.status == 0 and done.err == "", (text, done)
    return done.out


def mistakes(bench, text, conf=VM):
    bench.write("card/config.txt", text)
    return bench.complaints(conf)


LONG = "kernel=" + "x" * 80 + "/../" * 40

# The text of config.txt, then the kernel that it means and where that goes.
TEXTS = [
    ("", "kernel8.img", 0x80000),
    ("\n\n# kernel=a.img\n", "kernel8.img", 0x80000),
    ("kernel=a.img", "a.img", 0x80000),
    ("kernel=a.img\r\n", "a.img", 0x80000),
    ("kernel=a.img\nkernel=b.img\n", "b.img", 0x80000),
    ("kernel=/a.img\n", "a.img", 0x80000),
    ("kernel=os/a.img\n", "os/a.img", 0x80000),
    ("os_prefix=os/\nkernel=a.img\n", "os/a.img", 0x80000),
    ("kernel_address=0x200000", "kernel8.img", 0x200000),
    ("kernel_address=2097152", "kernel8.img", 0x200000),
    ("kernel_address=0x200000\nkernel_address=0x300000\nkernel=b.img", "b.img", 0x300000),
    # Filters.
    ("[pi3]\nkernel=a.img\n[pi4]\nkernel=b.img\n", "a.img", 0x80000),
    ("[pi4]\nkernel=b.img\n[all]\nkernel=a.img\n", "a.img", 0x80000),
    ("kernel=a.img\n[pi4]\nkernel=b.img\n", "a.img", 0x80000),
    ("kernel=a.img\n[none]\nkernel=b.img\n[pi3]\nkernel=b.img\n", "a.img", 0x80000),
    ("[none]\nkernel=b.img\n[all]\nkernel=a.img\n", "a.img", 0x80000),
    ("kernel=a.img\n[pi3+]\nkernel=b.img\n[cm3]\nkernel=b.img\n[pi02]\nkernel=b.img\n", "a.img", 0x80000),
    ("kernel=a.img\n[0x12345678]\n[pi3]\nkernel=b.img\n", "a.img", 0x80000),
    ("kernel=a.img\n[EDID=VSC-TD2220]\nkernel=b.img\n[gpio4=1]\nkernel=b.img\n", "a.img", 0x80000),
    ("[pi3\nkernel=a.img\n", "a.img", 0x80000),
    # What is not known, or has nothing to do with this.
    ("gpu_mem=64\ndtoverlay=disable-bt\ndtparam=i2c_arm=on,spi=on\nhdmi_mode\n=\n==\n]\nkernel=a.img", "a.img", 0x80000),
    ("KERNEL=b.img\nkernels=b.img\nkernel\nkernel=a.img\n", "a.img", 0x80000),
    ("arm_64bit=1\nenable_uart=1\nkernel=a.img\n", "a.img", 0x80000),
    # Only 98 characters of a line count.
    ("kernel=a.img\n" + "#" * 97 + "\n" + "x" * 98 + "kernel=b.img\n", "a.img", 0x80000),
    ("kernel_address=0x200000" + " " * 75 + "77\nkernel=a.img", "a.img", 0x200000),
    ("kernel=a.img" + "\n" * 20000, "a.img", 0x80000),
]


@pytest.mark.parametrize("text, kernel, base", TEXTS, ids=[repr(t[0])[1:40] for t in TEXTS])
def test_kernel(card, text, kernel, base):
    out = plan(card, text)
    assert f" card/{kernel}: raw binary, entry {base:#x}" in out, (text, out)


@pytest.mark.parametrize("text, initrd", [
    ("initramfs initrd8 followkernel", "initrd8"),
    ("initramfs   initrd8   followkernel  \r\n", "initrd8"),
    ("initramfs initrd8 0x2000000", "initrd8"),
    ("initramfs gone followkernel\ninitramfs initrd8 followkernel", "initrd8"),
    ("ramfsfile=initrd8\nramfsaddr=-1", "initrd8"),
    ("initramfs gone followkernel\nramfsfile=initrd8", "initrd8"),
    ("ramfsfile=gone\ninitramfs initrd8 followkernel", "initrd8"),
    ("os_prefix=os/\nkernel=a.img\ninitramfs initrd8 followkernel", "os/initrd8"),
    ("auto_initramfs=1", None),
    ("initramfs", None),
    ("", None),
])
def test_initramfs(card, text, initrd):
    out = plan(card, text)
    assert (f" card/{initrd}" in out) if initrd else ("initrd" not in out), (text, out)


def test_auto_initramfs(card):
    card.write("card/initramfs8", b"x" * 100)
    assert " card/initramfs8" in plan(card, "auto_initramfs=1")
    assert "initramfs8" not in plan(card, "auto_initramfs=0")


def test_command_line(card):
    assert card.check(VM).status == 2  # no config.txt yet
    card.write("card/cmdline.txt", "x" * 2047 + "\nsecond line that nobody reads\n")
    plan(card, "")
    card.write("card/cmdline.txt", "x" * 2048 + "\n")
    assert mistakes(card, "") == ["card/cmdline.txt:1: cmdline has 2048 characters; arm64 Linux takes at most 2047"]
    assert mistakes(card, "\ncmdline=gone.txt")[0].startswith(
        "card/config.txt:2: cmdline `card/gone.txt` cannot be read: No such file")
    card.write("other.txt", "quiet")
    card.write("card/other.txt", "quiet\r\n")
    card.write("card/config.txt", "cmdline=other.txt")
    card.write("test.conf", VM)
    assert card.mezzo("pack", "test.conf", "-o", "b.cpio").status == 0
    packed = (card.path / "b.cpio").read_bytes()
    assert b"quiet\0" in packed and b"second line" not in packed


def test_keys_of_the_section_win(card):
    card.write("mine.img", PROGRAM + b"\7")
    card.write("mine.dtb", b"no tree")
    text = "kernel=gone.img\nkernel_address=0x200000\ninitramfs gone followkernel\n"
    conf = VM.replace("}", " kernel = mine.img\n load = 0x300000\n initrd = initrd\n}")
    out = plan(card, text, conf)
    assert "mine.img: raw binary, entry 0x300000" in out and " initrd" in out
    assert mistakes(card, text + "device_tree=gone.dtb", conf.replace("}", " dtb = mine.dtb\n}"))[0].startswith(
        "test.conf:8: dtb `mine.dtb` is not a device tree")


def test_tree(card):
    assert mistakes(card, "x=1\ndevice_tree=gone.dtb") == [
        "card/config.txt:2: dtb `card/gone.dtb` cannot be used: No such file or directory; check the path"]
    card.write("card/bcm2710-rpi-3-b.dtb", b"no tree, but taken by itself")
    assert mistakes(card, "")[0].startswith("card/config.txt: dtb `card/bcm2710-rpi-3-b.dtb` is not a device tree")
    plan(card, "device_tree=")
    plan(card, "upstream_kernel=1")


# Text of config.txt, and each mistake with its line.
WRONG = [
    ("kernel=gone.img", [r"card/config.txt:1: kernel `card/gone.img` cannot be read: No such file"]),
    ("\nkernel=os", [r"card/config.txt:2: kernel `card/os` cannot be read: it is a directory"]),
    ("kernel=", [r"card/config.txt:1: this line names no file"]),
    ("kernel=../initrd", [r"card/config.txt:1: `../initrd` leads out of the card's folder"]),
    ("kernel=os/../../initrd", [r"card/config.txt:1: .* leads out"]),
    ("os_prefix=../\nkernel=gone", [r"card/config.txt:1: .* leads out"]),
    ("kernel_address=here", [r"card/config.txt:1: `here` is no address"]),
    ("kernel_address=", [r"card/config.txt:1: `` is no address"]),
    ("kernel_address=0x100000000", [r"card/config.txt:1: `0x100000000` is no address"]),
    ("kernel_address=-1", [r"card/config.txt:1: `-1` is no address"]),
    ("kernel_address=99999999999999999999999", [r"is no address"]),
    ("\nkernel_address=0xf000000", [r"card/config.txt:2: .*is not in the VM's memory"]),
    ("kernel_address=0", [r"in the first 4 KiB of memory"]),
    ("kernel_address=0x80001", [r"needs a multiple of 4"]),
    ("arm_64bit=0", [r"card/config.txt:1: arm_64bit=0 asks for a 32-bit kernel"]),
    ("kernel_old=1", [r"card/config.txt:1: kernel_old=1 puts the kernel at address 0"]),
    ("initramfs gone followkernel", [r"card/config.txt:1: initrd `card/gone` cannot be used: No such file"]),
    ("initramfs a,b followkernel", [r"card/config.txt:1: several initramfs files"]),
    ("initramfs initrd8", [r"card/config.txt:1: this line does not say where"]),
    ("initramfs initrd8 somewhere", [r"card/config.txt:1: `somewhere` is no address"]),
    ("ramfsfile=initrd8\nramfsaddr=x", [r"card/config.txt:2: `x` is no address"]),
    ("kernel = a.img", [r"card/config.txt:1: the firmware passes over this line because of its blanks; write `kernel="]),
    (" kernel=a.img", [r"card/config.txt:1: .* its blanks"]),
    ("[pi3]\nkernel =a.img\n[pi4]\nkernel = b.img", [r"card/config.txt:2: .* its blanks"]),
    ("\ufeffkernel=a.img", [r"card/config.txt:1: .* byte order mark"]),
    ("initramfs=initrd8", [r"card/config.txt:1: the firmware passes over this line; write `initramfs FILE followkernel`"]),
    (" initramfs initrd8 followkernel", [r"card/config.txt:1: .* one blank before FILE"]),
    ("initramfs\tinitrd8 followkernel", [r"card/config.txt:1: .* one blank before FILE"]),
    ("include ", [r"card/config.txt:1: this line names no file"]),
    ("include gone.txt", [r"card/config.txt:1: cannot read `card/gone.txt` as a config.txt"]),
    ("include ../initrd", [r"card/config.txt:1: .* leads out"]),
    ("include config.txt", [r"too many files are included"]),
    ("include config.txt\n" * 5, [r"too many files are included"]),
    ("kernel=a.img\n\0", [r"test.conf:3: cannot read .* it is no text file"]),
    ("x" * 300000, [r"test.conf:3: cannot read .* too large"]),
    (LONG, [r"card/config.txt:1: "]),
    ("kernel_address=1g\nkernel=gone\narm_64bit=0", [r":1: .* no address", r":3: arm_64bit=0"]),
]


@pytest.mark.parametrize("text, wanted", WRONG, ids=[repr(w[0])[1:40] for w in WRONG])
def test_mistakes(card, text, wanted):
    lines = mistakes(card, text)
    assert len(lines) == len(wanted), (text, lines)
    for line, pattern in zip(lines, wanted):
        assert re.search(pattern, line), (text, lines)


def test_include(card):
    card.write("card/more.txt", "[pi4]\nkernel=b.img\n[all]\nkernel=a.img\nkernel_address=oops\n")
    lines = mistakes(card, "include more.txt")
    assert lines == ["card/more.txt:5: `oops` is no address; give a number of at most 32 bits, like 0x80000"]
    assert "card/a.img" in plan(card, "include more.txt\nkernel_address=0x200000")
    assert "kernel8.img" in plan(card, "[pi4]\ninclude more.txt")


def test_no_config_txt(card):
    lines = card.complaints(VM)
    assert lines == ["test.conf:3: cannot read `card/config.txt` as a config.txt: No such file or directory; "
                     "check the path"]
    lines = card.complaints(VM.replace("card/config.txt", "card"))
    assert "it is a directory" in lines[0]
    os.mkfifo(card.path / "card/config.txt")
    assert "it is not a regular file" in card.complaints(VM)[0]


def test_other_machines_have_no_card(card):
    card.write("card/config.txt", "")
    for conf in (VM.replace(" machine = raspi3\n", ""), VM.replace("raspi3", "virt")):
        lines = card.complaints(conf)
        assert len(lines) == 1 and "config: a VM of machine `virt` has no SD card to start from" in lines[0], lines
        assert lines[0].startswith("test.conf:"), lines


def test_elf_goes_where_it_is_linked(card):
    card.write("card/k.elf", elf((0x300000, b"\1" * 64, 4096), (0x400000, b"\2" * 8, 8), entry=0x300010))
    out = plan(card, "kernel=k.elf")
    assert "k.elf: ELF, entry 0x300010" in out
    lines = mistakes(card, "kernel=k.elf\nkernel_address=0x200000")
    assert len(lines) == 1 and "ELF file linked to 0x300000" in lines[0], lines


def test_json(card):
    card.write("card/config.txt", "kernel=gone\n")
    done = card.check(VM, "--json")
    assert json.loads(done.out)["mistakes"][0]["file"] == "card/config.txt"


def test_anything(card):
    """Lines and bytes at random: an answer in time, and no stumble."""
    chance = random.Random(4)
    parts = ["kernel", "=", "a.img", "initramfs ", "followkernel", "[pi3]", "[", "]", "[all]", "[none]", "\n", "\r\n",
             "include ", "config.txt", "kernel_address=", "0x", "ffffffff", "..", "/", " ", "#", "os_prefix=", "cmdline=",
             "device_tree=", "ramfsfile=", "ramfsaddr=", ",", "\t", "x" * 97, "%s%n", "\x7f", "\xff"]
    for _ in range(150):
        text = "".join(chance.choice(parts) for _ in range(chance.randrange(40)))
        card.write("card/config.txt", text.encode("latin-1"))
        done = card.check(VM)
        assert done.status in (0, 2) and "Sanitizer" not in done.err, (text, done)
        assert done.status == 0 or done.err.startswith(("card/config.txt", "card/", "test.conf")), (text, done)
