"""One seed for everything random."""

import os
import random
import subprocess
import sys
from pathlib import Path

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


def test_new_tensors_are_not_filled_for_it():
    # Filled with NaN they would be, in deterministic mode.
    runtime.seed_everything(0)
    assert not torch.utils.deterministic.fill_uninitialized_memory


def test_a_process_that_keeps_its_memory_meets_no_fresh_pages_and_one_that_returns_it_does(tmp_path):
    code = """
import resource, sys
from whyrank.core import runtime
runtime.arrange_memory(keep=sys.argv[1] == "keep")
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        b"x" * 2**26
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""
    source = str(Path(runtime.__file__).parents[2])
    count = {}
    for what in ("keep", "return"):
        command = [sys.executable, "-c", code, what]
        count[what] = int(subprocess.check_output(command, text=True, env=os.environ | {"PYTHONPATH": source}))
    if count["return"] < 1000:
        pytest.skip("memory is not given back to the system here")
    assert count["keep"] < count["return"] / 10


def test_whether_the_processor_has_bfloat16_is_a_plain_yes_or_no():
    assert runtime.processor_has_bf16() in (True, False)


@pytest.mark.parametrize(
    ("flags", "is_faster"),
    [("avx512f avx512_bf16 amx_bf16 amx_tile", True), ("avx512f avx512_bf16", False), ("avx2", False)],
)
def test_bfloat16_is_faster_on_a_processor_with_a_matrix_unit_alone(flags, is_faster, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(runtime.Path, "read_text", lambda *_, **__: f"flags : fpu {flags}\n")
    assert runtime.processor_has_bf16() is is_faster


@pytest.mark.parametrize("has_bf16", [True, False])
def test_products_are_halved_where_the_processor_has_it_or_on_request(has_bf16, monkeypatch):
    monkeypatch.setattr(runtime, "processor_has_bf16", lambda: has_bf16)
    assert runtime.product_dtype("auto") == (torch.bfloat16 if has_bf16 else torch.float32)
    assert [runtime.product_dtype(one) for one in ("bf16", "fp16", "fp32")] == [
        torch.bfloat16, torch.float16, torch.float32,
    ]  # fmt: skip


def test_the_rate_of_a_product_is_operations_over_seconds(monkeypatch):
    clock = iter([0.0, 9.0, 10.0, 12.0, 20.0, 21.0])  # 9 s (the first), 2 s, 1 s: the best counts
    monkeypatch.setattr(runtime.time, "perf_counter", lambda: next(clock))
    assert runtime.product_rate(torch.device("cpu"), torch.float32, size=10, times=2) == 2000
