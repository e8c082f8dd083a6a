"""Progress: a line every few seconds in a log, a bar on a terminal, and the items as they are."""

from types import SimpleNamespace

from whyrank.core.progress import Note, progress


def run(monkeypatch, seconds_per_item: float, total: int) -> list[int]:
    """Work through `total` items on a clock that only our own work moves on."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("whyrank.core.progress.time", SimpleNamespace(monotonic=lambda: clock.now))
    seen = []
    for item in progress(range(total), total=total, what="encode"):
        seen.append(item)
        clock.now += seconds_per_item
    return seen


def test_a_log_gets_a_line_every_five_seconds_with_the_time_left(monkeypatch, fake_stderr):
    log = fake_stderr(False)
    assert run(monkeypatch, 2.0, 8) == list(range(8))
    # Items end at 2, 4, 6, ... s. The first look at or after 5 s is at 6 s with 3 items done: 2 s each, 5 left, 10 s.
    # The next at or after 11 s is at 12 s with 6 done: 2 left, 4 s. It ends at 16 s, before 17 s.
    assert log.getvalue() == "encode: 3 of 8, 10 s left\nencode: 6 of 8, 4 s left\n"


def test_work_of_under_five_seconds_is_silent_in_a_log(monkeypatch, fake_stderr):
    log = fake_stderr(False)
    assert run(monkeypatch, 0.1, 20) == list(range(20))
    assert log.getvalue() == ""


def test_a_terminal_gets_a_bar_that_names_the_work_and_is_wiped_at_the_end(monkeypatch, fake_stderr):
    terminal = fake_stderr(True)
    assert list(progress(range(3), total=3, what="encode")) == [0, 1, 2]
    assert "encode:" in terminal.getvalue() and "/3" in terminal.getvalue()
    assert "\n" not in terminal.getvalue()
    assert terminal.getvalue().endswith("\r")


def test_items_are_drawn_one_at_a_time_as_they_are_asked_for(fake_stderr):
    fake_stderr(False)
    drawn = []
    items = progress((drawn.append(i) or i for i in range(5)), total=5, what="train")
    next(items)
    assert drawn == [0]


def test_a_resumed_run_counts_from_where_it_was_and_the_note_goes_with_the_line(monkeypatch, fake_stderr):
    log = fake_stderr(False)
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("whyrank.core.progress.time", SimpleNamespace(monotonic=lambda: clock.now))
    note = Note()
    for item in progress(range(7, 11), total=10, what="train", done=6, note=note):
        note(f"loss {item}")
        clock.now += 3.0
    # At 6 s two of the four items are done, 3 s each, and two are left.
    assert log.getvalue() == "train: 8 of 10, 6 s left, loss 8\n"


def test_only_the_first_process_of_a_run_reports(monkeypatch, fake_stderr):
    monkeypatch.setenv("RANK", "1")
    terminal = fake_stderr(True)
    assert list(progress(range(3), total=3, what="encode")) == [0, 1, 2]
    assert terminal.getvalue() == ""
