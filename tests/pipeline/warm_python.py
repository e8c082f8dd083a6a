"""A `python` that starts stages at once: a process that has imported everything forks one for each.

In the small clones a stage spends four fifths of its time on imports. Everything but `python stages/…` is run by the
usual interpreter.
"""

import array
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STREAMS = 3
# Isolated and without site-packages it starts in 20 ms.
ASK = """#!{python} -IS
import array, json, os, socket, sys
if len(sys.argv) < 2 or not sys.argv[1].startswith("stages/"):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
asked = json.dumps([os.getcwd(), sys.argv[1:], dict(os.environ)]).encode()
with socket.socket(socket.AF_UNIX) as way:
    way.connect({place!r})
    streams = array.array("i", [0, 1, 2])
    way.sendmsg([len(asked).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
    way.sendall(asked)
    code = int(way.recv(4) or b"70")
sys.exit(code if code >= 0 else 128 - code)
"""


@contextmanager
def warm(folder: Path, root: Path) -> Iterator[None]:
    """Write `folder`/python, which is served as long as the context lasts.

    root   the repository whose stages are imported; a clone with the same code runs them, too
    """
    folder.mkdir(parents=True)
    place, file = folder / "socket", folder / "python"
    file.write_text(ASK.format(python=sys.executable, place=str(place)), encoding="utf-8")
    file.chmod(0o755)
    environment = os.environ | {"PYTHONPATH": str(root / "src"), "HF_HUB_OFFLINE": "1"}
    with subprocess.Popen([sys.executable, __file__, str(place), str(root)], env=environment) as server:
        try:
            while not place.exists():
                assert server.poll() is None, "the server ended before it served"
                time.sleep(0.1)
            yield
        finally:
            server.kill()


def serve(place: str, root: str) -> None:
    from whyrank.commands import in_process

    in_process.stages(Path(root))
    # The importing of stages takes signals over; children that have ended need nobody to wait for them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{place}.unready")
        server.listen()
        Path(f"{place}.unready").rename(place)
        while True:
            way, _ = server.accept()
            if os.fork() == 0:
                server.close()
                os._exit(answer(way))
            way.close()


def answer(way: socket.socket) -> int:
    """Run what is asked for in a child, so that its end, whatever it is, can be told."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    streams = array.array("i")
    size, ancillary, _, _ = way.recvmsg(4, socket.CMSG_SPACE(STREAMS * streams.itemsize))
    streams.frombytes(ancillary[0][2])
    with way.makefile("rb") as content:
        folder, arguments, environment = json.loads(content.read(int.from_bytes(size, "big")))
    if os.fork() == 0:
        way.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = arguments
        os._exit(run(arguments[0]))
    _, status = os.wait()
    way.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    return 0


def run(script: str) -> int:
    code: object = 0
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        code = end.code
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return code if isinstance(code, int) else int(code is not None)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2])
