# SPDX-License-Identifier: Apache-2.0
"""Who gets the CPUs, by Mezzo's own account: fair shares, weights, priorities, pins, budgets. Bounds are
wide, since the machine that plays the board has other things to do; bench/ has the exact figures."""

import pytest
import wire
from machine import vm

SECONDS = 4
ICOUNT = ["-icount", "shift=0"]  # the board's time is what its one CPU executes: nothing else counts


def shares(link, names, seconds=SECONDS):
    """Of the time that these VMs ran together, what part each got."""
    before = {name: link.ran(name) for name in names}
    link.rest(seconds)
    ran = {name: link.ran(name) - before[name] for name in names}
    assert sum(ran.values()) > 0
    return {name: ran[name] / sum(ran.values()) for name in names}


def check_shares(link, wanted, tolerance, seconds=SECONDS):
    for name in wanted:
        link.wait_state(name, "running")
    link.rest(0.5)
    got = shares(link, wanted, seconds)
    wrong = {name: part for name, part in got.items() if abs(part - wanted[name]) > tolerance}
    assert not wrong, f"wanted {wanted}, got {got}"


@pytest.mark.parametrize("gic", [2, 3])
def test_equal(gic):
    """Four busy VMs on two CPUs: each gets a quarter of both."""
    names = ["a", "b", "c", "d"]
    with wire.started("".join(vm(name, "share") for name in names), f"--gic {gic} --smp 2") as link:
        check_shares(link, {name: 0.25 for name in names}, 0.1)  # a host that is busy elsewhere counts


def test_weights():
    conf = "".join(vm(f"w{n}", "share", weight=100 * n) for n in (1, 2, 4))
    with wire.started(conf, "--smp 1", qemu=ICOUNT) as link:
        check_shares(link, {f"w{n}": n / 7 for n in (1, 2, 4)}, 0.03)


def test_spin():
    """A vCPU that spins with its interrupts masked gets its share and no more."""
    conf = vm("spin", "spin") + vm("share", "share", "every=100") + vm("ticks", "ticks")
    with wire.started(conf, "--smp 1") as link:
        check_shares(link, {"spin": 0.5, "share": 0.5}, 0.2)
        ticks = link.console("ticks")
        ticks.expect(r"ticks: [1-9]\d*00, worst")


def test_priority():
    """Who has the higher priority starves all others on its CPU, and they can be ended nevertheless."""
    conf = vm("high", "spin", priority=1) + vm("low", "share") + vm("lower", "spin")
    with wire.started(conf, "--smp 1") as link:
        got = shares(link, ["high", "low", "lower"])
        assert got["high"] > 0.99, got
        link.command("kill lower")
        link.wait_state("lower", "off")
        link.command("pause high")
        link.wait_state("high", "paused")
        got = shares(link, ["high", "low"], 2)
        assert got["low"] > 0.99, got
        link.command("resume high")
        got = shares(link, ["high", "low"], 2)
        assert got["high"] > 0.95, got


def places(link, names, looks):
    """The CPUs on which each VM was seen."""
    seen = {name: set() for name in names}
    for _ in range(looks):
        for name in names:
            seen[name] |= {vcpu["cpu"] for vcpu in link.command(f"info {name}")["vcpus"]
                           if vcpu["cpu"] is not None}
        link.rest(0.05)
    return seen


def test_pin():
    names = ["pinned", "b", "c"]
    conf = vm("pinned", "migrate", pin="{ 1 }") + vm("b", "migrate") + vm("c", "migrate")
    with wire.started(conf, "--smp 2") as link:
        seen = places(link, names, 30)
        assert seen["pinned"] == {1}, seen
        assert seen["b"] == {0, 1} and seen["c"] == {0, 1}, seen
        assert link.command("info pinned")["vcpus"][0]["migrations"] == 0


def test_exclusive():
    """Nobody else runs on an exclusive core, whatever happens elsewhere, until its VM is taken away."""
    others = ["b", "c", "d"]
    conf = vm("owner", "ticks", pin="{ 1 }", exclusive="true") + \
        "".join(vm(name, "migrate") for name in others)
    with wire.started(conf, "--smp 2") as link:
        seen = places(link, ["owner", *others], 20)
        assert seen.pop("owner") == {1}
        assert all(cpus == {0} for cpus in seen.values()), seen
        link.console("owner").expect(r"ticks: [1-9]\d*00, worst")
        link.destroy("owner")
        link.wait(lambda: 1 in set.union(*places(link, others, 2).values()))


def test_budget():
    """A budget of 200us/1ms beside eight that are always busy: all of 1,000 periods are met, on the board's
    own clock, and Mezzo says the same."""
    hogs = "".join(vm(f"hog{n}", "spin" if n % 2 else "share") for n in range(8))
    conf = vm("loop", "period", "n=1000 work=150", budget="200us/1ms") + hogs
    with wire.started(conf, "--smp 1", ICOUNT) as link:
        met = link.console("loop").expect(r"period: (\d+) of 1000 met, worst latency \d+ ns\n", 200)
        vcpu = link.command("info loop")["vcpus"][0]
        assert (met[1], vcpu["missed"]) == ("1000", 0), (met[0], vcpu)
        assert vcpu["periods"] >= 1000
        # It got no more than was promised, and the others shared the rest.
        assert vcpu["ran_us"] <= 1000 * 200 + 2000, vcpu
        check_shares(link, {f"hog{n}": 1 / 8 for n in range(8)}, 0.02, 3)


def test_budget_is_a_bound():
    """One that would always run gets its budget and no more, even on an idle core."""
    with wire.started(vm("hog", "spin", budget="2ms/10ms"), "--smp 1", ICOUNT) as link:
        first, start = link.ran("hog"), link.command("uptime")["uptime_ms"]
        link.rest(3)
        ran, time = link.ran("hog") - first, link.command("uptime")["uptime_ms"] - start
        assert 0.17 < ran / 1000 / time < 0.21, (ran, time)


# On a Raspberry Pi 3, where every interrupt of a guest is Mezzo's doing. It has four cores, always: what is
# to share one is pinned to it.
PI, ON_ONE = "--board raspi3b", {"pin": "{ 2 }"}


def test_pi_equal():
    names = [f"vm{n}" for n in range(8)]
    with wire.started("".join(vm(name, "share") for name in names), PI) as link:
        check_shares(link, {name: 1 / 8 for name in names}, 0.06)


def test_pi_weights():
    conf = "".join(vm(f"w{n}", "share", weight=100 * n, **ON_ONE) for n in (1, 2, 4))
    with wire.started(conf, PI) as link:
        check_shares(link, {f"w{n}": n / 7 for n in (1, 2, 4)}, 0.06)


def test_pi_spin():
    conf = vm("spin", "spin", **ON_ONE) + vm("share", "share", "every=100", **ON_ONE) + \
        vm("ticks", "ticks", **ON_ONE)
    with wire.started(conf, PI) as link:
        check_shares(link, {"spin": 0.5, "share": 0.5}, 0.2)
        link.console("ticks").expect(r"ticks: [1-9]\d*00, worst")


def test_pi_priority():
    conf = vm("high", "spin", priority=1, **ON_ONE) + vm("low", "share", **ON_ONE)
    with wire.started(conf, PI) as link:
        got = shares(link, ["high", "low"])
        assert got["high"] > 0.99, got
        link.command("pause high")
        link.wait_state("high", "paused")
        got = shares(link, ["high", "low"], 2)
        assert got["low"] > 0.99, got


def test_pi_exclusive():
    others = ["b", "c", "d", "e", "f"]
    conf = vm("owner", "ticks", pin="{ 3 }", exclusive="true") + \
        "".join(vm(name, "migrate") for name in others)
    with wire.started(conf, PI) as link:
        seen = places(link, ["owner", *others], 20)
        assert seen.pop("owner") == {3}
        assert set.union(*seen.values()) == {0, 1, 2}, seen
        link.console("owner").expect(r"ticks: [1-9]\d*00, worst")


def test_pi_budget():
    """As test_budget, with a core for it and its hogs."""
    hogs = "".join(vm(f"hog{n}", "spin" if n % 2 else "share", **ON_ONE) for n in range(4))
    conf = vm("loop", "period", "n=1000 work=150", budget="200us/1ms", **ON_ONE) + hogs
    with wire.started(conf, PI, ICOUNT) as link:
        met = link.console("loop").expect(r"period: (\d+) of 1000 met, worst latency \d+ ns\n", 200)
        vcpu = link.command("info loop")["vcpus"][0]
        assert (met[1], vcpu["missed"]) == ("1000", 0), (met[0], vcpu)
