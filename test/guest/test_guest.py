# SPDX-License-Identifier: Apache-2.0
"""Every EL1 test kernel on the bare board as control, and under Mezzo."""

import dataclasses
import fcntl
import os

import kernels
import pytest

BARE = [(kernel, board) for kernel in kernels.KERNELS if kernel.bare for board in kernel.boards]
MEZZO = [(kernel, board) for kernel in kernels.KERNELS for board in kernel.boards]
# Those that have something to do with interrupts, with a GICv2 in software.
SOFT = [(kernels.BY_NAME[name], board) for board in kernels.ALL if board.gic == 3
        for name in ("fixed", "regs", "sgi", "timer", "spi", "prio", "groups", "gicregs", "psci", "rtc", "gpio",
                     "migrate", "wake", "toll", "turns", "cpustorm", "ticks", "aarch32")]
# All of them on a board without a GIC, with as many CPUs as the kernel is for elsewhere; what has to do with
# interrupts beside a GICv2 that is a Raspberry Pi's own, too. No Pi has a clock that knows the time of day, which
# two want to know.
PI = [(kernel, board) for kernel in kernels.KERNELS for board in kernels.PIS["raspi3b"]
      if kernel.name not in ("rtc", "reboot") and not kernel.disk and board.cpus in {other.cpus for other in kernel.boards}]
PI += [(kernels.BY_NAME[name], kernels.PIS["raspi4b"][2])
       for name in ("hello", "regs", "sgi", "timer", "spi", "prio", "gicregs", "psci", "migrate")]
# Without fast exits (docs/exits.md): those that look most closely at what an exit does, or all.
PLAIN = [(kernel, board) for kernel, board in MEZZO
         if os.environ.get("PLAIN_ALL") or
         (kernel.name in ("regs", "pac", "sgi", "timer", "prio", "gicregs", "pl011", "smccc", "idregs", "exits")
          and board == kernel.boards[-1])]
EL3_BOARDS = (kernels.Board(2, "max", 2), kernels.Board(3, "cortex-a72", 2))


def names(pairs):
    return [f"{kernel.name}-{board}" for kernel, board in pairs]


@pytest.fixture(scope="session", autouse=True)
def built():
    """Two workers must not build at the same time."""
    (kernels.ROOT / "build").mkdir(exist_ok=True)
    with open(kernels.ROOT / "build/.guest-lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kernels.build()


def judge(outcome, kernel, mezzo):
    wrong = outcome.failures(kernel, mezzo)
    if wrong:
        pytest.fail("\n".join([*wrong, " ".join(outcome.command), outcome.text[-6000:]]),
                    pytrace=False)


@pytest.mark.parametrize("kernel,board", BARE, ids=names(BARE))
def test_control(kernel, board):
    judge(kernels.run_bare(kernel, board), kernel, mezzo=False)


@pytest.mark.parametrize("kernel,board", MEZZO, ids=names(MEZZO))
def test_mezzo(kernel, board):
    judge(kernels.run_mezzo(kernel, board), kernel, mezzo=True)


@pytest.mark.parametrize("kernel,board", PI, ids=names(PI))
def test_pi(kernel, board):
    judge(kernels.run_mezzo(kernel, board), kernel, mezzo=True)


@pytest.mark.parametrize("kernel,board", SOFT, ids=names(SOFT))
def test_soft_gic(kernel, board, tmp_path):
    judge(kernels.run_soft_gic(kernel, board, tmp_path), kernel, mezzo=True)


@pytest.mark.parametrize("kernel,board", PLAIN, ids=names(PLAIN))
def test_plain(kernel, board, tmp_path):
    judge(kernels.run_plain(kernel, board, tmp_path), kernel, mezzo=True)


@pytest.mark.parametrize("board", EL3_BOARDS, ids=str)
@pytest.mark.parametrize("name", ["hello", "regs", "sgi", "timer", "psci"])
def test_el3(name, board):
    """What the entry at EL3 leaves behind carries a guest as well as firmware does."""
    kernel = kernels.BY_NAME[name]
    judge(kernels.run_mezzo(kernel, board, "--el3"), kernel, mezzo=True)


@pytest.mark.parametrize("gic", [2, 3])
def test_power_key_control(gic, tmp_path):
    """QEMU's own power key does what `stop` will do: the PL061 test sees it pressed and let go."""
    outcome = kernels.run_with_key("gpio", kernels.Board(gic, "max", 1), "press=1",
                                   "^# press the power key now", tmp_path)
    judge(outcome, kernels.BY_NAME["gpio"], mezzo=False)
    assert outcome.results.get("gpio-key", ("",))[0] == "ok", outcome.text


def test_power_key_tool_control(tmp_path):
    """powerkey notes as many presses as it was told to, and powers off at the next."""
    outcome = kernels.run_with_key("powerkey", kernels.ONE[0], "ignore=2",
                                   "^powerkey: (ready|ignored)", tmp_path)
    assert outcome.text.splitlines() == ["powerkey: up", "powerkey: ready", "powerkey: ignored",
                                         "powerkey: ignored", "powerkey: pressed"]
    assert outcome.status == 0


@pytest.mark.parametrize("bad", ["stack", "loop", "storm", "flood"])
def test_beside(bad, tmp_path):
    """What one VM does to itself costs another one nothing but time."""
    outcome = kernels.run_beside(bad, "timer", tmp_path)
    wrong = [f"{kind} {name}: {why}" for name, (kind, why) in outcome.results.items()
             if kind not in ("ok", "skip")]
    if "[bad] " not in outcome.text:
        wrong.append("the bad guest did not start")
    if wrong or not outcome.done:
        pytest.fail("\n".join([*wrong, " ".join(outcome.command), outcome.text[-6000:]]),
                    pytrace=False)


@pytest.mark.parametrize("virtio", ["modern", "legacy"])
@pytest.mark.parametrize("mode", ["cow", "keep", "ro"])
def test_disk_of_the_bundle(mode, virtio, tmp_path):
    """What the test of disks finds on the board's disk it finds on an image, by either version of the registers."""
    kernel = kernels.BY_NAME["blk"]
    disk = kernels.make_disk(tmp_path / "disk.img", kernel.disk)
    kernel = dataclasses.replace(kernel, params="ro=1" if mode == "ro" else "")
    more = f'disk = "{mode}:{disk}"\n  virtio = {virtio}'
    judge(kernels.run_described(kernel, kernels.Board(3, "max", 2), tmp_path, more=more), kernel, mezzo=True)


@pytest.mark.parametrize("options", [
    ["--disk", "ro:{}"],
    ["--el3", "--disk", "{}"],
    ["--", "-drive", "if=none,id=d,format=raw,file={}", "-device", "virtio-blk-pci,drive=d"],
    ["--", "-drive", "if=none,id=d,format=raw,file={}", "-device", "virtio-blk-device,drive=d"],
], ids=["ro", "el3", "pci", "legacy"])
def test_disk_of_the_board(options, tmp_path):
    """However the board has its disk."""
    kernel, board = kernels.BY_NAME["blk"], kernels.Board(3, "max", 2)
    disk = kernels.make_disk(tmp_path / "disk.img", kernel.disk)
    read_only = options[-1].startswith("ro:")
    conf = tmp_path / "guest.conf"
    conf.write_text(f"vm guest {{\n  kernel = {kernel.path}\n  memory = 64M\n  cpus = {board.cpus}\n"
                    f"  cmdline = \"ro={read_only:d}\"\n  disk = \"{'ro:' if read_only else ''}host:vda\"\n}}\n")
    words = [word.format(disk) for word in options]
    outcome = kernels.boot([str(kernels.MEZZO), "run", str(conf), "--cpu", board.cpu, "--timeout",
                            str(kernels.TIMEOUT), *words], mezzo=True)
    judge(outcome, kernel, mezzo=True)


def test_disk_that_is_not_there(tmp_path):
    """The VM is not built, with one sentence of what the board has; the other one runs."""
    kernel, board = kernels.BY_NAME["hello"], kernels.Board(3, "max", 2)
    disk = kernels.make_disk(tmp_path / "disk.img", 8)
    conf = tmp_path / "guest.conf"
    conf.write_text("".join(f"vm {name} {{\n  kernel = {kernel.path}\n  memory = 64M\n  disk = \"host:{what}\"\n}}\n"
                            for name, what in (("other", "vdb"), ("guest", "vda"))))
    outcome = kernels.boot([str(kernels.MEZZO), "run", str(conf), "--cpu", board.cpu, "--timeout",
                            str(kernels.TIMEOUT), "--disk", disk], mezzo=True)
    assert "[mezzo] other: disk = host:vdb: the board has no such disk; it has vda\n" in outcome.text, outcome.text
    assert outcome.done and outcome.done[1] == 0, outcome.text
