"""load - clients that write unique things and remember what they were told.

Each write creates a scope nobody else writes, with ?cas=0, so that a write
applied twice shows as a 409 and a lost one as a missing scope. Answers are
sorted into three kinds: acknowledged, refused (surely not applied) and
unknown (either way).
"""
import itertools
import threading
import time

from support import web

SURE = ("No cluster leader", "too many writes in flight",
        "the state quota is reached", "low on disk")
UNKNOWN = ("outcome is unknown", "the server is stopping")


class Load:
    """Writers over several servers, each turning to the next on a failure."""

    def __init__(self, servers, clients=8, prefix="w", pause=0.0,
                 note="x" * 16, timeout=12):
        self.servers = list(servers)
        self.prefix = prefix
        self.pause = pause
        self.note = note
        self.timeout = timeout
        self.acknowledged = {}  # scope -> CreateIndex
        self.refused = {}       # scope -> words
        self.unknown = {}       # scope -> words
        self.faults = []        # answers that must not be
        self.slowest = 0.0      # seconds an acknowledged write took
        self.last_ack = time.monotonic()
        self.longest_gap = 0.0  # seconds without any acknowledged write
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(n,), daemon=True)
            for n in range(clients)]

    def start(self):
        self.last_ack = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(self.timeout * 2)
            if thread.is_alive():
                raise AssertionError("a client hangs")
        if self.faults:
            raise AssertionError("wrong answers: %r" % self.faults[:5])
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self._stop.set()

    def count(self):
        return len(self.acknowledged)

    def wait_more(self, writes, seconds=15):
        """Until this many more are acknowledged."""
        goal = self.count() + writes
        end = time.monotonic() + seconds
        while self.count() < goal:
            if time.monotonic() > end:
                raise AssertionError("writes do not go on: %d of %d" % (
                    self.count(), goal))
            time.sleep(0.02)

    def _write(self, number):
        turn = number
        client = None
        for n in itertools.count():
            if self._stop.is_set():
                break
            server = self.servers[turn % len(self.servers)]
            if client is None:
                client = web.Client(server.http, self.timeout)
            scope = "%s-%d-%d" % (self.prefix, number, n)
            begun = time.monotonic()
            try:
                reply = client.ask("PUT", "/v1/tls/config/%s?cas=0" % scope,
                                   {"note": self.note + scope})
            except OSError as error:
                with self._lock:
                    self.unknown[scope] = repr(error)
                good = False
            else:
                with self._lock:
                    good = self._sort(scope, reply, begun, server)
            if not good:
                client.close()
                client = None
                turn += 1
                time.sleep(0.02)
            elif self.pause:
                time.sleep(self.pause)
        if client is not None:
            client.close()

    def _sort(self, scope, reply, begun, server):
        now = time.monotonic()
        if reply.status == 200:
            got = reply.json
            if got["CreateIndex"] != got["ModifyIndex"]:
                self.faults.append((server.name, scope, reply))
            self.acknowledged[scope] = got["CreateIndex"]
            self.slowest = max(self.slowest, now - begun)
            self.longest_gap = max(self.longest_gap, now - self.last_ack)
            self.last_ack = now
            return True
        if any(words in reply.text for words in UNKNOWN):
            self.unknown[scope] = reply.text
        elif any(words in reply.text for words in SURE):
            self.refused[scope] = reply.text
        else:  # a 409 here is a write that was applied twice
            self.faults.append((server.name, scope, reply))
        return False

    def check(self, server):
        """All that was acknowledged is there, what was refused is not."""
        reply = server.must("GET", "/v1/tls/config?consistent")
        there = {row["scope"]: row for row in reply.json}
        lost = [s for s in self.acknowledged if s not in there]
        ghosts = [s for s in self.refused if s in there]
        if lost:
            raise AssertionError("%d of %d acknowledged writes are lost: %s"
                                 % (len(lost), self.count(), lost[:5]))
        if ghosts:
            raise AssertionError("refused and there all the same: %s" % {
                s: self.refused[s] for s in ghosts[:5]})
        for scope, index in self.acknowledged.items():
            row = there[scope]
            if row["CreateIndex"] != index or row["ModifyIndex"] != index or \
                    row["note"] != self.note + scope:
                raise AssertionError("%s changed: %r, was acknowledged as %d"
                                     % (scope, row, index))
        if len(set(self.acknowledged.values())) != self.count():
            raise AssertionError("two writes share one index")
        return len(there)
