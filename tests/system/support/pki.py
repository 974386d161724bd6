"""pki - certificates as openssl(1) sees and makes them."""
import os
import re
import subprocess

CERT = re.compile(
    r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.S)


def openssl(*arguments, stdin=None, fail=True):
    done = subprocess.run(
        ["openssl", *arguments], input=stdin, capture_output=True, text=True,
        timeout=60, check=False)
    if fail and done.returncode != 0:
        raise AssertionError("openssl %s: %s%s" % (
            " ".join(arguments), done.stdout, done.stderr))
    return done


def text(pem):
    """What `openssl x509 -text` prints, blanks squeezed."""
    out = openssl("x509", "-noout", "-text", stdin=pem).stdout
    return re.sub(r"\s+", " ", out)


def field(pem, name):
    """One of serial, subject, issuer, startdate, enddate, fingerprint."""
    out = openssl("x509", "-noout", "-" + name, stdin=pem).stdout
    return out.strip().split("=", 1)[1].strip()


def key_ids(pem):
    """(subject key id, authority key id), lower-case colon-hex."""
    out = openssl("x509", "-noout", "-ext",
                  "subjectKeyIdentifier,authorityKeyIdentifier",
                  stdin=pem).stdout
    found = re.findall(r"([0-9A-F]{2}(?::[0-9A-F]{2})+)", out)
    return [one.lower() for one in found]


def verify(folder, cert, trusted, between=()):
    """True if cert verifies under the trusted, through between."""
    paths = []
    for name, pems in (("cert", [cert]), ("trusted", trusted),
                       ("between", list(between))):
        path = os.path.join(folder, name + ".pem")
        with open(path, "w", encoding="ascii") as file:
            file.write("".join(pems))
        paths.append(path)
    arguments = ["verify", "-no-CApath", "-no-CAstore", "-CAfile", paths[1]]
    if between:
        arguments += ["-untrusted", paths[2]]
    return openssl(*arguments, paths[0], fail=False).returncode == 0


def new_key(kind="ec", bits=256):
    """A private key as PEM of the classic kind."""
    if kind == "rsa":
        return openssl("genrsa", "-traditional", str(bits)).stdout
    curve = {224: "secp224r1", 256: "prime256v1", 384: "secp384r1",
             521: "secp521r1"}[bits]
    return openssl("ecparam", "-genkey", "-noout", "-name", curve).stdout


class Authority:
    """A CA of our own, for the certificates of servers."""

    def __init__(self, folder, name="ca"):
        self.folder = folder
        self.key = os.path.join(folder, name + "-key.pem")
        self.cert = os.path.join(folder, name + ".pem")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=" + name, "-keyout", self.key, "-out", self.cert)

    def issue(self, name, dns, days="1"):
        """(certificate path, key path) for these DNS names."""
        key = os.path.join(self.folder, name + "-key.pem")
        request = os.path.join(self.folder, name + ".csr")
        cert = os.path.join(self.folder, name + ".pem")
        extra = os.path.join(self.folder, name + ".cnf")
        with open(extra, "w", encoding="ascii") as file:
            file.write("subjectAltName=%s\n"
                       "extendedKeyUsage=serverAuth,clientAuth\n" % ",".join(
                           ["DNS:" + one for one in dns] + ["IP:127.0.0.1"]))
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                "/CN=" + name, "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey",
                self.key, "-CAcreateserial", "-days", days, "-extfile", extra,
                "-out", cert)
        return cert, key
