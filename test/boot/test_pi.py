# SPDX-License-Identifier: Apache-2.0
"""Mezzo on QEMU's Raspberry Pis 3 and 4, as their firmware starts it (at EL2, one core, the others in a spin
table) and as nothing but a reset does (an ELF: every core at once, at EL3, the device tree at address 0)."""

import json
import re

import machine
import pexpect
import pytest
import trees

PROMPT = "mezzo> "
TREES = {"raspi3b": "bcm2837-rpi-3-b.dtb", "raspi4b": "bcm2711-rpi-4-b.dtb"}
BANNER = {"raspi3b": "Raspberry Pi 3 Model B, 4 CPUs", "raspi4b": "Raspberry Pi 4 Model B, 4 CPUs"}
ARM_MEMORY = 960 << 20  # of 1 GiB; the rest is VideoCore's

# Every board of this kind without a GIC says this, and on the others nothing may be said of a CPU.
COMPLAINTS = ("not used", "note:", "error:", "EL3:", "could not")


def tree(board):
    return (machine.GUESTS / "dtb" / TREES[board]).read_bytes()


class Pi:
    """A board whose console, the mini UART on its second serial line (or the PL011 on the first), is ours."""

    def __init__(self, board, directory, entry="el2", blob=None, bundle=None, pl011=False,
                 options=()):
        file = directory / "board.dtb"
        file.write_bytes(blob or tree(board))
        image = machine.ROOT / ("build/mezzo.img" if entry == "el2" else "build/mezzo.elf")
        serials = ["-serial", "stdio"] if pl011 else ["-serial", "null", "-serial", "stdio"]
        words = ["-M", board, "-kernel", image, "-dtb", file, "-display", "none", "-monitor", "none",
                 *serials, *options]
        if bundle is not None:
            words += ["-initrd", bundle]
        self.child = pexpect.spawn("qemu-system-aarch64", [str(word) for word in words], timeout=90,
                                   encoding="utf-8", dimensions=(50, 400))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.close(force=True)

    def prompt(self):
        """What was said up to the prompt."""
        self.child.expect_exact(PROMPT)
        return self.child.before.replace("\r", "")

    def text(self, line):
        """What the shell answers to a line."""
        self.child.send(line + "\r")
        self.child.expect(re.escape(line) + r"\r+\n")
        return self.prompt()

    def json(self, line):
        return json.loads(self.text(line + " --json"))


@pytest.mark.parametrize("entry", ["el2", "el3"])
@pytest.mark.parametrize("board", ["raspi3b", "raspi4b"])
def test_shell(board, entry, tmp_path):
    """The shell, by an interrupt for each typed byte, on every core; and the board resets."""
    with Pi(board, tmp_path, entry) as pi:
        boot = pi.prompt()
        assert BANNER[board] in boot and "console BCM2835 mini UART" in boot
        for complaint in COMPLAINTS:
            assert complaint not in boot, boot
        assert pi.json("uptime")["cpus"] == 4
        assert "pages agree" in pi.text("audit")
        mem = pi.json("mem")
        assert ARM_MEMORY - (2 << 20) < mem["total"] <= ARM_MEMORY
        pi.child.send("reboot\r")
        pi.child.expect_exact("reboot\r")
        again = pi.prompt()
        assert BANNER[board] in again, again


def test_pl011(tmp_path):
    """The console is what stdout-path names, and a PL011 that nobody has started is started."""
    root = trees.parse(tree("raspi3b"))
    root.at("chosen")["stdout-path"] = trees.text("serial0:115200n8")
    with Pi("raspi3b", tmp_path, blob=root.to_bytes(), pl011=True) as pi:
        assert "console PL011 at 0x3f201000" in pi.prompt()
        assert pi.json("uptime")["cpus"] == 4


def test_no_spin_table(tmp_path):
    """A tree that does not tell where the other cores wait: one sentence, and one core."""
    root = trees.parse(tree("raspi3b"))
    for cpu in root.at("cpus").children:
        cpu.properties.pop("cpu-release-addr", None)
    with Pi("raspi3b", tmp_path, blob=root.to_bytes()) as pi:
        boot = pi.prompt()
        assert boot.count("cpu-release-addr in memory") == 1 and boot.count("stay unused") == 1, boot
        assert "not used" not in boot, boot
        assert pi.json("uptime")["cpus"] == 1


@pytest.mark.parametrize("place,used", [("0x8", True), ("0x300000", True), ("0xffffffff8", False),
                                        ("0x40000000000000", False), ("0x3f200000", False)])
def test_odd_spin_table(place, used, tmp_path):
    """Release addresses where no core waits: those in memory, the image among it, are given up in time."""
    root = trees.parse(tree("raspi3b"))
    for cpu in root.at("cpus").children:
        if "cpu-release-addr" in cpu.properties:
            cpu["cpu-release-addr"] = trees.u64(int(place, 0))
    with Pi("raspi3b", tmp_path, blob=root.to_bytes()) as pi:
        boot = pi.prompt()
        assert boot.count("not used") == (3 if used else 0), boot
        assert boot.count("cpu-release-addr in memory") == (0 if used else 1), boot
        assert pi.json("uptime")["cpus"] == 1


def test_memory_of_videocore(tmp_path):
    """A tree whose memory node covers all of the first GiB: the peripherals are not RAM, and VideoCore is
    asked what is its own. Every core starts at the image with the tree as the kernel package has it."""
    blob, image, base = tmp_path / "tree", machine.ROOT / "build/mezzo.img", 0x400000
    blob.write_bytes(tree("raspi3b"))
    command = ["qemu-system-aarch64", "-M", "raspi3b", "-display", "none", "-monitor", "none",
               "-serial", "null", "-serial", "stdio",
               "-device", f"loader,file={blob},addr=0x200000,force-raw=on",
               "-device", f"loader,file={image},addr={base:#x},force-raw=on"]
    for number in range(4):
        command += ["-device", f"loader,addr={base:#x},cpu-num={number}"]
    result = machine.run(command, 60, until=lambda text: PROMPT in text)
    assert "64 MiB of what the device tree gives are VideoCore's" in result.text or \
        "48 MiB of what the device tree gives are VideoCore's" in result.text, result.explain("all of it?")
    assert "not used" not in result.text, result.explain("a core is missing")


VM = """
    vm {name} {{
      kernel  = "{kernel}"
      initrd  = "{initramfs}"
      cmdline = "console=ttyAMA0 mezzo.nonce={nonce}"
      memory  = 160M
      cpus    = {cpus}
    }}"""


def run_linux(board, guests, directory):
    """Boots Debian guests (name, series, vCPUs, nonce), and expects the watchdog to switch the board off when
    they have ended."""
    conf, bundle = directory / "linux.conf", directory / "linux.cpio"
    conf.write_text("board = virt\non_all_off = poweroff\n" + "".join(
        VM.format(name=name, kernel=machine.kernel(series), initramfs=machine.INITRAMFS, nonce=nonce,
                  cpus=cpus) for name, series, cpus, nonce in guests))
    packed = machine.run([machine.MEZZO, "pack", conf, "-o", bundle], 60)
    assert packed.status == 0, packed.explain("no bundle")
    with Pi(board, directory, bundle=bundle) as pi:
        pi.prompt()
        pi.child.send("\x1da")  # all VMs' output, each line with its name
        pi.child.expect(pexpect.EOF, timeout=machine.TIME_LIMIT)
        result = machine.Text(pi.child.before)
    for name, _, cpus, nonce in guests:
        machine.check_linux(result, result.of(name), cpus, nonce)
    assert result.of("mezzo")[-1] == f"end: {len(guests)} off, 0 crashed", result.explain("no proper end")


@pytest.mark.parametrize("cpus", [1, 2, 4])
@pytest.mark.parametrize("board,series", [("raspi3b", "6.1"), ("raspi3b", "6.12"), ("raspi4b", "6.12")])
def test_linux(board, series, cpus, linux, nonce, tmp_path):
    """Debian as a `virt` guest: with a GICv2 that is all software on the Pi 3, and the GIC-400's on the Pi 4."""
    run_linux(board, [("linux", linux(series), cpus, nonce)], tmp_path)


@pytest.mark.parametrize("board", ["raspi3b", "raspi4b"])
def test_three(board, linux, nonce, tmp_path):
    """Three of them at once, on four cores."""
    guests = [(name, linux(), cpus, nonce + cpus) for name, cpus in [("a", 1), ("b", 2), ("c", 4)]]
    run_linux(board, guests, tmp_path)
