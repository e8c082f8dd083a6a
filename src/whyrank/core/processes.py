"""The processes of one run: several under `torchrun`, or another launcher that sets its variables, else one.

Encoding costs most, so the texts of a batch are split across the processes; their vectors are shared, and heads and
losses are computed on all of them by every process. So negatives and batch statistics are those of the whole batch,
and a run of several processes takes the same steps as a run of one.
"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from whyrank.core.errors import UserError
from whyrank.core.rank import is_first as is_first
from whyrank.core.rank import number as number

if TYPE_CHECKING:
    import torch


def count() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def start() -> None:
    """Join the other processes of the run, if there are any: NCCL with a GPU for each process, else gloo.

    Raises UserError where there are GPUs, but fewer than processes.
    """
    if count() > 1:
        # Imported only here: it takes a second that a single process need not pay.
        import torch

        if torch.cuda.is_available():
            here, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", count())), torch.cuda.device_count()
            if here > gpus:
                raise UserError(
                    f"params.yaml: `launch` starts {here} processes on this machine, and each takes a GPU, of which "
                    f'there are {gpus}; use -S "launch=torchrun --nproc-per-node={gpus}"'
                )
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def add_up(tensor: "torch.Tensor") -> None:
    """Replace a tensor by its sum over all processes."""
    if count() > 1:
        import torch.distributed

        all_reduce(tensor, torch.distributed.ReduceOp.SUM)


def agree(*numbers: int) -> list[int]:
    """The largest of each number over all processes: what one of them has noticed, such as a signal, all then know."""
    if count() == 1:
        return list(numbers)
    import torch.distributed

    tensor = torch.tensor(numbers)
    all_reduce(tensor, torch.distributed.ReduceOp.MAX)
    return tensor.tolist()


def all_reduce(tensor: "torch.Tensor", operation: Any) -> None:
    import torch.distributed

    # NCCL knows only the memory of GPUs.
    on_device = tensor.cuda() if torch.distributed.get_backend() == "nccl" else tensor
    torch.distributed.all_reduce(on_device, operation)
    if on_device is not tensor:
        tensor.copy_(on_device)


def sum_gradients(parameters: "Iterable[torch.nn.Parameter]") -> None:
    """Each process has the gradients of its own texts; the batch has their sum. Those of a sharded one are sums."""
    if count() > 1:
        from torch.distributed.tensor import DTensor

        for parameter in parameters:
            if parameter.grad is not None and not isinstance(parameter.grad, DTensor):
                add_up(parameter.grad)


def wait() -> None:
    """Until every process is here."""
    if count() > 1:
        import torch.distributed

        torch.distributed.barrier()
