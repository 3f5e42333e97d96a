# SPDX-License-Identifier: Apache-2.0
"""Many machines on few cores, and their lives from the outside: they are made, started, stopped, restarted
and taken away while others run, and nothing is lost or left behind.

How often is said by the environment, so that `make soak` can run the same tests for long: LIVES (half of
them with each GIC), REBOOTS, MIGRATIONS.
"""

import os
import random
import re

import machine
import pytest
import wire
from machine import small_linux, vm

LIVES = int(os.environ.get("LIVES", "300"))
REBOOTS = int(os.environ.get("REBOOTS", "20"))  # of Debian; of a small kernel 200
MIGRATIONS = int(os.environ.get("MIGRATIONS", "2000"))
LOOP_LIMIT = 24 * 3600  # for `mezzo run`: the tests have limits of their own

# The board's time is what its one CPU executes: that the machine below is busy cannot be seen in it. That is
# true only as long as the CPU never sleeps, so one VM of hardly any weight is always busy.
ICOUNT = ["-icount", "shift=0"]
AWAKE = vm("awake", "spin", weight=1)


def check_log(link):
    """Nobody crashed, and Mezzo found nothing wrong with itself."""
    text = link.log().text
    assert not re.search(r"crashed|panic|cannot go on", text), text[-3000:]


# --- many -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("gic", [2, 3])
def test_eight_linux(gic, linux, nonce):
    """Eight Debian VMs at once on two CPUs, each to userspace and off again."""
    series, names = linux("6.1"), [f"debian{n}" for n in range(8)]
    conf = "".join(small_linux(name, series, f"mezzo.nonce={nonce + n}") for n, name in enumerate(names))
    with wire.started("on_all_off = shell\n" + conf, f"--gic {gic} --smp 2") as link:
        consoles = [link.console(name) for name in names]
        for console in consoles:
            console.expect(r"mezzo-init: sum=.*\n", 600)
        for name in names:
            link.wait_state(name, "off", 120)
        for n, console in enumerate(consoles):
            result = machine.Text(console.text)
            machine.check_linux(result, result.lines, 1, nonce + n)
        check_log(link)


def test_sixty_four():
    """64 small kernels at once on two CPUs, half of them always busy: each gets on, and all memory comes
    back."""
    conf = vm("hello", "hello", autostart="false") + vm("share", "share", "every=100", autostart="false")
    with wire.started(conf, "--smp 2 --ram 2G") as link:
        before = link.totals()
        names = [f"vm{n}" for n in range(64)]
        for n, name in enumerate(names):
            link.command(f"create {name} from {'share' if n % 2 else 'hello'}")
        for name in names:
            link.command(f"start {name}")
        consoles = {name: link.console(name) for name in names}
        right = (r"TEST-DONE [1-9]\d* passed 0 failed", r"share: [1-9]\d* rounds")
        for n, name in enumerate(names):
            consoles[name].expect(right[n % 2], 120)
        assert len(link.command("vm")["vms"]) == 66
        for name in names:
            link.destroy(name)
        link.check_totals(before)
        check_log(link)


def test_too_many():
    """4,096 VMs are as many as there can be: the next one is refused in a sentence, the last one runs, and
    all memory comes back."""
    conf = "overcommit = true\n" + vm("hello", "hello", autostart="false") + AWAKE
    with wire.started(conf, "--smp 2 --ram 2G") as link:
        before = link.totals()
        names = [f"m{n}" for n in range(4094)]
        for name in names:
            link.command(f"create {name} from hello")
        assert "there are 4096 virtual machines, as many as Mezzo takes" in \
            link.refused("create onemore from hello")
        link.command(f"start {names[-1]}")
        link.console(names[-1]).expect(r"TEST-DONE [1-9]\d* passed 0 failed", 60)
        for name in names:
            link.destroy(name)
        link.check_totals(before)
        check_log(link)


def test_vmid_rollover():
    """Two bits are three VMIDs: 16 VMs take turns with them on two CPUs. Each finds its registers and its
    memory as it left them; nobody sees another one's translations."""
    image = machine.ROOT / "build/vmid2/mezzo.img"
    if not image.exists():
        pytest.skip("there is no build/vmid2/mezzo.img: make VMID_BITS=2 build/vmid2/mezzo.img")
    kinds = {"migrate": ("migrate", "rounds=300", r"migrate: end, 300 rounds, 0 differences"),
             "mem": ("mem", "", r"TEST-DONE [1-9]\d* passed 0 failed"),
             "regs": ("regs", "", r"TEST-DONE [1-9]\d* passed 0 failed"),
             "life": ("life", "mib=8 hold=2000", r"TEST-DONE [1-9]\d* passed 0 failed")}
    vms = {f"{kind}{n}": value for n in range(4) for kind, value in kinds.items()}
    conf = "".join(vm(name, kernel, words, memory="32M") for name, (kernel, words, _) in vms.items())
    with wire.started("on_all_off = shell\n" + conf, "--smp 2", image=image) as link:
        for name, (_, _, right) in vms.items():
            link.console(name).expect(right, 200)
            assert "not ok" not in link.console(name).text
        check_log(link)


# --- migration ------------------------------------------------------------------------------------

@pytest.mark.parametrize("gic", [2, 3])
def test_migration(gic):
    """vCPUs that are moved from core to core: registers, floating point and timers are as they were."""
    names = ["a", "b", "c"]
    with wire.started("".join(vm(name, "migrate") for name in names), f"--gic {gic} --smp 2",
                      time_limit=LOOP_LIMIT) as link:
        def moved():
            assert all(link.vm(name)["state"] == "running" for name in names), \
                "\n".join(link.console(name).text[-500:] for name in names)
            return sum(link.command(f"info {name}")["vcpus"][0]["migrations"] for name in names)
        consoles = [link.console(name) for name in names]
        while moved() < MIGRATIONS:
            link.rest(1)
        for console in consoles:
            console.at = len(console.text)
            console.expect(r"migrate: \d+ rounds ok")
            assert "want" not in console.text, console.text[-1000:]


# --- reboots --------------------------------------------------------------------------------------

@pytest.mark.parametrize("options,qemu,exact", [("--smp 1", ICOUNT, True), ("--gic 2 --smp 2", (), False)],
                         ids=["exact", "smp"])
def test_reboot_small(options, qemu, exact):
    """A kernel resets itself 200 times; another VM's timer ticks meanwhile, none late, none missed. On
    two CPUs and by the clock of a busy machine, it ticks."""
    conf = vm("again", "again") + vm("ticks", "ticks") + AWAKE
    with wire.started(conf, options, qemu) as link:
        ticks = link.console("ticks")
        link.wait(lambda: link.vm("again")["restarts"] >= 200, 200)
        link.command("kill again")
        link.wait_state("again", "off")
        ticks.at = len(ticks.text)
        ticks.expect(r"ticks: [1-9]\d*00, worst")
        assert not exact or "MISS" not in ticks.text, ticks.text[-1000:]
        link.totals()


def reboot_linux(linux, reboots, options, qemu, check):
    series = linux("6.1")
    conf = small_linux("debian", series, "quiet mezzo.after=reboot") + vm("ticks", "ticks") + AWAKE
    with wire.started(conf, options, qemu, time_limit=LOOP_LIMIT) as link:
        debian, ticks = link.console("debian"), link.console("ticks")
        for _ in range(reboots + 1):
            debian.expect(r"mezzo-init: sum=333833500 cpus=1 uptime-advances=yes timer-irqs=ok", 120)
        assert link.vm("debian")["restarts"] >= reboots
        trouble = machine.TROUBLE.search(debian.text)
        assert not trouble, debian.text[trouble.start() - 200:][:1000]
        ticks.at = len(ticks.text)
        ticks.expect(r"ticks: [1-9]\d*00, worst")
        check(ticks)
        link.totals()
        check_log(link)


def test_reboot_linux(linux):
    """Debian boots again and again; another VM's timer never misses a tick."""
    def check(ticks):
        assert "MISS" not in ticks.text, ticks.text[-1000:]
    reboot_linux(linux, REBOOTS, "--smp 1", ICOUNT, check)


def test_reboot_linux_smp(linux):
    """The same on two CPUs, by the clock of a busy machine: the other one still ticks."""
    reboot_linux(linux, max(REBOOTS // 4, 1), "--smp 2 --gic 2", (), lambda ticks: None)


# --- lives ----------------------------------------------------------------------------------------

def live(link, rng, name, template):
    """One life, which ends at a moment of its own."""
    link.command(f"create {name} from {template}")
    way = rng.randrange(6)
    if way > 0:
        link.command(f"start {name}")
    if rng.randrange(2):
        link.rest(rng.random() / 50)
    if way == 1:
        try:
            link.command(f"kill {name}")
        except wire.Refused:
            pass  # it had ended by itself
    elif way == 2:
        try:
            link.command(f"pause {name}")
        except wire.Refused:
            pass
    elif way == 3:
        try:
            link.command(f"restart {name}")
        except wire.Refused:
            pass
    link.destroy(name)


@pytest.mark.parametrize("gic", [2, 3])
def test_lives(gic):
    """VMs come and go, ended at random moments while their vCPUs run on any core: memory by owner is the same
    as before, and all page tables agree with it."""
    templates = ["quick", "share", "spin", "storm4"]
    conf = vm("ticks", "ticks") + vm("quick", "quick", autostart="false") + \
        vm("share", "share", "every=10", autostart="false") + vm("spin", "spin", autostart="false") + \
        vm("storm4", "cpustorm", autostart="false", cpus=4)
    rng = random.Random(gic)
    with wire.started(conf, f"--gic {gic} --smp 2", time_limit=LOOP_LIMIT) as link:
        ticks = link.console("ticks")
        ticks.expect(r"ticks: 100, worst")
        before = link.totals()
        for n in range(LIVES // 2 or 1):
            live(link, rng, f"life{n}", templates[n % len(templates)])
        link.check_totals(before)
        ticks.at = len(ticks.text)
        ticks.expect(r"ticks: \d+00, worst")
        check_log(link)


def test_storm():
    """vCPUs that are switched on and off without end, taken away amid it."""
    conf = vm("storm", "cpustorm", autostart="false", cpus=4)
    with wire.started(conf, "--smp 4") as link:
        before = link.totals()
        for n in range(30):
            link.command("create s from storm")
            link.command("start s")
            link.rest(0.02 * (n % 7))
            link.destroy("s")
        link.check_totals(before)
        check_log(link)


# --- pause and stop -------------------------------------------------------------------------------

def test_pause(linux):
    """Ten seconds of pause: no lockup message, no jump of the clock, and a sleeper wakes on time."""
    conf = small_linux("debian", linux("6.1"), "quiet mezzo.after=shell", cpus=2,
                       memory="96M")
    with wire.started(conf, "--smp 2") as link:
        console = link.console("debian")
        console.expect(r"\n# ", 120)
        clock = "cut -d. -f1 /proc/uptime"
        console.send(f"(while :; do :; done) & {clock}; sleep 4; {clock}\n")
        start = int(console.expect(r"\n(\d+)(?=\n)")[1])
        link.rest(1)
        link.command("pause debian")
        link.wait_state("debian", "paused")
        ran = link.ran("debian")
        link.rest(10)
        assert link.ran("debian") == ran and "uptime" in console.text
        link.command("resume debian")
        end = int(console.expect(r"\n(\d+)(?=\n)")[1])
        assert 4 <= end - start <= 8, (start, end)
        console.send("kill $!; dmesg | tail -n 5; echo do''ne\n")
        console.expect(r"done\n")
        trouble = machine.TROUBLE.search(console.text)
        assert not trouble, console.text[-2000:]


@pytest.mark.parametrize("series", ["6.1", "6.12"])
def test_stop_linux(series, linux):
    """Debian answers the power button."""
    conf = vm("debian", machine.kernel(linux(series)), "console=ttyAMA0 quiet mezzo.after=wait",
              initrd=f'"{machine.INITRAMFS}"', memory="256M") + vm("ticks", "ticks")
    with wire.started(conf, "--smp 2") as link:
        console = link.console("debian")
        console.expect("mezzo-init: waiting for the power key", 120)
        assert link.command("stop debian")["begun"] == "debian: its power button is pressed"
        console.expect("mezzo-init: power key")
        link.wait_state("debian", "off")
        assert "did not answer" not in link.log().text


@pytest.mark.parametrize("gic", [2, 3])
def test_stop(gic):
    """A kernel answers the button by SYSTEM_OFF, at the first press or a later one; a deaf one is told of
    after its stop_timeout, and can be killed."""
    conf = vm("good", "powerkey") + vm("late", "powerkey", "ignore=2", stop_timeout="3600s") + \
        vm("deaf", "spin", stop_timeout="1s")
    with wire.started("on_all_off = shell\n" + conf, f"--gic {gic} --smp 1") as link:
        for name in ("good", "late"):
            link.console(name).expect("powerkey: ready\n")
        link.command("stop good")
        link.console("good").expect("powerkey: pressed\n")
        link.wait_state("good", "off")
        for answer in ("ignored", "ignored", "pressed"):
            link.command("stop late")
            link.console("late").expect(f"powerkey: {answer}\n")
        link.wait_state("late", "off")
        link.command("stop deaf")
        link.log().expect(r"deaf: did not answer its power button within 1 s: `kill deaf` ends it\n")
        assert link.vm("deaf")["state"] == "running"
        link.command("kill deaf")
        link.wait_state("deaf", "off")
        assert "good: did not" not in link.log().text and "late: did not" not in link.log().text


# --- what must be refused ---------------------------------------------------------------------------

def test_refusals():
    """Each wrong wish is answered by a sentence, and changes nothing."""
    conf = vm("spin", "spin", autostart="false") + vm("runs", "share") + \
        vm("half", "spin", autostart="false", budget="5ms/10ms") + \
        vm("big", "hello", autostart="false", memory="600M") + \
        vm("far", "hello", autostart="false", pin="{ 3 }") + \
        vm("own", "hello", autostart="false", pin="{ 1 }", exclusive="true")
    with wire.started(conf, "--smp 4 --ram 2G", ["-smp", "2", "-m", "1G"]) as link:
        for line, why in [
            ("create runs from spin", r"there is a virtual machine of this name already"),
            ("create spin from spin", r"there is a virtual machine of this name already"),
            ("create x from nobody", r"the description has no such template"),
            ("create x from runs", r"only a virtual machine with autostart = false is a template"),
            ("create mezzo from spin", r"a name has 1 to 31 letters"),
            ("create 9^ from spin", r"a name has 1 to 31 letters"),
            ("create " + "x" * 32 + " from spin", r"a name has 1 to 31 letters"),
            ("create x of spin", r"usage: create NAME from TEMPLATE"),
            ("create x", r"."),
            ("start runs", r"it is running already"),
            ("start nobody", r"there is no VM of this name"),
            ("resume runs", r"it is not paused"),
            ("kill spin", r"it does not run"),
            ("stop spin", r"it does not run"),
            ("pause spin", r"it does not run"),
            ("frobnicate", r"."),
            ("", r"."),
            ("vm " + "x" * 200, r"."),
        ]:
            said = link.refused(line)
            assert re.search(why, said), (line, said)
        before = link.totals()
        # A CPU that is not there; it was when the description was checked.
        why = link.refused("create x from far") + link.log().text
        assert re.search(r"there is no CPU 3 on this board", why), why
        # A core that somebody has for himself.
        assert re.search(r"CPU 1 ", link.refused("create x from own"))
        # Two halves of each core but 10 % are all that can be promised.
        said, made = "", 0
        while made < 4 and not said:
            try:
                link.command(f"create h{made} from half")
                made += 1
            except wire.Refused as why:
                said = str(why)
        assert said and re.search(r"budget", said), (made, said)
        for n in range(made):
            link.destroy(f"h{n}")
        # Memory.
        said, made = "", 0
        while made < 4 and not said:
            try:
                link.command(f"create b{made} from big")
                made += 1
            except wire.Refused as why:
                said = str(why)
        assert re.search(r"memory", said), (made, said)
        for n in range(made):
            link.destroy(f"b{n}")
        link.check_totals(before)
        # One that runs this moment, on whatever CPU.
        link.command("create x from spin")
        link.command("start x")
        link.wait_state("x", "running")
        link.destroy("x")
        link.check_totals(before)
        check_log(link)
