# SPDX-License-Identifier: Apache-2.0
"""`net =` and the sections of nets: what they may say, and what the bundle has of it."""

import hashlib
import json
import subprocess

import pytest

TWO = """net lan0 {
  anti_spoof = true
  limit = 100M
}
vm a {
  kernel = Image
  net = { lan0, "dmz@52:54:00:12:34:56" }
}
vm b {
  kernel = Image
  net = { lan0 }
}
"""


def made(name, nic):
    """The address that Mezzo makes of a name."""
    digest = bytearray(hashlib.sha256(f"mezzo net {name} {nic}".encode()).digest()[:6])
    digest[0] = digest[0] & 0xfe | 2
    return ":".join(f"{byte:02x}" for byte in digest)


def test_packed(bench):
    bench.write("test.conf", TWO)
    assert bench.mezzo("check", "test.conf").status == 0
    assert bench.mezzo("pack", "test.conf", "-o", "bundle.cpio").status == 0
    vms = json.loads(bench.mezzo("ls", "bundle.cpio", "--json").out)["vms"]
    assert vms[0]["nets"] == [{"net": "lan0", "mac": made("a", 0)}, {"net": "dmz", "mac": "52:54:00:12:34:56"}]
    assert vms[1]["nets"] == [{"net": "lan0", "mac": made("b", 0)}]


def test_the_description(bench):
    """What stands in it, read by another program."""
    bench.write("test.conf", TWO)
    assert bench.mezzo("pack", "test.conf", "-o", "bundle.cpio").status == 0
    subprocess.run(["cpio", "-i", "--quiet", "mezzo.dtb"], cwd=bench.path, check=True,
                   stdin=(bench.path / "bundle.cpio").open("rb"))

    def get(*words):
        done = subprocess.run(["fdtget", *words[:-2], bench.path / "mezzo.dtb", *words[-2:]], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return done.stdout.strip() if done.returncode == 0 else None

    assert get("/mezzo/net@0", "net-name") == "lan0"
    assert get("/mezzo/net@0", "anti-spoof") == ""
    assert get("-t", "x", "/mezzo/net@0", "limit") == "0 6400000"
    assert get("/mezzo/net@1", "net-name") == "dmz"
    assert get("/mezzo/net@1", "limit") is None
    assert get("/mezzo/net@1", "anti-spoof") is None
    assert get("/mezzo/vm@0", "nets") == "lan0 dmz"
    assert get("-t", "bx", "/mezzo/vm@0", "macs") == "0 0 0 0 0 0 52 54 0 12 34 56"
    assert get("/mezzo/vm@1", "macs") is None


@pytest.mark.parametrize("value,why", [
    ("{ -lan }", "a net cannot be called `-lan`; use 1 to 31 letters"),
    ('""', "a net cannot be called ``"),
    (f"{{ {'x' * 32} }}", "a net cannot be called"),
    ('"lan0@52:54:00:12:34"', "`52:54:00:12:34` is not an address; write for example `net = { "
                              '"lan0@52:54:00:12:34:56" }`'),
    ('"lan0@52:54:00:12:34:567"', "is not an address"),
    ('"lan0@52:54:00:12:34:56:78"', "is not an address"),
    ('"lan0@"', "`` is not an address"),
    ('"lan0@g2:54:00:12:34:56"', "is not an address"),
    ('"lan0@00:00:00:00:00:00"', "`00:00:00:00:00:00` cannot be an interface's address; it must not be zero"),
    ('"lan0@01:00:5e:00:00:01"', "cannot be an interface's address"),
    ('"lan0@ff:ff:ff:ff:ff:ff"', "cannot be an interface's address"),
    ("{ a, a, a, a, a }", "net: 5 interfaces are too many; give at most 4"),
    ('{ "a@52:54:00:00:00:01", "a@52:54:00:00:00:01" }',
     "net: the VM itself has the address 52:54:00:00:00:01 at `a` already"),
])
def test_wrong_interfaces(bench, value, why):
    lines = bench.complaints(f"vm a {{\n kernel = Image\n net = {value}\n}}\n")
    assert len(lines) == 1 and lines[0].startswith("test.conf:3: ") and why in lines[0], lines


def test_an_address_twice(bench):
    section = 'vm {} {{\n kernel = Image\n net = "lan0@{}"\n}}\n'
    lines = bench.complaints(section.format("a", made("b", 0)) + "vm b {\n kernel = Image\n net = lan0\n}\n")
    assert len(lines) == 1 and f"VM `a` has the address {made('b', 0)} at `lan0` already" in lines[0], lines
    assert bench.check(section.format("a", made("b", 0)) + "vm b {\n kernel = Image\n net = lan1\n}\n").status == 0


@pytest.mark.parametrize("section,why", [
    ("net x {\n}", "test.conf:2: no VM is at the net `x`; write `net = { x }` in one, or drop the section"),
    ("net lan0 {\n limit = 10\n}", "test.conf:2: limit: `10` is out of range; give 1K to 1T"),
    ("net lan0 {\n limit = fast\n}", "test.conf:2: limit: `fast` is not a size"),
    ("net lan0 {\n anti_spoof = maybe\n}", "test.conf:2: anti_spoof: `maybe` is neither true nor false"),
    ("net lan0 {\n uplink = eth0\n}", "test.conf:2: uplink: `eth0` is not an interface of the board; write for "
                                     'example `uplink = "host:net0"`'),
    ('net lan0 {\n uplink = "host:"\n}', "test.conf:2: uplink: `host:` is not an interface"),
    ("net lan0 {\n uplnk = \"host:net0\"\n}", "test.conf:2: unknown key `uplnk`; did you mean `uplink`?"),
    ("net lan0 {\n memory = 1M\n}", "test.conf:2: unknown key `memory`"),
    ("net lan0 {\n limit = 1M\n limit = 2M\n}", "test.conf:3: `limit` is given twice, first on line 2"),
    ("net lan0 {\n}\nnet lan0 {\n}", "there are two sections called"),
    ("net {\n}", "this section has no name"),
    ("net lan0 {\n limit = { 1M, 2M }\n}", "limit takes one value, not 2"),
    ('net lan0 {\n uplink = "host:net0"\n}\nnet dmz {\n uplink = "host:net0"\n}',
     "test.conf:5: uplink: the net `lan0` has the board's interface `net0` already"),
])
def test_wrong_sections(bench, section, why):
    lines = bench.complaints(section + "\nvm a {\n kernel = Image\n net = { lan0, dmz }\n}\n")
    assert any(why in line for line in lines), lines


def test_too_many_nets(bench):
    names = [f"{{ {', '.join(f'n{4 * i + j}' for j in range(4))} }}" for i in range(9)]
    text = "".join(f"vm v{i} {{\n kernel = Image\n memory = 16M\n net = {nets}\n}}\n" for i, nets in enumerate(names))
    assert any("this is one net more than Mezzo takes; keep at most 32" in line for line in bench.complaints(text))


def test_a_raspberry_pi_has_none(bench):
    lines = bench.complaints("vm pi {\n machine = raspi3\n kernel = Image\n memory = 64M\n net = lan0\n}\n")
    assert lines == ["test.conf:5: net: a VM of machine `raspi3` has no network interface; drop the line"], lines


def test_run_options(bench):
    done = bench.mezzo("run", "-k", "Image", "--net", "lan0", "--net", "dmz@52:54:00:12:34:56", "--dry-run", "--bundle",
                       "b.cpio")
    assert done.status == 0, done
    vm = json.loads(bench.mezzo("ls", "b.cpio", "--json").out)["vms"][0]
    assert [nic["net"] for nic in vm["nets"]] == ["lan0", "dmz"]
    assert vm["nets"][1]["mac"] == "52:54:00:12:34:56"
    done = bench.mezzo("run", "-k", "Image", "--net", "lan 0", "--dry-run")
    assert done.status == 2 and "mezzo run: --net: a net cannot be called `lan 0`" in done.err, done
    done = bench.mezzo("run", "-k", "Image", *["--net", "lan0"] * 5, "--dry-run")
    assert done.status == 2 and "net: 5 interfaces are too many; give at most 4" in done.err, done
