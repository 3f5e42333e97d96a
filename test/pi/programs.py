# SPDX-License-Identifier: Apache-2.0
"""The bare-metal Raspberry Pi programs: which there are, how to run them, and how to read what they print.

Each prints `ok NAME` or `not ok NAME` and at its end `pi: PROGRAM: N passed, N failed`, and halts the board
through the PM watchdog, which ends QEMU. It first passes on QEMU's bare raspi3b, then as a guest.
"""

import dataclasses
import pathlib
import re
import shutil
import subprocess

import card

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
IMAGES = ROOT / "build/pi"
CARD = IMAGES / "card.img"
MEZZO = ROOT / "build/mezzo"
QEMU = "qemu-system-aarch64"
TIMEOUT = 60  # seconds for one run

RESULT = re.compile(r"^(ok|not ok) (.+)$")
DONE = re.compile(r"^pi: (\S+): (\d+) passed, (\d+) failed$")
END = re.compile(r"^\[mezzo\] end: (\d+) off, (\d+) crashed$", re.MULTILINE)
GUEST = "[guest] "

# What each host is for `mezzo run`.
HOSTS = {
    "gic2": ["--gic", "2", "--smp", "4"],
    "gic3": ["--gic", "3", "--smp", "4"],
    "raspi3b": ["--board", "raspi3b"],
    "raspi4b": ["--board", "raspi4b"],
}


@dataclasses.dataclass(frozen=True)
class Program:
    """One program, and what QEMU's bare board lacks for it."""

    name: str
    suffix: str = "img"
    no_bare: str = ""  # why it has no control on the bare board
    no_guest: str = ""  # why it does not run as a guest yet
    not_on: tuple = ()  # hosts that cannot carry it as a guest
    card: bool = False  # wants the one of card.py in its slot
    restarts: bool = False  # the board, and goes on with the same card

    @property
    def path(self):
        return IMAGES / f"{self.name}.{self.suffix}"


LOOPS = "QEMU itself goes round for ever in a block of its DMA controller that loops"

PROGRAMS = [
    Program("hello"),
    Program("elf", suffix="elf"),
    Program("pl011"),
    Program("mailbox"),
    Program("tags"),
    Program("mailbad"),
    Program("systimer"),
    # QEMU's Raspberry Pi 4 has no generator, and no firmware that leaves a seed in the tree.
    Program("rng", not_on=("raspi4b",)),
    Program("exceptions"),
    Program("timers"),
    Program("multicore"),
    Program("mmu"),
    Program("atags"),
    Program("storm"),
    Program("framebuffer"),
    Program("fat32", card=True),
    Program("course", card=True),
    Program("sdhost", card=True),
    Program("sdbad", card=True),
    Program("sddma", card=True),
    Program("sdlong", card=True, no_bare=LOOPS),
    Program("sdlives", card=True, restarts=True),
    Program("dma"),
    Program("dmacores"),
    # No address is an error there, either.
    Program("dmabad", no_bare=LOOPS),
]
BY_NAME = {program.name: program for program in PROGRAMS}


@dataclasses.dataclass
class Outcome:
    """What one run printed and how it ended."""

    text: str
    status: int
    results: list
    done: tuple  # name, passed, failed

    def wrong(self, program):
        """What is wrong, as a list of lines; empty if nothing is."""
        lines = [f"not ok {name}" for kind, name in self.results if kind != "ok"]
        if self.status:
            lines.append(f"ended with status {self.status}")
        if not self.done:
            return [*lines, "no last line"]
        name, passed, failed = self.done
        if (name, passed, failed) != (program.name, len(self.results), 0) or not passed:
            lines.append(f"the program counted {self.done}")
        return lines


def run(command, prefix):
    """Runs a command and reads the lines that begin with the prefix."""
    try:
        process = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, timeout=TIMEOUT + 10, check=False)
        output, status = process.stdout, process.returncode
    except subprocess.TimeoutExpired as expired:
        output, status = expired.stdout or b"", 124
    text = output.decode("utf-8", "replace").replace("\r", "")
    results, done = [], ()
    for line in text.splitlines():
        if not line.startswith(prefix):
            continue
        line = line.removeprefix(prefix)
        if match := RESULT.match(line):
            results.append(match.groups())
        elif match := DONE.match(line):
            done = (match[1], int(match[2]), int(match[3]))
    return Outcome(text, status, results, done)


def run_bare(program, directory):
    """On QEMU's raspi3b, both UARTs on one terminal. -no-reboot: a restart ends QEMU as a halt does."""
    drive = []
    if program.card:  # a copy, since it is written to
        copy = shutil.copy(CARD, pathlib.Path(directory) / "card.img")
        drive = ["-drive", f"if=sd,format=raw,file={copy}"]
    once = [] if program.restarts else ["-no-reboot"]
    return run(["timeout", str(TIMEOUT), QEMU, "-M", "raspi3b", "-display", "none", "-monitor", "none",
                *once, "-chardev", "stdio,id=both,mux=on,signal=off", "-serial", "chardev:both",
                "-serial", "chardev:both", "-kernel", str(program.path), *drive], "")


def run_mezzo(program, host, directory, source="", sdcard="", timeout=TIMEOUT):
    """As a guest of model raspi3 with four cores. `source`: the line that names the kernel, in place of its file;
    `sdcard`: another card than its own."""
    conf = pathlib.Path(directory) / "pi.conf"
    source = source or f"kernel = {program.path}"
    if program.card:
        sdcard = sdcard or ("keep:" if program.restarts else "") + str(CARD)
    line = f'  sdcard = "{sdcard}"\n' if sdcard else ""
    conf.write_text(f"vm guest {{\n  machine = raspi3\n  {source}\n  memory = 256M\n  cpus = 4\n{line}}}\n",
                    encoding="ascii")
    outcome = run([str(MEZZO), "run", str(conf), *HOSTS[host], "--timeout", str(timeout)], GUEST)
    end = END.search(outcome.text)
    if not outcome.status and (not end or end.groups() != ("1", "0")):
        outcome.status = 1
    return outcome


def build():
    subprocess.run(["make", "-s", "pi"], cwd=ROOT, check=True)
    card.build(CARD)
