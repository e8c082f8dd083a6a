"""How a script ends: one line and an exit code, whenever a signal comes; what it was writing is gone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from whyrank.core import io

SOURCES = Path(__file__).parents[2] / "src"
RUN = "from whyrank.core import command\n{imports}\ndef main():\n    {body}\ncommand.run(main)\n"


def script(body, imports=""):
    return [sys.executable, "-c", RUN.format(body=body, imports=imports)]


def started(command, folder):
    surroundings = os.environ | {"PYTHONPATH": str(SOURCES)}
    return subprocess.Popen(
        command, cwd=folder, env=surroundings, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def ended(command, folder):
    process = started(command, folder)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize(
    ("body", "imports", "code", "line"),
    [
        ("raise UserError('bad\\n  value')", "from whyrank.core.errors import UserError", 1, "error: bad value\n"),
        ("raise UsageError('no command')", "from whyrank.core.errors import UsageError", 2, "error: no command\n"),
        ("open('nowhere')", "", 1, "error: nowhere: No such file or directory; "),
        ("raise MemoryError", "", 1, "error: out of memory (MemoryError); "),
        ("print('done')", "", 0, ""),
        ("sys.exit(3)", "import sys", 3, ""),
    ],
)
def test_a_script_ends_with_a_line_and_a_code(body, imports, code, line, tmp_path):
    found, _, said = ended(script(body, imports), tmp_path)
    assert found == code and said.startswith(line) and said.count("\n") == bool(line)


def test_our_own_fault_keeps_its_traceback(tmp_path):
    code, _, said = ended(script("raise KeyError('mrr')"), tmp_path)
    assert code == 1 and "Traceback" in said and "KeyError: 'mrr'" in said


def test_a_reader_that_has_had_enough_gets_no_traceback(tmp_path):
    process = started(script("[print('x' * 1000) for _ in range(10000)]"), tmp_path)
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(timeout=60) == 1 and process.stderr.read() == ""


WRITES = """for i in range(10**6):
        with io.replacing_folder('models/base') as folder:
            for name in 'abc':
                io.write_text(folder / name, f'{i}')"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment_is_one_line_a_code_and_nothing_half_written(number, tmp_path):
    """Where it comes as the process begins, Python itself ends: before the first import of ours."""
    for place in range(6):
        folder = tmp_path / str(place)
        folder.mkdir()
        process = started(script(WRITES, "from whyrank.core import io"), folder)
        while not (folder / "models/base/c").exists():
            time.sleep(0.005)
        time.sleep(0.0137 * place)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
        assert process.returncode == 128 + number
        assert said == f"error: interrupted by {number.name}; nothing is half-written; run it again\n"
        assert len({path.read_text() for path in (folder / "models/base").iterdir()}) == 1
        # A signal between the making of a folder and its `try` leaves it, for the next run that writes the same.
        assert {path.name.partition(".unfinished")[0] for path in (folder / "models").iterdir()} <= {"base", ".base"}
        with io.replacing_folder(folder / "models/base") as again:
            (again / "a").touch()
        assert [path.name for path in (folder / "models").iterdir()] == ["base"]


@pytest.mark.parametrize(
    "moment", ["import signal; signal.raise_signal(2)", "import atexit; atexit.register(signal.raise_signal, 2)"]
)
def test_a_signal_during_imports_or_at_the_very_end_is_one_line_too(moment, tmp_path):
    imports = f"from whyrank.core import ctrl_c\nimport signal\n{moment}"
    code, _, said = ended(script("pass", imports), tmp_path)
    assert code == 130 and said == "error: interrupted by SIGINT; nothing is half-written; run it again\n"


@pytest.mark.parametrize(("error", "is_ours"), [("MemoryError", False), ("KeyError('mrr')", True)])
def test_an_import_that_fails_for_want_of_memory_is_one_line(error, is_ours, tmp_path):
    code, _, said = ended(script("pass", f"from whyrank.core import ctrl_c\nraise {error}"), tmp_path)
    assert code == 1 and ("Traceback" in said) == is_ours and said.startswith("error: out of memory") != is_ours


def test_a_signal_while_an_object_is_destroyed_is_not_lost(tmp_path):
    body = "Dying(); import time; time.sleep(30)"
    imports = "import signal\nclass Dying:\n    def __del__(self):\n        signal.raise_signal(2)"
    code, _, said = ended(script(body, imports), tmp_path)
    assert code == 130 and said.startswith("error: interrupted by SIGINT") and "Traceback" not in said


KILLED = """with io.replacing_folder('models/base') as folder, io.replacing('models/x.json') as file:
        io.write_text(folder / 'a', 'half')
        os.kill(os.getpid(), 9)"""


def test_what_a_killed_run_left_is_gone_after_the_next_one(tmp_path):
    assert ended(script(KILLED, "import os\nfrom whyrank.core import io"), tmp_path)[0] == -9
    assert len(list((tmp_path / "models").iterdir())) == 2
    (tmp_path / "models/.base.unfinished-abcdefgh.old").mkdir()  # killed between two renames
    others = {".base.unfinished-mine", ".base-tuned.unfinished-abcdefgh", ".x.unfinished-abcdefgh"}
    for name in others:
        (tmp_path / "models" / name).mkdir()
    body = "io.write_text('models/x.json', '{}')\n    with io.replacing_folder('models/base'): pass"
    assert ended(script(body, "from whyrank.core import io"), tmp_path)[0] == 0
    assert {path.name for path in (tmp_path / "models").iterdir()} == {"base", "x.json"} | others


def test_what_a_living_process_is_writing_is_left_alone(tmp_path):
    from whyrank.core import io

    with io.replacing_folder(tmp_path / "base") as folder:
        (folder / "a").write_text("mine")
        assert ended(script("io.replacing_folder('base').__enter__()", "from whyrank.core import io"), tmp_path)[0] == 0
    assert (tmp_path / "base/a").read_text() == "mine"
