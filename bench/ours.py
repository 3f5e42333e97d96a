# SPDX-License-Identifier: Apache-2.0
"""Starts the benchmark's guest on bare QEMU and under Mezzo, as peers.py does under Xen and KVM: command() gives QEMU's
command, lines_of() what each guest printed. What a guest and a board are stands here for both."""

import dataclasses
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test/boot"))
import machine  # noqa: E402

IMAGE = ROOT / "build/bench/guest/bench.img"
ICOUNT = ("-icount", "shift=0,sleep=off")
LIMIT = 900  # seconds for one run
# A network interface behind which nobody answers.
UPLINK = ("-netdev", "user,id=wan,restrict=on", "-device", "virtio-net-device,netdev=wan,mac=52:54:00:00:00:01")


@dataclasses.dataclass
class Guest:
    """One VM."""

    image: pathlib.Path
    words: str = ""  # its command line
    cpus: int = 1
    memory: int = 512  # MiB
    more: str = ""  # lines of its section of a .conf file, which only Mezzo reads


@dataclasses.dataclass
class Board:
    """A named CPU's counter goes at 1 GHz, as max's does: with icount a tick is an instruction."""

    gic: int = 3
    cpu: str = "max"
    smp: int = 1
    ram: str = "2G"
    more: tuple = ICOUNT  # further words for QEMU

    @property
    def model(self):
        return self.cpu if self.cpu == "max" else f"{self.cpu},cntfrq=1000000000"


class Bare:
    """QEMU's board alone: what the guest's own instructions cost."""

    def command(self, guests, board, directory):
        guest = guests[0]
        return ["qemu-system-aarch64", "-M", f"virt,gic-version={board.gic}", "-cpu", board.model, "-smp",
                str(guest.cpus), "-m", f"{guest.memory}M", "-display", "none", "-monitor", "none", "-serial", "stdio",
                "-nic", "none", "-no-reboot", "-kernel", guest.image, "-append", guest.words, *board.more]

    def lines_of(self, text, count):
        return [text.replace("\r", "")]


class BareVirtio(Bare):
    """The same with QEMU's own virtio disks, the first of which is the one named last, and a network interface."""

    def __init__(self, disks):
        self.disks = disks

    def command(self, guests, board, directory):
        drives = [word for n, disk in enumerate(self.disks)
                  for word in ("-drive", f"if=none,id=d{n},format=raw,file={disk}", "-device",
                               f"virtio-blk-device,drive=d{n}")]
        board.more = (*board.more, "-global", "virtio-mmio.force-legacy=false", *drives, *UPLINK)
        words = super().command(guests, board, directory)
        at = words.index("-nic")
        return words[:at] + words[at + 2:]


class Mezzo:
    """The guests are sections of one .conf file; further sections, of VMs that only are there, may follow."""

    def __init__(self, beside=""):
        self.beside = beside

    def command(self, guests, board, directory):
        conf = pathlib.Path(directory) / "bench.conf"
        conf.write_text("".join(machine.vm(f"vm{i}", pathlib.Path(guest.image), guest.words, memory=f"{guest.memory}M",
                                           cpus=guest.cpus).replace("\n}\n", f"\n{guest.more}\n}}\n")
                                for i, guest in enumerate(guests)) + self.beside, encoding="ascii")
        return [machine.MEZZO, "run", conf, "--gic", str(board.gic), "--cpu", board.model, "--smp", str(board.smp),
                "--ram", board.ram, "--timeout", str(LIMIT), "--", *board.more]

    def lines_of(self, text, count):
        """When the VM began by the board's counter comes first."""
        text = text.replace("\r", "")
        return ["".join(f"bench: starts {ticks}\n" for ticks in
                        re.findall(rf"^\[mezzo\] vm{i}: starts (\d+) ticks after reset", text, re.MULTILINE)) +
                "\n".join(re.findall(rf"^\[vm{i}\] (.*)$", text, re.MULTILINE)) + "\n" for i in range(count)]
