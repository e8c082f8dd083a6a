"""`hf upload`, as docs/models.md has it, to a hub of our own on this machine: what arrives is the exported folder."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from whyrank.commands import card
from whyrank.core import io
from whyrank.model import system

ROOT = Path(__file__).parents[2]
MODEL = "/api/models/your-org/your-model"


class Hub(ThreadingHTTPServer):
    """The part of the hub's interface that an upload asks for.

    files    as they were committed;  stored   large ones, by checksum
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.stored, self.tokens = {}, {}, set()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.tokens.add(self.headers["Authorization"])
        if self.path == "/api/repos/create":
            self.answer({"url": f"{self.server.url}/your-org/your-model"})
        elif self.path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif self.path.startswith(f"{MODEL}/preupload/"):
            # Weights go through its store for large files.
            ways = [
                {"path": one["path"], "shouldIgnore": False,
                 "uploadMode": "lfs" if one["path"].endswith(".safetensors") else "regular"}
                for one in json.loads(body)["files"]
            ]  # fmt: skip
            self.answer({"files": ways})
        elif self.path == "/your-org/your-model.git/info/lfs/objects/batch":
            objects = [
                one | {"actions": {"upload": {"href": f"{self.server.url}/store/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
            ]
            self.answer({"transfer": "basic", "objects": objects})
        elif self.path.startswith(f"{MODEL}/commit/"):
            self.commit([json.loads(line) for line in body.splitlines()])
        else:
            self.send_error(404, self.path)

    def do_PUT(self):
        self.server.stored[self.path.rpartition("/")[2]] = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer({})

    def do_GET(self):
        self.answer({"sha": "0" * 40} if self.path.startswith(MODEL) else {})

    def commit(self, lines):
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                self.server.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.server.files[value["path"]] = self.server.stored[value["oid"]]
        self.answer({"commitUrl": f"{self.server.url}/your-org/your-model/commit/1", "commitOid": "1" * 40})

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub():
    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def exported(tiny_folder, tmp_path, monkeypatch):
    """A system as `whyrank export` leaves it; its card is tested elsewhere."""
    (tmp_path / "models").mkdir()
    shutil.copytree(tiny_folder, tmp_path / "models/base-tuned")
    monkeypatch.setattr(card, "render", lambda *given: "---\nlicense: mit\n---\n# base-tuned\n")
    card.export("base-tuned", tmp_path / "exported", tmp_path)
    return tmp_path / "exported"


def test_the_command_of_the_page_brings_every_file_to_the_hub_and_the_model_loads_from_them(exported, hub, tmp_path):
    page = (ROOT / "docs/models.md").read_text(encoding="utf-8")
    command = re.search(r"`hf (upload [^`]*)`", page)[1].split()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": "hf_ours",
        "HF_HUB_DISABLE_XET": "1",
        "HOME": str(tmp_path),
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    }
    done = subprocess.run(
        [Path(sys.executable).with_name("hf"), *command],
        check=False, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    sent = {str(path.relative_to(exported)): path.read_bytes() for path in exported.rglob("*") if path.is_file()}
    assert hub.files == sent and {"README.md", "modules.json", "model.safetensors"} <= sent.keys()
    assert "Bearer hf_ours" in hub.tokens
    for name, content in hub.files.items():
        (tmp_path / "there" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "there" / name).write_bytes(content)
    again = system.load_any(tmp_path / "there")
    assert again.encoder.width == system.load(exported).encoder.width
    assert io.read_json(tmp_path / "there/heads.json") == io.read_json(exported / "heads.json")
