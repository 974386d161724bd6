"""What is measured. Each function fills a Table with samples, ours and the
peer's turn about, the one that goes first changing with every repetition."""
import os
import statistics
import subprocess
import time

import failover
import machine
import servers

FORM = "Content-Type: " + servers.FORM
DOCUMENT_BYTES = 256
SCOPES = 10000
READ_CLIENTS = 64
WRITE_CLIENTS = (1, 16, 64, 256)
NOTE = '{"note":"%s"}'
WATCH_OPEN_RATE = 4000  # connections per second
TLS_OPEN_RATE = 400


class Table:
    """samples[metric][system] = list of numbers; why[(metric, system)] = the
    reason there are none; noise = share of CPU that others took."""

    def __init__(self):
        self.samples, self.why, self.noise, self.remarks = {}, {}, [], []

    def add(self, metric, system, value):
        self.samples.setdefault(metric, {}).setdefault(system, []).append(value)

    def missing(self, metric, system, reason):
        self.why[(metric, system)] = reason

    def median(self, metric, system):
        values = self.samples.get(metric, {}).get(system)
        return statistics.median(values) if values else None


def fields(line):
    """The name=number pairs of a generator's line, units dropped."""
    out = {}
    for word in line.split():
        name, eq, value = word.partition("=")
        if not eq:
            continue
        for unit in ("us", "ms"):
            value = value.removesuffix(unit)
        try:
            out[name] = float(value)
        except ValueError:
            pass
    return out


class Bench:
    def __init__(self, settings, table):
        self.set, self.table = settings, table

    # ---- drivers ------------------------------------------------------------

    def tool(self, argv, pids):
        noise = machine.Noise(pids)
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        share, steal = noise.stop()
        self.table.noise.append({"others": share, "steal": steal})
        lines = done.stdout.strip().splitlines()
        if not lines:
            raise servers.BenchError("%s: %s" % (argv[0], done.stderr.strip() or "no output"))
        return lines

    def load(self, address, clients, path, pids, *more):
        argv = [self.set.tools + "/http_load", "-a", address, "-c", str(clients),
                "-d", str(self.set.seconds), "-w", "1", "-k", str(SCOPES), "-p", path,
                "-P", ",".join(map(str, pids)), *more]
        line = self.tool(argv, pids)[-1]
        if self.set.verbose:
            print("    " + line, flush=True)
        f = fields(line)
        if f["wrong"] or f["io_errors"] or f["unanswered"]:
            self.table.remarks.append("%s: %d wrong, %d I/O errors, %d unanswered" % (
                path, f["wrong"], f["io_errors"], f["unanswered"]))
        if not f["ok"]:
            raise servers.BenchError("no good answer to " + path)
        return f

    def turns(self, parties, measure):
        """measure(party) for each party, turn about, as often as is asked."""
        for rep in range(self.set.repeats):
            for party in parties if rep % 2 == 0 else reversed(parties):
                measure(party)

    def row(self, title, metrics, parties, measure):
        """A row whose failure is told in the table instead of ending the run."""
        print("  " + title, flush=True)

        def guarded(party):
            try:
                measure(party)
            except servers.BenchError as e:
                for m in metrics:
                    self.table.missing(m, party.name, str(e))
        self.turns(parties, guarded)

    # ---- writes and reads ---------------------------------------------------

    def write_load(self, c, clients, path, *more):
        size = DOCUMENT_BYTES - (len(NOTE % "") if c.name == "conclave" else 0)
        more += ("-v", str(size), "-m", "PUT")
        if c.name == "conclave":
            more += ("-b", NOTE % "{val}")
        else:
            more += ("-b", "value={val}", "-H", FORM)
        return self.load(c.addresses([c.leader()]), clients, c.key(path), c.pids(), *more)

    def fill(self, c):
        """Every document exists before anything counts."""
        self.write_load(c, 64, "bench-{step}", "-N", str(SCOPES), "-w", "0", "-d", "60")

    def writes(self, parties):
        for clients in WRITE_CLIENTS:
            names = ["write.%d.%s" % (clients, k) for k in ("rate", "p50", "p99", "cpu")]

            def measure(c, clients=clients, names=names):
                f = self.write_load(c, clients, "bench-{key}")
                for name, value in zip(names, (f["req/s"], f["p50"] / 1e3, f["p99"] / 1e3,
                                               f["server_cpu"] / f["req/s"] * 1e6)):
                    self.table.add(name, c.name, value)
            self.row("writes, %d clients" % clients, names, parties, measure)

    def read_row(self, title, metric, parties, path_of, where):
        def measure(c):
            i = where(c)
            f = self.load(c.addresses([i]), READ_CLIENTS, path_of(c), c.pids())
            self.table.add(metric + ".rate", c.name, f["req/s"])
            self.table.add(metric + ".p99", c.name, f["p99"] / 1e3)
            self.table.add(metric + ".cpu", c.name, f["server_cpu"] / f["req/s"] * 1e6)
        names = [metric + k for k in (".rate", ".p99", ".cpu")]
        self.row(title, names, parties, measure)

    def reads(self, parties, nginx):
        def path(roots, etcd):
            return lambda c: {"conclave": roots, "nginx": "/roots"}.get(c.name, etcd)

        def lead(c):
            return 0 if c.name == "nginx" else c.leader()

        def follow(c):
            return c.followers()[0]
        local, quorum = "/v2/keys/bench-{key}", "/v2/keys/bench-{key}?quorum=true"
        roots = "/v1/connect/ca/roots"
        both = parties + ([nginx] if nginx else [])
        self.read_row("stale reads", "read.stale", both, path(roots + "?stale", local), lead)
        self.read_row("default reads", "read.default", parties, path(roots, local), lead)
        self.read_row("consistent reads", "read.consistent", parties,
                      path(roots + "?consistent", quorum), lead)
        self.read_row("consistent reads at a follower", "read.follower", parties,
                      path(roots + "?consistent", quorum), follow)
        one = "/v1/tls/config/bench-{key}?stale"
        self.read_row("stale reads of a document", "read.document", parties,
                      path(one, local), lead)

    # ---- watches ------------------------------------------------------------

    def fan(self, c, watchers, where, tls=False, roots=False):
        """One run of watch_fanout: what it says of memory and of the median
        round, milliseconds counted from the start of the write."""
        lead = c.leader()
        pids = c.pids(where)
        argv = [self.set.tools + "/watch_fanout", "-n", str(watchers), "-P",
                ",".join(map(str, pids)), "-R", str(self.set.rounds), "-S", str(self.set.settle)]
        if roots:
            path = "/v1/connect/ca/roots"
            argv += ["-A", "-x", "%s/rotate-ca.sh 127.0.0.1:%d" % (self.set.here, c.http(lead))]
        else:
            path = c.key("w")
            body, headers = c.document("{token}")
            argv += ["-T", c.addresses([lead]), "-M", "PUT", "-U", path, "-B", body]
            for name, value in headers.items():
                argv += ["-h", "%s: %s" % (name, value)]
        if c.name == "conclave":
            argv += ["-I", "X-Consul-Index", "-f", path + "?stale", "-p",
                     path + "?stale&index={index}&wait=5m"]
        else:
            argv += ["-p", path + "?wait=true"]
        if tls:
            argv += ["-s", "-C", c.tls[0], "-r", str(TLS_OPEN_RATE), "-a",
                     ",".join("127.0.0.1:%d" % (c.http(i) + 2) for i in where),
                     "-T", "127.0.0.1:%d" % (c.http(lead) + 2)]
        else:
            argv += ["-r", str(WATCH_OPEN_RATE), "-a", c.addresses(where)]
        servers.wait_for("the watched key", lambda: c.write(lead, "w"))
        time.sleep(0.5)
        lines = self.tool(argv, c.pids())
        if self.set.verbose:
            print("\n".join("    " + x for x in lines), flush=True)
        f = fields(lines[-1])
        if f["incomplete_rounds"]:
            self.table.remarks.append("%s, %d watchers: %d rounds incomplete" % (
                c.name, watchers, f["incomplete_rounds"]))
        return f

    def fan_row(self, parties, metric, title, watchers, where, memory=False, **kind):
        names = [metric + k for k in (".first", ".p99", ".last")]
        if memory:
            names += [metric + ".bytes", metric + ".growth", metric + ".incomplete"]
        if memory and len(parties) and parties[0].name == "conclave":
            names += [metric + ".stalls", metric + ".elections"]

        def measure(c):
            if memory:  # a server that never held a watcher, so that each costs new memory
                c.stop()
                c.start()
                time.sleep(1)
            before = c.health() if c.name == "conclave" else None
            f = self.fan(c, watchers, where(c), **kind)
            for k in ("first", "p99", "last"):
                self.table.add(metric + "." + k, c.name, f[k])
            if memory:
                per = f["per_watcher_bytes"]
                self.table.add(metric + ".bytes", c.name, per)
                self.table.add(metric + ".growth", c.name, f["peak_per_watcher_bytes"] - per)
                self.table.add(metric + ".incomplete", c.name, f["incomplete_rounds"] + f["lost"])
            if memory and before:
                after = c.health()
                self.table.add(metric + ".stalls", c.name, after[1] - before[1])
                self.table.add(metric + ".elections", c.name,
                               after[2] - before[2] + after[0] - before[0])
        self.row(title, names, parties, measure)

    def watches(self, parties):
        def everywhere(c):
            return list(range(c.count))
        big = self.set.watchers
        for n in (100, 1000):
            self.fan_row(parties, "watch.%d" % n, "%d watchers" % n, n, everywhere)
        self.fan_row(parties, "watch.leader", "1000 watchers on the leader", 1000,
                     lambda c: [c.leader()])
        self.fan_row(parties, "watch.follower", "1000 watchers on one follower", 1000,
                     lambda c: c.followers()[:1])
        self.fan_row(parties, "watch.10000", "%d watchers" % big, big, everywhere, memory=True)
        ours = parties[:1]
        self.fan_row(ours, "watch.roots", "%d watchers, CA rotation" % big, big,
                     everywhere, roots=True)

    def tls_watches(self, ours):
        n = self.set.tls_watchers
        self.fan_row([ours], "watch.tls", "%d watchers over TLS" % n, n,
                     lambda c: list(range(c.count)), memory=True, tls=True)

    # ---- fail-over, start-up, idle ------------------------------------------

    def kill_once(self, c):
        lead = c.leader()
        rest = c.followers()
        body, headers = c.document("x")
        message = failover.compose("PUT", c.key("f"), body,
                                   ["%s: %s" % h for h in headers.items()])
        start = time.monotonic()
        c.procs[lead].kill()
        first = failover.first_write(c.addresses(rest).split(","), message, start=start)
        c.procs[lead].wait()
        if first is None:
            raise servers.BenchError("no write acknowledged within 60 s")
        self.table.add("failover", c.name, first[0])
        if self.set.verbose:
            print("    %s %.3f" % (c.name, first[0]), flush=True)
        c.spawn(lead)
        c.ready()
        time.sleep(self.set.settle_kill)

    def failovers(self, parties):
        print("  fail-over, %d kills each" % self.set.kills, flush=True)
        for k in range(self.set.kills):
            for c in parties if k % 2 == 0 else reversed(parties):
                if ("failover", c.name) in self.table.why:
                    continue
                try:
                    self.kill_once(c)
                except servers.BenchError as e:
                    self.table.missing("failover", c.name, str(e))

    def start_once(self, c):
        body, headers = c.document("x")
        message = failover.compose("PUT", c.key("f"), body,
                                   ["%s: %s" % h for h in headers.items()])
        start = time.monotonic()
        c.launch()
        first = failover.first_write(c.addresses().split(","), message, start=start)
        if first is None:
            raise servers.BenchError("no write acknowledged within 60 s")
        took = first[0]
        if c.name == "conclave":
            servers.wait_for("conclave's CA", lambda: c.roots(c.leader()))
            took = max(took, time.monotonic() - start)
        self.table.add("start", c.name, took)
        c.ready()
        time.sleep(2)
        cpu, begin = sum(map(machine.process_cpu, c.pids())), time.monotonic()
        time.sleep(3)
        used = sum(map(machine.process_cpu, c.pids())) - cpu
        self.table.add("idle.cpu", c.name, used / (time.monotonic() - begin) / c.count * 100)
        rss = [machine.process_rss(p) for p in c.pids()]
        self.table.add("idle.rss", c.name, statistics.median(rss) / 1e6)
        if self.set.verbose:
            print("    %s start %.3f s, rss %s" % (c.name, took, rss), flush=True)

    def starts(self, parties):
        def measure(c):
            try:
                self.start_once(c)
            finally:
                c.stop()
        saved, self.set.repeats = self.set.repeats, self.set.starts
        self.row("start-up and idle", ["start", "idle.rss", "idle.cpu"], parties, measure)
        self.set.repeats = saved


def certificate(directory):
    """A self-made certificate for 127.0.0.1 and its key, as paths."""
    cert, key = os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem")
    done = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "30", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
        capture_output=True, text=True, check=False)
    if done.returncode:
        raise servers.BenchError("openssl req: " + done.stderr.strip())
    os.chmod(key, 0o600)
    return cert, key
