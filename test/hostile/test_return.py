# SPDX-License-Identifier: Apache-2.0
"""What a bug at EL2 would do if it overwrote a return address: a debugger does it on a CPU's own stack, while an exit
is handled. A CPU that can sign (PAC) stops at the function's end; one that cannot goes where the address says."""

import os
import re
import subprocess
import time

import pytest
import suite
from suite import machine

IMAGE = suite.ROOT / "build/mezzo.elf"
BASE = 0x40200000  # where QEMU's virt machine puts an arm64 Image without an offset of its own
VICTIM, TARGET = "irq_handle", "exits_plain"  # the first is in each wait of a guest, the second is called by nobody here
X29, PC, CPSR = 29, 32, 33  # of the gdbstub's registers
LIMIT = 60


class Console:
    """What Mezzo prints; read whenever the debugger waits, so that QEMU never does."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, cwd=suite.ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, start_new_session=True)
        self.sock, self.text = self.process.stdout, ""
        os.set_blocking(self.sock.fileno(), False)

    def pump(self, _seconds):
        self.text += (self.sock.read() or b"").decode(errors="replace").replace("\r", "")

    def wait(self, text):
        """Until it has been printed: it comes through two processes, which the debugger does not wait for."""
        end = time.monotonic() + LIMIT
        while text not in self.text:
            assert self.process.poll() is None and time.monotonic() < end, f"no {text!r} in {self.text}"
            suite.select.select([self.sock], [], [], 1)
            self.pump(0)


class Debugger(suite.Debugger):
    def register(self, number):
        return int.from_bytes(bytes.fromhex(self.answer(b"p%x" % number)), "little")

    def answer(self, packet):
        return re.search(rb"\$([^#]*)#..$", self.do(packet)).group(1).decode()

    def word(self, address):
        return int.from_bytes(bytes.fromhex(self.answer(b"m%x,8" % address)), "little")

    def run_to(self, *addresses):
        """Until EL2 is at one of them."""
        for address in addresses:
            assert self.answer(b"Z1,%x,4" % address) == "OK"
        while True:
            assert self.answer(b"c").startswith("T")
            at = self.register(PC)
            if at in addresses and self.register(CPSR) >> 2 & 3 == 2:
                break
            assert self.answer(b"s").startswith("T")  # a guest at the same address
        for address in addresses:
            assert self.answer(b"z1,%x,4" % address) == "OK"
        return at


def places():
    """Addresses in the image: VICTIM behind its prologue, the first of TARGET, and that of cpu_halt."""
    said = subprocess.run(["aarch64-linux-gnu-objdump", "-d", IMAGE], check=True, capture_output=True, text=True).stdout
    code = re.search(rf"<{VICTIM}>:\n(.*?)\n\n", said, re.DOTALL).group(1)
    behind = re.search(r"stp\tx29, x30, .*?\n.*?(?:mov\tx29, sp|add\tx29, sp, .*?)\n\s*([0-9a-f]+):", code, re.DOTALL)
    starts = [int(re.search(rf"([0-9a-f]+) <{name}>:", said).group(1), 16) for name in (TARGET, "cpu_halt")]
    return [BASE + int(behind.group(1), 16), *(BASE + start for start in starts)]


@pytest.mark.parametrize("cpu", ["max", "neoverse-v1", "cortex-a72"])
def test_overwritten(cpu, tmp_path):
    """max finds it at once (FEAT_FPAC), neoverse-v1 makes an address of it that cannot be, cortex-a72 cannot tell."""
    behind, target, halt = places()
    gdb = tmp_path / "gdb"
    console = Console([machine.MEZZO, "run", "-k", machine.KERNELS / "ticks.img", "-m", "16M", "-p", "seconds=30", "--cpu", cpu,
                       "--timeout", str(LIMIT), "--", "-gdb", f"unix:{gdb},server=on,wait=off"])
    try:
        console.wait("ticks: up")
        debugger = Debugger(gdb, console)
        debugger.run_to(behind)
        frame = debugger.register(X29)
        stored = debugger.word(frame + 8)
        assert BASE < stored & (1 << 48) - 1 < BASE + (1 << 20)
        assert (stored >> 48 != 0) == (cpu != "cortex-a72"), f"{stored:#x}"
        assert debugger.answer(b"M%x,8:%s" % (frame + 8, target.to_bytes(8, "little").hex().encode())) == "OK"
        assert debugger.run_to(target, halt) == (target if cpu == "cortex-a72" else halt), console.text
        if cpu != "cortex-a72":
            console.wait("panic: synchronous exception at EL2")
            console.wait("panic: a function's return address was overwritten")
    finally:
        machine.end_group(console.process)
