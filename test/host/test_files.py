# SPDX-License-Identifier: Apache-2.0
"""Files that Mezzo sends, saved by `mezzo console`: against a Mezzo that is not there."""

import json
import signal
import subprocess

import fake_mezzo

PNG = bytes(range(256)) * 300  # the host does not look into it


def sender(why=None, number=400, name="linux.png", data=PNG):
    """`screenshot`, whose answer ends when the file does."""
    def command(one, answer):
        end = f',"error":"linux: {why}"' if why else f',"bytes":{len(data)}'
        one.offer(number, name, data, why, lambda: answer(f'{{"channel":{number},"width":3,"height":2{end}}}'))
    return command


def test_command_saves(fake, bench):
    fake(commands={"screenshot linux": sender(), "vm": "[]"})
    done = bench.mezzo("console", "board", "--command", "screenshot linux", "--command", "vm")
    assert done.status == 0 and done.err == f"mezzo console: saved linux.png, {len(PNG)} bytes\n", done
    answer, vms = done.out.splitlines()
    assert json.loads(answer)["bytes"] == len(PNG) and vms == "[]"
    assert (bench.path / "linux.png").read_bytes() == PNG


def test_never_overwrites(fake, bench):
    for name in ("linux.png", "linux-2.png"):
        bench.write(name, name)
    (bench.path / "linux-3.png").symlink_to("elsewhere")
    fake(commands={"screenshot linux": sender()})
    done = bench.mezzo("console", "board", "--command", "screenshot linux")
    assert done.status == 0 and "saved linux-4.png" in done.err, done
    assert (bench.path / "linux-4.png").read_bytes() == PNG
    assert (bench.path / "linux-2.png").read_text() == "linux-2.png"
    assert not (bench.path / "elsewhere").exists()


def test_not_whole(fake, bench):
    """Mezzo says why; the answer is an error although it does not begin with one."""
    fake(commands={"screenshot linux": sender("its screen was changed")})
    done = bench.mezzo("console", "board", "--command", "screenshot linux")
    assert done.status == 1 and '"error":"linux: its screen was changed"' in done.out, done
    assert done.err == "mezzo console: linux.png is not saved: its screen was changed\n"
    assert not (bench.path / "linux.png").exists()


def test_error_in_a_string_is_none(fake, bench):
    fake(commands={"a": r'{"text":"\"error\": \\","more":{"error":"x"},"list":["error"]}', "b": '{"a":[1],"error":"no"}'})
    done = bench.mezzo("console", "board", "--command", "a")
    assert done.status == 0 and done.err == "", done


def test_error_behind_others(fake, bench):
    fake(commands={"b": '{"a":[{"b":1}],"error":"no"}'})
    assert bench.mezzo("console", "board", "--command", "b").status == 1


def test_some_is_lost(fake, lines, bench):
    one, run = fake(), lines()
    run.wait_for("[linux] old line")
    one.do(one.offer, 400, "linux.png", b"x" * 100, skip=20)
    run.wait_for("linux.png is not saved: some of it was lost on the wire", run.err)
    assert not (bench.path / "linux.png").exists()
    run.end()


def test_person(fake, lines, bench):
    """Whoever typed the command is told where the picture is; --log says in which directory."""
    one, run = fake(), lines("--log", "logs", stdin=subprocess.PIPE)
    run.wait_for("[linux] old line")
    one.do(one.offer, 400, "linux.png", PNG)
    run.wait_for(f"saved logs/linux.png, {len(PNG)} bytes", run.err)
    one.do(one.offer, 401, "linux.png", PNG, "the command was broken off")
    run.wait_for("logs/linux-2.png is not saved: the command was broken off", run.err)
    one.do(one.offer, 402, "linux.png", PNG, False)  # the channel goes without an end
    run.wait_for("logs/linux-2.png is not saved: it was cut off", run.err)
    assert sorted(path.name for path in (bench.path / "logs").glob("*.png")) == ["linux.png"]
    assert (bench.path / "logs/linux.png").read_bytes() == PNG
    status, _, _ = run.end()
    assert status == 128 + signal.SIGTERM


def test_names_lead_nowhere(fake, lines, bench):
    one, run = fake(), lines()
    run.wait_for("[linux] old line")
    for number, (name, saved) in enumerate([("../../etc/x.png", "_._.._etc_x.png"), (".hidden", "_hidden"),
                                            ("a b$c", "a_b_c"), ("", "-")], 400):
        one.do(one.offer, number, name, b"x")
        if name:
            run.wait_for(f"saved {saved}, 1 bytes", run.err)
            assert (bench.path / saved).exists()
    run.end()


def test_no_directory(fake, lines, bench):
    """A file that cannot be made: a sentence, and its channel is left alone."""
    one, run = fake(), lines("--log", "logs")
    run.wait_for("[linux] old line")
    for path in (bench.path / "logs").iterdir():
        path.unlink()
    (bench.path / "logs").rmdir()
    one.do(one.offer, 400, "linux.png", b"x")
    run.wait_for("no file can be made for linux.png: No such file or directory", run.err)
    assert not one.do(lambda: one.channels[400].open)
    run.end()


def test_link_lost(fake, lines, bench):
    one, run = fake(), lines()
    run.wait_for("[linux] old line")
    one.do(setattr, one, "window", 64)
    one.do(one.offer, 400, "linux.png", PNG * 1000)
    end = lambda: (bench.path / "linux.png").exists()
    one.until(end)
    one.do(one.send, fake_mezzo.BYE, 0)
    one.do(setattr, one, "framed", False)
    run.wait_for("linux.png is not saved: ", run.err)
    assert not (bench.path / "linux.png").exists()
    run.end()
