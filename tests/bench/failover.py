#!/usr/bin/env python3
"""failover.py --kill PID --targets ADDR:PORT,ADDR:PORT --path /v1/tls/config/f
               [--verb PUT] [--body x] [--header 'Name: value'] [--signal KILL]
               [--attempt 0.15] [--limit 60]

Sends the signal to one process (the leader) and says how long it took until one
of the remaining servers acknowledged a write. One writer per target; each
attempt has its own short time-out, so an attempt that hangs on a server without
a leader does not hide the recovery. Without --kill it only waits for the first
acknowledged write, which times a start-up. One kill is one draw of a random
election time-out: take the median of at least eleven."""
import argparse
import os
import signal
import socket
import sys
import threading
import time


def first_write(targets, message, attempt_s=0.15, limit_s=60.0, start=None):
    """Seconds from start (now) to the first acknowledged write and who took
    it, or None. message is the whole HTTP request; it asks for a close."""
    start = time.monotonic() if start is None else start
    done, first = threading.Event(), []

    def attempt(host, port):
        with socket.create_connection((host, port), timeout=attempt_s) as s:
            s.settimeout(attempt_s)
            s.sendall(message)
            return s.recv(4096)[9:10] == b"2"

    def writer(target):
        host, port = target.rsplit(":", 1)
        while not done.is_set() and time.monotonic() - start < limit_s:
            try:
                if attempt(host, int(port)):
                    first.append((time.monotonic() - start, target))
                    done.set()
                    return
            except OSError:
                pass
            time.sleep(0.002)

    threads = [threading.Thread(target=writer, args=(t,)) for t in targets]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return min(first) if first else None


def compose(verb, path, body, headers=()):
    lines = ["%s %s HTTP/1.1" % (verb, path), "Host: localhost",
             "Content-Length: %d" % len(body), "Connection: close"]
    return ("\r\n".join(lines + list(headers)) + "\r\n\r\n" + body).encode()


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--kill", type=int)
    a.add_argument("--targets", required=True)
    a.add_argument("--path", required=True)
    a.add_argument("--verb", default="PUT")
    a.add_argument("--body", default="x")
    a.add_argument("--header", action="append", default=[])
    a.add_argument("--signal", default="KILL")
    a.add_argument("--attempt", type=float, default=0.15)
    a.add_argument("--limit", type=float, default=60)
    o = a.parse_args()
    start = time.monotonic()
    if o.kill:
        os.kill(o.kill, getattr(signal, "SIG" + o.signal))
    first = first_write(o.targets.split(","), compose(o.verb, o.path, o.body, o.header),
                        o.attempt, o.limit, start)
    if first is None:
        print("no write acknowledged within %.1f s" % o.limit)
        return 1
    print("first write acknowledged after %.3f s by %s" % first)
    return 0


if __name__ == "__main__":
    sys.exit(main())
