# SPDX-License-Identifier: Apache-2.0
"""`mezzo image`: the folder of a card, whole or not at all, and what QEMU is given of it."""

import os
import resource
import signal
import struct
import subprocess

import pytest
from conftest import MEZZO, MIB, ONE, ROOT, elf, image

TREES = {"raspi3b": ROOT / "build/guests/dtb/bcm2837-rpi-3-b.dtb", "raspi4b": ROOT / "build/guests/dtb/bcm2711-rpi-4-b.dtb"}
MARK = "# Written by `mezzo image`"
STUB_MAGIC = 0x5afe570b


def stub(size=4096):
    """An armstub with the words that the firmware looks for."""
    return b"\x14".ljust(0xf0, b"\0") + struct.pack("<IIII", STUB_MAGIC, 0, 0, 0).ljust(size - 0xf0, b"\xaa")


@pytest.fixture
def card(bench):
    for tree in TREES.values():
        if not tree.exists():
            pytest.skip("no device trees of Raspberry Pis")
    bench.fake_qemu("printf '[mezzo] end: 1 off, 0 crashed\\n'")
    bench.write("test.conf", ONE)
    bench.write("bl31", stub())
    return bench


def make(card, board, *options):
    """`mezzo image BOARD test.conf --to card`, with what the board needs."""
    if board == "raspi4b":
        options = ("--bl31", "bl31", *options)
    return card.mezzo("image", board, "test.conf", "--to", "card", "--board-dtb", TREES[board], *options)


def files(card):
    return sorted(file.name for file in (card.path / "card").iterdir())


def arguments(card):
    return (card.path / "arguments").read_text().splitlines()


def after(words, option):
    return words[words.index(option) + 1]


def text_of(file, node, name):
    return subprocess.run(["fdtget", file, node, name], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("board, more, missing", [
    ("raspi3b", [], "bootcode.bin, start.elf, fixup.dat"), ("raspi4b", ["bl31.bin"], "start4.elf, fixup4.dat")])
def test_folder(card, board, more, missing):
    done = make(card, board)
    assert done.status == 0 and done.err == "", done
    assert files(card) == sorted(["bundle.cpio", "config.txt", "mezzo.dtb", "mezzo.img", *more])
    assert (card.path / "card/mezzo.img").read_bytes() == (card.path / "mezzo.img").read_bytes()
    assert card.mezzo("ls", "card/bundle.cpio").status == 0
    lines = (card.path / "card/config.txt").read_text().splitlines()
    assert lines[0].startswith(MARK) and max(map(len, lines)) <= 98
    for line in ("arm_64bit=1", "kernel=mezzo.img", "initramfs bundle.cpio followkernel", "enable_uart=1",
                 "device_tree=mezzo.dtb"):
        assert line in lines, line
    assert ("armstub=bl31.bin" in lines, "enable_gic=1" in lines) == (bool(more), bool(more))
    assert done.out.splitlines()[-1].strip() == missing
    # Again, over itself: the same bytes, and nothing more to say.
    before = {name: (card.path / "card" / name).read_bytes() for name in files(card)}
    assert make(card, board).status == 0
    assert before == {name: (card.path / "card" / name).read_bytes() for name in files(card)}


def test_console_of_a_pi_4_is_serial0(card):
    """TF-A points stdout-path to serial0, whatever it was; the UART that it was is that."""
    make(card, "raspi4b")
    tree = card.path / "card/mezzo.dtb"
    mini = text_of(TREES["raspi4b"], "/aliases", "serial1")
    assert text_of(tree, "/aliases", "serial0") == mini and "serial@7e215040" in mini
    assert text_of(tree, "/aliases", "serial1") == text_of(TREES["raspi4b"], "/aliases", "serial0")
    assert text_of(tree, "/chosen", "stdout-path") == "serial0:115200n8"
    make(card, "raspi3b", "--force")
    assert (card.path / "card/mezzo.dtb").read_bytes() == TREES["raspi3b"].read_bytes()


def test_files_of_the_user_stay(card):
    card.write("card/start4.elf", b"firmware")
    card.write("card/fixup4.dat", b"more of it")
    card.write("card/overlays/x.dtbo", b"y")
    done = make(card, "raspi4b")
    assert done.status == 0 and "firmware is there too" in done.out, done
    assert (card.path / "card/start4.elf").read_bytes() == b"firmware"
    assert (card.path / "card/overlays/x.dtbo").exists()


def test_config_txt_of_the_user_stays(card):
    card.write("card/config.txt", "kernel=mine.img\n")
    done = make(card, "raspi3b")
    assert done.status == 1, done
    assert done.err == "mezzo image: `card/config.txt` is not from this command; --force replaces it\n"
    assert files(card) == ["config.txt"]
    assert (card.path / "card/config.txt").read_text() == "kernel=mine.img\n"
    assert make(card, "raspi3b", "--force").status == 0
    assert (card.path / "card/config.txt").read_text().startswith(MARK)


def test_disk_full(card):
    """A limit on a file's size stands for a full disk: the writes fail in the middle."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))

    card.write("card/start.elf", b"firmware")
    for name in ("mezzo.img", "config.txt"):
        card.write(f"card/{name}", b"old")
    card.write("big", image(2 * MIB, file_size=20000))
    command = [MEZZO, "image", "raspi3b", "test.conf", "--to", "card", "--board-dtb", TREES["raspi3b"], "--image", "big",
               "--force"]
    full = subprocess.run([str(word) for word in command], cwd=card.path, env=card.environment, capture_output=True,
                          preexec_fn=limit, timeout=60, check=False)
    assert full.returncode == 1 and b"cannot write `card/mezzo.img`: File too large" in full.stderr, full
    assert files(card) == ["config.txt", "mezzo.img", "start.elf"]
    assert (card.path / "card/mezzo.img").read_bytes() == b"old"
    command[5] = "new"
    full = subprocess.run([str(word) for word in command], cwd=card.path, env=card.environment, capture_output=True,
                          preexec_fn=limit, timeout=60, check=False)
    assert full.returncode == 1 and not (card.path / "new").exists(), full


def test_signal_in_the_middle(card):
    """All or nothing, whenever it comes."""
    card.write("card/start.elf", b"firmware")
    process = subprocess.Popen(
        [str(MEZZO), "image", "raspi3b", "test.conf", "--to", "card", "--board-dtb", str(TREES["raspi3b"])],
        cwd=card.path, env=card.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)
    names = files(card)
    assert not [name for name in names if name.endswith(".part")], names
    assert len(names) in (1, 5), names


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_is_read_only(card):
    (card.path / "card").mkdir(mode=0o555)
    done = make(card, "raspi3b")
    assert done.status == 1 and "cannot write `card/mezzo.img`: Permission denied" in done.err, done


def test_folder_that_cannot_be(card):
    words = ("image", "raspi3b", "test.conf", "--board-dtb", TREES["raspi3b"], "--to")
    done = card.mezzo(*words, "no/such/card")
    assert done.status == 1 and "cannot make the folder `no/such/card`: No such file or directory" in done.err, done
    card.write("file", b"x")
    done = card.mezzo(*words, "file")
    assert done.status == 1 and "`file` is there and is no folder; give another with --to" in done.err, done
    (card.path / "card/bundle.cpio").mkdir(parents=True)
    done = make(card, "raspi3b")
    assert done.status == 1 and "`card/bundle.cpio` is there and is no file; move it away" in done.err, done
    assert files(card) == ["bundle.cpio"]
    done = card.mezzo(*words, "/proc/card")
    assert done.status == 1 and "cannot make the folder `/proc/card`" in done.err, done


USAGE = [
    ([], "give a board, raspi3b or raspi4b"),
    (["rapsi3b", "test.conf", "--to", "card"], "unknown board `rapsi3b`; give raspi3b or raspi4b; did you mean `raspi3b`?"),
    (["raspi4", "test.conf", "--to", "card"], "did you mean `raspi4b`?"),
    (["test.conf", "raspi3b", "--to", "card"], "give the board first, `raspi3b`, and then `test.conf`;"),
    (["virt", "test.conf", "--to", "card"], "the board `virt` starts from no card"),
    (["raspi3b", "test.conf"], "where to? Give --to DIR"),
    (["raspi3b", "--to", "card"], "give a FILE.conf, or --qemu for a card that is there"),
    (["raspi3b", "--to", "card", "--qemu", "--force"], "without a FILE.conf nothing is written"),
    (["raspi3b", "a.conf", "b.conf", "--to", "card"], "one FILE.conf at a time, not `b.conf` too"),
    (["raspi3b", "test.conf", "--to", "card", "--bl31", "bl31"], "has a stub of its own"),
    (["raspi3b", "test.conf", "--to", "card", "--timeout", "3"], "go with --qemu"),
    (["raspi3b", "test.conf", "--to", "card", "--", "-s"], "go with --qemu"),
    (["raspi3b", "test.conf", "--too", "card"], "did you mean `--to`?"),
]


@pytest.mark.parametrize("words, message", USAGE, ids=[" ".join(u[0]) or "nothing" for u in USAGE])
def test_usage(card, words, message):
    done = card.mezzo("image", *words)
    assert done.status == 2 and message in done.err and done.out == "", done
    assert not (card.path / "card").exists()


def test_files_that_are_missing(card):
    for option, name, wanted in [("--bl31", "gone", "--bl31: `gone` cannot be used: No such file"),
                                 ("--bl31", "empty", "--bl31: `empty` cannot be used: it is empty"),
                                 ("--bl31", "test.conf", "it is too small for TF-A's"),
                                 ("--bl31", "bl31.elf", "the firmware takes the flat bl31.bin"),
                                 ("--bl31", "huge", "it is too large for TF-A's"),
                                 ("--board-dtb", "test.conf", "`test.conf` cannot be used: it is not a device tree"),
                                 ("--image", "test.conf", "`test.conf` is not mezzo.img")]:
        card.write("empty", b"")
        card.write("bl31.elf", elf((0x1000, b"\1" * 4096, 4096)))
        card.write("huge", b"\1" * (513 << 10))
        done = make(card, "raspi4b", option, name)
        assert done.status == 2 and wanted in done.err, done
    # A command by itself, with nothing around it that tools/setup unpacks.
    alone = card.write("alone/mezzo", MEZZO.read_bytes())
    alone.chmod(0o755)
    if not os.path.exists("/usr/lib/arm-trusted-firmware/rpi4/bl31.bin"):
        done = subprocess.run([alone, "image", "raspi4b", "test.conf", "--to", "card", "--board-dtb", TREES["raspi4b"]],
                              cwd=card.path, env=card.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 2 and "unpack it with tools/setup" in done.stderr, done
        assert "Debian's package arm-trusted-firmware with --bl31" in done.stderr, done
    assert not (card.path / "card").exists()


def test_system_that_does_not_fit(card):
    card.write("test.conf", "vm a {\n kernel = Image\n memory = 1G\n pin = 4\n}\n")
    done = make(card, "raspi3b")
    assert done.status == 2 and "there is no core 4; the board has 0 to 3" in done.err, done
    assert "test.conf:3: memory not available" in done.err and not (card.path / "card").exists()
    # There are Pis 4 with more memory than QEMU's.
    card.write("test.conf", "vm a {\n kernel = Image\n memory = 2G\n}\n")
    assert make(card, "raspi4b").status == 0
    assert "memory not available" in make(card, "raspi4b", "--qemu").err


# --- QEMU ----------------------------------------------------------------------------------------


def test_qemu(card):
    done = make(card, "raspi3b", "--qemu", "--", "-s")
    assert done.status == 0 and "[mezzo] end" in done.out, done
    words = arguments(card)
    assert after(words, "-M") == "raspi3b" and words[-1] == "-s"
    assert [words[i + 1] for i, word in enumerate(words) if word == "-serial"] == ["null", "stdio"]
    assert (after(words, "-kernel"), after(words, "-initrd"), after(words, "-dtb")) == (
        "card/mezzo.img", "card/bundle.cpio", "card/mezzo.dtb")


def test_qemu_has_the_end_of_a_run(card):
    make(card, "raspi3b")
    for script, status in [("printf '[mezzo] end: 1 off, 1 crashed\\n'", 1), ("exit 0", 1), ("sleep 20", 124),
                           ("printf '[mezzo] end: 2 off, 0 crashed\\n'", 0)]:
        card.fake_qemu(script)
        done = card.mezzo("image", "raspi3b", "--to", "card", "--qemu", "--timeout", "1")
        assert done.status == status, (script, done)


def test_no_prompts_in_a_log(card):
    """Mezzo in its shell, and nobody types: it is asked for all output, and its prompts are left out."""
    make(card, "raspi3b")
    script = (r"printf '[mezzo] up\n\rmezz\n\rmezzo> \r'; printf 'mezzo> '; head -c 2 > keys; "
              r"printf '\r\n[a] one\rmezzo> \r\n\rmezzo> '; sleep 0.2; printf '\r\n[mezzo] end: 1 off, 0 crashed\r\n'")
    card.fake_qemu(script)
    done = card.mezzo("image", "raspi3b", "--to", "card", "--qemu", "--timeout", "5")
    assert done.status == 0 and (card.path / "keys").read_bytes() == b"\x1da", done
    assert done.out == ("[mezzo] up\n\\x0dmezz\n[a] one\\x0dmezzo> \n"
                        "[mezzo] end: 1 off, 0 crashed\n")


def test_qemu_behind_a_stub(card):
    """Every file has its place, and the stub the words that the firmware leaves in it."""
    card.fake_qemu("for a; do case $a in loader,file=*) f=${a#loader,file=}; cp ${f%%,*} seen-$(basename ${f%%,*});; esac; "
                   "done; printf '[mezzo] end: 1 off, 0 crashed\\n'")
    card.write("mezzo.img", image(3 * MIB))
    done = make(card, "raspi4b", "--qemu")
    assert done.status == 0, done
    words = arguments(card)
    assert "-kernel" not in words and after(words, "-M") == "raspi4b"
    places = {word.split(",")[1].removeprefix("file=").rsplit("/", 1)[-1]: int(word.split("addr=")[1].split(",")[0], 16)
              for word in words if word.startswith("loader,")}
    initrd = 0x200000 + 3 * MIB  # behind what follows the file in memory, too
    assert places["armstub.bin"] == 0 and places["mezzo.img"] == 0x200000 and places["bundle.cpio"] == initrd
    size = (card.path / "card/bundle.cpio").stat().st_size
    assert places["board.dtb"] >= initrd + size and places["board.dtb"] % (2 * MIB) == 0
    seen = (card.path / "seen-armstub.bin").read_bytes()
    assert struct.unpack_from("<IIII", seen, 0xf0) == (0, 0, places["board.dtb"], 0x200000)
    assert seen[0x100:] == stub()[0x100:]
    tree = card.path / "seen-board.dtb"
    assert text_of(tree, "/chosen", "linux,initrd-start") == f"0 {initrd}"
    assert text_of(tree, "/chosen", "linux,initrd-end") == f"0 {initrd + size}"
    assert text_of(tree, "/memory@0", "reg").split()[-1] == str(960 * MIB)
    assert os.listdir(card.path / "tmp") == []


# A change to the card, and what is said of it.
CARDS = [
    ("kernel=gone.img", "card/config.txt:1: kernel `card/gone.img` cannot be used: No such file"),
    ("kernel=empty", "card/config.txt:1: kernel `card/empty` cannot be used: it is empty"),
    ("", "card/config.txt: kernel `card/kernel8.img` cannot be used"),
    ("kernel=mezzo.img", "card/config.txt: no device tree is named"),
    ("kernel=mezzo.img\ndevice_tree=mezzo.img", "card/config.txt:2: device_tree `card/mezzo.img` is not a device tree"),
    ("kernel=mezzo.img\ndevice_tree=mezzo.dtb\narmstub=gone", "card/config.txt:3: armstub `card/gone`"),
    ("kernel=mezzo.img\ndevice_tree=mezzo.dtb\narmstub=small", "card/config.txt:3: armstub `card/small` has 10"),
    ("kernel=mezzo.img\ndevice_tree=mezzo.dtb\narmstub=bl31.bin\nkernel_address=0x40000", "over the armstub"),
    ("kernel=mezzo.img\ndevice_tree=mezzo.dtb\narmstub=bl31.bin\nkernel_address=0x3bff0000", "not in the board's memory"),
    ("kernel=mezzo.img\ndevice_tree=mezzo.dtb\narmstub=bl31.bin\ninitramfs bundle.cpio 0x210000", "do not fit beside"),
    ("kernel=mezzo.img\ndevice_tree=mezzo.dtb\narmstub=bl31.bin\ninitramfs bundle.cpio 0xfffff000", "do not fit beside"),
    ("kernel=k.elf\ndevice_tree=mezzo.dtb\narmstub=bl31.bin", "is an ELF file, which QEMU cannot start behind an armstub"),
    ("arm_64bit=0", "asks for a 32-bit kernel"),
]


@pytest.mark.parametrize("text, message", CARDS, ids=[repr(c[1])[1:50] for c in CARDS])
def test_card_that_is_wrong(card, text, message):
    make(card, "raspi4b")
    card.write("card/empty", b"")
    card.write("card/small", b"0123456789")
    card.write("card/k.elf", elf((0x200000, b"\1" * 64, 64)))
    card.write("card/config.txt", text)
    done = card.mezzo("image", "raspi4b", "--to", "card", "--qemu")
    assert done.status == 2 and message in done.err, done
    assert not (card.path / "arguments").exists()


def test_no_card(card):
    done = card.mezzo("image", "raspi3b", "--to", "card", "--qemu")
    assert done.status == 2 and done.err == ("mezzo image: cannot read `card/config.txt` as a config.txt: No such file or "
                                             "directory; check the path\n")


def test_what_qemu_does_differently(card):
    make(card, "raspi3b")
    card.write("card/config.txt", "kernel=mezzo.img\ndevice_tree=mezzo.dtb\nkernel_address=0x400000\n"
                                  "initramfs bundle.cpio 0x3000000\narmstub=stub.bin\ncmdline=words.txt\n")
    card.write("card/stub.bin", stub())
    card.write("card/words.txt", "one two\n")
    done = card.mezzo("image", "raspi3b", "--to", "card", "--qemu")
    assert done.status == 0, done
    assert "QEMU's raspi3b leaves the armstub out" in done.err
    assert "QEMU puts the kernel at 0x200000, not at kernel_address" in done.err
    assert "QEMU chooses where the initramfs goes" in done.err
    assert after(arguments(card), "-append") == "one two"


def test_console_of_a_card(card):
    """The PL011 is QEMU's first serial line."""
    make(card, "raspi3b")
    subprocess.run(["fdtput", "-t", "s", card.path / "card/mezzo.dtb", "/chosen", "stdout-path", "serial0:115200n8"],
                   check=True)
    assert card.mezzo("image", "raspi3b", "--to", "card", "--qemu").status == 0
    words = arguments(card)
    assert words.count("-serial") == 1 and after(words, "-serial") == "stdio"
