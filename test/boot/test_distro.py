# SPDX-License-Identifier: Apache-2.0
"""A distribution on a disk, its installer, other kernels for it, and U-Boot: guests that need disks and networks.

`make test-distro` makes what they start from and runs them all (docs/guests.md).
"""

import re
import shutil
import struct
import subprocess

import computer
import machine
import pexpect
import pytest

DHCP_ADDRESS = r"for i in $(seq 60); do ip -4 -o address show dev eth0 | grep inet && break; sleep 1; done"
FILE, LINES = "/var/kept", 100000


@pytest.fixture(params=["bare", "mezzo"])
def host(request):
    hosts = {"bare": computer.Bare, "mezzo": computer.Mezzo}
    one = hosts[request.param]()
    yield one
    one.end()


@pytest.fixture
def bare():
    """For what a virtual machine does not have: sockets between computers."""
    one = computer.Bare()
    yield one
    one.end()


def need(path, what):
    if not path.exists():
        pytest.skip(f"no {what} here; `make test-distro` gets it where the release has it")
    return path


@pytest.fixture
def debian(tmp_path):
    """A copy of the root file system, to write on."""
    image = tmp_path / "debian.img"
    subprocess.run(["cp", "--sparse=always", need(computer.DEBIAN, "Debian root file system"), image], check=True)
    return image


def test_login(host, debian, linux):
    """systemd's login prompt, nothing failed on the way, and an address from the network."""
    guest = host.start(machine.kernel(linux()), "root=/dev/vda", disks=[debian], net="user")
    guest.login()
    assert "running" in guest.run("systemctl is-system-running --wait", timeout=120)
    assert "inet 10.0.2.15/24" in guest.run(DHCP_ADDRESS, timeout=90)
    guest.run("ping -c 3 -W 5 10.0.2.2")
    guest.power_off()


@pytest.mark.distro
@pytest.mark.parametrize("series", ["6.1", "6.12"])
def test_power_cut(series, host, debian, linux):
    """What was synced is there after the power goes, and after a reboot."""
    kernel, words = machine.kernel(linux(series)), "root=/dev/vda"
    guest = host.start(kernel, words, disks=[debian])
    guest.login()
    guest.run(f"seq {LINES} > {FILE} && sync {FILE}")
    guest.run("seq 10 > /var/just-written")  # is there or not: nobody has promised
    guest.kill()

    guest = host.start(kernel, words, disks=[debian])
    guest.login()
    expected = subprocess.run(f"seq {LINES} | md5sum", shell=True, check=True, capture_output=True, text=True)
    assert expected.stdout.split()[0] in guest.run(f"md5sum {FILE}")
    guest.child.send("reboot\r")
    guest.expect("reboot: Restarting system", 120)
    guest.login()
    assert expected.stdout.split()[0] in guest.run(f"md5sum {FILE}")
    guest.power_off()
    subprocess.run(["e2fsck", "-fn", debian], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("series", ["6.1", "6.12"])
def test_virtio(series, host, linux):
    """A console, random numbers and a balloon, all of virtio."""
    guest = host.start(machine.kernel(linux(series)), "quiet", virtio=True, memory="256M")
    guest.small_system()
    assert "virtio_rng" in guest.run("cat /sys/class/misc/hw_random/rng_current")
    assert guest.run("dd if=/dev/hwrng bs=4096 count=1 iflag=fullblock 2> /dev/null | wc -c") == "4096"
    guest.run("ls -d /sys/bus/virtio/drivers/virtio_balloon/virtio*")
    word = "x" * 200  # more than a buffer of the console's
    assert guest.run(f"echo {word} | wc -c") == "201"
    guest.power_off("exit")


@pytest.mark.parametrize("series", ["6.1", "6.12"])
def test_two(series, bare, linux, tmp_path):
    """A computer gives its neighbour an address, and takes what that sends from its disk."""
    kernel = machine.kernel(linux(series))
    disk, size = tmp_path / "disk", 4 << 20
    disk.write_bytes(bytes(n * 7 % 251 for n in range(size)))
    sockets = tmp_path / "a", tmp_path / "b"
    server = bare.start(kernel, "quiet mezzo.ip=10.0.3.1/24 mezzo.dhcpd", net=sockets, memory="256M")
    server.small_system()
    client = bare.start(kernel, "quiet mezzo.ip=dhcp", disks=[disk], net=sockets[::-1], memory="256M")
    assert f"vda={size // 512} " in client.small_system()
    assert re.search(r"inet 10\.0\.3\.1\d\d/24", client.run("ip address show dev eth0"))
    client.run("ping -c 3 10.0.3.1")
    server.child.send("nc -l -p 7 | md5sum\r")
    client.run("sleep 1; dd if=/dev/vda bs=64k | nc 10.0.3.1 7", timeout=120)
    server.expect(subprocess.run(["md5sum"], input=disk.read_bytes(), check=True, capture_output=True,
                                 ).stdout[:32].decode())
    for guest in (client, server):
        guest.power_off("exit")


@pytest.mark.distro
def test_installer(host):
    """The first screen of Debian's installer."""
    need(computer.INSTALLER, "Debian installer")
    guest = host.start(computer.INSTALLER / "linux", "", initrd=computer.INSTALLER / "initrd.gz", net="user")
    guest.expect("Select a language", computer.BOOT_LIMIT)
    guest.expect("English")


@pytest.mark.distro
def test_real_time(host, debian):
    """Debian's real-time kernel."""
    guest = host.start(need(computer.RT_KERNEL, "real-time kernel"), "root=/dev/vda", disks=[debian], net="user")
    guest.login()
    assert "PREEMPT_RT" in guest.run("uname -v")
    assert guest.run("cat /sys/kernel/realtime") == "1"
    assert "inet 10.0.2.15/24" in guest.run(DHCP_ADDRESS, timeout=90)
    guest.power_off()


@pytest.mark.distro
def test_newest(host, debian):
    """The newest kernel of any suite of Debian: it knows of this board what its authors know by now."""
    guest = host.start(need(computer.NEW_KERNEL, "newer kernel"), "root=/dev/vda", disks=[debian], net="user")
    guest.login()
    assert "running" in guest.run("systemctl is-system-running --wait", timeout=120)
    assert int(guest.run("uname -r").split(".")[0]) >= 7
    assert "inet 10.0.2.15/24" in guest.run(DHCP_ADDRESS, timeout=90)
    guest.power_off()


def boot_disk(path, kernel, words):
    """A disk of one partition from which U-Boot boots this kernel."""
    tree = path.with_suffix(".d")
    (tree / "extlinux").mkdir(parents=True)
    shutil.copy(kernel, tree / "vmlinuz")
    shutil.copy(computer.INITRAMFS, tree / "initrd.gz")
    (tree / "extlinux/extlinux.conf").write_text(
        f"default linux\nlabel linux\n  kernel /vmlinuz\n  initrd /initrd.gz\n  append console=ttyAMA0 {words}\n",
        encoding="ascii")
    size, first = 96 << 20, 1 << 20
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", tree, "-E", f"offset={first}", path,
                    f"{(size - first) >> 10}k"], check=True, stderr=subprocess.DEVNULL)
    # The table of a PC: one active entry, for Linux, without the geometry that nobody has any more.
    entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", first // 512, (size - first) // 512)
    with path.open("r+b") as file:
        file.truncate(size)
        file.seek(446)
        file.write(entry)
        file.seek(510)
        file.write(b"\x55\xaa")
    return size


@pytest.mark.distro
@pytest.mark.parametrize("series", ["6.1", "6.12"])
def test_uboot(series, host, linux, tmp_path):
    """U-Boot finds disk and network, and boots a kernel from the disk."""
    disk = tmp_path / "disk"
    size = boot_disk(disk, machine.kernel(linux(series)), "quiet mezzo.ip=dhcp")
    guest = host.start(firmware=need(computer.UBOOT, "U-Boot"), disks=[disk], net="user")
    guest.expect("virtio-net#", 120)
    guest.expect("Hit any key")
    guest.expect("Found /extlinux/extlinux.conf")
    guest.expect("Starting kernel")
    assert re.search(rf"vda={size // 512} ", guest.small_system())
    assert "inet 10.0.2.15/24" in guest.run("ip address show dev eth0")
    guest.power_off("exit")


@pytest.mark.distro
def test_uboot_shell(host):
    """U-Boot without anything to boot: a prompt, settings that flash keeps, `reset` goes back to the start, `poweroff`."""
    guest = host.start(firmware=need(computer.UBOOT, "U-Boot"))
    for lines in (["setenv word kept", "saveenv", "reset"], ["printenv word", "reset"], ["poweroff"]):
        guest.expect("Hit any key", 120)
        guest.child.send(" ")
        guest.expect("=> ")
        for line in lines:
            guest.child.send(f"{line}\r")
            if line == "saveenv":
                guest.expect("OK")
            elif line == "printenv word":
                guest.expect("word=kept")
    guest.expect(pexpect.EOF)
