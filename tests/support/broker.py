"""A real mosquitto on a free loopback port, with TLS and a password."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from parts import missing
from powercap import drawing, make_zone

HOST = "127.0.0.1"


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def program(name):
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not found:
        missing(f"{name} is not installed (Debian packages mosquitto, openssl)")
    return found


class Broker:
    def __init__(self, folder: Path, tls=True, password=True):
        self.folder, self.port, self.process = folder, free_port(), None
        lines = [
            "user root",
            "persistence true",
            f"persistence_location {folder}/",
            f"listener {self.port} {HOST}",
        ]
        self.environ = {}
        if tls:
            self._make_certificates()
            lines += [
                f"cafile {folder}/ca.pem",
                f"certfile {folder}/server.pem",
                f"keyfile {folder}/server.key",
            ]
            self.environ["EMA_MQTT_TLS"] = str(folder / "ca.pem")
        if password:
            subprocess.run(
                [program("mosquitto_passwd"), "-b", "-c", folder / "passwords", "meter", "se:cret"],
                check=True, capture_output=True,
            )  # fmt: skip
            lines += ["allow_anonymous false", f"password_file {folder}/passwords"]
            self.environ["EMA_MQTT_CREDS"] = "meter:se:cret"
        else:
            lines += ["allow_anonymous true"]
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def url(self, topic="EMA/devices"):
        return f"mqtt://{HOST}:{self.port}/{topic}"

    def start(self):
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [program("mosquitto"), "-c", self.folder / "mosquitto.conf"], stdout=log, stderr=log
        )
        log.close()
        wait_until(self._listens, "the broker listens")
        return self

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def _listens(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0

    def _make_certificates(self):
        def openssl(*arguments):
            subprocess.run([program("openssl"), *arguments], cwd=self.folder, check=True, capture_output=True)

        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
        openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority")
        openssl(
            "req", "-x509", *key, "-keyout", "server.key", "-out", "server.pem", "-subj", "/CN=localhost",
            "-CA", "ca.pem", "-CAkey", "ca.key", "-addext", f"subjectAltName=IP:{HOST}",
            "-addext", "basicConstraints=critical,CA:FALSE",
        )  # fmt: skip


@contextlib.contextmanager
def publishing(folder, url, watts=50):
    """Run `inferometer meters publish` over a powercap tree in ``folder`` whose one package draws so much."""
    zone = make_zone(folder / "intel-rapl:0", "package-0")
    options = ["--powercap", str(folder), "--meter", "rapl"]
    command = [sys.executable, "-m", "inferometer", "meters", *options, "publish", url, "--interval", "0.05"]
    with drawing(zone, watts), subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as publisher:
        try:
            topic = url.partition("://")[2].partition("/")[2]
            assert publisher.stdout.readline() == f"package-0 (cpu) on {topic}/rapl-package-0\n"
            yield publisher
        finally:
            publisher.kill()


def wait_until(condition, what, limit_s=10.0):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, f"waited {limit_s} s in vain until {what}"
        time.sleep(0.01)
