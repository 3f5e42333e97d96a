# SPDX-License-Identifier: Apache-2.0
"""Networks between virtual machines: Linux guests that talk to each other, and to the world."""

import contextlib
import hashlib
import http.server
import os
import re
import shutil
import struct
import subprocess
import threading

import machine
import pytest
import sockets
import wire

INITRAMFS = machine.GUESTS / "initramfs-virtio.cpio.gz"

pytestmark = pytest.mark.skipif(not INITRAMFS.exists(), reason="no initrd with drivers of virtio devices")


def guest(name, series, address, **keys):
    return machine.vm(name, machine.kernel(series), f"console=ttyAMA0 mezzo.ip={address}/24",
                      **{"memory": "192M", "net": "{ lan0 }",
                         "initrd": f'"{INITRAMFS}"', **keys})


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
def test_two_linux(options, linux, tmp_path):
    """They reach each other, and a file arrives as it was sent; and by sockets, without a network."""
    initrd = f'"{sockets.add_program(INITRAMFS, tmp_path)}"'
    conf = (guest("a", linux(), "10.0.0.1", initrd=initrd, **sockets.KEYS["a"])
            + guest("b", linux(), "10.0.0.2", cpus="2", initrd=initrd, **sockets.KEYS["b"]))
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
        sockets.check(link, a, b)
        for console in (a, b):
            assert not machine.TROUBLE.search(console.text), console.text[-2000:]


def frames_of(data):
    """The frames of a capture file."""
    magic, major, minor, _, _, most, kind = struct.unpack_from("<IHHIIII", data)
    assert (magic, major, minor, kind) == (0xa1b23c4d, 2, 4, 1)
    at, frames, last = 24, [], 0
    while at < len(data):
        seconds, ns, kept, size = struct.unpack_from("<IIII", data, at)
        assert kept <= most and kept <= size and ns < 10**9 and seconds + ns / 1e9 >= last
        last = seconds + ns / 1e9
        frames.append(data[at + 16:at + 16 + kept])
        at += 16 + kept
    assert at == len(data)
    return frames


FIELDS = ("eth.src", "eth.dst", "frame.protocols", "icmp.type", "ip.src", "ip.dst")


def by_tshark(path):
    """What a program that is not ours finds in a capture: a row of FIELDS for each frame."""
    def ask(*words):
        done = subprocess.run(["tshark", "-n", "-r", path, *words], check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert ask("-Y", "_ws.malformed || icmp.checksum.status == 0 || ip.checksum.status == 0") == []
    return [line.split("\t") for line in ask("-T", "fields", *(word for field in FIELDS for word in ("-e", field)))]


def test_capture(linux, tmp_path):
    """What goes through a port comes as a file that says what it was, to us and to tshark."""
    conf = guest("a", linux(), "10.0.0.1") + guest("b", linux(), "10.0.0.2")
    with wire.started(conf, "--smp 2") as link:
        a, _ = shells(link, "a", "b")
        a.send("sleep 1; ping -c 5 -i 0.2 -q 10.0.0.2\n")
        answer = link.command("capture a.net0 5", 60)
        file = link.files.pop(answer["channel"])
        assert file.name == "a.net0.pcap" and file.end == "" and len(file.data) == answer["bytes"]
        frames = frames_of(bytes(file.data))
        assert len(frames) == answer["frames"] and answer["lost"] == 0, answer
        macs = [ports(link)[f"{name}.net0"]["mac"] for name in "ab"]
        mac = bytes.fromhex(macs[0].replace(":", ""))
        pings = [frame for frame in frames if frame[12:14] == b"\x08\0" and frame[23] == 1]
        assert len([frame for frame in pings if frame[6:12] == mac and frame[34] == 8]) == 5
        assert len([frame for frame in pings if frame[:6] == mac and frame[34] == 0]) == 5
        assert "there is no port x" in link.refused("capture x")
        assert "1 to 3600 seconds" in link.refused("capture a.net0 0")
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed: the capture was checked by hand alone")
    path = tmp_path / file.name
    path.write_bytes(file.data)
    rows = by_tshark(path)
    assert len(rows) == answer["frames"]
    pings = [[*row[:2], *row[3:]] for row in rows if ":icmp:" in row[2]]
    there, back = [*macs, "8", "10.0.0.1", "10.0.0.2"], [*macs[::-1], "0", "10.0.0.2", "10.0.0.1"]
    assert len(pings) == 10 and pings.count(there) == pings.count(back) == 5, rows
    assert all(re.match("eth:ethertype:(arp|ip:icmp|ipv6)", row[2]) for row in rows), rows


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


@contextlib.contextmanager
def served(data):
    """A web server of the host's; yields its port."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # pylint: disable=invalid-name
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):  # pylint: disable=arguments-differ
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_uplink(linux):
    """A guest gets its address from outside, and a file; another one at the same net talks to both."""
    data = os.urandom(300000)
    conf = ("net lan0 {\n uplink = \"host:net0\"\n}\n" + guest("a", linux(), "dhcp").replace("dhcp/24", "dhcp")
            + guest("b", linux(), "10.0.2.77"))
    with served(data) as port, wire.started(conf, "--smp 2") as link:
        a, b = shells(link, "a", "b")
        a.send("ip address show dev eth0\n")
        a.expect(r"inet 10\.0\.2\.\d+")
        for console in (a, b):
            console.send(f"wget -q -O - http://10.0.2.2:{port}/x | md5sum\n")
        for console in (a, b):
            console.expect(hashlib.md5(data).hexdigest(), 90)
        a.send("ping -c 3 -q 10.0.2.77\n")
        a.expect("3 packets transmitted, 3 packets received", 60)
        assert ports(link)["host:net0"]["sent"] > 200
