"""scripted - a server that answers as it is told, and conclave run against it.

So every answer can be had at will, bad ones too, and what was asked is known.
"""
import http.server
import json
import os
import re
import ssl
import subprocess
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self):
        play = self.server.play
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size).decode()
        play.asked.append((self.command, self.path, body, self.headers))
        answer = play.answers.get(self.path.split("?")[0], [404, "", {}])
        if isinstance(answer[0], list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        status, text, headers = (list(answer) + ["", {}])[:3]
        data = (text if isinstance(text, str) else json.dumps(text)).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_DELETE = reply

    def log_message(self, *_):
        pass

    def address_string(self):
        return "client"


class Play:
    """answers  path without query -> [status, body, headers], or a list of
             such, each used once but for the last
    asked    (method, path, body, headers) of each request since the last run
    """

    def __init__(self, run):
        self.conclave = run.conclave
        self.folder = run.folder()
        self.answers, self.asked, self.failed = {}, [], 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.address = "127.0.0.1:%d" % self.port
        self.serve(self.server)
        run.undo.append(self.server.shutdown)

    def serve(self, server):
        server.play = self
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def serve_tls(self, cert, key, client_ca=None):
        """The same over TLS, on a port of its own, which is returned."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        if client_ca:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False)
        server.handle_error = lambda *_: None
        self.serve(server)
        return server.server_port

    def serve_unix(self):
        """The same on a Unix socket, whose path is returned."""
        path = os.path.join(self.folder, "http.sock")

        class Server(http.server.ThreadingHTTPServer):
            address_family = http.server.socketserver.socket.AF_UNIX

            def server_bind(self):
                self.socket.bind(self.server_address)

        self.serve(Server(path, Handler))
        return path

    def run(self, *args, stdin="", env=None, addr=None):
        clean = {k: v for k, v in os.environ.items()
                 if not k.startswith(("CONCLAVE_", "CONSUL_"))}
        clean["CONCLAVE_HTTP_ADDR"] = addr or self.address
        clean.update(env or {})
        self.asked.clear()
        return subprocess.run(
            [self.conclave, *args], input=stdin, env=clean, check=False,
            capture_output=True, text=True, timeout=60)

    def file(self, text):
        path = os.path.join(self.folder, "input.json")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def check(self, name, got, code, out=None, err=None):
        """Exit status and texts are these; a text may be a pattern."""
        wrong = []
        if got.returncode != code:
            wrong.append("exit %d, want %d" % (got.returncode, code))
        for what, have, want in (("stdout", got.stdout, out),
                                 ("stderr", got.stderr, err)):
            if want is None or have == want:
                continue
            if isinstance(want, re.Pattern):
                if want.search(have):
                    continue
                want = want.pattern
            wrong.append("%s\n--- have\n%s\n--- want\n%s" % (what, have, want))
        self.claim("\n".join([name] + wrong), not wrong)

    def claim(self, name, good):
        if not good:
            print("    FAILED: " + name)
            self.failed += 1

    def end(self):
        if self.failed:
            raise AssertionError("%d claims failed, see above" % self.failed)
