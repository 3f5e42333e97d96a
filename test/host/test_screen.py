# SPDX-License-Identifier: Apache-2.0
"""`mezzo screen` against a Mezzo that is not there, and against clients that do not behave."""

import http.client
import re
import signal
import socket
import threading
import time

import pytest
from test_files import PNG


class Screens:
    """What the VM shows; each `screenshot` sends it, or the sentence that says why not."""

    def __init__(self):
        self.now, self.count, self.number = PNG, 0, 400

    def __call__(self, one, answer):
        self.count += 1
        self.number += 1
        number = self.number
        if isinstance(self.now, str):
            return f'{{"error":"linux: {self.now}"}}'
        one.offer(number, "linux.png", self.now, after=lambda: answer(
            f'{{"channel":{number},"width":3,"height":2,"bytes":{len(self.now)}}}'))
        return None


@pytest.fixture
def screens():
    return Screens()


@pytest.fixture
def served(fake, lines, screens):
    """The command, serving: the fake Mezzo, the process and the port."""
    one = fake(commands={"screenshot linux": screens}, window=16384)
    run = lines("linux", verb="screen")
    run.wait_for("http://127.0.0.1:")
    port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\n", run.out.read_text()).group(1))
    yield one, run, port
    status, _, err = run.end()
    assert status == 128 + signal.SIGTERM and err == ""


def get(port, path="/", method="GET", timeout=20, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    answer.body = answer.read()
    connection.close()
    return answer


def raw(port, data, timeout=30):
    """What comes back for these bytes until the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as sock:
        sock.sendall(data)
        back = b""
        while piece := sock.recv(65536):
            back += piece
    return back


def status(answer):
    return int(answer.split(b" ", 2)[1])


# --- usage ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words, message", [
    (["a"], "give a serial device or a socket, and one VM"),
    (["a", "b", "c"], "give a serial device or a socket, and one VM"),
    (["a", "b c"], "`b c` is no VM's name"),
    (["a", ""], "`` is no VM's name"),
    (["a", "b" * 32], "is no VM's name"),
    (["a", "b", "--port", "0"], "--port: `0` is not a number from 1"),
    (["a", "b", "--port", "80", "--once", "x"], "--once serves no page"),
    (["a", "b", "--ones", "x"], "did you mean `--once`?"),
])
def test_bad_usage(bench, words, message):
    done = bench.mezzo("screen", *words)
    assert done.status == 2 and done.out == "" and message in done.err, done


def test_no_wire(bench):
    done = bench.mezzo("screen", "gone", "linux")
    assert done.status == 1 and done.err == "mezzo screen: cannot open `gone`: No such file or directory\n"


def test_wrong_order(bench):
    bench.write("board.sock", "")
    done = bench.mezzo("screen", "linux", "board.sock")
    assert done.status == 1 and done.err == ("mezzo screen: cannot open `linux`: No such file or directory; the device or "
                                             "socket comes first, then the VM\n")


def test_port_taken(bench, fake):
    fake()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = bench.mezzo("screen", "board", "linux", "--port", port)
    assert done.status == 1 and f"port {port} of 127.0.0.1 cannot be served: Address already in use" in done.err


# --- once -------------------------------------------------------------------------------------------


def test_once(fake, bench, screens):
    fake(commands={"screenshot linux": screens})
    bench.write("x.png", "before")
    done = bench.mezzo("screen", "board", "linux", "--once", "x.png")
    assert (done.status, done.out, done.err) == (0, "", "")
    assert (bench.path / "x.png").read_bytes() == PNG and screens.count == 1


def test_once_without_a_screen(fake, bench, screens):
    screens.now = "it has no screen"
    fake(commands={"screenshot linux": screens})
    done = bench.mezzo("screen", "board", "linux", "--once", "x.png")
    assert (done.status, done.out, done.err) == (1, "", "mezzo screen: linux: it has no screen\n")
    assert not (bench.path / "x.png").exists()


def test_once_unwritable(fake, bench, screens):
    fake(commands={"screenshot linux": screens})
    done = bench.mezzo("screen", "board", "linux", "--once", "no/x.png")
    assert done.status == 1 and "cannot write `no/x.png`: No such file or directory" in done.err


def test_once_nobody_answers(fake, bench):
    fake(deaf=True)
    done = bench.mezzo("screen", "board", "linux", "--once", "x.png")
    assert done.status == 1 and done.err == (
        "mezzo screen: Mezzo does not answer: nobody answers in frames; has another program, like mezzo console, this wire?\n")


def test_once_broken(fake, bench):
    def broken(one, answer):
        one.offer(400, "linux.png", PNG, "half of it", lambda: answer(
            '{"channel":400,"width":3,"height":2,"error":"linux: its screen was changed"}'))
    fake(commands={"screenshot linux": broken})
    done = bench.mezzo("screen", "board", "linux", "--once", "x.png")
    assert done.status == 1 and done.err == "mezzo screen: linux: its screen was changed\n"


def test_once_lost(fake, bench):
    def lost(one, answer):
        one.offer(400, "linux.png", PNG, skip=9, after=lambda: answer('{"channel":400,"bytes":1}'))
    fake(commands={"screenshot linux": lost})
    done = bench.mezzo("screen", "board", "linux", "--once", "x.png")
    assert done.status == 1 and "the picture did not arrive: some of it was lost on the wire" in done.err


# --- the page ---------------------------------------------------------------------------------------


def test_page(served):
    _, _, port = served
    page = get(port)
    assert page.status == 200 and page.getheader("Content-Type") == "text/html; charset=utf-8"
    assert b"<title>linux - Mezzo</title>" in page.body
    for path, kind in (("/screen.js", "text/javascript"), ("/screen.css", "text/css")):
        assert path.encode() in page.body
        part = get(port, path)
        assert part.status == 200 and part.getheader("Content-Type").startswith(kind)
        assert b"://" not in part.body
    assert b"://" not in page.body and b"<script>" not in page.body
    assert "default-src 'none'" in page.getheader("Content-Security-Policy")
    assert page.getheader("Cross-Origin-Resource-Policy") == "same-origin"


def test_name_is_escaped(fake, lines):
    fake()
    run = lines("<b>&", verb="screen")
    run.wait_for("http://")
    page = get(int(run.out.read_text().rsplit(":", 1)[1].strip("/\n")))
    assert b"<title>&lt;b&gt;&amp; - Mezzo</title>" in page.body
    run.end()


def test_pictures(served, screens):
    """The newest one at once; then one waits until there is another one."""
    one, _, port = served
    first = get(port, "/screen.png")
    assert first.status == 200 and first.getheader("Content-Type") == "image/png" and first.body == PNG
    serial = first.getheader("X-Mezzo-Serial")
    timer = threading.Timer(1.5, one.do, (setattr, screens, "now", PNG[1:]))
    timer.start()
    start = time.monotonic()
    second = get(port, f"/screen.png?after={serial}")
    assert second.body == PNG[1:] and time.monotonic() - start > 1
    assert second.getheader("X-Mezzo-Serial") != serial
    one.do(setattr, screens, "now", "it has no framebuffer")
    third = get(port, f"/screen.png?after={second.getheader('X-Mezzo-Serial')}")
    assert third.status == 503 and third.body == b"linux: it has no framebuffer"
    assert third.getheader("Content-Type") == "text/plain; charset=utf-8"
    one.do(setattr, screens, "now", PNG)
    assert get(port, f"/screen.png?after={third.getheader('X-Mezzo-Serial')}").body == PNG


def test_nobody_looks(served, screens):
    """Mezzo is only asked while somebody waits for a picture."""
    _, _, port = served
    time.sleep(0.5)
    assert screens.count == 0
    get(port, "/screen.png")
    count = screens.count
    time.sleep(0.5)
    assert screens.count == count == 1


def test_fresh(served, screens):
    """Without a number a picture is of the time after the question."""
    one, _, port = served
    assert get(port, "/screen.png").body == PNG
    one.do(setattr, screens, "now", b"new")
    assert get(port, "/screen.png").body == b"new"


def test_nothing_new_takes_25_s(served):
    _, _, port = served
    serial = get(port, "/screen.png").getheader("X-Mezzo-Serial")
    start = time.monotonic()
    answer = get(port, f"/screen.png?after={serial}", timeout=40)
    assert answer.status == 204 and answer.getheader("X-Mezzo-Serial") == serial
    assert 24 < time.monotonic() - start < 60


def test_link_comes_back(served, screens):
    """Mezzo says BYE, as when its board restarts: the page says so, then shows the screen again."""
    one, _, port = served
    serial = get(port, "/screen.png").getheader("X-Mezzo-Serial")
    one.do(lambda: (one.send(2 + 1, 0), setattr(one, "framed", False), setattr(one, "deaf", True)))
    answer = get(port, f"/screen.png?after={serial}")
    assert answer.status == 503 and answer.body.startswith(b"Mezzo does not answer: ")
    one.do(setattr, one, "deaf", False)
    serial = answer.getheader("X-Mezzo-Serial")
    assert get(port, f"/screen.png?after={serial}").body == PNG


def test_wire_ends(fake, lines, screens):
    one = fake(commands={"screenshot linux": screens})
    run = lines("linux", verb="screen")
    run.wait_for("http://")
    one.until(lambda: one.hellos > 0)
    one.end()
    status_, _, err = run.end(None)
    assert status_ == 1 and err == "mezzo screen: the other end of `board` is gone\n"


# --- clients that do not behave ----------------------------------------------------------------------


@pytest.mark.parametrize("request_, expected", [
    (b"GET /nothing HTTP/1.1\r\nHost: H\r\n\r\n", 404),
    (b"GET /screen.png/ HTTP/1.1\r\nHost: H\r\n\r\n", 404),
    (b"GET /../etc/passwd HTTP/1.1\r\nHost: H\r\n\r\n", 404),
    (b"POST / HTTP/1.1\r\nHost: H\r\nContent-Length: 3\r\n\r\nabc", 405),
    (b"HEAD / HTTP/1.1\r\nHost: H\r\n\r\n", 405),
    (b"get / HTTP/1.1\r\nHost: H\r\n\r\n", 405),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: H\r\nHost: H\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
    (b"GET /screen.png HTTP/1.1\r\nHost: evil.example:PORT\r\n\r\n", 403),
    (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 403),
    (b"GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n", 403),
    (b"GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT.evil.example\r\n\r\n", 403),
    (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 403),
    (b"GET / HTTP/1.1\r\nHost : H\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: H\r\n more\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nno colon\r\nHost: H\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\nHost: H\r\n\r\n", 400),
    (b"GET /\r\nHost: H\r\n\r\n", 400),
    (b"GET  / HTTP/1.1\r\nHost: H\r\n\r\n", 400),
    (b"GET http://H/ HTTP/1.1\r\nHost: H\r\n\r\n", 400),
    (b"GET * HTTP/1.1\r\nHost: H\r\n\r\n", 400),
    (b"GET /a b HTTP/1.1\r\nHost: H\r\n\r\n", 400),
    (b"GET /\xff HTTP/1.1\r\nHost: H\r\n\r\n", 400),
    (b"GET /\0 HTTP/1.1\r\nHost: H\r\n\r\n", 400),
    (b"\r\n\r\n", 400),
    (b"\x16\x03\x01\0\xa5\x01\0\0\xa1\x03\x03", 400),
    (b"GET / HTTP/1.1\r\nHost: H\r\nX: " + b"x" * 5000, 431),
    (b"x" * 100000, 431),
    (b"GET / HTTP/1.1\r\nHost: H\r\n\r\n", 200),
    (b"GET / HTTP/1.0\nhOsT:\t LocalHost:PORT \n\n", 200),
    (b"GET /?a=b HTTP/1.1\r\nHost: H\r\nAccept: */*\r\n\r\n", 200),
])
def test_requests(served, request_, expected):
    _, _, port = served
    name = str(port).encode()
    request_ = request_.replace(b"Host: H", b"Host: 127.0.0.1:PORT").replace(b"//H/", b"//127.0.0.1:PORT/").replace(b"PORT", name)
    try:
        back = raw(port, request_)
    except ConnectionResetError:
        back = None  # much more was sent than anybody read
    if back is None:
        assert expected == 431
    else:
        assert status(back) == expected, back
        assert b"Connection: close" in back
    assert get(port).status == 200


def test_only_loopback(served):
    _, _, port = served
    with open("/proc/net/tcp", encoding="ascii") as table:
        own = [line.split()[1] for line in table if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"]
    assert own == [f"0100007F:{port:04X}"]


def test_slow_clients_hold_up_nobody(served):
    """More of them than there are places: they send half a request, or take nothing of their answer."""
    _, _, port = served
    idle = []
    for n in range(60):
        sock = socket.create_connection(("127.0.0.1", port), timeout=30)
        idle.append(sock)
        if n % 3 == 0:
            sock.sendall(b"GET / HT")
        elif n % 3 == 1:
            sock.sendall(f"GET /screen.png HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        assert get(port, timeout=8).status == 200
    assert get(port, "/screen.png", timeout=8).body == PNG
    for sock in idle:
        sock.close()
    assert get(port, timeout=8).status == 200


def test_many_at_once(served):
    _, _, port = served
    bodies = []
    threads = [threading.Thread(target=lambda: bodies.append(get(port, "/screen.png").body)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == [PNG] * 12


def test_half_a_request_is_given_up(served):
    _, _, port = served
    start = time.monotonic()
    assert raw(port, b"GET / HTTP/1.1\r\n", timeout=60) == b""
    assert 9 < time.monotonic() - start < 60


def test_byte_by_byte(served):
    _, _, port = served
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        for byte in f"GET /screen.css HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode():
            sock.sendall(bytes([byte]))
            time.sleep(0.002)
        back = b""
        while piece := sock.recv(1000):
            back += piece
    assert status(back) == 200 and b"box-sizing" in back


def test_large_picture_to_a_slow_reader(served, screens):
    one, _, port = served
    large = PNG * 40  # 3 MB
    one.do(setattr, screens, "now", large)
    with socket.socket() as sock:
        sock.settimeout(30)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", port))
        sock.sendall(f"GET /screen.png HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
        back = sock.recv(1000)
        assert get(port, timeout=30).status == 200
        while piece := sock.recv(1 << 20):
            back += piece
    assert back.endswith(large)
