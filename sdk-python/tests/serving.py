"""A real server, as tests start one."""

import json
import os
import re
import subprocess
import urllib.request

import pytest

SERVER = os.environ.get("RAPPORT")
needs_server = pytest.mark.skipif(
    SERVER is None, reason="RAPPORT names no server's binary: cargo xtask test builds it"
)


class Server:
    def __init__(self, folder):
        command = [SERVER, "serve", "--listen", "127.0.0.1:0", "--dir", str(folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        said = ""
        for line in self.process.stdout:
            said += line
            if line.startswith("Owner link"):
                break
        self.url = re.search(r"^Rapport serves at (\S+)", said, re.MULTILINE).group(1)
        self.key = re.search(r"wk_live_\w+", said).group()
        self.secret = re.search(r"sk_live_\w+", said).group()

    def ask(self, path, body=None):
        request = urllib.request.Request(self.url + path)
        request.add_header("authorization", f"Bearer {self.secret}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def publish(self, flags):
        return self.ask("/v1/bundles", {"bundle": {"signals": [], "flags": flags}, "models": {}})

    def close(self):
        self.process.terminate()
        self.process.wait(30)
