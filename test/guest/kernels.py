# SPDX-License-Identifier: Apache-2.0
"""The EL1 test kernels: which there are, how to boot them, and how to read what they print.

Each kernel runs on the bare board as its control, where it does not test Mezzo itself, and under
Mezzo. It prints `ok NAME`, `not ok NAME: why`, `skip NAME: why`, `known-bad NAME: why` (known to be
wrong on the bare board, a failure under Mezzo) and at its end `TEST-DONE P passed F failed`.

A tool is a kernel that other tests use as a guest. It prints `NAME: up`, then what its file says, and
may end or not. Those in KERNELS are run here for a short time, to see that they do what they promise; those
in TOOLS only serve.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import socket
import struct
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
IMAGES = ROOT / "build/guest"
MEZZO = ROOT / "build/mezzo"
QEMU = "qemu-system-aarch64"
TIMEOUT = int(os.environ.get("GUEST_TIMEOUT", "60"))  # seconds for one boot

DONE = re.compile(r"^TEST-DONE (\d+) passed (\d+) failed$")
RESULT = re.compile(r"^(ok|not ok|known-bad|skip) ([^:]+)(?:: (.*))?$")
END = re.compile(r"^\[mezzo\] end: (\d+) off, (\d+) crashed$")
GUEST = "[guest] "
EXTRA = []  # more options for every `mezzo run`, set by hand


@dataclasses.dataclass(frozen=True)
class Board:
    """One machine: GIC version, CPU model, number of CPUs. A Raspberry Pi is as it is, so there the first two
    are what its guests see and the last one is theirs."""

    gic: int
    cpu: str
    cpus: int
    name: str = "virt"  # of the board, as QEMU has it

    def __str__(self):
        return f"{self.name}-{self.cpus}" if self.is_pi else f"gic{self.gic}-{self.cpu}-{self.cpus}"

    @property
    def is_pi(self):
        return self.name != "virt"

    @property
    def options(self):
        """For `mezzo run`."""
        if self.is_pi:
            return ["--board", self.name]
        return ["--gic", str(self.gic), "--cpu", self.cpu]


# Each GIC with one CPU and several, each CPU model with both.
ALL = (Board(2, "cortex-a72", 1), Board(2, "max", 4), Board(3, "max", 1), Board(3, "cortex-a72", 4))
# For what depends on neither the GIC nor the number of CPUs.
TWO = (Board(2, "cortex-a72", 2), Board(3, "max", 1))
ONE = (Board(3, "cortex-a53", 1),)
# Two network interfaces that see each other.
HUB = ("-global", "virtio-mmio.force-legacy=false",
       *(word for n in "01" for word in ("-netdev", f"hubport,id=h{n},hubid=0",
                                         "-device", f"virtio-net-device,netdev=h{n},mac=52:54:00:00:00:0{n}")))
# What it knows of the machine by heart is one with a GICv2.
FIXED = (Board(2, "cortex-a72", 1), Board(2, "max", 4))
# Under Mezzo alone: no GIC at all, and one that only Mezzo reaches.
PIS = {name: tuple(Board(2, cpu, cpus, name) for cpus in (1, 2, 4))
       for name, cpu in (("raspi3b", "cortex-a53"), ("raspi4b", "cortex-a72"))}


@dataclasses.dataclass(frozen=True)
class Kernel:
    """One kernel, the boards it runs on, and what is right at its end."""

    name: str
    boards: tuple = TWO
    image: str = ""
    bare: bool = True  # has a control on the bare board
    params: str = ""  # command line; {soon} is the clock's second a little later
    crashes: bool = False  # under Mezzo the right end is "crashed", reported in words
    options: tuple = ()  # for `mezzo run`
    keys: str = ""  # the same, as lines of the guest's description
    devices: tuple = ()  # the same, for QEMU on the bare board
    says: str = ""  # regular expression that the whole output must contain under Mezzo
    check: object = None  # function of the whole output
    tool: bool = False  # prints no results of its own
    firmware: bool = False  # the image is in flash, in place of a kernel in memory
    disk: int = 0  # sectors of the board's first disk, on the bare board and for `mezzo run --disk`; 0: none

    @property
    def path(self):
        return IMAGES / (self.image or f"{self.name}.img")


def tool(name, boards=ONE, params="", pattern="", bare=True):
    """A tool that ends by itself with these parameters, having printed what `pattern` matches."""
    def check(text):
        return f"{name}: up\n" in text and re.search(pattern, text) is not None
    return Kernel(name, boards, bare=bare, params=params, check=check, tool=True)


KERNELS = [
    Kernel("hello", ALL),
    Kernel("hello-elf", image="hello-elf.elf"),
    Kernel("hello-raw", image="hello-raw.bin", options=("--load", "0x40080000")),
    Kernel("fixed", FIXED, image="fixed.bin", options=("--load", "0x40080000")),
    Kernel("regs", ALL),
    Kernel("pac", ALL),
    Kernel("sgi", ALL),
    Kernel("timer", ALL),
    Kernel("spi", ALL),
    Kernel("prio", ALL),
    Kernel("groups", ALL),
    Kernel("gicregs", ALL),
    Kernel("psci", ALL),
    Kernel("pl011"),
    Kernel("mem"),
    Kernel("aborts"),
    Kernel("forms"),
    Kernel("idregs"),
    Kernel("sysregs"),
    Kernel("smccc"),
    Kernel("rtc", ONE),
    Kernel("gpio"),
    Kernel("pvtime", ALL),
    Kernel("flash", image="firmware.bin", firmware=True),
    Kernel("virtio"),
    Kernel("blk", ALL, disk=2000),
    Kernel("net", ALL, options=("--net", "lan0", "--net", "lan0"), keys="net = { lan0, lan0 }\n", devices=HUB),
    Kernel("cache"),
    Kernel("aarch32"),
    Kernel("debug", ALL),
    Kernel("flood", ONE, check=lambda text: text.count("flood 00") == 2000),
    Kernel("reboot", TWO, params="until={soon}",
           check=lambda text: text.count("TEST reboot ") >= 2),
    Kernel("storm", ONE, bare=False, check=lambda text: text.count("[mezzo]") < 500),
    Kernel("nowhere", ONE, bare=False, crashes=True, says=r"\[mezzo\] .*exception vectors at 0xb0"),
    Kernel("tables", ONE, bare=False, crashes=True, says=r"\[mezzo\] .*there is no memory"),
    tool("quick"),
    tool("share", params="seconds=2", pattern=r"share: [1-9]\d* rounds\n"),
    tool("period", params="n=300", pattern=r"period: [1-9]\d* of 300 met, worst latency \d+ ns\n"),
    tool("ticks", params="seconds=2", pattern=r"ticks: end, 200 ticks, \d+ missed"),
    tool("stolen", params="seconds=1", pattern=r"stolen: \d+ us of 1\d{6} us, missed", bare=False),
    tool("migrate", TWO, params="rounds=100", pattern="migrate: end, 100 rounds, 0 differences"),
    tool("turns", params="n=0", pattern="turns: end"),
    tool("wake", TWO, params="n=5 sgi=1", pattern=r"(.*wake: (TIMER|SGI) \d+ \d+ \d+\n){5}.*wake: end"),
    tool("exits", TWO, params="n=5", pattern=r"exits: null [1-9]\d*\n(.*\n)*.*exits: end"),
    tool("toll", TWO, params="n=5", pattern=r"(.*toll: TIMER \d+ \d+ \d+\n){5}.*toll: end"),
    tool("cpustorm", ALL, params="seconds=1", pattern=r"cpustorm: end, \d+ on\n"),
]
# Never end by themselves: a hog, one that waits for the power key, one that resets itself.
TOOLS = [Kernel(name, ONE, tool=True) for name in ("spin", "powerkey", "again")]
BY_NAME = {kernel.name: kernel for kernel in KERNELS + TOOLS}


@dataclasses.dataclass
class Outcome:
    """What a boot printed and how it ended."""

    command: list
    text: str
    status: int  # of the command; 124 at the time limit
    seconds: float
    results: dict = dataclasses.field(default_factory=dict)
    done: tuple = ()  # passed, failed as the kernel counted them
    off_crashed: tuple = ()  # from Mezzo's last line

    def failures(self, kernel, mezzo):
        """What is wrong with this outcome, as a list of lines; empty if nothing is."""
        wrong = [f"not ok {name}: {why}" for name, (kind, why) in self.results.items()
                 if kind == "not ok" or (mezzo and kind == "known-bad")]
        crashes = mezzo and kernel.crashes
        if self.status == 124:
            wrong.append(f"no end after {TIMEOUT} s")
        if not crashes and not kernel.tool and not self.done:
            wrong.append("no TEST-DONE line")
        if self.done and (self.done[1] != 0 or self.done[0] == 0) and not wrong:
            wrong.append(f"the kernel counted {self.done}")
        if mezzo and self.status != (1 if crashes else 0):
            wrong.append(f"mezzo run ended with status {self.status}")
        if mezzo and self.off_crashed != ((0, 1) if crashes else (1, 0)):
            wrong.append(f"Mezzo's last line is not as expected: {self.off_crashed}")
        if mezzo and kernel.says and not re.search(kernel.says, self.text, re.MULTILINE):
            wrong.append(f"nothing printed matches {kernel.says!r}")
        if kernel.check and not kernel.check(self.text):
            wrong.append("the whole output is not as it should be")
        return wrong


def read_results(outcome, prefix):
    """Fills in what the lines with this prefix say."""
    for line in outcome.text.splitlines():
        if not line.startswith(prefix):
            continue
        line = line.removeprefix(prefix)
        result, done = RESULT.match(line), DONE.match(line)
        if result:
            kind, name, why = result.groups()
            # The same name may come more than once: a failure must not be covered by a success.
            if outcome.results.get(name, ("ok",))[0] in ("ok", "skip"):
                outcome.results[name] = (kind, why or "")
        elif done:
            outcome.done = (int(done.group(1)), int(done.group(2)))


def boot(command, mezzo):
    """Runs one command and reads its output."""
    start = time.monotonic()
    try:
        run = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=TIMEOUT + 10, check=False)
        output, status = run.stdout, run.returncode
    except subprocess.TimeoutExpired as expired:
        output, status = expired.stdout or b"", 124
    text = output.decode("utf-8", "replace").replace("\r", "")
    outcome = Outcome(command, text, status, time.monotonic() - start)
    for line in text.splitlines():
        end = END.match(line)
        if mezzo and end:
            outcome.off_crashed = (int(end.group(1)), int(end.group(2)))
    read_results(outcome, GUEST if mezzo else "")
    return outcome


def params_of(kernel):
    return kernel.params.format(soon=int(time.time()) + 3)


def bare_command(kernel, board):
    command = ["timeout", str(TIMEOUT), QEMU, "-M", f"virt,gic-version={board.gic}",
               "-cpu", board.cpu, "-smp", str(board.cpus), "-m", "128M", "-nographic",
               *(kernel.devices or ("-nic", "none")), "-bios" if kernel.firmware else "-kernel", str(kernel.path)]
    return command + (["-append", params_of(kernel)] if kernel.params else [])


def mezzo_command(kernel, board):
    command = [str(MEZZO), "run", "--firmware" if kernel.firmware else "--kernel", str(kernel.path), "-c", str(board.cpus), "-m", "64M",
               *board.options, "--timeout", str(TIMEOUT), *kernel.options, *EXTRA]
    return command + (["-p", params_of(kernel)] if kernel.params else [])


def make_disk(path, sectors):
    """Each 8 bytes of it are their own number."""
    pathlib.Path(path).write_bytes(struct.pack(f"<{sectors * 64}Q", *range(sectors * 64)))
    return path


@contextlib.contextmanager
def disk_of(kernel):
    """The path of the kernel's disk, for one boot; None: it has none."""
    with tempfile.TemporaryDirectory() as directory:
        yield make_disk(f"{directory}/disk.img", kernel.disk) if kernel.disk else None


def run_bare(kernel, board):
    with disk_of(kernel) as disk:
        more = ["-drive", f"if=none,id=disk,format=raw,file={disk}", "-device", "virtio-blk-device,drive=disk"]
        return boot(bare_command(kernel, board) + (more if disk else []), mezzo=False)


def run_mezzo(kernel, board, *options):
    with disk_of(kernel) as disk:
        return boot([*mezzo_command(kernel, board), *options, *(["--disk", disk] if disk else [])], mezzo=True)


def run_described(kernel, board, directory, top="", more=""):
    """As run_mezzo(), from a description with `top` and, of the guest, `more` in it."""
    conf = pathlib.Path(directory) / "guest.conf"
    load = f"  load = {kernel.options[-1]}\n" if "--load" in kernel.options else ""
    what = f"firmware = {kernel.path}" if kernel.firmware else f"kernel = {kernel.path}\n  cmdline = \"{params_of(kernel)}\""
    conf.write_text(f"{top}\nvm guest {{\n  {what}\n  memory = 64M\n  cpus = {board.cpus}\n  {more}\n{load}{kernel.keys}}}\n",
                    encoding="ascii")
    return boot([str(MEZZO), "run", str(conf), "--gic", str(board.gic), "--cpu", board.cpu,
                 "--smp", str(board.cpus), "--timeout", str(TIMEOUT), *EXTRA], mezzo=True)


def run_soft_gic(kernel, board, directory):
    """A guest that asks for a GICv2 on a board with a GICv3: its CPU interface is Mezzo's own."""
    return run_described(kernel, board, directory, more="gic = 2")


def run_plain(kernel, board, directory):
    """Every exit through the guest loop."""
    return run_described(kernel, board, directory, top="fast_exits = false")


def run_with_key(name, board, params, ready, directory):
    """Boots a kernel on the bare board and presses the power key each time it prints `ready`; QEMU's is
    down for 100 ms each time, and cannot be pressed again before."""
    path = pathlib.Path(directory) / "monitor"
    command = ["timeout", str(TIMEOUT), QEMU, "-M", f"virt,gic-version={board.gic}", "-cpu", board.cpu,
               "-smp", str(board.cpus), "-m", "128M", "-display", "none", "-nic", "none",
               "-serial", "stdio", "-monitor", f"unix:{path},server=on,wait=off",
               "-kernel", str(IMAGES / f"{name}.img"), "-append", params]
    start = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process, \
            socket.socket(socket.AF_UNIX) as monitor:
        lines = []
        for line in process.stdout:
            if not lines:
                monitor.connect(str(path))
            lines.append(line.decode("utf-8", "replace").rstrip())
            if re.search(ready, lines[-1]):
                time.sleep(0.3)
                monitor.sendall(b"system_powerdown\n")
        status = process.wait()
    outcome = Outcome(command, "\n".join(lines), status, time.monotonic() - start)
    read_results(outcome, "")
    return outcome


def run_beside(bad, victim, directory):
    """Boots a victim and a bad guest as two VMs until the victim is done; returns its Outcome."""
    conf = pathlib.Path(directory) / "beside.conf"
    conf.write_text("".join(f"vm {name} {{\n  kernel = {IMAGES / (kernel + '.img')}\n"
                            f"  memory = 64M\n  cpus = 1\n}}\n"
                            for name, kernel in (("victim", victim), ("bad", bad))),
                    encoding="ascii")
    command = [str(MEZZO), "run", str(conf), "--cpu", "cortex-a72", "--timeout", str(TIMEOUT)]
    start = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        lines = []
        for line in process.stdout:
            lines.append(line.decode("utf-8", "replace").rstrip())
            if re.match(r"\[victim\] TEST-DONE|\[mezzo\] victim: crashed", lines[-1]):
                break
        process.terminate()
    outcome = Outcome(command, "\n".join(lines), 0, time.monotonic() - start)
    read_results(outcome, "[victim] ")
    return outcome


def build():
    """Builds the kernels, and Mezzo if it is not there."""
    targets = ["guest"] + ([] if os.path.exists(MEZZO) else ["all"])
    subprocess.run(["make", "-s", *targets], cwd=ROOT, check=True)
