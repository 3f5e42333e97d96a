#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The bytecode guest fuzzer beside a victim: programs from a seed, until so many operations are done.

    test/hostile/fuzz.py [--ops N] [--seed N] [--gic 2|3] [--cpu MODEL] [--cpus N] [--each N]

Each machine takes the next seed; what each did is said in a line. The last line is the sum. After each machine the
console must have answered, the owners of all memory must agree, the victim's heart must have beaten without a
difference, and nothing may have been said in Mezzo's log that should not be.
"""

import argparse
import dataclasses
import re
import sys
import time

import suite

sys.path.insert(0, str(suite.ROOT / "test/boot"))
import machine  # pylint: disable=wrong-import-position
import wire  # pylint: disable=wrong-import-position

IMAGE = suite.ROOT / "build/hostile/fuzzer.img"
# One thread for all CPUs: a lock's holder is never asleep while others wait for it.
QEMU = ("-accel", "tcg,thread=single")
SUM = re.compile(r"fuzzer: end, seed (\d+), (\d+) ops, (\d+) exceptions, (\d+) interrupts, "
                 r"programs (0x[0-9a-f]+), state (0x[0-9a-f]+)")
LOST = re.compile(r"fuzzer: LOST.*|not ok unexpected-exception.*|fuzzer: not all CPUs.*")


@dataclasses.dataclass
class Sum:
    """What one machine did."""

    seed: int
    ops: int
    exceptions: int
    interrupts: int
    programs: str
    state: str
    beats: int = 0
    seconds: float = 0

    def __str__(self):
        return (f"seed {self.seed}: {self.ops} ops, {self.exceptions} exceptions, {self.interrupts} interrupts, "
                f"{self.beats} beats of the victim, programs {self.programs}, {self.seconds:.0f} s")


def description(board, words):
    keys = dict(board.keys, memory="16M", autostart="false")
    return (machine.vm("victim", suite.IMAGE, "victim=1") +
            machine.vm("fuzzer", IMAGE, words, **keys))


def run(board, seed, ops, limit):
    """One machine; asserts that all is well, and returns its Sum."""
    start = time.monotonic()
    with wire.started(description(board, f"seed={seed} ops={ops}"), board.options, [*QEMU], limit + 60,
                      machine.ROOT / "build/mezzo.img") as link:
        victim, console = link.console("victim"), link.console("fuzzer")
        link.wait(lambda: suite.BEAT.search(victim.text), 60)
        link.command("start fuzzer")
        link.wait(lambda: SUM.search(console.text) or LOST.search(console.text), limit)
        lost = LOST.search(console.text)
        assert not lost, f"seed {seed}: {lost.group(0)}"
        before = len(suite.BEAT.findall(victim.text))
        link.wait(lambda: len(suite.BEAT.findall(victim.text)) > before, 60)
        audit = link.command("audit", timeout=60)
        assert audit["disagree"] == 0, f"seed {seed}: audit: {audit}"
        assert link.vm("fuzzer")["state"] == "running", f"seed {seed}: it ended its own VM"
        assert not suite.BROKEN.search(link.log().text), suite.BROKEN.search(link.log().text).group(0)
        beats = suite.BEAT.findall(victim.text)
        assert beats[-1][1] == "0", f"seed {seed}: the victim saw a difference"
        found = SUM.search(console.text).groups()
        return Sum(*(int(v) for v in found[:4]), *found[4:], beats=len(beats), seconds=time.monotonic() - start)


def build():
    suite.build("all", "hostile-image", "fuzzer")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ops", type=int, default=10_000_000, help="operations in all (10000000)")
    parser.add_argument("--each", type=int, default=1_000_000, help="operations of CPU 0 of one machine (1000000)")
    parser.add_argument("--seed", type=int, default=1, help="the first one (1)")
    parser.add_argument("--gic", choices=["2", "3", "soft"], help="one kind instead of each in turn")
    parser.add_argument("--cpu", default="max", help="as QEMU names it (max)")
    parser.add_argument("--cpus", type=int, default=2, help="of the fuzzer's VM (2)")
    options = parser.parse_args()
    build()
    done, seed = 0, options.seed
    while done < options.ops:
        board = suite.Board(options.cpu, options.gic or ("3", "2")[seed % 2], options.cpus)
        result = run(board, seed, options.each, 3600)
        print(f"{board}: {result}", flush=True)
        done += result.ops
        seed += 1
    print(f"{done} operations, seeds {options.seed} to {seed - 1}: nothing escaped")


if __name__ == "__main__":
    main()
