"""What the numbers were taken on, and what else was going on meanwhile."""
import os
import platform
import resource
import statistics
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")


def _first(path, key):
    with open(path, encoding="ascii", errors="replace") as f:
        for line in f:
            if line.startswith(key):
                return line.split(":", 1)[1].strip()
    return "unknown"


def output(*argv):
    """What a command prints, or an empty text if it fails."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return "" if done.returncode else (done.stdout or done.stderr).strip()


def commit():
    name = output("git", "rev-parse", "--short=12", "HEAD") or "unknown"
    changed = output("git", "status", "--porcelain", "--untracked-files=no")
    return name + (" with local changes" if changed else "")


def file_system(path):
    """Type and device that path is on, from the longest mount point above it."""
    best = ("", "unknown", "unknown")
    with open("/proc/self/mounts", encoding="utf-8") as f:
        for line in f:
            device, mount, kind = line.split()[:3]
            inside = (path + "/").startswith(mount.rstrip("/") + "/")
            if inside and len(mount) >= len(best[0]):
                best = (mount, kind, device)
    return best[1], best[2]


def disk_sync_us(directory, seconds=1.0):
    """Median time to write 4 KiB and make it durable, microseconds."""
    path, took = os.path.join(directory, "sync-probe"), []
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(fd, bytes(4096 * 1024))
        os.fsync(fd)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            start = time.monotonic()
            os.pwrite(fd, b"x" * 4096, 4096 * (len(took) % 1024))
            os.fdatasync(fd)
            took.append(time.monotonic() - start)
    finally:
        os.close(fd)
        os.unlink(path)
    return statistics.median(took) * 1e6


def describe(directory):
    kind, device = file_system(directory)
    memory = int(_first("/proc/meminfo", "MemTotal").split()[0]) / 1048576
    return {
        "cpu": _first("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "kernel": platform.release(),
        "system": _first_release("PRETTY_NAME"),
        "disk": "%s on %s" % (kind, device),
        "disk_sync_4k_us": round(disk_sync_us(directory), 1),
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "load_average": os.getloadavg(),
    }


def _first_release(key):
    with open("/etc/os-release", encoding="utf-8") as f:
        for line in f:
            if line.startswith(key + "="):
                return line.split("=", 1)[1].strip().strip('"')
    return "unknown"


def process_cpu(pid):
    """Seconds of CPU a process has used; 0 when it is gone."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as f:
            fields = f.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def process_rss(pid):
    """Resident bytes of a process; 0 when it is gone."""
    try:
        return int(_first("/proc/%d/status" % pid, "VmRSS").split()[0]) * 1024
    except (OSError, ValueError):
        return 0


def _busy():
    with open("/proc/stat", encoding="ascii") as f:
        v = [int(x) for x in f.readline().split()[1:]]
    return (sum(v[:8]) - v[3] - v[4]) / TICK, v[7] / TICK


class Noise:
    """CPU that others took while a measurement ran, as share of the machine.
    Interrupt time counts as others', so a quiet machine shows a few percent."""

    def __init__(self, pids):
        self.pids = pids
        self.start = time.monotonic()
        self.own, (self.busy, self.steal) = self._own(), _busy()

    def _own(self):
        used = sum(process_cpu(p) for p in self.pids)
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            r = resource.getrusage(who)
            used += r.ru_utime + r.ru_stime
        return used

    def stop(self):
        wall = (time.monotonic() - self.start) * os.cpu_count()
        busy, steal = _busy()
        others = busy - self.busy - (self._own() - self.own)
        return max(0.0, others / wall), (steal - self.steal) / wall
