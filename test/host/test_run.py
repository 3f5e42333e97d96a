# SPDX-License-Identifier: Apache-2.0
"""`mezzo run`: QEMU's command line, and the contract of the exit status. QEMU is a shell script here,
so that it can say what no Mezzo would."""

import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from conftest import MEZZO, MIB, ONE, ROOT, image

TWO = """
vm a { kernel = Image cpus = 2 memory = 64M }
vm b { kernel = Image initrd = initrd memory = 1G }
"""


@pytest.fixture
def run(bench):
    """Runs one VM on a stand-in for QEMU that executes a script."""
    def start(script, *arguments, conf=ONE, **more):
        bench.fake_qemu(script)
        bench.write("test.conf", conf)
        return bench.mezzo("run", "test.conf", *arguments, **more)
    return start


def arguments(bench):
    return (bench.path / "arguments").read_text().splitlines()


def after(words, option):
    return words[words.index(option) + 1]


# --- the command ------------------------------------------------------------------------------------


def dry_run(bench, *flags, conf=ONE):
    bench.fake_qemu("exit 1")
    bench.write("test.conf", conf)
    done = bench.mezzo("run", "test.conf", "--dry-run", *flags)
    assert done.status == 0, done
    assert not (bench.path / "arguments").exists()
    assert len(done.out.splitlines()) == 1
    return done.out.rstrip("\n")


def test_dry_run(bench):
    words = dry_run(bench).split(" ")
    assert words[:11] == ["qemu-system-aarch64", "-M", "virt,virtualization=on,gic-version=3", "-cpu", "max",
                          "-smp", "1", "-m", "1024M", "-display", "none"]
    assert after(words, "-serial") == "stdio" and after(words, "-nic") == "none"
    assert after(words, "-kernel") == str(bench.path / "mezzo.img")
    assert not (bench.path / "bundle.cpio").exists()
    assert os.listdir(bench.path / "tmp") == []


def test_dry_run_can_keep_the_bundle(bench):
    words = dry_run(bench, "--bundle", "kept.cpio").split(" ")
    assert after(words, "-initrd") == "kept.cpio"
    assert bench.mezzo("ls", "kept.cpio").status == 0


def test_board_flags(bench):
    words = dry_run(bench, "--gic", "2", "--cpu", "cortex-a53", "--smp", "4", "--ram", "3G", "--board", "virt",
                    "--", "-s", "-S").split(" ")
    assert after(words, "-M") == "virt,virtualization=on,gic-version=2"
    assert (after(words, "-cpu"), after(words, "-smp"), after(words, "-m")) == ("cortex-a53", "4", "3072M")
    assert words[-2:] == ["-s", "-S"]


def test_board_fits_the_system(bench):
    words = dry_run(bench, conf=TWO).split(" ")
    assert after(words, "-smp") == "3" and int(after(words, "-m")[:-1]) >= 64 + 1024 + 128
    words = dry_run(bench, conf="vm a { kernel = Image pin = 5 gic = 2 }").split(" ")
    assert after(words, "-smp") == "6" and after(words, "-M").endswith("gic-version=2")


@pytest.mark.parametrize("conf, smp", [
    ("vm a { kernel = Image cpus = 4 }", 4),
    ("vm a { kernel = Image cpus = 5 }", 4),
    ("vm a { kernel = Image cpus = 8 } vm b { kernel = Image cpus = 8 }", 4),
    ("vm a { kernel = Image pin = { 0, 1, 6 } }", 7),
    # A core of its own for one, and at least one that is not.
    ("vm a { kernel = Image pin = 3 exclusive = true } vm b { kernel = Image cpus = 2 }", 4),
    ("vm a { kernel = Image cpus = 4 pin = { 0, 1, 2, 3 } exclusive = true } vm b { kernel = Image }", 5),
    ("vm a { kernel = Image cpus = 4 pin = { 0, 1, 2, 3 } exclusive = true }", 4),
    ("vm a { kernel = Image pin = 7 gic = 2 }", 8),
])
def test_cpus_of_the_board(bench, conf, smp):
    words = dry_run(bench, conf=conf.replace(" vm", "\nvm")).split(" ")
    assert after(words, "-smp") == str(smp)


def test_a_gicv2_has_eight_cpus(bench):
    bench.fake_qemu("exit 1")
    bench.write("test.conf", "vm a { kernel = Image pin = 8 gic = 2 }")
    done = bench.mezzo("run", "test.conf", "--dry-run")
    assert done.status == 2 and "pin: there is no core 8; the board has 0 to 7" in done.err, done


def test_words_are_quoted_for_the_shell(bench):
    line = dry_run(bench, "--", "-append", "a b'c", "")
    assert line.endswith(""" -append 'a b'\\''c' ''""")
    assert subprocess.run(["sh", "-c", f"printf '%s|' {line}"], capture_output=True, check=True,
                          ).stdout.decode().endswith("|-append|a b'c||")


def test_el3(bench):
    if shutil.which("qemu-system-aarch64") is None:
        pytest.skip("QEMU is not installed")
    bench.write("test.conf", TWO)
    bench.write("mezzo.img", image(3 * MIB, file_size=MIB))
    done = bench.mezzo("run", "test.conf", "--el3", "--dry-run", "--image", "mezzo.img", "--bundle", "a,b.cpio")
    assert done.status == 0 and done.err == "", done
    words = done.out.split()
    assert after(words, "-M") == "virt,secure=on,virtualization=on,gic-version=3"
    assert after(words, "-dtb") == "a,b.cpio.dtb"
    assert "-kernel" not in words and "-initrd" not in words
    # The bundle lies behind the image's bss: its header says 3 MiB.
    assert "loader,file=mezzo.img,addr=0x40200000,force-raw=on" in words
    assert "loader,file=a,,b.cpio,addr=0x40600000,force-raw=on" in words
    assert [word for word in words if "cpu-num" in word] == [
        f"loader,addr=0x40200000,cpu-num={n}" for n in range(3)]
    tree = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", bench.path / "a,b.cpio.dtb"], check=True,
                          capture_output=True).stdout.decode()
    size = (bench.path / "a,b.cpio").stat().st_size
    assert "linux,initrd-start = <0x00 0x40600000>" in tree
    assert f"linux,initrd-end = <0x00 0x{0x40600000 + size:x}>" in tree
    assert len(re.findall(r"\tcpu@\d", tree)) == 3 and "secure-status" in tree


def test_el3_board_that_qemu_refuses(bench):
    if shutil.which("qemu-system-aarch64") is None:
        pytest.skip("QEMU is not installed")
    bench.write("test.conf", ONE)
    bench.write("mezzo.img", image(MIB))
    done = bench.mezzo("run", "test.conf", "--el3", "--image", "mezzo.img", "--cpu", "z80")
    assert done.status == 1 and "QEMU refused the board: " in done.err and "z80" in done.err, done
    assert os.listdir(bench.path / "tmp") == []


def test_vm_without_a_file(bench):
    bench.fake_qemu("exit 1")
    done = bench.mezzo("run", "-k", "Image", "-i", "initrd", "-c", "2", "-m", "64M", "-p", "a=b c", "-n", "me",
                       "--bundle", "b.cpio", "--dry-run")
    assert done.status == 0, done
    vms = json.loads(bench.mezzo("ls", "b.cpio", "--json").out)["vms"]
    assert vms == [{"name": "me", "cpus": 2, "memory": 64 * MIB, "kernel": "Image", "initrd": "initrd",
                    "cmdline": "a=b c", "autostart": True}]


@pytest.mark.parametrize("words, message", [
    ([], "give a FILE.conf, or a kernel with -k"),
    (["a.conf", "b.conf"], "one FILE.conf at a time, not `b.conf` too"),
    (["test.conf", "-k", "Image"], "a VM comes from `test.conf` or from options, not both"),
    (["--memry", "1G"], "unknown option --memry; did you mean `--memory`?"),
    (["-z"], "unknown option -z"),
    (["-k"], "-k needs a value"),
    (["--timeout"], "--timeout needs a value"),
    (["--el3=yes", "test.conf"], "--el3 takes no value"),
    (["-k", "Image", "--gic", "4"], "--gic: `4` is not a number from 2 to 3"),
    (["-k", "Image", "--smp", "0"], "--smp: `0` is not a number from 1 to"),
    (["-k", "Image", "--ram", "1X"], "--ram: `1X` is not a size"),
    (["-k", "Image", "--timeout", "soon"], "--timeout: `soon` is not a number"),
    (["-k", "Image", "--board", "sbsa-ref"], "board `sbsa-ref` is not supported by this version"),
    (["-k", "Image", "--disk", "gone"], "--disk: `gone` cannot be used: No such file or directory; check"),
    (["-k", "Image", "--disk", "/dev/null"], "--disk: `/dev/null` cannot be used: it is neither a file"),
    (["-k", "Image", "-m", "12Q"], "mezzo run: --memory: memory: `12Q` is not a size"),
    (["-k", "Image", "-c", "9"], "mezzo run: --cpus: cpus: `9` is out of range; give 1 to 8"),
    (["-k", "Image", "-n", "mezzo"], "no VM may be called `mezzo`"),
    (["-k", "gone"], "mezzo run: --kernel: kernel `gone` cannot be read"),
    (["-i", "initrd"], "mezzo run: VM `guest` has no kernel"),
    (["-k", "Image", "-m", "2G", "--ram", "1G"], "memory not available: the VMs ask for 2G"),
    (["gone.conf"], "gone.conf: cannot read the file: No such file"),
    (["-k", "Image", "--image", "gone.img"], "cannot read `gone.img`; build it with `make`"),
    (["-k", "Image", "--image", "initrd"], "`initrd` is not mezzo.img: it has no arm64 Image header"),
])
def test_bad_usage(bench, words, message):
    bench.fake_qemu("exit 0")
    bench.write("test.conf", ONE)
    done = bench.mezzo("run", *words)
    assert done.status == 2 and done.out == "" and message in done.err, done
    assert not (bench.path / "arguments").exists()


def test_no_qemu(bench):
    bench.write("mezzo.img", image(MIB))
    done = bench.mezzo("run", "-k", "Image", "--image", "mezzo.img", PATH="/nowhere")
    assert done.status == 1
    assert "qemu-system-aarch64 cannot be started: No such file or directory; it comes with" in done.err


# --- the contract without a terminal ---------------------------------------------------------------

END = "[mezzo] end: 1 off, 0 crashed"
CRASH = "[mezzo] end: 0 off, 1 crashed"


def says(text):
    """A script that prints exactly this."""
    octal = "".join(f"\\{byte:03o}" for byte in text.encode())
    return f"printf '{octal}'"


@pytest.mark.parametrize("text, status", [
    (f"[mezzo] hello\r\n[a] boot\r\n{END}\r\n", 0),
    (f"{END}\n", 0),
    (f"{END}", 0),  # the board was off before the line's end had left the UART
    (f"{END}\r\n\r\n", 0),
    ("[mezzo] end: 2 off, 1 crashed\r\n", 1),
    (f"{CRASH}\r\n", 1),
    ("", 1),
    ("[a] hello\r\n", 1),
    # Not the last word.
    (f"{END}\r\n[a] I live\r\n", 1),
    (f"{END}\r\n{CRASH}\r\n", 1),
    # A guest cannot say it: its lines carry its name, whatever it prints.
    (f"[a] {END}\r\n", 1),
    (f"[a] \r{END}\r\n", 1),
    (f"[a] x\r{END}\r", 1),
    (f"[a] \x1b[2K\x1b[1G{END}\r\n", 1),
    (f"[a] \x0b{END}\r\n", 1),
    (f"[a] \x85{END}\r\n", 1),
    (f"[a] \u2028{END}\r\n", 1),
    (f"[a] {'x' * 5000}{END}\r\n", 1),
    (f"[a] {'x' * 1018}{END}\r\n", 1),
    (f"[a] \b\b\b\b{END}\r\n", 1),
    # Almost it.
    (f"{END} \r\n", 1),
    (f" {END}\r\n", 1),
    (f"{END}\0\r\n", 1),
    (f"\x1b{END}\r\n", 1),
    ("[mezzo] end: +1 off, 0 crashed\r\n", 1),
    ("[mezzo] end: -1 off, 0 crashed\r\n", 1),
    ("[mezzo] end:  1 off, 0 crashed\r\n", 1),
    ("[mezzo] end: 1 off, 00 crashed\r\n", 1),
    ("[mezzo] end: 1 off, 4294967296 crashed\r\n", 1),
    ("[mezzo] end: 1 off, 0 crashed!\r\n", 1),
    ("[mezzo] end: 1 off\r\n", 1),
    # Mezzo died, whatever comes behind.
    (f"[mezzo] panic: stack\r\n{END}\r\n", 1),
], ids=lambda value: repr(value)[:60])
def test_last_word(run, text, status):
    assert run(says(text)).status == status


def test_output_passes(run):
    done = run(says(f"[a] one\r\n[a] two\t2 \u00e4\r\n{END}\r\n"))
    assert done.out == f"[a] one\n[a] two\t2 \u00e4\n{END}\n"


def test_control_characters_are_shown(run):
    done = run(says(f"[a] x\x1b[2Jy\rz\x07\x7f\r\r\n{END}\r\n"))
    assert done.out == f"[a] x\\x1b[2Jy\\x0dz\\x07\\x7f\n{END}\n"


def test_many_carriage_returns(run):
    done = run(f"{says('[a] ' + chr(13) * 3000 + 'x' + chr(10))}; {says(END + chr(10))}")
    assert done.status == 0 and done.out.startswith("[a] " + "\\x0d" * 3000 + "x\n"), done.out[:100]


def test_much_output(run):
    done = run(f"seq -f '[a] %.0f' 1 100000; {says(END)}")
    assert done.status == 0
    assert done.out == "".join(f"[a] {n}\n" for n in range(1, 100001)) + END


def test_the_description_says_how_to_end(run, bench):
    done = run(says(END), "--bundle", "b", conf="on_all_off = shell\n" + ONE)
    assert done.status == 0
    tree = bench.path / "b"
    # The first member, as text: strings of a tree stand in it as they are.
    text = tree.read_bytes()[:8192]
    assert b"poweroff\0" in text and b"all\0" in text and b"shell\0" not in text


def test_a_socket_leaves_the_end_to_the_description(bench):
    dry_run(bench, "--bundle", "b", "--socket", "s", conf="on_all_off = shell\n" + ONE)
    text = bench.path.joinpath("b").read_bytes()[:8192]
    assert b"poweroff\0" not in text and b"all\0" in text and b"shell\0" in text


def test_the_command_is_printed(run, bench):
    done = run(says(END), "--cpu", "cortex-a72")
    assert done.err.startswith("qemu-system-aarch64 -M virt,virtualization=on,gic-version=3 -cpu cortex-a72 ")
    assert arguments(bench)[:2] == ["-M", "virt,virtualization=on,gic-version=3"]


def test_nothing_is_left_behind(run, bench):
    run("test -s \"$(grep -A1 -e -initrd arguments | tail -n 1)\" && " + says(END))
    assert os.listdir(bench.path / "tmp") == []
    assert run("test -s \"$(grep -A1 -e -initrd arguments | tail -n 1)\" && " + says(END)).status == 0


def test_input_reaches_the_guest(run):
    done = run(f"head -c 6 | sed 's/^/[a] /'; {says(END)}", stdin=b"hello\n")
    assert done.status == 0 and done.out.startswith("[a] hello\n")


def test_qemu_that_fails(run):
    done = run("echo 'qemu: no' >&2; exit 3")
    assert done.status == 1 and "qemu: no" in done.err
    assert "QEMU ended (status 3) without Mezzo's last word" in done.err


def test_qemu_that_is_killed(run):
    done = run("kill -9 $$")
    assert done.status == 1 and "signal 9 ended QEMU before Mezzo's last word" in done.err


def gone(bench):
    """Whether the stand-in has ended; it leaves its process id."""
    pid = int((bench.path / "pid").read_text())
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def test_timeout(run, bench):
    start = time.monotonic()
    done = run(f"echo $$ > pid; {says('[a] alive' + chr(10))}; exec sleep 60", "--timeout", "1")
    assert done.status == 124 and done.out == "[a] alive\n" and "--timeout" in done.err, done
    assert 0.9 < time.monotonic() - start < 60 and gone(bench)


def test_timeout_of_what_does_not_listen(run, bench):
    done = run("echo $$ > pid; trap '' TERM INT; while :; do sleep 0.1; done", "--timeout", "1")
    assert done.status == 124 and gone(bench)


def test_timeout_in_spite_of_output(run, bench):
    done = run("echo $$ > pid; while :; do echo '[a] again and again and again'; done", "--timeout", "1")
    assert done.status == 124 and gone(bench)


def test_board_that_does_not_switch_off(run, bench):
    done = run(f"echo $$ > pid; {says(END + chr(10))}; exec sleep 60", "--timeout", "30")
    assert done.status == 0 and "QEMU did not switch off; ended it" in done.err and gone(bench)


@pytest.mark.parametrize("word", ["panic: no", "stopped: reset the board to try again"])
def test_last_words_end_the_run(run, bench, word):
    done = run(f"echo $$ > pid; {says('[mezzo] ' + word + chr(10))}; exec sleep 60", "--timeout", "30")
    assert done.status == 1 and "Mezzo cannot go on; its last lines say why" in done.err and gone(bench)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals(bench, number):
    bench.fake_qemu("echo $$ > pid; echo started; exec sleep 60")
    bench.write("test.conf", ONE)
    process = subprocess.Popen([MEZZO, "run", "test.conf"], cwd=bench.path, env=bench.environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout.readline() == b"started\n"
    process.send_signal(number)
    assert process.wait(timeout=10) == 128 + number
    process.stdout.close()
    assert gone(bench) and os.listdir(bench.path / "tmp") == []


def test_qemu_dies_with_the_command(bench):
    bench.fake_qemu("echo $$ > pid; echo started; exec sleep 60")
    bench.write("test.conf", ONE)
    process = subprocess.Popen([MEZZO, "run", "test.conf"], cwd=bench.path, env=bench.environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout.readline() == b"started\n"
    process.kill()
    process.wait()
    process.stdout.close()
    assert gone(bench)


def test_nobody_reads(bench):
    bench.fake_qemu("echo $$ > pid; while :; do echo '[a] hello'; sleep 0.01; done")
    bench.write("test.conf", ONE)
    process = subprocess.Popen([MEZZO, "run", "test.conf"], cwd=bench.path, env=bench.environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=10) == 1 and gone(bench)


# --- with a terminal -------------------------------------------------------------------------------


class Terminal:
    """The command on a terminal of its own."""

    def __init__(self, bench, *words):
        pexpect = pytest.importorskip("pexpect")
        self.child = pexpect.spawn(str(MEZZO), ["run", *words], cwd=str(bench.path), env=bench.environment,
                                   timeout=20, dimensions=(40, 200))

    def end(self):
        import pexpect
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self.child.exitstatus


# Tells each byte that reaches QEMU.
KEYS = r"""exec python3 -c 'import os
while True:
    os.write(1, b"<%02x>" % ord(os.read(0, 1)))'"""


def test_keys_pass_raw(bench):
    bench.fake_qemu(f"echo $$ > pid; printf ready; {KEYS}")
    bench.write("test.conf", ONE)
    terminal = Terminal(bench, "test.conf")
    terminal.child.expect("Ctrl-] q leaves")
    terminal.child.expect("ready")
    # Ctrl-C, Ctrl-Z, Ctrl-A, Ctrl-\, Enter and Mezzo's own escape.
    terminal.child.send("\x03\x1a\x01\x1c\rx\x1d1\x1d]\x1d?")
    terminal.child.expect_exact("".join(f"<{byte}>" for byte in "03 1a 01 1c 0d 78 1d 31 1d 5d 1d 3f".split()))
    terminal.child.send("q\x1dq")
    assert terminal.end() == 0 and gone(bench)
    assert os.listdir(bench.path / "tmp") == []


def test_leaving_works_when_nobody_takes_keys(bench):
    bench.fake_qemu("echo $$ > pid; printf ready; exec sleep 60")
    bench.write("test.conf", ONE)
    terminal = Terminal(bench, "test.conf")
    terminal.child.expect("ready")
    for _ in range(100):
        terminal.child.send("x" * 1000)
    terminal.child.send("\x1dq")
    assert terminal.end() == 0 and gone(bench)


def test_escape_twice_is_not_leaving(bench):
    bench.fake_qemu(f"printf ready; {KEYS}")
    bench.write("test.conf", ONE)
    terminal = Terminal(bench, "test.conf")
    terminal.child.expect("ready")
    terminal.child.send("\x1d\x1dqz")
    terminal.child.expect("<1d><1d><71><7a>")
    terminal.child.send("\x1dq")
    assert terminal.end() == 0


@pytest.mark.parametrize("ending", ["quit", "signal", "timeout", "qemu"])
def test_the_terminal_is_restored(bench, ending):
    """stty says the same before and after, however the run ends."""
    bench.fake_qemu("echo $PPID > parent; printf ready; exec sleep 60" if ending != "qemu" else "exit 0")
    bench.write("test.conf", ONE)
    pexpect = pytest.importorskip("pexpect")
    flags = "--timeout 1" if ending == "timeout" else ""
    script = f"stty -g > before; {MEZZO} run test.conf {flags}; echo status $?; stty -g > after"
    child = pexpect.spawn("/bin/sh", ["-c", script], cwd=str(bench.path), env=bench.environment, timeout=20)
    if ending != "qemu":
        child.expect("ready")
    if ending == "quit":
        child.send("\x1dq")
    if ending == "signal":
        os.kill(int((bench.path / "parent").read_text()), signal.SIGTERM)
    child.expect("status %d" % {"quit": 0, "signal": 143, "timeout": 124, "qemu": 0}[ending])
    child.expect(pexpect.EOF)
    assert (bench.path / "before").read_text() == (bench.path / "after").read_text() != ""


@pytest.mark.parametrize("conf, view", [
    (ONE, b"a\0"), (TWO, b"all\0"), ("vm x1 { kernel = Image autostart = false }", b"shell\0"),
    (TWO + "vm c { kernel = Image autostart = no }", b"all\0"),
    ("vm x1 { kernel = Image }\nvm x2 { kernel = Image autostart = no }", b"x1\0")])
def test_where_the_console_starts(bench, conf, view):
    bench.fake_qemu("exit 0")
    bench.write("test.conf", conf)
    assert Terminal(bench, "test.conf", "--bundle", "b").end() == 0
    tree = bench.path / "tree"
    with open(bench.path / "b", "rb") as archive:
        subprocess.run(["cpio", "-i", "--quiet", "--to-stdout", "mezzo.dtb"], stdin=archive, check=True,
                       stdout=open(tree, "wb"))
    found = subprocess.run(["fdtget", tree, "/mezzo", "console", "/mezzo", "on-all-off"], check=True, capture_output=True)
    assert found.stdout.split() == [view[:-1], b"shell"]


def test_raw_output_passes_unchanged(bench):
    bench.fake_qemu(says("\x1b[1mbold\x1b[0m\rover\r\n"))
    bench.write("test.conf", ONE)
    terminal = Terminal(bench, "test.conf")
    terminal.child.expect_exact("\x1b[1mbold\x1b[0m\rover\r")
    assert terminal.end() == 0


# --- frames, with a terminal -----------------------------------------------------------------------


def framed(bench, conf, *names):
    """On a terminal, with a Mezzo in the place of QEMU that speaks frames."""
    bench.fake_qemu(f"exec python3 {ROOT}/test/host/fake_mezzo.py {' '.join(names)} 2> fake.err")
    bench.write("test.conf", conf)
    return Terminal(bench, "test.conf")


def test_one_vm_is_seen_raw(bench):
    terminal = framed(bench, ONE, "a")
    terminal.child.expect_exact("[mezzo] Mezzo fake-1 at EL2")  # before any frame
    terminal.child.expect_exact("[mezzo] board: none")
    terminal.child.expect_exact("a is here\r\nand well")  # not twice, although the channel begins with it
    assert b"[a]" not in terminal.child.before
    terminal.child.send("x\x03")
    terminal.child.expect_exact("<x\x03>")
    terminal.child.send("\x1da")
    terminal.child.send("\x1d0")
    terminal.child.expect_exact("mezzo> ")
    terminal.child.send("\x1d1off")
    terminal.child.expect_exact("[mezzo] end: 1 off, 0 crashed")
    assert terminal.end() == 0
    assert b"end: " not in terminal.child.before  # once is enough
    assert (bench.path / "fake.err").read_text() == ""


def test_several_vms_are_seen_as_lines(bench):
    terminal = framed(bench, TWO, "a", "b")
    # What was said before the greeting is not told again; what is new is.
    terminal.child.expect_exact("[mezzo] Mezzo fake-1")
    terminal.child.expect_exact("[a] a is here")
    terminal.child.expect_exact("[b] b is here")
    terminal.child.expect_exact("[b] and well")
    assert b"is here" not in terminal.child.before
    assert b"fake-1" not in terminal.child.before
    terminal.child.send("\x1d2x")
    terminal.child.expect_exact("<x>")
    terminal.child.send("\x1dq")
    assert terminal.end() == 0


def test_an_image_that_knows_no_frames(bench):
    terminal = framed(bench, ONE, "a", "deaf")
    terminal.child.expect_exact("[mezzo] board: none")
    terminal.child.expect_exact("nobody answers in frames: this is a plain terminal")
    terminal.child.send("off")
    assert terminal.end() == 0


# --- the UART as a socket --------------------------------------------------------------------------


def test_socket_in_the_command(bench):
    words = dry_run(bench, "--socket", "a,b.sock").split(" ")
    assert after(words, "-serial") == "unix:a,,b.sock,server=on,wait=off"


@pytest.mark.parametrize("words, message", [
    (["--socket", "Image"], "--socket: `Image` is there and is no socket"),
    (["--socket", "x" * 108], "--socket: a path of at most 107 bytes"),
])
def test_socket_that_cannot_be(bench, words, message):
    bench.fake_qemu("exit 0")
    bench.write("test.conf", ONE)
    done = bench.mezzo("run", "test.conf", *words)
    assert done.status == 2 and message in done.err and (bench.path / "Image").exists(), done


@pytest.mark.parametrize("script, flags, status", [
    ("exit 0", [], 0), ("exit 3", [], 1), ("exec sleep 60", ["--timeout", "1"], 124),
    # Its output is no wire.
    ("echo '[mezzo] panic: not so'; exit 0", [], 0)])
def test_socket_status(run, script, flags, status):
    done = run(script, "--socket", "board.sock", *flags)
    assert done.status == status and "`mezzo console board.sock` attaches" in done.err, done


def test_console_on_the_socket_of_a_run(bench):
    bench.fake_qemu(f"""exec python3 -c 'import sys, time
sys.path.insert(0, "{ROOT}/test/host")
import fake_mezzo
one = fake_mezzo.Fake(path="board.sock", channels=fake_mezzo.board(), commands={{"vm": "[]"}})
one.until(lambda: one.byes == 1, 20)
sys.exit(len(one.faults))'""")
    bench.write("test.conf", ONE)
    process = subprocess.Popen([MEZZO, "run", "test.conf", "--socket", "board.sock"], cwd=bench.path,
                               env=bench.environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (bench.path / "board.sock").exists():
        time.sleep(0.01)
    time.sleep(0.1)
    done = bench.mezzo("console", "board.sock", "--command", "vm")
    assert (done.status, done.out) == (0, "[]\n"), done
    assert process.wait(timeout=20) == 0
    assert not (bench.path / "board.sock").exists()


# --- Raspberry Pis ------------------------------------------------------------------------------------

PIS = {"raspi3b": "bcm2837-rpi-3-b.dtb", "raspi4b": "bcm2711-rpi-4-b.dtb"}


@pytest.fixture
def tree(bench):
    """A device tree, though of nothing."""
    bench.write("none.dts", "/dts-v1/; / { };")
    subprocess.run(["dtc", "-o", bench.path / "pi.dtb", bench.path / "none.dts"], check=True,
                   stderr=subprocess.DEVNULL)
    return "pi.dtb"


@pytest.mark.parametrize("board", PIS)
@pytest.mark.parametrize("by_option", [True, False])
def test_pi(bench, tree, board, by_option):
    """The mini UART is the second -serial; nothing that the board fixes is said."""
    flags = ("--board", board) if by_option else ()
    conf = ONE if by_option else f"board = {board}\n{ONE}"
    words = dry_run(bench, *flags, "--board-dtb", tree, conf=conf).split(" ")
    assert words[:3] == ["qemu-system-aarch64", "-M", board]
    assert not {"-cpu", "-smp", "-m"} & set(words)
    at = words.index("-serial")
    assert words[at:at + 4] == ["-serial", "null", "-serial", "stdio"]
    assert after(words, "-dtb") == tree and after(words, "-initrd") == "bundle.cpio"
    assert after(words, "-kernel") == str(bench.path / "mezzo.img")


def test_pi_socket(bench, tree):
    words = dry_run(bench, "--board", "raspi3b", "--board-dtb", tree, "--socket", "board.sock").split(" ")
    at = words.index("-serial")
    assert words[at:at + 4] == ["-serial", "null", "-serial", "unix:board.sock,server=on,wait=off"]


@pytest.mark.parametrize("option,value", [("--cpu", "max"), ("--smp", "2"), ("--ram", "2G"), ("--gic", "3")])
def test_pi_is_as_it_is(bench, tree, option, value):
    bench.write("test.conf", ONE)
    done = bench.mezzo("run", "test.conf", "--board", "raspi3b", "--board-dtb", tree, option, value)
    assert done.status == 2 and f"{option}: the board `raspi3b` is as it is; drop the option" in done.err


def test_pi_tree(bench):
    """Which tree cannot be used, and what to do."""
    bench.write("test.conf", ONE)
    bench.write("text", "no tree")
    start = ("run", "test.conf", "--dry-run")
    for name, why in (("text", "it is not a device tree"), ("gone", "No such file or directory")):
        done = bench.mezzo(*start, "--board", "raspi3b", "--board-dtb", name)
        assert done.status == 2 and f"`{name}` cannot be used: {why}" in done.err
    done = bench.mezzo(*start, "--board-dtb", "text")
    assert done.status == 2 and "QEMU makes the tree of board `virt`" in done.err


@pytest.mark.parametrize("vm,why", [
    ("memory = 1G", "the board has 960M; lower `memory` or take a bigger board"),
    ("pin = { 4 }", "there is no core 4; the board has 0 to 3; take a bigger board"),
    ("gic = 3", "asks for version 3, and the board has no GIC to stand for it"),
])
def test_pi_limits(bench, tree, vm, why):
    """Nothing that a Raspberry Pi 3 does not have, told by `run` and by `check`."""
    bench.write("test.conf", f"board = raspi3b\nvm a {{\n kernel = Image\n {vm}\n}}\n")
    for words in (("run", "test.conf", "--board-dtb", tree, "--dry-run"), ("check", "test.conf")):
        done = bench.mezzo(*words)
        assert done.status == 2 and why in done.err, done
