"""Several processes of one run: what each needs of the machine."""

import pytest
import torch

from whyrank.core import processes
from whyrank.core.errors import UserError


def test_more_processes_than_gpus_are_one_line_that_names_how_many_there_may_be(monkeypatch):
    for name, value in (("WORLD_SIZE", "2"), ("LOCAL_WORLD_SIZE", "2"), ("RANK", "1"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match=r"starts 2 processes on this machine, and each takes a GPU, .* 1; use -S"):
        processes.start()
