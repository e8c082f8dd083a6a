"""A hub that cannot be reached: one line, within seconds; and nothing is asked where nothing is wanted from it."""

import socket
import subprocess
import sys
import threading
import time

import pytest
from huggingface_hub import constants

from whyrank.core import network
from whyrank.core.errors import UserError

REMEDY = r"connect to it, name a folder, or set HF_HUB_OFFLINE=1 to take what was brought before$"


@pytest.fixture
def hub(monkeypatch):
    """The hub is a server that accepts and says nothing."""
    server = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield server
    server.close()


def answering(server, answer):
    """Answer one request from another thread."""

    def answer_one():
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(answer)

    threading.Thread(target=answer_one, daemon=True).start()


def test_a_hub_that_refuses_is_told_at_once(hub):
    hub.close()
    with pytest.raises(UserError, match=rf"^encoder 'a/b': the hub http://127\S+ cannot be reached \(.+\); {REMEDY}"):
        network.check_hub("encoder 'a/b'")


def test_a_hub_that_is_mute_is_told_after_the_time_that_it_has(hub, monkeypatch):
    monkeypatch.setattr(network, "SECONDS", 0.2)
    started = time.monotonic()
    with pytest.raises(UserError, match=rf"cannot be reached \(.+\); {REMEDY}"):
        network.check_hub("encoder 'a/b'")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("status", [b"200 OK", b"404 Not Found", b"503 Busy"])
def test_any_answer_is_one(hub, status):
    answering(hub, b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
    network.check_hub("encoder 'a/b'")


def test_offline_nothing_is_asked(hub, monkeypatch):
    hub.close()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    network.check_hub("encoder 'a/b'")


def test_the_packaged_encoder_and_folders_ask_no_network(tmp_path):
    """Python tells of every name that is looked up and every connection, of whatever library."""
    code = """
import os, sys, tempfile
os.environ.pop("HF_HUB_OFFLINE", None)
asked = []
sys.addaudithook(lambda event, _: asked.append(event) if event in ("socket.getaddrinfo", "socket.connect") else None)
from whyrank.core.options import params
from whyrank.core.options.yaml_files import read_yaml
from whyrank.model import system
from whyrank.model.encoder import source
encoder = source.bring(params.section(read_yaml("params.yaml"), "encoder", params.Encoder), [])
system.save(system.untrained(encoder), sys.argv[1], longest=16)
system.load(sys.argv[1]).encoder.tokenise(["a text"], 16, "query")
print(asked)
"""
    found = subprocess.run([sys.executable, "-c", code, tmp_path / "system"], capture_output=True, text=True)
    assert found.stdout == "[]\n", found.stderr
