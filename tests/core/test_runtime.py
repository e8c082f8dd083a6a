"""One seed for everything random."""

import random

import numpy as np
import pytest
import torch

from whyrank.core import runtime


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


def test_the_same_seed_gives_the_same_draws_of_python_numpy_and_torch_and_another_does_not():
    def draws(seed):
        runtime.seed_everything(seed)
        return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002

    first, again, other = draws(3), draws(3), draws(4)
    assert first == again
    assert all(one != two for one, two in zip(first, other, strict=True))


def test_torch_refuses_kernels_that_are_not_deterministic():
    runtime.seed_everything(0)
    assert torch.are_deterministic_algorithms_enabled()


def test_whether_the_processor_has_bfloat16_is_a_plain_yes_or_no():
    assert runtime.processor_has_bf16() in (True, False)
