# SPDX-License-Identifier: Apache-2.0
"""`mezzo console` against a Mezzo that is not there (fake_mezzo.py)."""

import json
import os
import pty
import random
import re
import signal
import struct
import subprocess
import time
import tty

import fake_mezzo
import pytest
from conftest import MEZZO
from fake_mezzo import DATA, LOST, OFF, THERE, VM, Channel, Fake, board


# --- usage ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words, message", [
    ([], "give a serial device or a socket"),
    (["a", "b"], "one serial device or socket at a time"),
    (["a", "--plain", "--pty", "x"], "--pty and --command need frames"),
    (["a", "--command", "vm", "--log", "d"], "--command leaves when it is answered"),
    (["a", "--baud", "7"], "--baud: `7` is not a number from 9600"),
    (["a", "--pity", "x"], "did you mean `--pty`?"),
])
def test_bad_usage(bench, words, message):
    done = bench.mezzo("console", *words)
    assert done.status == 2 and done.out == "" and message in done.err, done


@pytest.mark.parametrize("path, message", [
    ("gone", "cannot open `gone`: No such file or directory"),
    ("Image", "it is neither a serial device nor a socket"),
    (".", "it is neither a serial device nor a socket"),
    ("/dev/null", "it is no serial device"),
    ("s" * 120, "cannot open"),
])
def test_no_wire(bench, path, message):
    done = bench.mezzo("console", path)
    assert done.status == 1 and done.out == "" and message in done.err, done
    assert len(done.err.splitlines()) == 1


def test_nobody_listens(bench):
    import socket
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(bench.path / "board"))
    done = bench.mezzo("console", "board")
    assert done.status == 1 and "nobody listens there" in done.err


def test_odd_speed(bench):
    master, slave = pty.openpty()
    done = bench.mezzo("console", os.ttyname(slave), "--baud", "100000")
    assert done.status == 1 and "100000 baud is no usual speed" in done.err
    os.close(master)
    os.close(slave)


# --- lines ------------------------------------------------------------------------------------------


def test_lines_of_all(fake, lines):
    one, run = fake(), lines()
    run.wait_for("[linux] old line\n")
    run.wait_for("[mezzo] Mezzo fake-1 at EL2\n")
    one.say(300, "tick\r\n")
    run.wait_for("[rtos] tick\n")
    status, out, err = run.end()
    assert status == 128 + signal.SIGTERM and b"\r" not in out
    assert "attached to Mezzo fake-1" in err
    one.until(lambda: one.byes == 1)
    assert [channel.opened for channel in one.channels.values()] == [[1]] * 4


def test_a_prompt_is_shown_after_a_while(fake, lines):
    one, run = fake(), lines()
    run.wait_for("[linux] old line\n")
    one.say(9, "login: ")
    run.wait_for("[linux] login: ")
    one.say(9, "root")
    run.wait_for("[linux] login: root")
    one.say(300, "tick\n")
    run.wait_for("[linux] login: root\n[rtos] tick\n")
    one.say(9, "!\n")
    run.wait_for("[rtos] tick\n[linux] !\n")


@pytest.mark.parametrize("said, seen", [
    (b"a\x1b[2Jb\n", "[linux] ab\n"),
    (b"a\x1b]0;title\x07b\n", "[linux] ab\n"),
    (b"a\x07b\x7f\n", "[linux] a^Gb^?\n"),
    (b"one\r[mezzo] end: 1 off, 0 crashed\r\n", "[linux] one\n[linux] [mezzo] end: 1 off, 0 crashed\n"),
    (b"\xc3\xa4\xff\xe2\x80\xa8\n", "[linux] \u00e4??\n"),
    (b"\xc0\xc1\x11\x13\n", "[linux] ??^Q^S\n"),
    (b"x" * 450 + b"\n", f"[linux] {'x' * 200}\n[linux] {'x' * 200}\n[linux] {'x' * 50}\n"),
])
def test_guests_cannot_draw(fake, lines, said, seen):
    one, run = fake(), lines()
    run.wait_for("old line")
    one.say(9, said + b"after\n")
    run.wait_for(f"{seen}[linux] after\n")


def test_bytes_of_any_value_pass(fake, bench, lines):
    """Stuffing is right in both directions: a console's log is byte for byte what was said."""
    one = fake()
    run = lines("--log", "logs", stdin=subprocess.PIPE)
    run.wait_for("old line")
    data = bytes(range(256)) * 40
    one.say(300, data)
    for at in range(0, len(data), 16):
        os.write(run.process.stdin.fileno(), data[at:at + 16])
    one.until(lambda: one.channels[9].typed == data)
    end = time.monotonic() + 60
    while (bench.path / "logs/rtos.log").read_bytes() != data:
        assert time.monotonic() < end
        time.sleep(0.01)
    run.process.stdin.close()
    run.end()


# --- credit -----------------------------------------------------------------------------------------


def test_typed_bytes_wait_for_credit(fake, lines):
    one = fake(window=5)
    one.stingy = True
    run = lines(stdin=subprocess.PIPE)
    run.wait_for("old line")
    run.process.stdin.write(b"0123456789" * 300)
    run.process.stdin.flush()
    one.until(lambda: one.channels[9].typed == b"01234")
    time.sleep(0.3)
    assert one.channels[9].typed == b"01234"

    def allow():
        one.channels[9].allowed = 3000
        one.send(fake_mezzo.CREDIT, 9, struct.pack("<I", 3000))
    one.do(allow)
    one.until(lambda: one.channels[9].typed == b"0123456789" * 300)
    run.process.stdin.close()


def test_much_output_is_allowed_bit_by_bit(fake, lines):
    one, run = fake(), lines()
    run.wait_for("old line")
    text = "".join(f"line {n}\n" for n in range(30000))
    one.say(9, text)
    run.wait_for("[linux] line 29999\n", seconds=30)
    _, out, _ = run.end()
    assert [line for line in out.decode().splitlines() if "line" in line and "old" not in line] == [
        f"[linux] line {n}" for n in range(30000)]


def test_a_reader_that_stops_holds_the_guest(fake, bench):
    """Nobody takes the output: Mezzo is not allowed more than a bounded amount."""
    one = fake()
    process = subprocess.Popen([MEZZO, "console", "board"], cwd=bench.path, env=bench.environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    one.until(lambda: one.channels[9].open)
    one.say(9, b"x" * 99 + b"\n" + b"0123456789\n" * 200000)
    time.sleep(1)
    assert 0 < one.do(lambda: one.channels[9].sent) < 400000
    process.kill()
    process.communicate()


def test_lost_bytes_are_named(fake, bench, lines):
    one, run = fake(), lines("--log", "logs")
    run.wait_for("old line")

    def lose():
        one.send(LOST, 9, struct.pack("<Q", 1234))
        one.send(LOST, 9, struct.pack("<Q", 1300))
        one.send(DATA, 9, struct.pack("<I", one.channels[9].sent + 17) + b"behind\n")
        one.send(DATA, 9, struct.pack("<I", one.channels[9].sent + 20) + b"ind\nagain\n")  # 4 bytes twice
    one.do(lose)
    run.wait_for("[linux] behind\n[linux] again\n")
    run.wait_for("linux: 1234 bytes of older output are gone", run.err)
    run.wait_for("linux: 66 bytes of older output are gone", run.err)
    run.wait_for("linux: 17 bytes were lost on the wire", run.err)
    assert b"<17 bytes were lost on the wire>\nbehind\n" in (bench.path / "logs/linux.log").read_bytes()


# --- a bad line -------------------------------------------------------------------------------------


def frame(one, *arguments):
    data = fake_mezzo.pack(*arguments[:2], one.sequence, *arguments[2:])
    one.sequence += 1
    return data


@pytest.mark.parametrize("noise", [
    b"\xc0", b"\xc0\x01\x09", b"\xc0\xc1\xff", b"\xc0" * 50, b"\xc0\x01\x09\x00\x00\x00\x00\xff\xff",
    b"\xc0\x02\x09\x00\x00\x00\x00\x00\x00", bytes(range(256)) * 8 + b"\xc0",
    fake_mezzo.pack(99, 9, 0, b"unknown"), fake_mezzo.pack(DATA, 77, 0, b"nobody"),
    fake_mezzo.pack(DATA, 9, 0, b"") + fake_mezzo.pack(fake_mezzo.CREDIT, 9, 0, b"") +
    fake_mezzo.pack(LOST, 9, 0, b"x") + fake_mezzo.pack(fake_mezzo.ANSWER, 7, 0, b"x") +
    fake_mezzo.pack(fake_mezzo.DIRECTORY, 0, 0, b"\0\1\0") + fake_mezzo.pack(fake_mezzo.ERROR, 0, 0, b""),
    fake_mezzo.pack(DATA, 9, 0, struct.pack("<I", 0xfffffff0) + b"before"),
    fake_mezzo.pack(DATA, 9, 0, struct.pack("<I", 0x7fffffff) + b"far beyond the credit"),
], ids=lambda noise: noise[:12].hex())
def test_noise(fake, lines, noise):
    """Whatever comes, the next frame is read again."""
    one, run = fake(), lines()
    run.wait_for("old line")
    one.do(one.raw, noise)
    one.say(9, "still here\n")
    run.wait_for("[linux] still here\n")
    _, out, _ = run.end()
    assert b"beyond" not in out and b"before" not in out


@pytest.mark.parametrize("seed", range(3))
def test_random_frames(fake, lines, seed):
    """Correct frames with anything in them, from a Mezzo that has lost its mind."""
    one, run = fake(), lines("--pty", "linux", "--log", "logs")
    run.wait_for("old line")
    chance = random.Random(seed)

    def rave():
        for _ in range(4000):
            kind = chance.choice([2, 4, 5, 6, 6, 6, 7, 9, 9, 9, 9, 10, 11, 13, 14, 15])
            channel = chance.choice([0, 7, 9, 300, 12, chance.randrange(20)])
            payload = bytearray(chance.randbytes(chance.choice([0, 1, 4, 8, 9, 20, 300])))
            if kind == DATA and len(payload) > 4 and chance.random() < 0.8:
                payload[1:4] = b"\0\0\0"
            if kind == fake_mezzo.DIRECTORY and len(payload) > 9:
                payload[1:5] = struct.pack("<HBB", chance.randrange(20), chance.randrange(5), chance.randrange(3))
                payload[9] %= len(payload) - 8
            one.raw(frame(one, kind, channel, bytes(payload)))
    one.do(rave)
    one.faults.clear()
    time.sleep(0.5)
    status, _, _ = run.end()
    assert status == 128 + signal.SIGTERM
    one.ending = True
    one.join()
    one.faults.clear()


def test_every_cut_of_a_frame(fake, lines):
    one, run = fake(), lines()
    run.wait_for("old line")

    def cut():
        for at in range(1, 30):
            one.raw(frame(one, DATA, 9, struct.pack("<I", one.channels[9].sent) + b"cut off\n")[:at])
            one.raw(frame(one, DATA, 9, struct.pack("<I", one.channels[9].sent) + f"n{at}\n".encode()))
            one.channels[9].sent += len(f"n{at}\n")
    one.do(cut)
    run.wait_for("".join(f"[linux] n{at}\n" for at in range(1, 20)))


def test_a_frame_that_stops_half_way_does_not_hide_a_panic(fake, lines):
    one, run = fake(), lines()
    run.wait_for("old line")
    one.do(one.raw, frame(one, DATA, 9, b"\0\0\0\0cut off\n")[:15])
    time.sleep(0.8)
    one.do(one.raw, b"\r\n[mezzo] panic: no more\r\nx0 = 1\r\n")
    run.wait_for("[mezzo] panic: no more\nx0 = 1\n")


@pytest.mark.parametrize("cut", [None, 1, 9, 15])
def test_the_other_end_goes_away(fake, lines, cut):
    one, run = fake(), lines()
    run.wait_for("old line")
    if cut is not None:
        one.do(one.raw, frame(one, DATA, 9, b"\0\0\0\0cut off\n")[:cut])
    one.end()
    status, _, err = run.end(None)
    assert status == 1 and "the other end of `board` is gone" in err


# --- plain ------------------------------------------------------------------------------------------


def test_nobody_answers(fake, lines):
    one = fake(deaf=True, text=b"U-Boot> \x1b[1m\n")
    run = lines(stdin=subprocess.PIPE)
    run.wait_for("U-Boot> \\x1b[1m\n")
    run.wait_for("nobody answers in frames: this is a plain terminal", run.err)
    assert one.hellos >= 5
    run.process.stdin.write(b"boot\n")
    run.process.stdin.flush()
    one.until(lambda: one.plain_input == b"boot\n")
    # Then a Mezzo starts there, and is greeted as soon as it speaks.
    one.deaf = False
    one.do(one.raw, b"[mezzo] Mezzo fake-1 at EL2\r\n[mezzo] more\r\n")
    run.wait_for("[linux] old line\n")
    run.process.stdin.close()
    _, out, _ = run.end()
    # What was said before the greeting is not said twice.
    assert out.count(b"[mezzo] Mezzo fake-1 at EL2\n") == 1


def test_plain_by_wish(fake, lines):
    one = fake(text=b"[mezzo] hello\r\n")
    run = lines("--plain")
    run.wait_for("[mezzo] hello\n")
    time.sleep(1)
    run.end()
    assert one.hellos == 0 and one.plain_input == b""


def test_no_common_version(fake, lines):
    one = fake(deaf=True)
    run = lines()
    one.until(lambda: one.hellos > 0)
    one.do(one.send, fake_mezzo.ERROR, 0, b"\x01version 1 is not known here")
    run.wait_for("version 1 is not known here: this is a plain terminal", run.err)


def test_answers_to_others_are_none(fake, lines):
    one = fake(deaf=True)
    run = lines()
    one.until(lambda: one.hellos > 0)
    one.do(one.send, fake_mezzo.WELCOME, 0, struct.pack("<BxxxIQ", 1, 1, 12345))
    run.wait_for("this is a plain terminal", run.err)
    assert "attached" not in run.err.read_text()


def test_old_greetings_are_all_answered_late(fake, lines):
    """A Mezzo that was slow to come answers every HELLO; channels are opened once, after the last."""
    one = fake(deaf=True)
    run = lines()
    nonces = []
    hello = one.hello
    one.hello = lambda payload: nonces.append(payload) or (hello(payload) if not one.deaf else None)
    one.until(lambda: len(nonces) >= 3)

    def answer():
        one.deaf = False
        for payload in list(nonces):
            hello(payload)
    one.do(answer)
    run.wait_for("[linux] old line\n")
    assert run.out.read_text().count("old line") == 1
    one.until(lambda: all(channel.opened for channel in one.channels.values()))
    assert [channel.opened for channel in one.channels.values()] == [[1]] * 4


# --- ups and downs ----------------------------------------------------------------------------------


def test_a_reboot(fake, lines):
    """Mezzo says BYE, speaks plain text, and is greeted again; the past is not told again."""
    one, run = fake(), lines()
    run.wait_for("old line")

    def bye():
        one.send(fake_mezzo.BYE, 0)
        one.framed = False
        one.raw(b"[mezzo] rebooting\r\n")
    one.do(bye)
    run.wait_for("Mezzo has ended the framed mode; greeting it again", run.err)
    run.wait_for("[mezzo] rebooting\n")
    run.wait_for("Mezzo answers again", run.err)
    one.say(9, "new\n")
    run.wait_for("[linux] new\n")
    assert run.out.read_text().count("old line") == 1
    assert one.channels[9].opened == [1, 0]


def test_silence(fake, lines):
    one, run = fake(), lines()
    run.wait_for("old line")
    one.mute = True
    run.wait_for("Mezzo has not answered for 5 s", run.err)
    one.mute = False
    run.wait_for("Mezzo answers again", run.err)
    one.say(9, "new\n")
    run.wait_for("[linux] new\n")


def test_pings(fake, lines):
    one, run = fake(), lines()
    one.until(lambda: one.pings >= 2)
    run.end()


def test_vms_come_and_go(fake, bench, lines):
    one, run = fake(), lines("--log", "logs")
    run.wait_for("old line")

    def change():
        one.channels[400] = Channel(VM, "late/../x", 3, b"born\n")
        entry = struct.pack("<HBBIB", 400, VM, THERE, 3, 9) + b"late/../x"
        one.send(fake_mezzo.DIRECTORY, 0, b"\0" + entry + struct.pack("<HBBIB", 300, VM, 0, 2, 4) + b"rtos")
        del one.channels[300]
    one.do(change)
    run.wait_for("[late/../x] born\n")
    assert (bench.path / "logs/late_.._x.log").read_bytes() == b"born\n"
    run.end()


def test_an_open_that_is_lost_is_sent_again(fake, lines):
    one = fake()
    take = one.take
    lost = []

    def lose(kind, number, sequence, payload):
        if kind == fake_mezzo.OPEN and number == 9 and not lost:
            lost.append(number)
            one.expected = sequence + 1
            return
        take(kind, number, sequence, payload)
    one.take = lose
    lines().wait_for("[linux] old line\n")


# --- commands ---------------------------------------------------------------------------------------


COMMANDS = {
    "vm": '{"vms": [\n  {"name": "linux", "text": "a  b"},\n  {"name": "rtos"}\n]}\n',
    "stop x": '{ "error": "there is no VM `x`" }',
    "big": json.dumps(list(range(20000))),
    "refused": Exception('it is "busy"'),
}


@pytest.mark.parametrize("words, out, status", [
    (["vm"], ['{"vms": [{"name": "linux", "text": "a  b"},{"name": "rtos"}]}'], 0),
    (["stop x"], ['{ "error": "there is no VM `x`" }'], 1),
    (["stop x", "vm"], ['{ "error": "there is no VM `x`" }',
                        '{"vms": [{"name": "linux", "text": "a  b"},{"name": "rtos"}]}'], 1),
    (["big", "big"], [COMMANDS["big"]] * 2, 0),
    (["refused"], ["""{"error": "it is 'busy'"}"""], 1),
])
def test_commands(bench, fake, words, out, status):
    one = fake(commands=COMMANDS, text=b"[mezzo] plain text\r\n")
    done = bench.mezzo("console", "board", *[word for line in words for word in ("--command", line)])
    assert (done.out.splitlines(), done.status) == (out, status), done
    assert [json.loads(line) for line in done.out.splitlines()]
    one.until(lambda: one.byes == 1)
    assert not one.channels[9].open


def test_command_without_frames(bench, fake):
    fake(deaf=True)
    done = bench.mezzo("console", "board", "--command", "vm")
    assert done.status == 1 and done.out == "" and "nobody answers in frames; `vm` has no answer" in done.err


def test_command_without_a_shell(bench, fake):
    fake(channels={})
    done = bench.mezzo("console", "board", "--command", "vm")
    assert done.status == 1 and "this Mezzo offers no shell" in done.err


def test_command_and_the_end(fake, lines):
    """It never answers, and goes away."""
    one, run = fake(), lines("--command", "unknown")
    one.until(lambda: one.channels[7].open)
    time.sleep(0.2)
    one.end()
    status, out, err = run.end(None)
    assert status == 1 and out == b"" and "is gone" in err


# --- pseudo-terminals and files ---------------------------------------------------------------------


def test_pty(fake, lines):
    one, run = fake(), lines("--pty", "linux", "--pty", "rtos", "--pty", "none")
    run.wait_for("no VM is called `none` now", run.err)
    paths = dict(re.findall(r"mezzo: (\w+): (/dev/\S+)", run.err.read_text()))
    fds = {name: os.open(path, os.O_RDWR | os.O_NOCTTY) for name, path in paths.items()}
    assert set(fds) == {"linux", "rtos", "none"}
    os.write(fds["rtos"], b"\x00\x11\xc0hello\r")
    one.until(lambda: one.channels[300].typed == b"\x00\x11\xc0hello\r")
    data = bytes(range(256)) * 300
    one.say(9, data)
    got = b""
    while len(got) < len(data):
        got += os.read(fds["linux"], 1000)
    assert got == data
    # Closed and opened again; what is said between them is heard by nobody, and held up by nobody.
    os.close(fds.pop("linux"))
    time.sleep(0.3)
    one.say(9, "unheard\n" * 20000)
    one.until(lambda: one.channels[9].waiting == b"", 30)
    run.wait_for("unheard")
    time.sleep(0.3)
    again = os.open(paths["linux"], os.O_RDWR | os.O_NOCTTY)
    time.sleep(0.3)
    one.say(9, "heard\n")
    assert os.read(again, 1000) == b"heard\n"
    os.close(again)
    for fd in fds.values():
        os.close(fd)
    run.end()


def test_a_pty_that_is_not_read_stops_its_own_console_alone(fake, lines):
    one, run = fake(), lines("--pty", "linux")
    run.wait_for("old line")
    path = re.search(r"mezzo: linux: (/dev/\S+)", run.err.read_text()).group(1)
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
    time.sleep(0.3)
    one.say(9, b"0123456789" * 50000)
    time.sleep(0.5)
    assert one.do(lambda: len(one.channels[9].waiting)) > 400000
    one.say(300, "tick\n")
    run.wait_for("[rtos] tick\n")
    got = b""
    while len(got) < 500000:
        got += os.read(fd, 10000)
    assert got == b"0123456789" * 50000
    os.close(fd)


def test_log_files(fake, bench, lines):
    one, run = fake(), lines("--log", "logs")
    run.wait_for("old line")
    one.say(300, b"raw \x1b[1m\r\n")
    run.wait_for("[rtos] raw \n")
    run.end()
    files = {file.name: file.read_bytes() for file in (bench.path / "logs").iterdir()}
    assert files == {"linux.log": b"old line\n", "rtos.log": b"raw \x1b[1m\r\n",
                     "mezzo.log": b"Mezzo fake-1 at EL2\n"}


def test_log_directory_that_is_none(fake, bench):
    fake()
    done = bench.mezzo("console", "board", "--log", "Image")
    assert done.status == 1 and "--log Image: it is not a directory" in done.err


# --- on a terminal ----------------------------------------------------------------------------------


@pytest.fixture
def terminal(bench):
    pexpect = pytest.importorskip("pexpect")

    def start(*words, path="board"):
        return pexpect.spawn(str(MEZZO), ["console", path, *words], cwd=str(bench.path), env=bench.environment,
                             timeout=60, dimensions=(40, 200))
    return start


def leave(child):
    import pexpect
    child.send("\x1dq")
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def test_views_and_keys(fake, terminal):
    one, child = fake(), terminal()
    child.expect_exact("attached to Mezzo fake-1")
    child.expect_exact("[linux] old line\r")
    child.send("a")  # goes to the first VM
    one.until(lambda: one.channels[9].typed == b"a")
    child.send("\x1d2")
    child.expect_exact("rtos: attached")
    child.send("\x03\x1a\x1d]x\x1d\x1dy")
    one.until(lambda: one.channels[300].typed == b"\x03\x1a\x1dx\x1dy")
    one.say(300, b"\x1b[1mraw\x1b[0m")
    child.expect_exact("\x1b[1mraw\x1b[0m")
    one.say(12, "a line of its own\n")
    child.expect_exact("\r\n[mezzo] a line of its own\r")
    one.say(9, "missed\n")
    time.sleep(0.2)
    child.send("\x1da")
    child.expect_exact("[linux] missed\r")
    child.send("z")  # goes to the one viewed last
    one.until(lambda: one.channels[300].typed.endswith(b"z"))
    child.send("\x1dn")
    child.expect_exact("linux: attached")
    child.send("\x1dp")
    child.expect_exact("rtos: attached")
    child.send("\x1d9")
    child.expect_exact("there is no such VM")
    child.send("\x1d?")
    child.expect_exact("next/previous VM")
    child.send("\x1d1")
    child.expect_exact("linux: attached")
    child.expect_exact("old line\r")
    child.expect_exact("missed")
    assert leave(child) == 0
    one.until(lambda: one.byes == 1)


def test_shell_view(fake, terminal):
    one, child = fake(), terminal()
    child.expect_exact("old line")
    child.send("\x1d0")
    child.expect_exact("mezzo> ")
    child.send("vm\r")
    one.until(lambda: one.channels[7].typed == b"vm\r")
    one.say(7, "vm\r\nnone\r\nmezzo> re")
    child.expect_exact("none\r\r\nmezzo> re")
    one.say(12, "something happened\n")
    child.expect_exact("[mezzo] something happened\r")
    child.expect_exact("mezzo> re")  # what was typed is there again
    assert leave(child) == 0


def test_a_vm_that_does_not_run(fake, terminal):
    channels = board()
    channels[300].state = OFF
    one = fake(channels=channels)
    child = terminal()
    child.expect_exact("old line")
    child.send("\x1d2")
    child.expect_exact("rtos: attached (it does not run)")
    child.send("x\r")
    one.until(lambda: one.channels[300].typed == b"x\r")  # Mezzo decides
    child.expect_exact("this VM does not run; Ctrl-] 0 leads to Mezzo's shell")
    assert leave(child) == 0


def test_the_vm_in_view_goes(fake, terminal):
    one, child = fake(), terminal()
    child.expect_exact("old line")
    child.send("\x1d2")
    child.expect_exact("rtos: attached")

    def change():
        one.send(fake_mezzo.DIRECTORY, 0, b"\0" + struct.pack("<HBBIB", 300, VM, 0, 2, 4) + b"rtos")
        del one.channels[300]
    one.do(change)
    child.expect_exact("rtos is gone")
    one.say(9, "more\n")
    child.expect_exact("[linux] more")
    assert leave(child) == 0


def test_plain_terminal(fake, terminal):
    one = fake(deaf=True, text=b"\x1b[7mprompt\x1b[0m")
    child = terminal()
    child.expect_exact("\x1b[7mprompt\x1b[0m")
    child.expect_exact("this is a plain terminal")
    child.send("\x1d1\x03")
    one.until(lambda: one.plain_input == b"\x1d1\x03")
    assert leave(child) == 0


@pytest.mark.parametrize("ending", ["quit", "signal", "gone"])
def test_the_terminal_is_restored(bench, fake, ending):
    pexpect = pytest.importorskip("pexpect")
    one = fake()
    script = f"stty -g > before; {MEZZO} console board & echo $! > pid; fg > /dev/null; echo status $?; stty -g > after"
    child = pexpect.spawn("/bin/bash", ["-mc", script], cwd=str(bench.path), env=bench.environment, timeout=60)
    child.expect("old line")
    if ending == "quit":
        child.send("\x1dq")
    if ending == "signal":
        os.kill(int((bench.path / "pid").read_text()), signal.SIGTERM)
    if ending == "gone":
        one.end()
    child.expect("status %d" % {"quit": 0, "signal": 143, "gone": 1}[ending])
    child.expect(pexpect.EOF)
    assert (bench.path / "before").read_text() == (bench.path / "after").read_text() != ""


# --- a serial device --------------------------------------------------------------------------------


def test_serial_device(bench, lines):
    master, slave = pty.openpty()
    tty.setraw(master)
    one = Fake(fd=master, channels=board())
    run = lines(path=os.ttyname(slave))
    run.wait_for("[linux] old line\n")
    run.end()
    one.until(lambda: one.byes == 1)
    assert one.faults == []
    one.ending = True
    one.join()
    os.close(slave)
    os.close(master)
