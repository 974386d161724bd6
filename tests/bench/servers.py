"""The servers that are measured: three of ours, three of etcd, one nginx.

All on loopback with data under one directory. Nothing outlives the runner: a
child is killed by the kernel when its parent is gone, and stop() ends and
reaps what was started."""
import ctypes
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time

START_LIMIT_S = 30
FORM = "application/x-www-form-urlencoded"
_libc = ctypes.CDLL(None)
_started = []


class BenchError(Exception):
    """A sentence for the reader; the run or the row ends with it."""


def _die_with_parent():
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def request(port, method, path, body=None, headers=None, timeout=1.0):
    """(status, headers, body) of one exchange on its own connection."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        c.request(method, path, body, headers or {})
        r = c.getresponse()
        return r.status, dict(r.getheaders()), r.read()
    finally:
        c.close()


def wait_for(what, probe, limit=START_LIMIT_S):
    """The first true answer of probe, asked until limit seconds are over."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            answer = probe()
            if answer:
                return answer
        except (OSError, http.client.HTTPException, ValueError):
            pass
        time.sleep(0.02)
    raise BenchError("%s: not within %d s" % (what, limit))


def stop_all():
    for p in _started:
        if p.poll() is None:
            p.kill()
    for p in _started:
        p.wait()
    _started.clear()


class Cluster:
    """Servers of one kind. A subclass says how one is started, who leads and
    how a write looks."""
    name = ""
    count = 3

    def __init__(self, directory, base):
        self.dir, self.base = os.path.join(directory, self.name), base
        self.procs = [None] * self.count

    def http(self, i):
        return self.base + 10 * i

    def ports(self):
        return [self.base + 10 * i + k for i in range(self.count) for k in (0, 1, 2)]

    def command(self, i):
        raise NotImplementedError

    def spawn(self, i):
        log = open(os.path.join(self.dir, "log%d" % i), "ab")
        with log:
            self.procs[i] = subprocess.Popen(
                self.command(i), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=_die_with_parent)
        _started.append(self.procs[i])

    def launch(self):
        """Start all from nothing and return at once."""
        for port in self.ports():
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    s.bind(("127.0.0.1", port))
                except OSError:
                    raise BenchError("port %d is in use" % port) from None
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir, 0o700)
        for i in range(self.count):
            self.spawn(i)

    def start(self):
        self.launch()
        self.ready()
        return self

    def ready(self):
        """Every server takes part and a write through it is acknowledged."""
        for i in range(self.count):
            wait_for("%s server %d to take a write" % (self.name, i + 1),
                     lambda i=i: self.write(i))

    def write(self, i, key="ready"):
        if self.procs[i].poll() is not None:
            raise BenchError("%s server %d ended with status %d; its log is %s/log%d"
                             % (self.name, i + 1, self.procs[i].returncode, self.dir, i))
        body, headers = self.document("x")
        status, _, _ = request(self.http(i), "PUT", self.key(key), body, headers)
        return status // 100 == 2

    def key(self, name):
        raise NotImplementedError

    def document(self, text):
        raise NotImplementedError

    def leader(self):
        raise NotImplementedError

    def followers(self):
        lead = self.leader()
        return [i for i in range(self.count) if i != lead]

    def addresses(self, which=None):
        which = range(self.count) if which is None else which
        return ",".join("127.0.0.1:%d" % self.http(i) for i in which)

    def pids(self, which=None):
        which = range(self.count) if which is None else which
        return [self.procs[i].pid for i in which]

    def kill(self, i):
        self.procs[i].kill()
        self.procs[i].wait()

    def stop(self):
        live = [p for p in self.procs if p is not None]
        for p in live:
            if p.poll() is None:
                p.terminate()
        end = time.monotonic() + 10
        for p in live:
            try:
                p.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
            if p in _started:
                _started.remove(p)
        self.procs = [None] * self.count
        shutil.rmtree(self.dir, ignore_errors=True)


class Ours(Cluster):
    name = "conclave"

    def __init__(self, directory, base, program, tls=None):
        super().__init__(directory, base)
        self.program, self.tls = program, tls

    def command(self, i):
        argv = [self.program, "-data-dir", "%s/n%d" % (self.dir, i), "-node", "n%d" % (i + 1),
                "-http-port", str(self.http(i)), "-server-port", str(self.http(i) + 1),
                "-bootstrap-expect", str(self.count)]
        for k in range(self.count):
            argv += ["-retry-join", "127.0.0.1:%d" % (self.http(k) + 1)]
        if self.tls:
            argv += ["-https-port", str(self.http(i) + 2), "-config-file", self._tls_file()]
        return argv

    def _tls_file(self):
        path = os.path.join(self.dir, "tls.json")
        with open(path, "w", encoding="ascii") as f:
            json.dump({"tls": {"https": {"cert_file": self.tls[0], "key_file": self.tls[1]}}}, f)
        return path

    def key(self, name):
        return "/v1/tls/config/" + name

    def document(self, text):
        return '{"note":"%s"}' % text, {}

    def leader(self):
        def ask():
            for i in range(self.count):
                status, _, body = request(self.http(i), "GET", "/v1/status/leader")
                address = json.loads(body) if status == 200 else ""
                if address:
                    return (int(address.rsplit(":", 1)[1]) - 1 - self.base) // 10 + 1
            return None
        return wait_for("conclave to name its leader", ask) - 1

    def roots(self, i):
        """The roots a client gets, or None as long as there is no CA."""
        status, _, body = request(self.http(i), "GET", "/v1/connect/ca/roots?stale")
        return body if status == 200 and json.loads(body).get("ActiveRootID") else None

    def ready(self):
        super().ready()
        for i in range(self.count):
            wait_for("conclave's CA", lambda i=i: self.roots(i))

    def health(self):
        """(terms seen, loop turns over 20 ms, elections begun), all servers."""
        terms, stalls, elections = set(), 0, 0
        for i in range(self.count):
            _, _, body = request(self.http(i), "GET", "/v1/agent/metrics?format=prometheus")
            for line in body.decode().splitlines():
                name, _, value = line.rpartition(" ")
                if name == "conclave_raft_term":
                    terms.add(float(value))
                elif name == "conclave_runtime_loop_stall_seconds_count":
                    stalls += float(value)
                elif name == "conclave_raft_state_candidate_total":
                    elections += float(value)
        return max(terms, default=0), stalls, elections


class Etcd(Cluster):
    name = "etcd"

    def __init__(self, directory, base, heartbeat_ms=None, election_ms=None):
        self.times = []
        if heartbeat_ms:
            self.name = "etcd%d" % election_ms
            self.times = ["--heartbeat-interval", str(heartbeat_ms),
                          "--election-timeout", str(election_ms)]
        super().__init__(directory, base)

    def command(self, i):
        url = "http://127.0.0.1:%d"
        client, peer = url % self.http(i), url % (self.http(i) + 1)
        members = ",".join("n%d=%s" % (k, url % (self.http(k) + 1)) for k in range(self.count))
        return ["etcd", "--name", "n%d" % i, "--data-dir", "%s/n%d" % (self.dir, i),
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster", members, "--initial-cluster-state", "new",
                "--enable-v2", "--log-level", "error", "--logger", "zap"] + self.times

    def key(self, name):
        return "/v2/keys/" + name

    def document(self, text):
        return "value=" + text, {"Content-Type": FORM}

    def leader(self):
        def ask():
            for i in range(self.count):
                _, _, body = request(self.http(i), "GET", "/v2/stats/self")
                if json.loads(body).get("state") == "StateLeader":
                    return i + 1
            return None
        return wait_for("etcd to name its leader", ask) - 1


class Nginx(Cluster):
    """One worker that serves one file."""
    name = "nginx"
    count = 1

    def __init__(self, directory, base, content):
        super().__init__(directory, base)
        self.content = content

    def command(self, i):
        os.makedirs(self.dir + "/www", exist_ok=True)
        with open(self.dir + "/www/roots", "wb") as f:
            f.write(self.content)
        conf = self.dir + "/nginx.conf"
        with open(conf, "w", encoding="ascii") as f:
            f.write("""daemon off; worker_processes 1; pid %(d)s/pid; error_log %(d)s/error.log;
%(user)s
events { worker_connections 4096; }
http {
  access_log off; sendfile on; open_file_cache max=100; default_type application/json;
  keepalive_requests 1000000000; keepalive_timeout 300;
  client_body_temp_path %(d)s/t1; proxy_temp_path %(d)s/t2; fastcgi_temp_path %(d)s/t3;
  uwsgi_temp_path %(d)s/t4; scgi_temp_path %(d)s/t5;
  server { listen 127.0.0.1:%(port)d; root %(d)s/www; }
}
""" % {"d": self.dir, "port": self.http(0), "user": "user root;" if os.getuid() == 0 else ""})
        return [shutil.which("nginx") or "/usr/sbin/nginx", "-p", self.dir, "-c", conf,
                "-e", self.dir + "/error.log"]

    def ready(self):
        wait_for("nginx", lambda: request(self.http(0), "GET", "/roots")[0] == 200)

    def pids(self, which=None):
        master = self.procs[0].pid
        with open("/proc/%d/task/%d/children" % (master, master), encoding="ascii") as f:
            return [master] + [int(x) for x in f.read().split()]
