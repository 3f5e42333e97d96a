# SPDX-License-Identifier: Apache-2.0
"""Starts machines: `mezzo run`, and bare QEMU as the control that shows what the guest does by
itself. Every start has a time limit, after which the whole process group is ended."""

import os
import pathlib
import re
import select
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MEZZO = ROOT / "build/mezzo"
GUESTS = ROOT / "build/guests"
INITRAMFS = GUESTS / "initramfs.cpio.gz"

# Nothing but busybox and the same init, for guests with as little memory as the kernel needs. With one CPU on
# bare QEMU, Linux 6.1 comes to userspace with 56M and dies of it with 52M; 6.12 does with 68M.
SMALL_INITRAMFS = GUESTS / "initramfs-small.cpio.gz"
SMALL_MEMORY = {"6.1": "64M", "6.12": "80M"}

TIME_LIMIT = 240  # seconds for one machine; a good one takes 3 to 10 when nothing else runs
QUIET_LIMIT = 60  # seconds without a word

# What tools/init prints: the sum of the squares of 1 to 1000, plus the nonce.
SUM = 333833500
ARMHF_LINE = "mezzo-init: armhf product=42055007 ratio=3.141592920"

# What a healthy kernel never prints.
TROUBLE = re.compile(
    r"WARNING:|BUG:|Oops|Call trace|Kernel panic|detected stall|soft lockup|hard LOCKUP"
    r"|irq \d+: nobody cared|Unhandled fault|clocksource: .*unstable|failed to boot|failed to come online")


KERNELS = ROOT / "build/guest"


def vm(name, kernel, words="", **keys):
    """A section of a .conf file; the kernel is a path, or the name of an EL1 test kernel, or None: there is firmware."""
    if isinstance(kernel, str):
        kernel = KERNELS / f"{kernel}.img"
    starts = {"kernel": f'"{kernel}"', "cmdline": f'"{words}"'} if kernel else {}
    keys = {**starts, "memory": "16M", **keys}
    return f"vm {name} {{\n" + "".join(f"  {k} = {v}\n" for k, v in keys.items()) + "}\n"


def small_linux(name, series, words, **keys):
    """A section for Debian with as little memory as it needs, on one CPU."""
    return vm(name, kernel(series), f"console=ttyAMA0 {words}", initrd=f'"{SMALL_INITRAMFS}"',
              **{"memory": SMALL_MEMORY[series], **keys})


def kernel(series):
    return GUESTS / f"linux-{series}" / "vmlinuz"


class Result:
    """What a machine printed and how it ended."""

    def __init__(self, command, output, status, seconds):
        self.command, self.status, self.seconds = command, status, seconds
        self.text = output.decode(errors="replace").replace("\r", "")
        self.lines = self.text.splitlines()

    def of(self, name):
        """The lines that carry the prefix `[name] `, without it."""
        prefix = f"[{name}] "
        return [line[len(prefix):] for line in self.lines if line.startswith(prefix)]

    def names(self):
        """The VMs that printed something, in the order in which they first did."""
        found = (re.match(r"\[([A-Za-z0-9_.-]+)\] ", line) for line in self.lines)
        return list(dict.fromkeys(m.group(1) for m in found if m and m.group(1) != "mezzo"))

    def explain(self, what):
        tail = "\n".join(line[:200] for line in self.lines[-40:])
        return f"{what}\nstatus {self.status} after {self.seconds:.1f} s of: {self.command}\n{tail}"


def end_group(process):
    """Ends a process that leads its own group, and whatever it has started."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, signal_number)
        except ProcessLookupError:
            return
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue


def run(command, time_limit, until=None, quiet=QUIET_LIMIT):
    """Runs a command without a terminal, and ends it when its time is up or when it has printed
    nothing for long: status 124 in both cases. `until`, if given, is called with the text so far;
    when it returns true the command is ended at once, and the status is None."""
    command = [str(word) for word in command]
    start = last = time.monotonic()
    output, status = b"", 124
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    os.set_blocking(process.stdout.fileno(), False)
    try:
        while time.monotonic() - start < time_limit and time.monotonic() - last < quiet:
            ended = process.poll() is not None
            piece = process.stdout.read() or b""
            if piece:
                output, last = output + piece, time.monotonic()
            if until is not None and until(output.decode(errors="replace")):
                status = None
                break
            if ended:
                status = process.returncode
                break
            if not piece:
                select.select([process.stdout], [], [], 0.2)
    finally:
        end_group(process)
        process.stdout.close()
    return Result(" ".join(command), output, status, time.monotonic() - start)


def mezzo_command(arguments, board="", time_limit=TIME_LIMIT):
    """`mezzo run` with the given arguments; board is text like "--gic 3 --smp 2"."""
    return [MEZZO, "run", *arguments, *board.split(), "--timeout", str(time_limit)]


def mezzo(arguments, board="", time_limit=TIME_LIMIT, until=None, quiet=QUIET_LIMIT):
    return run(mezzo_command(arguments, board, time_limit), time_limit + 20, until, quiet)


def linux_arguments(series, cpus, memory, words, initramfs=INITRAMFS):
    return ["-k", kernel(series), "-i", initramfs, "-c", str(cpus), "-m", memory,
            "-p", f"console=ttyAMA0 {words}"]


def bare_command(series, cpus, memory, words, cpu="max", gic=3, initramfs=INITRAMFS):
    return ["qemu-system-aarch64", "-M", f"virt,gic-version={gic}", "-cpu", cpu,
            "-smp", str(cpus), "-m", memory, "-nographic", "-nic", "none", "-no-reboot",
            "-kernel", kernel(series), "-initrd", initramfs, "-append", f"console=ttyAMA0 {words}"]


def bare(*guest, time_limit=TIME_LIMIT, **board):
    """The control: the same guest on QEMU's board itself, at EL1."""
    return run(bare_command(*guest, **board), time_limit)


class Text(Result):
    """The same of what a console said so far."""

    def __init__(self, text):
        super().__init__("a console", text.encode(), None, 0)


def check_linux(result, lines, cpus, nonce, armhf=False):
    """Asserts that these lines are those of a Linux guest that came to userspace and was well."""
    expected = (f"mezzo-init: sum={SUM + nonce} cpus={cpus} "
                "uptime-advances=yes timer-irqs=ok")
    assert expected in lines, result.explain(f"missing: {expected}")
    if armhf:
        assert ARMHF_LINE in lines, result.explain(f"missing: {ARMHF_LINE}")
    trouble = [line for line in lines if TROUBLE.search(line)]
    assert not trouble, result.explain("the kernel complained:\n" + "\n".join(trouble))


def check_end(result, off=1, crashed=0):
    """Asserts that mezzo itself ended as promised: last line, and exit status."""
    said = result.of("mezzo")
    assert said and said[-1] == f"end: {off} off, {crashed} crashed", result.explain("no proper end")
    assert result.status == (1 if crashed else 0), result.explain("wrong exit status")
