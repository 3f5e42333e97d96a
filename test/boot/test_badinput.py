# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a bundle or a board is said: what, where, and what to do.

Each case damages one place of something good, boots it, and reads the messages. Where Mezzo has a
description it goes on with the VMs that are left and counts the others as crashed; without one it
waits in its shell; on a board that it cannot use it stops.
"""

import os
import random
import re
import struct
import zlib

import board
import bundles
import machine
import pytest
import trees
from bundles import PAGE
from trees import text, u32, u64

HELLO = "hello.img"
ELF = "hello-elf.elf"
KERNELS = machine.ROOT / "build/guest"
RAM = 0x40000000
MIB = 1 << 20
GREETING = "Hello from EL1"

ASIDE = "nothing to run: no virtual machine is described; this is Mezzo's shell"
STOPPED = "stopped: reset the board to try again"
ENDED = re.compile(r"^\[mezzo\] end: \d+ off, \d+ crashed\r?$", re.MULTILINE)

ONE = f"""
vm good {{
  kernel = {KERNELS / HELLO}
  memory = 16M
}}
"""


def is_over(output):
    """Nothing more comes: the test need not wait for a time limit."""
    return any(last in output for last in (ASIDE, STOPPED, "all virtual machines are off", "panic"))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The bytes of a good bundle: one VM that says hello."""
    bundle = bundles.pack(f"on_all_off = poweroff\n{ONE}", tmp_path_factory.mktemp("base"))
    bundle.system["console"] = text("all")
    return bundle.to_bytes()


@pytest.fixture
def good(base):
    return bundles.Bundle(base)


def boot(directory, bundle, ram="128M", smp=1, time_limit=60):
    """Boots a bundle's bytes by `mezzo run`, whose exit status is part of what is tested. The bundle that
    it makes itself is a good one and not used."""
    file = directory / "bundle.cpio"
    file.write_bytes(bundle)
    command = machine.mezzo_command(
        ["-k", KERNELS / HELLO, "-m", "16M"], f"--smp {smp} --ram {ram}", time_limit)
    return machine.run([*command, "--", "-initrd", file], time_limit + 5, is_over)


def check_said(result, *expected):
    """Each is a regular expression for one of Mezzo's lines; all must be there, and no panic."""
    lines = result.of("mezzo")
    for pattern in expected:
        assert any(re.search(pattern, line) for line in lines), \
            result.explain(f"no line of Mezzo's matches: {pattern}")
    assert not any("panic" in line for line in lines), result.explain("Mezzo panicked")


# --- the bundle -----------------------------------------------------------------------------------

def in_second(data, offset, new):
    """Other bytes in the header of the second member."""
    at = data.index(b"070701", bundles.HEADER) + offset
    return data[:at] + new + data[at + len(new):]


# Name, what becomes of the good bundle's bytes, what is said.
BROKEN = [
    ("not-cpio", lambda b: b"#!/bin/sh\necho no\n" * 400,
     r"bundle: it is not a cpio archive of format newc .*: the board's initrd has to be what"),
    ("gzip", lambda b: b"\x1f\x8b\x08\0" + b[:PAGE],
     r"bundle: it is compressed with gzip: hand it over as"),
    ("empty-archive", lambda b: bundles.archive([]),
     r"bundle: it has no file mezzo\.dtb, .*: make it with `mezzo pack"),
    ("other-archive", lambda b: bundles.archive([("etc/passwd", b"root"), ("bin/sh", b"x" * 9000)]),
     r"bundle: it has no file mezzo\.dtb, .*: make it with `mezzo pack"),
    ("cut-in-header", lambda b: b[:PAGE * 2 + 60],
     r"bundle: the archive is cut off: .* at byte 4916 of 8252, after mezzo\.dtb: load all of it"),
    ("cut-in-first", lambda b: b[:PAGE + 100],
     r"bundle: the archive is cut off: .* at byte 0 of 4196: load all of it"),
    ("cut-in-kernel", lambda b: b[:PAGE * 4], r"bundle: the archive is cut off.* at byte 4916 of 16384"),
    ("cut-before-trailer", lambda b: b[:b.index(bundles.TRAILER.encode()) - bundles.HEADER],
     r"bundle: the archive is cut off: it ends without its trailer"),
    ("second-magic", lambda b: in_second(b, 0, b"x"),
     r"bundle: no member starts where one should .* after mezzo\.dtb: it was damaged .*: copy it again"),
    ("odd-number", lambda b: in_second(b, 6 + 8 * bundles.FILE_SIZE, b"0x00"),
     r"bundle: a number in a member's header .*: it was damaged .*: copy it again"),
    ("long-name", lambda b: in_second(b, 6 + 8 * bundles.NAME_SIZE, b"00008000"),
     r"bundle: a member's name is longer than 255 bytes"),
    ("size-wraps", lambda b: in_second(b, 6 + 8 * bundles.FILE_SIZE, b"ffffffff"),
     r"bundle: the archive is cut off"),
]


@pytest.mark.parametrize("damage,said", [case[1:] for case in BROKEN], ids=[c[0] for c in BROKEN])
def test_archive(damage, said, base, tmp_path):
    result = boot(tmp_path, damage(base))
    check_said(result, said, ASIDE)


def test_none(tmp_path):
    """No initrd at all."""
    blob = board.tree()
    result = board.start(tmp_path, blob.to_bytes(), until=is_over)
    check_said(result, r"no bundle: .*mezzo pack FILE\.conf -o BUNDLE\.cpio", ASIDE)


@pytest.mark.parametrize("name", ["x", "ab", "abc", "abcd"])
def test_other_tool(name, good, tmp_path):
    """An archive that another tool made is as good, wherever in it the files begin."""
    result = boot(tmp_path, good.to_bytes(first=[(name, b"?")], aligned=False))
    assert GREETING in result.of("good"), result.explain("the VM did not run")
    machine.check_end(result)


@pytest.mark.parametrize("offset", [1, 0x123, 0xffc])
def test_other_place(offset, base, tmp_path):
    """A loader may put the bundle anywhere."""
    root, at = board.tree(), board.BUNDLE + offset
    board.place_bundle(root, base, at)
    result = board.start(tmp_path, root.to_bytes(), base, at=at)
    assert GREETING in result.of("good"), result.explain("the VM did not run")
    machine.check_end(result)


# --- the description ------------------------------------------------------------------------------

def drop_mezzo(bundle):
    bundle.tree.remove(lambda node: node.name == "mezzo")


def put(where, name, value):
    """Sets a property of a node of the description."""
    def change(bundle):
        bundle.tree.at(where)[name] = value
    return change


def drop(where, name):
    def change(bundle):
        del bundle.tree.at(where)[name]
    return change


def second_vm(bundle, **properties):
    """Another VM like the first, in front of nothing; the properties are those that differ."""
    vm = trees.Node("vm@1", **{**{k.replace("-", "_"): v for k, v in bundle.vm().properties.items()},
                               "reg": u32(1), "vm_name": text("bad"), **properties})
    bundle.system.add(vm)
    return vm


# Name, change of the description, what is said. Nothing of such a description is used.
DESCRIPTIONS = [
    ("no-mezzo", drop_mezzo, r"mezzo\.dtb: the device tree has no node /mezzo"),
    ("other-version", put("mezzo", "version", u32(2)),
     r"mezzo\.dtb: /mezzo: version: is 2; this version of Mezzo knows only 1"),
    ("no-version", drop("mezzo", "version"), r"mezzo\.dtb: /mezzo: version: is missing"),
    ("unknown-property", put("mezzo", "turbo", b""), r"mezzo\.dtb: /mezzo: turbo: .*does not know"),
    ("unknown-vm-property", put("mezzo/vm@0", "disk", text("data.img")),
     r"mezzo\.dtb: /mezzo/vm@0 \(good\): disk: .*does not know"),
    ("unknown-node", lambda b: b.system.add(trees.Node("gpu@0")),
     r"mezzo\.dtb: /mezzo/gpu@0: .*does not know this node"),
    ("no-name", drop("mezzo/vm@0", "vm-name"), r"mezzo\.dtb: /mezzo/vm@0: vm-name: is missing"),
    ("own-name", put("mezzo/vm@0", "vm-name", text("mezzo")), r'"mezzo" is Mezzo\'s own word'),
    ("steering-name", put("mezzo/vm@0", "vm-name", b"a\x1b[2J\0"), r"vm-name: .*may only have"),
    ("same-name", lambda b: second_vm(b, vm_name=text("good")), r'"good" names another VM already'),
    ("file-not-listed", put("mezzo/vm@0", "kernel", text("vmlinuz")),
     r'kernel: "vmlinuz" is not among the files of /mezzo/files'),
    ("too-little-memory", put("mezzo/vm@0", "memory", u64(MIB)), r"memory: is 1048576; it may be"),
    ("wrong-type", put("mezzo/vm@0", "memory", text("16M")), r"memory: is not one number of 64 bits"),
    ("no-cpus", put("mezzo/vm@0", "cpus", u32(0)), r"cpus: is 0; it may be 1 to 8"),
    ("nine-cpus", put("mezzo/vm@0", "cpus", u32(9)), r"cpus: is 9; it may be 1 to 8"),
    ("pinned-twice", lambda b: (put("mezzo/vm@0", "cpus", u32(2))(b),
                                put("mezzo/vm@0", "pin", u32(1, 1))(b)), r"pin: names CPU 1 twice"),
    ("too-few-to-own", lambda b: (put("mezzo/vm@0", "cpus", u32(2))(b), put("mezzo/vm@0", "exclusive", b"")(b),
                                  put("mezzo/vm@0", "pin", u32(1))(b)),
     r'exclusive: "pin" names 1 CPUs? for 2 vCPUs'),
    ("weight", put("mezzo/vm@0", "weight", u32(0)), r"weight: is 0; it may be 1 to 10000"),
    ("priority", put("mezzo/vm@0", "priority", u32(8)), r"priority: is 8; it may be 0 to 7"),
    ("budget-shape", put("mezzo/vm@0", "budget", u32(100)), r"budget: "),
    ("budget-long", put("mezzo/vm@0", "budget", u32(2000, 1000)), r"budget: "),
    ("other-machine", put("mezzo/vm@0", "machine", text("raspi9")),
     r'machine: "raspi9" is unknown to this version; it knows: virt, raspi3'),
    ("no-sum", lambda b: (put("mezzo/vm@0", "verify", text("sha256"))(b),
                          drop("mezzo/files/file@0", "sha256")(b)), r"verify: asks for the SHA-256"),
]


@pytest.mark.parametrize("damage,said", [c[1:] for c in DESCRIPTIONS],
                         ids=[c[0] for c in DESCRIPTIONS])
def test_description(damage, said, good, tmp_path):
    damage(good)
    result = boot(tmp_path, good.to_bytes())
    check_said(result, said, r"bundle: mezzo\.dtb: nothing of it is used: pack it again with", ASIDE)


def with_description(bundle, data):
    return bundles.archive([(bundles.DESCRIPTION, data), *bundle.files.items()])


NOT_TREES = [
    ("text", lambda tree: b"vm linux { kernel = vmlinuz }\n" * 20),
    ("empty", lambda tree: b""),
    ("header", lambda tree: tree[:40]),
    ("cut", lambda tree: tree[:len(tree) // 2]),
    ("huge", lambda tree: tree[:4] + u32(0x7fffffff) + tree[8:]),
    ("offset", lambda tree: tree[:8] + u32(0xfffffff0) + tree[12:]),
    ("unended", lambda tree: tree.replace(u32(trees.END_NODE), u32(trees.NOP))),
]


@pytest.mark.parametrize("damage", [c[1] for c in NOT_TREES], ids=[c[0] for c in NOT_TREES])
def test_not_a_tree(damage, good, tmp_path):
    result = boot(tmp_path, with_description(good, damage(good.tree.to_bytes())))
    check_said(result, r"bundle: mezzo\.dtb: the device tree is not usable: ", r"pack it again", ASIDE)


@pytest.mark.parametrize("damage,said", [
    (lambda system: None, r"^good: off$"),
    (lambda system: system.properties.pop("version"), r"^board's device tree: /mezzo: version: is missing$"),
    (lambda system: system.at("vm@0").properties.update({"vm-name": b"x" * 40 + b"\0"}),
     r"^board's device tree: /mezzo/vm@0 .*: vm-name: has 40 bytes; it may have 31$"),
], ids=["good", "no-version", "long-name"])
def test_board_describes(damage, said, good, tmp_path):
    """A description in the board's own tree counts, and that of the bundle does not."""
    root, system = board.tree(), good.system
    root.add(system)
    damage(system)
    bundle = with_description(good, b"not looked at")
    board.place_bundle(root, bundle)
    result = board.start(tmp_path, root.to_bytes(), bundle, until=is_over)
    check_said(result, r"^description: /mezzo of the board's device tree$", said)


# --- one VM ---------------------------------------------------------------------------------------

def image(image_size, text_offset=0, file_size=PAGE):
    """An arm64 Linux Image with nothing in it."""
    head = struct.pack("<IIQQQQQQ4sI", 0x14000010, 0, text_offset, image_size, 0xa, 0, 0, 0,
                       b"ARM\x64", 0)
    return head + bytes(file_size - len(head))


def elf(*segments, machine_type=183):
    """An ELF64 with segments (address, size in file, size in memory)."""
    at = 64 + 56 * len(segments)
    headers = b""
    for address, size, memory in segments:
        headers += struct.pack("<IIQQQQQQ", 1, 5, at, address, address, size, memory, 4)
    return struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, machine_type, 1, segments[0][0], 64,
                       0, 0, 64, 56, len(segments), 0, 0, 0) + headers + bytes(PAGE)


def kernel(data):
    return lambda bundle: bundle.describe(HELLO, data)


def spoil(path=HELLO, at=4000, describe_crc=False):
    """Other bytes in a file; with describe_crc only its SHA-256 can tell."""
    def change(bundle):
        data = bytearray(bundle.files[path])
        data[at] ^= 0x10
        bundle.files[path] = bytes(data)
        if describe_crc:
            bundle.file(path)["crc32"] = u32(zlib.crc32(bytes(data)))
            bundle.vm()["verify"] = text("sha256")
    return change


def shorten(bundle):
    bundle.files[HELLO] = bundle.files[HELLO][:-512]


def big_initrd(bundle):
    bundle.add("rootfs.cpio", bytes(16 * MIB))
    bundle.vm()["initrd"] = text("rootfs.cpio")


def changes(*list_of_changes):
    def change(bundle):
        for one in list_of_changes:
            one(bundle)
    return change


# Name, damage, what is said about the VM `good`.
MACHINES = [
    ("wrong-crc", spoil(), r"hello\.img: CRC-32 is [0-9a-f]{8}, .*description says [0-9a-f]{8}: "),
    ("wrong-sha256", spoil(describe_crc=True),
     r"hello\.img: .*SHA-256 is [0-9a-f]{8}\.\.\., the description says [0-9a-f]{8}.*verify = sha256"),
    ("no-file", lambda b: b.files.pop(HELLO), r"the bundle has no file hello\.img: pack it again"),
    ("short-file", shorten, r"hello\.img: \d+ bytes in the bundle, \d+ in the description: pack it again"),
    ("text", kernel(b"#!/bin/sh\necho I am a kernel\n" * 9), r"the kernel is a text file"),
    ("gzip", kernel(b"\x1f\x8b\x08\0" + bytes(4000)), r"the kernel is compressed with gzip"),
    ("zeros", kernel(bytes(4096)), r"the kernel is neither an arm64 Image nor an ELF"),
    ("empty", kernel(b""), r"the kernel file is empty"),
    ("x86-elf", kernel(elf((RAM, 64, 64), machine_type=62)), r"the kernel .*"),
    ("large-file", changes(kernel(image(20 * MIB, file_size=17 * MIB))),
     r"the kernel file has 17408 KiB, more than the 16384 KiB .*raise `memory =`"),
    ("large-image", kernel(image(17 * MIB)), r"the kernel takes 17408 KiB .*16384 KiB .*`memory =`"),
    ("odd-offset", kernel(image(MIB, text_offset=0x123)), r"its header is damaged"),
    ("far-offset", kernel(image(MIB, text_offset=1 << 40)), r"its header is damaged"),
    ("overlap", kernel(elf((RAM + MIB, 64, 8192), (RAM + MIB + 4096, 64, 64))),
     r"two parts of the kernel overlap at 0x40101000"),
    ("elf-elsewhere", kernel(elf((0x80000000, 64, 64))),
     r"part at 0x80000000, 0 KiB, is not in the VM's memory 0x40000000 to 0x40ffffff"),
    ("load-below", changes(kernel(b"\x14" * 4096), put("mezzo/vm@0", "load", u64(0x1000))),
     r"part at 0x1000, .*is not in the VM's memory"),
    ("load-at-end", changes(kernel(b"\x14" * 4096), put("mezzo/vm@0", "load", u64(RAM + 16 * MIB - 2048))),
     r"part at 0x40fff800, .*is not in the VM's memory"),
    ("entry-outside", put("mezzo/vm@0", "entry", u64(0x50000000)),
     r"entry point 0x50000000 is not in the kernel"),
    ("initrd-beyond", big_initrd, r"the initrd of 16384 KiB does not fit .*raise `memory =`"),
    ("no-memory", put("mezzo/vm@0", "memory", u64(512 * MIB)),
     r"memory = 512M, but only \d+ MiB of the board's RAM are not promised yet .*lower `memory ="),
    ("pin-outside", put("mezzo/vm@0", "pin", u32(7)),
     r"pin: there is no CPU 7 on this board: its 2 CPUs are 0 to 1"),
    ("budget-too-much", put("mezzo/vm@0", "budget", u32(950, 1000)),
     r"budget: no CPU can promise more than 90\.00 % of its time .*each vCPU asks for 95\.00 %: lower `budget =`"),
    ("bad-tree", changes(lambda b: b.add("guest.dtb", b"no tree" * 99),
                         put("mezzo/vm@0", "dtb", text("guest.dtb"))),
     r"guest\.dtb is not a device tree that a kernel can use: there is none .*correct `dtb =`"),
]


@pytest.mark.parametrize("damage,said", [c[1:] for c in MACHINES], ids=[c[0] for c in MACHINES])
def test_machine(damage, said, good, tmp_path):
    damage(good)
    result = boot(tmp_path, good.to_bytes(), smp=2)
    check_said(result, rf"^good(?: \(hello\.img\))?: (?:.* )?{said}")
    machine.check_end(result, off=0, crashed=1)


BESIDE = [
    ("crc", lambda b: (second_vm(b), spoil("second.img")(b)), r"bad: second\.img: CRC-32"),
    ("memory", lambda b: second_vm(b, memory=u64(256 * MIB)), r"bad: memory = 256M, but only"),
    ("pin", lambda b: (second_vm(b, pin=u32(1)), put("mezzo/vm@0", "pin", u32(1))(b),
                       put("mezzo/vm@0", "exclusive", b"")(b)),
     r"bad: pin: CPU 1 belongs to good: pin it to another one"),
    ("budget", lambda b: (second_vm(b, pin=u32(1), budget=u32(500, 1000)),
                          put("mezzo/vm@0", "budget", u32(500, 1000))(b), put("mezzo/vm@0", "pin", u32(1))(b)),
     r"bad: budget: CPU 1 can promise no more than 40\.00 % of its time"),
]


@pytest.mark.parametrize("first", [False, True], ids=["after", "before"])
@pytest.mark.parametrize("damage,said", [c[1:] for c in BESIDE], ids=[c[0] for c in BESIDE])
def test_beside(damage, said, first, good, tmp_path):
    """The others run, whichever comes first in the description."""
    good.add("second.img", good.files[HELLO] + b"\0")
    damage(good)
    bad = good.vm(1)
    bad["kernel"] = text("second.img")
    if first and "CPU" not in said:
        good.system.children[-2:] = good.system.children[:-3:-1]
    result = boot(tmp_path, good.to_bytes(), smp=2)
    check_said(result, said)
    assert GREETING in result.of("good"), result.explain("the good VM did not run")
    machine.check_end(result, off=1, crashed=1)


def test_all_bad(good, tmp_path):
    """Each VM gets its own message."""
    second_vm(good, kernel=text("gone.img"))
    good.add("gone.img", b"gone")
    del good.files["gone.img"]
    good.vm()["pin"] = u32(3)
    result = boot(tmp_path, good.to_bytes(), smp=2)
    check_said(result, r"good: pin: there is no CPU 3", r"bad: the bundle has no file gone\.img")
    machine.check_end(result, off=0, crashed=2)


# --- the board ------------------------------------------------------------------------------------

def without(*names):
    """Removes nodes by name, with or without the address."""
    def change(root):
        for name in names:
            root.remove(lambda node, name=name: name in (node.name, node.name.partition("@")[0]))
    return change


def board_put(where, name, value):
    def change(root):
        root.at(where)[name] = value
    return change


def disable(where):
    return board_put(where, "status", text("disabled"))


def no_uart(root):
    without("pl011")(root)
    root.at("chosen").properties.pop("stdout-path", None)


# Name, change of the board's tree, what is said; nothing can run on it.
BOARDS = [
    ("no-memory", without("memory"), r"error: .*gives no RAM: it needs an enabled node /memory"),
    ("memory-0", board_put("memory", "reg", u64(RAM, 0)), r"error: .*gives no RAM"),
    ("memory-off", disable("memory"), r"error: .*gives no RAM"),
    ("no-cpus", without("cpus"), r"error: .*gives no usable CPU"),
    ("cpus-off", disable("cpus/cpu@0"), r"error: .*gives no usable CPU"),
    ("no-gic", without("intc"), r"error: .*needs a GICv2, a GICv3 or a BCM2836's local controller, and found none at all"),
    ("other-gic", board_put("intc", "compatible", text("acme,pic")), r"error: .*GIC"),
    ("gic-no-reg", lambda root: root.at("intc").properties.pop("reg"), r"error: .*GIC"),
    ("gic-version", board_put("intc", "compatible", text("arm,cortex-a15-gic")),
     r"error: .*GICv2 node .*no virtualization frames"),
    ("no-timer", without("timer"), r"error: .*timer"),
]


@pytest.mark.parametrize("damage,said", [c[1:] for c in BOARDS], ids=[c[0] for c in BOARDS])
def test_board(damage, said, base, tmp_path):
    root = board.tree()
    board.place_bundle(root, base)
    damage(root)
    result = board.start(tmp_path, root.to_bytes(), base, until=is_over)
    check_said(result, said, STOPPED)


# Boards on which Mezzo runs all the same, with what it does there.
POOR_BOARDS = [
    ("no-psci", without("psci"),
     r"note: 2 CPUs are to be started by PSCI, .*no /psci node.*; add one if firmware offers PSCI"),
    ("no-stdout", lambda root: root.at("chosen").properties.pop("stdout-path"), r"good: off"),
    ("stdout-nowhere", board_put("chosen", "stdout-path", text("/serial@1234")), r"good: off"),
    ("other-console", board_put("pl011", "compatible", text("acme,uart")), None),
    ("no-console", no_uart, None),
    ("cpu-missing", lambda root: root.at("cpus").children.append(
        trees.Node("cpu@5", device_type=text("cpu"), compatible=text("arm,armv8"), reg=u32(5),
                   enable_method=text("psci"))),
     r"CPU 0x5: not used, because the firmware does not start it: "),
]


@pytest.mark.parametrize("damage,said", [c[1:] for c in POOR_BOARDS], ids=[c[0] for c in POOR_BOARDS])
def test_poor_board(damage, said, base, tmp_path):
    root = board.tree(cpus=2)
    board.place_bundle(root, base)
    damage(root)
    result = board.start(tmp_path, root.to_bytes(), base, cpus=2, until=ENDED.search)
    if said is None:  # nothing to speak with, but the VM ran and the board is off
        assert (result.text, result.status) == ("", 0), result.explain("not as expected")
        return
    check_said(result, said, r"^end: 1 off, 0 crashed$")


@pytest.mark.parametrize("start,end,said", [
    (board.BUNDLE, RAM, r"note: /chosen has .*that make no range; give both"),
    (1 << 40, (1 << 40) + PAGE,
     r"note: /chosen places the initrd at 0x10000000000, 4096 bytes, .*not all RAM"),
], ids=["backwards", "elsewhere"])
def test_initrd(start, end, said, base, tmp_path):
    root = board.tree()
    board.place_bundle(root, base)
    root.at("chosen")["linux,initrd-start"] = u64(start)
    root.at("chosen")["linux,initrd-end"] = u64(end)
    result = board.start(tmp_path, root.to_bytes(), base, until=is_over)
    check_said(result, said, r"no bundle: ", ASIDE)


def test_el1(base, tmp_path):
    root = board.tree()
    result = board.start(tmp_path, root.to_bytes(), base, level=1, until=is_over)
    check_said(result, r"the firmware dropped to EL1; Mezzo needs EL2", r"virtualization=on", STOPPED)


# --- anything -------------------------------------------------------------------------------------

# How many random mutations; make test-boot MUTATIONS=10000 tries more.
MUTATIONS = int(os.environ.get("MUTATIONS", "200"))
CHUNKS = 8


def mutate(data, seed):
    """A good bundle with a few bits flipped, most of them where the structure is, or cut off."""
    chance = random.Random(seed)
    if chance.random() < 0.1:
        return data[:chance.randrange(len(data) // PAGE + 1) * PAGE]
    out = bytearray(data)
    headers = [at for at in range(len(data)) if data.startswith(b"070701", at)]
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        where = chance.random()
        if where < 0.6:
            at = PAGE + chance.randrange(900)  # the description
        elif where < 0.8:
            at = chance.choice(headers) + chance.randrange(bundles.HEADER + 16)
        else:
            at = chance.randrange(len(data))
        out[at] ^= 1 << chance.randrange(8)
    return bytes(out)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_mutations(chunk, base, tmp_path):
    """Whatever is in a bundle: Mezzo runs it or says why not, and neither hangs nor panics."""
    outcomes = {}
    for seed in range(chunk, MUTATIONS, CHUNKS):
        result = boot(tmp_path, mutate(base, seed))
        assert "panic" not in result.text, result.explain(f"seed {seed}: panic")
        assert result.status != 124, result.explain(f"seed {seed}: neither runs nor says why not")
        outcome = "end" if ENDED.search(result.text) else "aside"
        assert outcome == "end" or is_over(result.text), result.explain(f"seed {seed}: unexplained end")
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    print(outcomes)
