"""scenario - runs the functions of one test file and cleans up behind them.

A file ends with `scenario.main(first, second, ...)`. Each function takes one
argument, the Run, which hands out ports and folders and ends every process
that was started through it. Exit status 0 = all passed, 1 = one failed.

Environment: CONCLAVED and CONCLAVE (programs, default build/), TEST_TMP
(where data lies, default a new folder under /tmp), TEST_PORT (the first of 99
ports, default 21000), T (run only functions whose name holds this).
"""
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
PORTS = 99
TAIL = 40  # lines of each log that a failure shows


class Skip(Exception):
    """This machine cannot run it; the reason is the text."""


def program(variable, name):
    path = os.environ.get(variable) or os.path.join(ROOT, "build", name)
    return os.path.abspath(path)


def eventually(seconds, check, what):
    """Ask until check() gives something true; that is the result."""
    end = time.monotonic() + seconds
    while True:
        try:
            last = check()
        except (OSError, ValueError, KeyError) as error:
            last, why = None, repr(error)
        else:
            why = repr(last)
        if last:
            return last
        if time.monotonic() > end:
            raise AssertionError(
                "not within %g s: %s (last: %s)" % (seconds, what, why[:400]))
        time.sleep(0.03)


def same(got, want, what=""):
    if got != want:
        raise AssertionError("%s: got %r, want %r" % (what, got, want))


class Run:
    def __init__(self):
        self.conclaved = program("CONCLAVED", "conclaved")
        self.conclave = program("CONCLAVE", "conclave")
        self.own_tmp = "TEST_TMP" not in os.environ
        base = os.environ.get("TEST_TMP") or tempfile.mkdtemp(
            prefix="conclave-")
        self.name = os.path.basename(sys.argv[0])
        self.tmp = os.path.join(os.path.abspath(base), self.name)
        self.base = base
        self.port = int(os.environ.get("TEST_PORT", "21000"))
        self.taken = 0
        self.folders = 0
        self.clusters = []
        self.undo = []  # functions, run in reverse at the end
        shutil.rmtree(self.tmp, ignore_errors=True)
        os.makedirs(self.tmp, 0o700)

    def ports(self, count):
        """The first of count ports nobody else of this test was given."""
        first = self.taken
        self.taken += count
        if self.taken > PORTS:
            raise AssertionError("more than %d ports taken" % PORTS)
        return self.port + first

    def folder(self, name="d"):
        self.folders += 1
        path = os.path.join(self.tmp, "%s%d" % (name, self.folders))
        os.mkdir(path, 0o700)
        return path

    def servers(self):
        return [s for c in self.clusters for s in c.servers]

    def check_alive(self):
        """Whoever ended without being asked to is a failure."""
        for server in self.servers():
            server.check()

    def stop_all(self):
        for server in self.servers():
            server.end()
        for function in reversed(self.undo):
            function()
        self.undo = []
        self.clusters = []
        self.taken = 0

    def show_logs(self):
        for server in self.servers():
            print("--- %s (%s), last lines" % (server.name, server.state()))
            for line in server.log().splitlines()[-TAIL:]:
                print("    " + line)

    def remove(self):
        shutil.rmtree(self.tmp, ignore_errors=True)
        if self.own_tmp:
            shutil.rmtree(self.base, ignore_errors=True)


def _one(run, function):
    """Said in cmocka's words, which the runner of all tests counts."""
    start = time.monotonic()
    print("[ RUN      ] %s" % function.__name__, flush=True)
    try:
        function(run)
        run.check_alive()
        verdict = "      OK"
    except Skip as why:
        print("    skipped: %s" % why)
        verdict = " SKIPPED"
    except Exception:  # pylint: disable=broad-except
        verdict = "  FAILED"
        print("".join(traceback.format_exc()), end="")
        run.show_logs()
    try:
        run.stop_all()
    except Exception:  # pylint: disable=broad-except
        verdict = "  FAILED"
        print("".join(traceback.format_exc()), end="")
    print("    %.1f s" % (time.monotonic() - start))
    print("[ %s ] %s" % (verdict, function.__name__), flush=True)
    return verdict != "  FAILED"


def _terminated(number, frame):
    raise SystemExit(1)


def main(*functions):
    signal.signal(signal.SIGTERM, _terminated)
    run = Run()
    only = os.environ.get("CASE", "")
    passed, ran = True, False
    if not os.access(run.conclaved, os.X_OK):
        print("no program %s (CONCLAVED names it)" % run.conclaved)
        run.remove()
        sys.exit(1)
    try:
        for function in functions:
            if only in function.__name__:
                passed = _one(run, function) and passed
                ran = True
    finally:
        run.stop_all()
        if passed or "KEEP" not in os.environ:
            run.remove()
        else:
            print("kept: %s" % run.tmp)
    if not ran:
        print("no case has CASE=%s in its name" % only)
    sys.exit(0 if passed and ran else 1)
