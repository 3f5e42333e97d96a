# SPDX-License-Identifier: Apache-2.0
"""Files, memory and board: what can be known to fail before boot."""

import gzip
import json
import subprocess

import pytest
from conftest import MIB, ONE, RAM, ROOT, elf, image, zboot

VM = "vm a {\n kernel = k\n memory = 32M\n"


def vm(*lines):
    return VM + "".join(f" {line}\n" for line in lines) + "}\n"


# Content of the kernel's file, then what is said about it on its line.
KERNELS = [
    (b"", "empty"),
    (b"\0" * 4096, "neither an arm64 Image"),
    (bytes(range(1, 200)), "for a raw binary say where it goes: load = "),
    (b"#!/bin/sh\necho hello\n" * 9, "text file"),
    (b"\xfd7zXZ\0" + b"\1" * 99, "xz"),
    (b"\x28\xb5\x2f\xfd" + b"\1" * 99, "zstd"),
    (b"\x27\x05\x19\x56" + b"\1" * 99, "uImage"),
    (b"\0" * 36 + b"\x18\x28\x6f\x01" + b"\1" * 99, "32-bit Arm"),
    (b"\0" * 514 + b"HdrS" + b"\1" * 99, "x86"),
    (elf((RAM, b"\1" * 64, 64), machine=62), "another machine"),
    (elf((RAM, b"\1" * 64, 64))[:70], "ELF"),
    (gzip.compress(image(MIB))[:-30], "cut short"),
    (gzip.compress(image(MIB))[:-8] + b"\xff" * 8, "damaged"),
    (gzip.compress(b"\1\2\3\4" * 99), "neither an arm64 Image (plain or gzip)"),
    (zboot(image(MIB), b"zstd22"), "packed with zstd22, and only gzip can be unpacked"),
    (zboot(image(MIB))[:4120], "cut short"),
    (image(33 * MIB), "more than the 32768 KiB"),
    (elf((RAM + 31 * MIB, b"\1" * 64, 2 * MIB)), "not in the VM's memory"),
    (elf((0x80000, b"\1" * 64, 64)), "not in the VM's memory"),
    (elf((RAM, b"\1" * 64, 8192), (RAM + 4096, b"\2" * 64, 64)), "overlap"),
]


@pytest.mark.parametrize("content, message", KERNELS, ids=[k[1][:24] for k in KERNELS])
def test_not_a_kernel(bench, content, message):
    bench.write("k", content)
    lines = bench.complaints(vm())
    assert len(lines) == 1 and lines[0].startswith("test.conf:2: kernel `k`"), lines
    assert message in lines[0], lines


@pytest.mark.parametrize("content, kind", [
    (image(MIB), "arm64 Image"),
    (gzip.compress(image(MIB)), "arm64 Image in gzip"),
    (gzip.compress(image(MIB)[:1000]) + gzip.compress(image(MIB)[1000:]), "arm64 Image in gzip"),
    (zboot(image(MIB)), "arm64 Image in zboot gzip"),
    (elf((RAM + MIB, b"\1" * 64, 4096)), "ELF"),
])
def test_kernel(bench, content, kind):
    bench.write("k", content)
    done = bench.check(vm())
    assert done.status == 0 and f"k: {kind}," in done.out, done


def test_raw_binary(bench):
    bench.write("k", bytes(range(1, 200)))
    assert "raw binary, entry 0x40100000" in bench.check(vm("load = 0x40100000")).out
    lines = bench.complaints(vm("load = 0x80000000"))
    assert len(lines) == 1 and "not in the VM's memory" in lines[0], lines
    assert "multiple of 4" in bench.complaints(vm("load = 0x40000000", "entry = 0x40000002"))[0]


def test_firmware(bench):
    """What begins in flash: any bytes of 64 MiB, and nothing that only a kernel takes."""
    text = "vm a {\n firmware = fw\n memory = 32M\n"
    bench.write("fw", b"\0" * 70000)
    done = bench.check(text + "}\n")
    assert done.status == 0 and "flash   0-0x1116f  fw: firmware, entry 0" in done.out, done
    guest = json.loads(bench.check(text + "}\n", "--json").out)["vms"][0]
    assert guest["firmware"] == "fw" and guest["entry"] == 0 and guest["tree"] == RAM and "kernel" not in guest
    bench.write("k", image(MIB))
    for key, value in (("kernel", "k"), ("initrd", "k"), ("cmdline", "quiet"), ("load", "0x40080000"), ("entry", "0")):
        assert bench.complaints(text + f" {key} = {value}\n}}\n") == [
            f"test.conf:4: {key}: VM `a` begins with its firmware, which takes none; drop this line or `firmware`"]
    text_of_pi = text.replace("32M", "64M")
    assert bench.complaints(text_of_pi + " machine = raspi3\n}\n") == [
        "test.conf:2: firmware: a VM of machine `raspi3` has no flash for it; drop the line, or say `machine = virt`"]
    bench.write("fw", b"")
    assert bench.complaints(text + "}\n") == ["test.conf:2: firmware `fw` cannot be used: it is empty; check the path"]
    bench.write("fw", b"\1" * (64 * MIB + 1))
    assert "test.conf:2: firmware `fw`: the firmware has 67108865 bytes; the flash" in bench.complaints(text + "}\n")[0]
    bench.write("fw", b"\1" * 64 * MIB)
    assert bench.check(text + "}\n").status == 0
    assert "firmware `gone` cannot be used: No such file" in bench.complaints("vm a {\n firmware = gone\n}\n")[0]


def test_missing_files(bench):
    lines = bench.complaints("vm a {\n kernel = k\n initrd = i\n dtb = d\n}\n")
    assert [line.split(" ")[:3] for line in lines] == [
        ["test.conf:2:", "kernel", "`k`"], ["test.conf:3:", "initrd", "`i`"], ["test.conf:4:", "dtb", "`d`"]]
    assert all("No such file or directory; check the path" in line for line in lines)


def test_initrd_beyond_memory(bench):
    bench.write("k", image(MIB))
    bench.write("i", b"x" * (32 * MIB))
    lines = bench.complaints(vm("initrd = i"))
    assert len(lines) == 1 and lines[0].startswith("test.conf:4: initrd `i`: "), lines
    assert "does not fit" in lines[0] and "raise `memory =`" in lines[0]


def test_not_a_tree(bench):
    bench.write("k", image(MIB))
    bench.write("d", b"not a tree, but long enough to hold the header of one")
    assert "test.conf:4: dtb `d` is not a device tree" in bench.complaints(vm("dtb = d"))[0]


def test_empty_initrd(bench):
    bench.write("k", image(MIB))
    bench.write("i", b"")
    assert "initrd `i` cannot be used: it is empty" in bench.complaints(vm("initrd = i"))[0]


def test_long_command_line(bench):
    bench.write("k", image(MIB))
    assert bench.check(vm(f"cmdline = {'x' * 2047}")).status == 0
    assert "cmdline has 2048 characters" in bench.complaints(vm(f"cmdline = {'x' * 2048}"))[0]


def test_layout_does_not_overlap(bench):
    bench.write("k", image(3 * MIB, text_offset=0x80000))
    bench.write("i", b"x" * MIB)
    done = bench.check(vm("initrd = i"), "--json")
    guest = json.loads(done.out)["vms"][0]
    assert guest["start"] == RAM + 0x80000 and guest["end"] == guest["start"] + 3 * MIB
    assert guest["end"] <= guest["initrd_start"] < guest["initrd_end"] <= guest["tree"]
    assert guest["tree"] < RAM + 32 * MIB


TWO = "vm a {\n kernel = Image\n cpus = 2\n}\nvm b {\n kernel = Image\n cpus = 3\n memory = 1G\n}\n"


def test_board(bench):
    assert bench.check(TWO, "--smp", 5, "--ram", "2G", "--gic", 3).status == 0
    # vCPUs share CPUs: any number of them has room on one.
    lines = bench.complaints(TWO, "--smp", 1, "--ram", "1G")
    assert len(lines) == 1, lines
    assert lines[0].startswith("test.conf:8: memory not available: the VMs ask for 1.5G")
    # Twice as much as there is, but wanted so.
    assert bench.check("overcommit = true\n" + TWO, "--ram", "1G").status == 0


def test_gic_of_the_board(bench):
    lines = bench.complaints("vm a {\n kernel = Image\n gic = 3\n}\n", "--gic", 2)
    assert lines[0].startswith("test.conf:3: gic: VM `a` asks for version 3, and the board has a GICv2")
    assert bench.check("vm a {\n kernel = Image\n gic = 2\n}\n", "--gic", 3).status == 0


def test_pins(bench):
    a = "vm a {\n kernel = Image\n cpus = 2\n pin = { 0, 1 }\n"
    b = "vm b {\n kernel = Image\n pin = { 1 }\n"
    alone = " exclusive = true\n}\n"
    assert bench.check(a + "}\n" + b + "}\n").status == 0
    assert bench.complaints(a + alone + b + "}\n") == [
        "test.conf:9: pin: core 1 belongs to VM `a` alone; choose another"]
    assert bench.complaints(a + "}\n" + b + alone) == [
        "test.conf:8: pin: core 1 cannot belong to VM `b` alone, as VM `a` runs there too; choose another"]
    assert bench.complaints(b + alone + b.replace("vm b", "vm c") + alone) == [
        "test.conf:8: pin: core 1 belongs to VM `b` alone; choose another"]
    # Of three pins one vCPU uses the first.
    assert bench.check(b.replace("{ 1 }", "{ 3, 2, 1 }") + alone + b.replace("vm b", "vm c") + alone).status == 0
    assert bench.check(b.replace("{ 1 }", "{ 3, 2, 1 }") + " cpus = 3\n" + alone + b.replace("vm b", "vm c") + alone,
                       ).status == 2
    lines = bench.complaints("vm a {\n kernel = Image\n pin = { 0, 4 }\n}\n", "--smp", 4)
    assert lines[0].startswith("test.conf:3: pin: there is no core 4; the board has 0 to 3; raise --smp")


def test_no_core_is_left(bench):
    text = "vm a {\n kernel = Image\n cpus = 2\n pin = { 0, 1 }\n exclusive = true\n}\nvm b {\n kernel = Image\n}\n"
    assert bench.check(text).status == 0 and bench.check(text, "--smp", 3).status == 0
    assert bench.complaints(text, "--smp", 2) == [
        "test.conf:9: no core is left for VM `b`: all 2 of the board belong to other VMs alone; raise --smp, "
        "or drop an `exclusive`"]


def budgets(*vms):
    return "".join(f"vm v{n} {{\n kernel = Image\n budget = {budget}\n {rest}\n}}\n"
                   for n, (budget, rest) in enumerate(vms))


def test_budgets_of_a_core(bench):
    pinned = "pin = 1"
    assert bench.check(budgets(("500us/1ms", pinned), ("40ms/100ms", pinned), ("900us/1ms", "pin = 0"))).status == 0
    assert bench.complaints(budgets(("500us/1ms", pinned), ("400001us/1s", pinned), ("10us/100us", pinned))) == [
        "test.conf:8: budget: core 1 is promised too much: 90 % with VM `v1`, and at most 90 % can be; lower it, "
        "or pin to another core"]
    # Two vCPUs on one core need twice as much.
    assert bench.check(budgets(("45ms/100ms", "cpus = 2\n" + pinned))).status == 0
    assert bench.complaints(budgets(("46ms/100ms", "cpus = 2\n" + pinned))) == [
        "test.conf:3: budget: core 1 is promised too much: 92 % with VM `v0`, and at most 90 % can be; lower it, "
        "or pin to another core"]
    assert bench.check(budgets(("46ms/100ms", "cpus = 2\n pin = { 1, 2 }"))).status == 0
    assert bench.complaints(budgets(("95ms/100ms", ""))) == [
        "test.conf:3: budget: this is 95 % of a core; at most 90 % can be promised, so lower it"]


def test_budgets_of_the_shared_cores(bench):
    text = budgets(("50ms/100ms", ""), ("50ms/100ms", "cpus = 2"), ("30ms/100ms", "pin = 0"), ("1ms/100ms", ""))
    assert bench.check(text).status == 0 and bench.check(text, "--smp", 3).status == 0
    assert bench.complaints(text, "--smp", 2) == [
        "test.conf:18: budget: the VMs are promised 181 % of a core with VM `v3`, and the 2 cores that they share "
        "can give 90 % each; lower it or raise --smp"]
    alone = "vm x {\n kernel = Image\n pin = 2\n exclusive = true\n budget = 90ms/100ms\n}\n"
    assert bench.check(text + alone, "--smp", 4).status == 0
    lines = bench.complaints(text + alone, "--smp", 3)
    assert len(lines) == 1 and "the 2 cores that they share" in lines[0], lines


@pytest.mark.parametrize("board, cpus, gic", [("bcm2711-rpi-4-b", 4, 2), ("foundation-v8-gicv3-psci", 4, 3)])
def test_board_tree(bench, board, cpus, gic):
    tree = ROOT / f"build/guests/dtb/{board}.dtb"
    if not tree.exists():
        pytest.skip(f"no tree of {board}")
    if board.startswith("bcm"):
        # The firmware tells the memory, not the file.
        fixed = bench.path / "board.dtb"
        fixed.write_bytes(tree.read_bytes())
        subprocess.run(["fdtput", "-t", "x", fixed, "/memory@0", "reg", "0", "0", "80000000"], check=True)
        tree = fixed
    assert bench.check(ONE, "--dtb", tree).status == 0, bench.check(ONE, "--dtb", tree)
    lines = bench.complaints(f"vm a {{\n kernel = Image\n pin = {cpus}\n gic = {5 - gic}\n}}\n",
                             "--dtb", tree)
    assert f"there is no core {cpus}; the board has 0 to {cpus - 1}; take a bigger board" in lines[0]
    assert gic == 3 or f"the board has a GICv{gic}" in lines[1]


def test_no_board_tree(bench):
    assert "cannot be read: No such file" in bench.complaints(ONE, "--dtb", "gone.dtb")[0]
    assert "Image: this is not a device tree" in bench.complaints(ONE, "--dtb", "Image")[0]


PI = "vm pi {\n kernel = k\n machine = raspi3\n"


def test_a_raspberry_pi(bench):
    bench.write("k", bytes(range(1, 200)))  # without a header it is a kernel there
    done = bench.check(PI + " memory = 64M\n cpus = 4\n}\n")
    assert done.status == 0 and "0x80000-" in done.out, done
    done = bench.check(PI + " memory = 1G\n}\n", "--ram", "2G")
    assert done.status == 0, done
    bench.write("k", image(MIB))
    done = bench.check(PI + " memory = 64M\n}\n")
    assert done.status == 0 and "0x200000-" in done.out, done


@pytest.mark.parametrize("line, message", [
    ("memory = 32M", "memory: a VM of machine `raspi3` takes 64M to 1G"),
    ("memory = 2G", "memory: a VM of machine `raspi3` takes 64M to 1G"),
    ("cpus = 5", "cpus: a VM of machine `raspi3` takes 1 to 4"),
    ("gic = 2", "gic: a VM of machine `raspi3` has no GIC; drop the line"),
    ("load = 0xffc", "kernel `k`: the kernel begins at 0xffc, in the first 4 KiB of memory"),
])
def test_what_a_raspberry_pi_has_not(bench, line, message):
    bench.write("k", bytes(range(1, 200)))
    lines = bench.complaints(PI + f" {line}\n}}\n", "--ram", "4G")
    assert len(lines) == 1 and message in lines[0], lines
