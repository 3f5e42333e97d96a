# SPDX-License-Identifier: Apache-2.0
"""The hostile image beside a victim, on every board of the list; nothing escapes and everything is right."""

import re

import inputs
import pytest
import suite
from suite import machine


@pytest.fixture(scope="session")
def rows():
    return suite.rows()


def test_attack(board, rows):
    run = suite.Run(board, rows)
    verdicts = run.go()
    bad = [f"{case} {verdict}: {detail}" for case, (verdict, detail) in verdicts.items()
           if verdict not in ("right", "absent")]
    assert not bad, "\n".join([*bad, run.text[-1500:], run.log[-2500:]])
    assert {row.id for row in rows} == verdicts.keys()


def test_control(rows):
    """On the bare board the image itself comes to its end."""
    verdicts = suite.control(suite.Board("max", "3", 2))
    assert verdicts.keys() == {row.id for row in rows if not row.own_vm}


@pytest.mark.parametrize("piece", [0, -1], ids=["mezzo", "victim"])
def test_observer(piece, rows, tmp_path):
    """One byte that a debugger changes in Mezzo's constants, or in the victim's memory, is an escape."""
    class Poked(suite.Run):
        def alive(self, link):
            name, base, size = self.outside.pieces[piece]
            at = base + size - 100
            before = self.outside.before[piece][size - 100]
            suite.Debugger(tmp_path / "gdb", link).poke(at, before ^ 0x10)
            self.unsure = ["H16.3"]
            self.look(self.outside)
            assert self.verdicts["H16.3"] == ("escaped", f"{name} at {base:#x}")

        def save(self):
            pass

    chosen = [row for row in rows if row.id == "H16.3"]
    run = Poked(suite.Board("max", "3", 1), chosen, "run=H16.3", qemu=["-gdb", f"unix:{tmp_path / 'gdb'},server=on,wait=off"])
    assert run.go()["H16.3"][0] == "escaped"


def test_longest_exit(rows, request):
    """No exit takes more instructions at EL2 than may be. The debug build measures; with icount on one CPU that
    has a counter of 1 GHz, a tick is an instruction."""
    image = suite.ROOT / "build/debug/mezzo.img"
    if not request.config.getoption("--matrix"):
        pytest.skip("only with every board: make hostile")
    run = suite.Run(suite.Board("max", "3", 1), [row for row in rows if not row.own_vm], image=image,
                    qemu=["-icount", "shift=0,sleep=off"], name="icount")
    run.go()
    found = suite.LONGEST.findall(run.log)
    assert found, run.log[-2000:]
    print("longest exits: " + "; ".join(f"{name} vCPU {cpu}: {ticks} instructions ({why})" for name, cpu, ticks, why in found))
    assert max(int(ticks) for _, _, ticks, _ in found) <= suite.MOST_INSTRUCTIONS, found


DEVICES = """net wan {{
  uplink = "host:net0"
}}
{}"""
UPLINK = ("-netdev", "user,id=wan,restrict=on", "-device", "virtio-net-device,netdev=wan")


@pytest.mark.parametrize("row", ["image_write_128k_32", "board_write_128k_32", "board_read_4k_32", "uplink_1500_32",
                                 "uplink_64k_32"])
def test_longest_exit_of_devices(row, request, tmp_path):
    """Nor does any where a driver keeps 32 operations of the board's devices under way, in memory that is new."""
    if not request.config.getoption("--matrix"):
        pytest.skip("only with every board: make hostile")
    suite.build("bench-guest")
    disk, conf = tmp_path / "disk", tmp_path / "devices.conf"
    disk.write_bytes(bytes(1 << 20))
    conf.write_text(DEVICES.format(machine.vm("busy", suite.ROOT / "build/bench/guest/bench.img", f"virtio=512 rows={row}",
                                              memory="64M", disk=f'{{ "{disk}", "host:vda" }}', net="wan")),
                    encoding="ascii")
    command = [*machine.mezzo_command([conf, "--disk", disk, "--image", suite.ROOT / "build/debug/mezzo.img"],
                                      "--gic 3 --cpu max --smp 1 --ram 256M", suite.LIMIT),
               "--", "-icount", "shift=0,sleep=off", *UPLINK]
    result = machine.run(command, suite.LIMIT, quiet=suite.LIMIT)
    assert re.search(rf"^\[busy\] bench: row \d+ {row}", result.text, re.MULTILINE), result.explain("it did nothing")
    found = suite.LONGEST.findall(result.text)
    assert found, result.explain("nothing was measured")
    assert max(int(ticks) for _, _, ticks, _ in found) <= suite.MOST_INSTRUCTIONS, found


@pytest.fixture(scope="session")
def alone():
    return suite.work()


# What takes time from others: the kernel and its command line.
GREEDY = {"spin": ("spin", ""), "storm": ("storm", ""), "flood": ("flood", ""),
          "long calls": (suite.IMAGE, "run=H24 again=1"), "interrupts": (suite.IMAGE, "run=H32 again=1")}


@pytest.mark.parametrize("bad", GREEDY)
def test_share(bad, alone, request):
    """A machine that spins (H31), accesses what is not there (H25), prints without end, makes the longest calls and
    cleans its caches by set and way (H24), or interrupts itself (H32) has half of the only CPU, and takes nothing of
    the other half."""
    if not request.config.getoption("--matrix"):
        pytest.skip("only with every board: make hostile")
    beside = suite.work(machine.vm("bad", *GREEDY[bad], on_crash="restart"))
    print(f"share beside {bad}: {beside} of {alone} rounds, {200 * beside / alone:.1f} % of the half")
    assert beside >= 0.95 * alone / 2


def test_inputs(tmp_path):
    """What VMs are built from, wrong in every way (H39)."""
    verdicts = inputs.Run(suite.Board("max", "3", 2), tmp_path).go()
    bad = [f"{case} {verdict}: {detail}" for case, (verdict, detail) in verdicts.items() if verdict != "right"]
    assert not bad and len(verdicts) == len(inputs.INPUTS) + inputs.SEEDS, "\n".join(bad)
