# SPDX-License-Identifier: Apache-2.0
"""Networks between virtual machines: Linux guests that talk to each other."""

import re

import machine
import pytest
import wire

INITRAMFS = machine.GUESTS / "initramfs-virtio.cpio.gz"

pytestmark = pytest.mark.skipif(not INITRAMFS.exists(), reason="no initrd with drivers of virtio devices")


def guest(name, series, address, **keys):
    return machine.vm(name, machine.kernel(series), f"console=ttyAMA0 mezzo.ip={address}/24",
                      initrd=f'"{INITRAMFS}"', **{"memory": "192M", "net": "{ lan0 }", **keys})


def shells(link, *names):
    """The guests' consoles, once each is a shell."""
    consoles = [link.console(name) for name in names]
    for console in consoles:
        console.expect(r"mezzo-init: .*nets=eth0=", 150)
        console.expect("# ")
        console.send("stty -echo; echo read''y\n")
    for console in consoles:
        console.expect("ready")
    return consoles


def ports(link):
    return {port["port"]: port for port in link.command("net")["ports"]}


@pytest.mark.parametrize("options", ["--smp 2", "--smp 1 --gic 2 --cpu cortex-a72"])
def test_two_linux(options, linux):
    """They reach each other, and a file arrives as it was sent."""
    conf = guest("a", linux(), "10.0.0.1") + guest("b", linux(), "10.0.0.2", cpus="2")
    with wire.started(conf, options) as link:
        a, b = shells(link, "a", "b")
        for size in (56, 1400, 8000):
            a.send(f"ping -c 5 -s {size} -q 10.0.0.2\n")
            a.expect("5 packets transmitted, 5 packets received", 60)
        b.send("nc -l -p 99 > /tmp/x; md5sum /tmp/x\n")
        a.send("dd if=/dev/urandom of=/tmp/x bs=64k count=64 2> /dev/null; md5sum /tmp/x; sleep 1; nc 10.0.0.2 99 < /tmp/x\n")
        sent = a.expect(r"([0-9a-f]{32})  /tmp/x", 90)[1]
        assert b.expect(r"([0-9a-f]{32})  /tmp/x", 120)[1] == sent
        seen = ports(link)
        assert seen["a.net0"]["sent_bytes"] > 4 << 20 and seen["b.net0"]["got_bytes"] > 4 << 20, seen
        assert all(port["open"] for port in seen.values()), seen
        assert re.fullmatch("([0-9a-f]{2}:){5}[0-9a-f]{2}", seen["a.net0"]["mac"]), seen
        for console in (a, b):
            assert not machine.TROUBLE.search(console.text), console.text[-2000:]


def test_one_ends(linux):
    """One that ends and begins again while the other sends."""
    conf = guest("a", linux(), "10.0.0.1") + guest("b", linux(), "10.0.0.2", on_crash="restart")
    with wire.started(conf, "--smp 2") as link:
        a, b = shells(link, "a", "b")
        before = ports(link)["a.net0"]["mac"]
        a.send("ping -i 0.01 10.0.0.2 > /tmp/log; echo end''ed\n")
        link.rest(1)
        link.command("restart b")
        b.expect(r"mezzo-init: .*nets=eth0=", 150)
        b.expect("# ")
        a.send("\x03")
        a.expect("ended|# ")
        a.send("ping -c 3 -q 10.0.0.2\n")
        a.expect("3 packets transmitted, 3 packets received", 60)
        link.command("kill b")
        link.wait_state("b", "off")
        seen = ports(link)
        assert not seen["b.net0"]["open"] and seen["a.net0"]["mac"] == before, seen
        a.send("ping -c 3 -q 10.0.0.2\n")
        a.expect("3 packets transmitted, 0 packets received", 60)
        link.command("destroy b")
        link.wait(lambda: "b.net0" not in ports(link))
        assert not machine.TROUBLE.search(a.text), a.text[-2000:]


def test_spoofing(linux):
    """A guest that takes another address is not heard on a net that keeps everybody to his own."""
    conf = "net lan0 {\n anti_spoof = true\n}\n" + guest("a", linux(), "10.0.0.1") + guest("b", linux(), "10.0.0.2")
    with wire.started(conf, "--smp 2") as link:
        a, _ = shells(link, "a", "b")
        a.send("ping -c 3 -q 10.0.0.2\n")
        a.expect("3 packets transmitted, 3 packets received", 60)
        a.send("ip link set eth0 down; ip link set eth0 address 02:11:22:33:44:55; echo st=$?; ip link set eth0 up; "
               "ip address add 10.0.0.3/24 dev eth0; ping -c 3 -q 10.0.0.2\n")
        assert a.expect(r"st=(\d+)")[1] != "0"
        a.expect("3 packets transmitted, 3 packets received", 60)
        assert ports(link)["a.net0"]["lost"] == 0
