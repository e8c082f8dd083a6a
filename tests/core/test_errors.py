import pytest

from whyrank.core.errors import UserError, exit_on_user_error


def test_a_user_error_ends_the_command_with_exit_code_1_and_one_line(capsys):
    def main():
        raise UserError("queries.jsonl line 3:\n  `_id` is empty;   give every query an id")

    with pytest.raises(SystemExit) as exit:
        exit_on_user_error(main)
    # Python prints a text given to sys.exit on standard error and ends with code 1.
    assert exit.value.code == "error: queries.jsonl line 3: `_id` is empty; give every query an id"


def test_the_process_itself_ends_with_code_1_one_line_and_no_traceback():
    import subprocess
    import sys

    script = (
        "from whyrank.core.errors import UserError, exit_on_user_error\n"
        "def main():\n    raise UserError('bad value')\n"
        "exit_on_user_error(main)"
    )
    path = next(folder for folder in sys.path if folder.endswith("src"))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env={"PYTHONPATH": path})
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "error: bad value\n")


def test_several_faults_are_one_line_each():
    def main():
        raise UserError("params.yaml: `seed` is -1;\nuse -S seed=7", "params.yaml: `launch` is missing")

    with pytest.raises(SystemExit) as exit:
        exit_on_user_error(main)
    first, second = str(exit.value.code).splitlines()
    assert first == "error: params.yaml: `seed` is -1; use -S seed=7"
    assert second == "error: params.yaml: `launch` is missing"


def test_any_other_error_keeps_its_traceback():
    def main():
        raise ValueError("our own fault")

    with pytest.raises(ValueError, match="our own fault"):
        exit_on_user_error(main)


def test_a_command_that_succeeds_does_not_exit():
    done = []
    exit_on_user_error(lambda: done.append(1))
    assert done == [1]


def test_a_user_error_is_a_value_error():
    assert issubclass(UserError, ValueError)
