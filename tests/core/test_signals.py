"""A signal waits for the end of a block, and is not lost."""

import os
import signal

import pytest

from whyrank.core.signals import SIGNALS, interruption


class CameError(Exception):
    pass


@pytest.fixture(params=SIGNALS)
def number(request, monkeypatch):
    """A signal whose usual action is to raise."""

    def raising(number, frame):
        raise CameError(number)

    before = signal.signal(request.param, raising)
    yield request.param
    signal.signal(request.param, before)


@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_is_noted_and_acts_once_the_block_has_ended(number, times):
    usual, reached = signal.getsignal(number), []
    with pytest.raises(CameError), interruption() as noted:
        assert noted.signal == 0
        for _ in range(times):
            os.kill(os.getpid(), number)
        assert noted.signal == number
        reached.append(1)
    assert reached and signal.getsignal(number) is usual


def test_a_second_one_acts_at_once_where_the_block_may_be_long(number):
    reached = []
    with pytest.raises(CameError), interruption(impatient=True):
        os.kill(os.getpid(), number)
        reached.append(1)
        os.kill(os.getpid(), number)
        reached.append(2)
    assert reached == [1]


def test_a_block_that_fails_says_so_and_not_the_signal(number):
    with pytest.raises(KeyError), interruption():
        os.kill(os.getpid(), number)
        raise KeyError


def test_without_a_signal_nothing_happens(number):
    usual = signal.getsignal(number)
    with interruption() as noted:
        pass
    assert noted.signal == 0 and signal.getsignal(number) is usual
