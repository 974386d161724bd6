"""web - a small HTTP/1.1 client that hides nothing.

Standard library only. Three ways to ask: `request` (one connection, one
answer), `Client` (a connection that is kept, for load), `Parked` (sent, not
yet answered, costs no thread). `raw` sends any bytes. All return Reply.
"""
import json
import select
import socket
import time

TIMEOUT = 20  # seconds an answer may take unless the caller says otherwise


class Reply:
    """One answer: status, headers (lower-case names), body bytes."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def index(self):
        return int(self.headers["x-consul-index"])

    def __repr__(self):
        return "<%d %r>" % (self.status, self.text[:300])


class Cut(OSError):
    """The connection ended before a whole answer was there."""


def connect(address, timeout=TIMEOUT):
    """address: (host, port), or the path of a unix socket."""
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(timeout)
        sock.connect(address)
        return sock
    sock = socket.create_connection(address, timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _split(data):
    """(reply, rest) once data holds a whole answer, else None."""
    head, found, rest = data.partition(b"\r\n\r\n")
    if not found:
        return None
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ", 2)
    if not parts[0].startswith("HTTP/1."):
        raise AssertionError("not HTTP: %r" % head[:200])
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if int(parts[1]) == 100:
        return _split(rest)
    size = int(headers.get("content-length", "0"))
    if len(rest) < size:
        return None
    return Reply(int(parts[1]), headers, rest[:size]), rest[size:]


def head(method, path, body=b"", headers=None):
    """The bytes of one request."""
    lines = ["%s %s HTTP/1.1" % (method, path), "Host: test"]
    if body or method in ("PUT", "POST"):
        lines.append("Content-Length: %d" % len(body))
    for name, value in (headers or {}).items():
        lines.append("%s: %s" % (name, value))
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def encode(body):
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    return json.dumps(body).encode()


class Client:
    """A kept connection; connects again after a failure."""

    def __init__(self, address, timeout=TIMEOUT):
        self.address = address
        self.timeout = timeout
        self.sock = None
        self.data = b""

    def close(self):
        if self.sock is not None:
            self.sock.close()
        self.sock = None
        self.data = b""

    def receive(self):
        end = time.monotonic() + self.timeout
        while True:
            whole = _split(self.data)
            if whole is not None:
                reply, self.data = whole
                return reply
            left = end - time.monotonic()
            if left <= 0:
                raise socket.timeout("no answer in %g s" % self.timeout)
            self.sock.settimeout(left)
            more = self.sock.recv(1 << 16)
            if not more:
                raise Cut("closed after %d bytes" % len(self.data))
            self.data += more

    def ask(self, method, path, body=None, headers=None):
        try:
            if self.sock is None:
                self.sock = connect(self.address, self.timeout)
            self.sock.sendall(head(method, path, encode(body), headers))
            reply = self.receive()
        except OSError:
            self.close()
            raise
        if reply.headers.get("connection", "").lower() == "close":
            self.close()
        return reply


def request(address, method, path, body=None, headers=None, timeout=TIMEOUT):
    client = Client(address, timeout)
    try:
        return client.ask(method, path, body, headers)
    finally:
        client.close()


def raw(address, data, timeout=TIMEOUT, shut=False):
    """Send bytes, return all that comes until the peer closes, or until the
    timeout: (bytes, closed). shut: say that nothing more follows."""
    got = b""
    with connect(address, timeout) as sock:
        try:
            sock.sendall(data)
            if shut:
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # closed on us in the middle: what it said counts
        end = time.monotonic() + timeout
        while True:
            sock.settimeout(max(0.01, end - time.monotonic()))
            try:
                more = sock.recv(1 << 16)
            except socket.timeout:
                return got, False
            except ConnectionError:
                return got, True
            if not more:
                return got, True
            got += more


def raw_reply(address, data, timeout=5, shut=False):
    """The first answer to these bytes; None if there was none."""
    with connect(address, timeout) as sock:
        got = b""
        try:
            sock.sendall(data)
            if shut:
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        end = time.monotonic() + timeout
        while True:
            whole = _split(got)
            if whole is not None:
                return whole[0]
            sock.settimeout(max(0.01, end - time.monotonic()))
            try:
                more = sock.recv(1 << 16)
            except OSError:
                return None
            if not more:
                return None
            got += more


class Parked:
    """A request that was sent and waits for its answer."""

    def __init__(self, address, path, headers=None):
        self.begun = time.monotonic()
        self.sock = connect(address)
        self.sock.sendall(head("GET", path, headers=headers))
        self.data = b""
        self.reply = None
        self.cut = False
        self.seconds = None  # from asking to the answer

    def close(self):
        self.sock.close()

    def take(self):
        """Read what is there; True once answered or cut."""
        if self.reply is not None or self.cut:
            return True
        try:
            more = self.sock.recv(1 << 16)
        except ConnectionError:
            more = b""
        self.seconds = time.monotonic() - self.begun
        if not more:
            self.cut = True
            return True
        self.data += more
        whole = _split(self.data)
        if whole is not None:
            self.reply = whole[0]
        return self.reply is not None

    def answered(self, seconds=0):
        wait_all([self], seconds)
        return self.reply is not None

    def result(self, seconds=TIMEOUT):
        if not self.answered(seconds):
            raise AssertionError(
                "cut" if self.cut else "no answer in %g s" % seconds)
        self.close()
        return self.reply


def wait_all(parked, seconds):
    """Collect answers until all are there or time is up; the missing."""
    end = time.monotonic() + seconds
    poll = select.poll()
    open_ = {}
    for one in parked:
        if one.reply is None and not one.cut:
            open_[one.sock.fileno()] = one
            poll.register(one.sock, select.POLLIN)
    while open_:
        left = max(0, end - time.monotonic())
        ready = poll.poll(left * 1000)
        for fd, _ in ready:
            if open_[fd].take():
                poll.unregister(fd)
                del open_[fd]
        if not ready and left == 0:
            break
    return [one for one in parked if one.reply is None]
