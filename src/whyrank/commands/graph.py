"""The encoder of a trained system as a graph for ONNX Runtime."""

from pathlib import Path

from whyrank.core.errors import UserError

# Where sentence-transformers, by optimum, looks for it.
FILE = Path("onnx/model.onnx")


def write(system: Path, folder: Path, backend: str, precision: str) -> None:
    """Write the transformer of the system in a folder of `models/` into `folder`; what is above it stays with torch.

    backend     torch: nothing is written, for the weights are there; onnx
    precision   of the weights in the graph, float32 or int8
    Raises UserError where a package is missing, or the transformer cannot be written as a graph.
    """
    if backend == "torch":
        if precision != "float32":
            raise UserError(f"sentence-transformers loads no {precision} weights with torch; add --backend onnx")
        return
    # Imported only here: the other exports need no torch.
    from whyrank.model import formats
    from whyrank.model import system as models

    file = folder / FILE
    file.parent.mkdir()
    graph = formats.graph(models.load(system).cpu().encoder)
    file.write_bytes(formats.rounded(graph) if precision == "int8" else graph)
