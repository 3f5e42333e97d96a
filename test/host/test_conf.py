# SPDX-License-Identifier: Apache-2.0
"""The .conf file: each mistake is named with its line and what to do about it."""

import json

import pytest
from conftest import ONE

# The line of a mistake is the one that ends in `# here`.
MISTAKES = [
    ("bord = virt # here", "unknown key `bord`; did you mean `board`?"),
    ("vm a {\n kernal = Image # here\n}", "unknown key `kernal`; did you mean `kernel`?"),
    ("vm a {\n kernel = Image\n memroy = 16M # here\n}", "did you mean `memory`?"),
    ("vm a {\n kernel = Image\n xyzzyplugh = 16M # here\n}", "unknown key `xyzzyplugh`"),
    ("board = vrit # here", "board `vrit` is unknown; use virt, raspi3b or raspi4b; did you mean `virt`?"),
    ("board = sbsa-ref # here", "board `sbsa-ref` is not supported by this version; use virt, raspi3b or raspi4b"),
    ("on_all_off = reboot # here", "use poweroff or shell"),
    ("overcommit = perhaps # here", "neither true nor false"),
    ("vm a {\n kernel = Image\n machine = host # here\n}", "not supported by this version"),
    ("vm a {\n kernel = Image\n memory = 12Q # here\n}", "`12Q` is not a size"),
    ("vm a {\n kernel = Image\n memory = -1 # here\n}", "`-1` is not a size"),
    ("vm a {\n kernel = Image\n memory = 8M # here\n}", "`8M` is out of range; give 16M to"),
    ("vm a {\n kernel = Image\n memory = 99999999999999999999G # here\n}", "is not a size"),
    ("vm a {\n kernel = Image\n memory = 17179869184G # here\n}", "is not a size"),
    ("vm a {\n kernel = Image\n memory = 20000001 # here\n}", "no whole number of 4K pages"),
    ("vm a {\n kernel = Image\n memory = {16M, 32M} # here\n}", "memory takes one value, not 2"),
    ("vm a {\n kernel = Image\n cpus = two # here\n}", "`two` is not a number"),
    ("vm a {\n kernel = Image\n cpus = 9 # here\n}", "`9` is out of range; give 1 to 8"),
    ("vm a {\n kernel = Image\n cpus = 0 # here\n}", "`0` is out of range; give 1 to 8"),
    ("vm a {\n kernel = Image\n gic = 4 # here\n}", "`4` is out of range; give 2 to 3"),
    ("vm a {\n kernel = Image\n pin = { 1, x } # here\n}", "pin: `x` is not a number"),
    ("vm a {\n kernel = Image\n cpus = 2\n pin = { 1, 1 } # here\n}", "pin: 1 is named twice"),
    ("vm a {\n kernel = Image\n pin = { 0,1,2,3,4,5,6,7,8 } # here\n}", "9 numbers are too many; give at most 8"),
    ("vm a {\n kernel = Image\n exclusive = true # here\n}", "exclusive: VM `a` does not say which cores"),
    ("vm a {\n kernel = Image\n exclusive = true\n cpus = 3\n pin = { 1, 2 } # here\n}",
     "pin names 2 cores for the 3 vCPUs of an exclusive VM; name one for each"),
    ("vm a {\n kernel = Image\n weight = 0 # here\n}", "weight: `0` is out of range; give 1 to 10000"),
    ("vm a {\n kernel = Image\n weight = 10001 # here\n}", "`10001` is out of range; give 1 to 10000"),
    ("vm a {\n kernel = Image\n weight = much # here\n}", "weight: `much` is not a number"),
    ("vm a {\n kernel = Image\n priority = 8 # here\n}", "priority: `8` is out of range; give 0 to 7"),
    ("vm a {\n kernel = Image\n budget = 2ms # here\n}",
     "budget: `2ms` is not a time in a period; write for example `budget = 2ms/10ms`"),
    ("vm a {\n kernel = Image\n budget = 2ms/10ms/1s # here\n}", "`10ms/1s` has the unknown unit `ms/1s`"),
    ("vm a {\n kernel = Image\n budget = 2/10ms # here\n}", "budget: `2` has no unit; use us, ms or s"),
    ("vm a {\n kernel = Image\n budget = 2ms/10ns # here\n}", "`10ns` has the unknown unit `ns`; use us, ms"),
    ("vm a {\n kernel = Image\n budget = ms/10ms # here\n}", "budget: `ms` is not a time"),
    ("vm a {\n kernel = Image\n budget = -2ms/10ms # here\n}", "budget: `-2ms` is not a time"),
    ("vm a {\n kernel = Image\n budget = 11ms/10ms # here\n}", "`11ms/10ms` is more time than its period has"),
    ("vm a {\n kernel = Image\n budget = 9us/100us # here\n}", "`9us/100us` is too little; give at least 10us"),
    ("vm a {\n kernel = Image\n budget = 10us/99us # here\n}", "the period `99us` is out of range; give 100us to 1s"),
    ("vm a {\n kernel = Image\n budget = 1ms/2s # here\n}", "the period `2s` is out of range; give 100us to 1s"),
    ("vm a {\n kernel = Image\n budget = 18446744073709551615s/1s # here\n}", "more time than its period has"),
    ("vm a {\n kernel = Image\n budget = { 1ms, 2ms } # here\n}", "budget takes one value, not 2"),
    ("vm a {\n kernel = Image\n stop_timeout = 999ms # here\n}", "`999ms` is out of range; give 1s to 3600s"),
    ("vm a {\n kernel = Image\n stop_timeout = 3601 # here\n}", "`3601` is out of range; give 1s to 3600s"),
    ("vm a {\n kernel = Image\n stop_timeout = 1h # here\n}", "`1h` has the unknown unit `h`; use us, ms or s"),
    ("vm a {\n kernel = Image\n stop_timeout = soon # here\n}", "stop_timeout: `soon` is not a time"),
    ("vm a {\n kernel = Image\n on_crash = reboot # here\n}", "use stop, restart or halt-all"),
    ("vm a {\n kernel = Image\n autostart = maybe # here\n}", "neither true nor false"),
    ("vm a {\n kernel = Image\n verify = sha1 # here\n}", "verify `sha1` is unknown; use sha256"),
    ("vm a {\n kernel = Image\n load = here # here\n}", "load: `here` is not a number"),
    ("vm a {\n kernel = Image\n kernel = Image # here\n}", "`kernel` is given twice, first on line 2"),
    ("vm a {\n kernel = '' # here\n}", "kernel names no file"),
    ("vm a {\n cpus = 1\n} # here", "VM `a` has no kernel"),
    ("vm mezzo {\n kernel = Image\n} # here", "no VM may be called `mezzo`"),
    ("vm all {\n kernel = Image\n} # here", "no VM may be called `all`"),
    ("vm 'a b' {\n kernel = Image\n} # here", "a VM cannot be called `a b`"),
    ("vm -a {\n kernel = Image\n} # here", "a VM cannot be called `-a`"),
    (f"vm {'a' * 32} {{\n kernel = Image\n}} # here", "has 32 characters; give it 1 to 31"),
    (ONE + "vm a {} # here", "there are two sections called 'a'; rename one"),
    ("vm { kernel = Image } # here", "this section has no name"),
    ("vm a {\n kernel = console=x # here\n}", "unexpected token '='; write `key = value`, and quote"),
    ("vm a { # here\n kernel = Image\n", "the `{` on this line is never closed"),
    ("vm a {\n kernel = \"Image # here\n}", "the quote that starts here never ends"),
]


@pytest.mark.parametrize("text, message", MISTAKES, ids=[m[1][:40] for m in MISTAKES])
def test_mistake(bench, text, message):
    if "vm " not in text:
        text += "\n" + ONE
    line = 1 + next(n for n, line in enumerate(text.splitlines()) if "# here" in line)
    lines = bench.complaints(text)
    assert any(found.startswith(f"test.conf:{line}: ") and message in found for found in lines), lines
    others = [found for found in lines if message not in found]
    assert not others or (len(others) == 1 and "has no kernel" in others[0]), lines


@pytest.mark.parametrize("key", ["passthrough", "features"])
def test_known_but_not_built(bench, key):
    lines = bench.complaints(f"vm a {{\n kernel = Image\n {key} = {{ x, y }}\n}}\n")
    assert lines == [f"test.conf:3: `{key}` is not supported by this version; remove it"]


def test_all_mistakes_in_one_run(bench):
    lines = bench.complaints("bord = virt\n/* a comment\n of two lines */\n"
                             "vm a {\n kernal = x   # and one here\n cpus = 0\n kernel = gone\n}\n"
                             "vm b {\n passthrough = lan0\n kernel = Image\n memory = 1X\n nett = y\n}\n")
    assert [line.split(": ")[0] for line in lines] == [
        f"test.conf:{n}" for n in (1, 5, 6, 7, 10, 12, 13)]


def test_everything_that_works(bench):
    bench.write("guest.dtb", bytes.fromhex("d00dfeed00000048000000380000004800000028000000110000001000"
                                           "0000000000000000000010000000000000000000000000000000000000"
                                           "0001000000000000000200000009"))
    done = bench.check("""
        board = virt   # the board
        on_all_off = "poweroff"
        overcommit = yes
        vm one { kernel = Image initrd = initrd cmdline = "console=ttyAMA0 a=\\"b c\\" # no comment"
                 machine = virt memory = 0x2000000 cpus = 2 gic = 3 pin = { 0, 2 } exclusive = true
                 weight = 10000 priority = 7 budget = 10us/100us stop_timeout = 3600
                 on_crash = halt-all autostart = off verify = sha256 }
        vm two.2_-x { kernel = .//Image // a comment
                 memory = 20MiB cpus = 8 pin = { 1, 3, 5 } weight = 1 stop_timeout = 1000ms }
        vm three { kernel = initrd load = 0x40100000 entry = 0x40100004 dtb = guest.dtb
                   budget = "90ms/100ms" priority = 0 stop_timeout = 5s }
    """)
    assert done.status == 0 and done.err == "", done
    assert done.out.startswith("test.conf: no mistakes; 3 VMs, 11 vCPUs, 564M\n"), done


def test_paths_are_relative_to_the_file(bench):
    bench.write("deep/er/test.conf", "vm a { kernel = ../../Image }")
    assert bench.mezzo("check", "deep/er/test.conf").status == 0
    assert bench.mezzo("check", bench.path / "deep/er/test.conf").status == 0


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"board = virt\n"])
def test_no_vm(bench, content):
    assert bench.complaints(content) == ["test.conf: no VM is described; add `vm NAME { kernel = FILE }`"]


@pytest.mark.parametrize("content", [b"a\0b", b"x" * (1 << 20) + b"x"], ids=["binary", "large"])
def test_not_a_conf_file(bench, content):
    assert bench.complaints(content) == ["test.conf: this is not a .conf file; `mezzo ls` lists a bundle"]


def test_unreadable_file(bench):
    done = bench.mezzo("check", "gone.conf")
    assert (done.status, done.err) == (
        2, "gone.conf: cannot read the file: No such file or directory; check the path\n")
    done = bench.mezzo("check", bench.path / "tmp")
    assert done.status == 2 and "it is a directory" in done.err


def test_json(bench):
    good = json.loads(bench.check(ONE, "--json").out)
    assert good["ok"] is True and good["mistakes"] == []
    assert good["vms"][0]["name"] == "a" and good["vms"][0]["start"] == 0x40000000

    done = bench.check("vm a {\n kernel = \"\\\"q\\\\\"\n cpus = \xff\n}\n".encode("latin-1"), "--json")
    bad = json.loads(done.out)
    assert done.status == 2 and done.err == "" and bad["ok"] is False
    assert [(m["file"], m["line"]) for m in bad["mistakes"]] == [("test.conf", 2), ("test.conf", 3)]
    assert '`"q\\`' in bad["mistakes"][0]["message"]


def test_many_unknown_keys_end(bench):
    text = "vm a {\n kernel = Image\n" + "".join(f" key{n} = 1\n" for n in range(200)) + "}\n"
    assert 64 <= len(bench.complaints(text)) <= 66
