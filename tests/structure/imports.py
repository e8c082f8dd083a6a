"""Which files of the package a script imports, by reading and not by running: imports inside functions count."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
PACKAGE = "whyrank"


def closure(*start: Path) -> set[Path]:
    """Every file of the package that the files `start` need, themselves left out.

    A package's `__init__.py` counts where it holds more than a docstring, with what it imports; a file that is not
    Python (a template) counts with every module beside it.
    """
    seen: set[Path] = set()
    left = list(start)
    while left:
        file = left.pop()
        for found in imported(file):
            if found not in seen:
                seen.add(found)
                left.append(found)
    return (seen | {data for file in seen for data in beside(file)}) - set(start)


def external(files: set[Path]) -> set[str]:
    """First names of the packages other than ours that some files import."""
    names = (name for file in files if file.suffix == ".py" for name in named(file))
    return {name.split(".")[0] for name in names} - {PACKAGE}


@cache
def imported(file: Path) -> set[Path]:
    return {found for name in named(file) if name.split(".")[0] == PACKAGE for found in files_of(name)}


@cache
def named(file: Path) -> list[str]:
    """Dotted names of all that a file imports; `from a import b` as `a.b`, whether b is a module or not."""
    found: list[str] = []
    for node in nodes(file):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{file}: relative import, line {node.lineno}"
            found += (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_modules":
            assert isinstance(node.args[0], ast.Constant), f"{file}: a package by its name, line {node.lineno}"
            found += modules_of(str(node.args[0].value))
    return found


def modules_of(package: str) -> Iterator[str]:
    """Dotted names of all modules of a package and of those in it."""
    for path in sorted(SOURCE.joinpath(*package.split(".")).rglob("*.py")):
        yield ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def files_of(name: str) -> Iterator[Path]:
    """The module of a dotted name and the packages around it."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        path = SOURCE.joinpath(*parts[:length])
        if path.with_suffix(".py").is_file():
            yield path.with_suffix(".py")
        elif (path / "__init__.py").is_file() and holds_code(path / "__init__.py"):
            yield path / "__init__.py"


@cache
def nodes(file: Path) -> list[ast.AST]:
    """Every node of a file's syntax, read once in a run of the tests."""
    return list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))


@cache
def holds_code(file: Path) -> bool:
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return not all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


def beside(file: Path) -> Iterator[Path]:
    return (path for path in file.parent.iterdir() if path.is_file() and path.suffix != ".py")
