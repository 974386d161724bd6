"""cluster - real conclaved processes on loopback.

Server: one process with its configuration file, data directory and log.
Cluster: several that are to find each other. All belong to a Run, which ends
them; nothing here kills what it did not start.
"""
import ctypes
import json
import os
import signal
import subprocess

from support import web
from support.scenario import eventually

STOP_SECONDS = 15
_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def merge(into, more):
    """Objects are merged, all else is replaced."""
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
    return into


class Server:
    def __init__(self, run, name, folder, http, rpc, config):
        self.run = run
        self.name = name
        self.folder = folder
        self.data = os.path.join(folder, name)
        self.http = ("127.0.0.1", http)
        self.rpc = "127.0.0.1:%d" % rpc
        self.log_path = self.data + ".log"
        self.config_path = self.data + ".json"
        self.config = config
        self.flags = []
        self.env = {}
        self.process = None
        self.expected_end = True
        self.paused = False

    # -- the process

    def start(self):
        assert self.process is None or self.process.poll() is not None
        with open(self.config_path, "w", encoding="utf-8") as file:
            json.dump(self.config, file, indent=1)
        os.chmod(self.config_path, 0o600)
        with open(self.log_path, "ab") as log:
            # pylint: disable=subprocess-popen-preexec-fn,consider-using-with
            self.process = subprocess.Popen(
                [self.run.conclaved, "-config-file", self.config_path]
                + self.flags, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=dict(os.environ, **self.env),
                preexec_fn=_die_with_parent)
        self.expected_end = False
        self.paused = False
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """kill -9, at once and without farewell."""
        self.expected_end = True
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; it has to end in order."""
        self.expected_end = True
        self.resume()
        self.process.terminate()
        status = self.wait_end(STOP_SECONDS)
        if status != 0:
            raise AssertionError("%s ended with %s" % (self.name, status))

    def wait_end(self, seconds):
        """Exit status of a process that ends by itself."""
        self.expected_end = True
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                "%s does not end within %g s" % (self.name, seconds)) from None

    def pause(self):
        self.paused = True
        self.signal(signal.SIGSTOP)

    def resume(self):
        if self.paused:
            self.paused = False
            self.signal(signal.SIGCONT)

    def end(self):
        """Whatever state it is in: gone afterwards."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def state(self):
        if self.process is None:
            return "never started"
        status = self.process.poll()
        return "running" if status is None else "ended with %s" % status

    def check(self):
        if not self.expected_end and not self.alive():
            raise AssertionError("%s %s" % (self.name, self.state()))

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def log_mark(self):
        return len(self.log())

    def wait_log(self, text, seconds=10, since=0):
        eventually(seconds, lambda: text in self.log()[since:],
                   "%s logs %r" % (self.name, text))

    def rss(self):
        """Resident bytes."""
        path = "/proc/%d/statm" % self.process.pid
        with open(path, encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    # -- the API

    def ask(self, method, path, body=None, headers=None,
            timeout=web.TIMEOUT):
        return web.request(self.http, method, path, body, headers, timeout)

    def get(self, path, **options):
        return self.ask("GET", path, **options)

    def put(self, path, body=None, **options):
        return self.ask("PUT", path, body, **options)

    def delete(self, path, **options):
        return self.ask("DELETE", path, **options)

    def must(self, method, path, body=None, **options):
        reply = self.ask(method, path, body, **options)
        if reply.status != 200:
            raise AssertionError("%s %s %s: %r" % (
                self.name, method, path, reply))
        return reply

    def park(self, path, headers=None):
        return web.Parked(self.http, path, headers)

    def stats(self):
        return self.must("GET", "/v1/agent/self").json["Stats"]

    def gauges(self):
        reply = self.must("GET", "/v1/agent/metrics").json
        return {g["Name"]: g["Value"] for g in reply["Gauges"]}


class Cluster:
    def __init__(self, run, count=3, config=None, expect=None, join=None,
                 folder=None, names="s"):
        """join: for each server, which others (by number) it is told of;
        default all of them."""
        first = run.ports(2 * count)
        self.run = run
        self.servers = []
        folder = folder or run.folder("cluster")
        rpcs = ["127.0.0.1:%d" % (first + 2 * i + 1) for i in range(count)]
        for i in range(count):
            others = range(count) if join is None else join[i]
            options = {
                "node_name": "%s%d" % (names, i + 1),
                "data_dir": os.path.join(folder, "%s%d" % (names, i + 1)),
                "bootstrap_expect": count if expect is None else expect,
                "retry_join": [rpcs[k] for k in others if k != i],
                "retry_interval": "200ms",
                "ports": {"http": first + 2 * i, "server": first + 2 * i + 1},
                "log_level": "debug",
            }
            if not options["retry_join"]:
                del options["retry_join"]
            self.servers.append(Server(
                run, options["node_name"], folder, first + 2 * i,
                first + 2 * i + 1, merge(options, config or {})))
        run.clusters.append(self)

    def __getitem__(self, i):
        return self.servers[i]

    def __iter__(self):
        return iter(self.servers)

    def start(self):
        for server in self.servers:
            server.start()
        return self

    def up(self, seconds=15):
        """Start all, wait until they are one working cluster."""
        self.start()
        self.wait_ready(seconds)
        return self

    def living(self):
        return [s for s in self.servers if s.alive() and not s.paused]

    def _leader(self):
        for server in self.living():
            reply = server.get("/v1/status/leader", timeout=2)
            if reply.status != 200 or not reply.json:
                continue
            for one in self.living():
                if one.rpc == reply.json and \
                        one.stats()["consul"]["leader"] == "true":
                    return one
        return None

    def leader(self, seconds=10):
        """The server that leads and knows it."""
        return eventually(seconds, self._leader, "a leader")

    def followers(self):
        leader = self.leader()
        return [s for s in self.living() if s is not leader]

    def wait_ready(self, seconds=15, voters=None):
        """A leader, everybody a voter, the CA there, on every server."""
        want = len(self.servers) if voters is None else voters

        def ready():
            self.check_alive()
            for server in self.living():
                reply = server.get(
                    "/v1/operator/raft/configuration?stale", timeout=2)
                rows = reply.json["Servers"]
                if len([r for r in rows if r["Voter"]]) != want or \
                        len(rows) != want:
                    return None
                roots = server.get("/v1/connect/ca/roots?stale", timeout=2)
                if not roots.json["ActiveRootID"]:
                    return None
            return self._leader()
        return eventually(seconds, ready, "%d voters and a CA" % want)

    def wait_applied(self, seconds=10):
        """All living servers hold the same revision."""
        def level():
            seen = {s.stats()["conclave"]["revision"] for s in self.living()}
            return len(seen) == 1
        eventually(seconds, level, "the same revision everywhere")

    def check_alive(self):
        for server in self.servers:
            server.check()

    def same_state(self, seconds=10):
        """Every living server answers the same bytes from its own state."""
        self.wait_applied(seconds)
        for path in ("/v1/connect/ca/roots?stale",
                     "/v1/connect/ca/configuration?stale",
                     "/v1/tls/config?stale"):
            bodies = {s.must("GET", path).body for s in self.living()}
            if len(bodies) != 1:
                raise AssertionError("%s differs between servers" % path)
