"""The reader of imports itself, on a package small enough to see all of it."""

import pytest

from . import imports, stage_files


@pytest.fixture
def package(tmp_path, monkeypatch):
    """whyrank with one layer `a` (modules one, two, a template) and a package `b` whose `__init__` holds code."""
    files = {
        "whyrank/__init__.py": '"""Only a docstring."""',
        "whyrank/a/__init__.py": '"""Only a docstring."""',
        "whyrank/a/one.py": "def late():\n    import torch\n    from whyrank.b import made\n",
        "whyrank/a/two.py": "import numpy",
        "whyrank/a/page.jinja": "",
        "whyrank/b/__init__.py": "from whyrank.c import name\nmade = name",
        "whyrank/c.py": "name = 1",
        "whyrank/d.py": "from whyrank.e import import_modules\nimport_modules('whyrank.a')",
        "whyrank/e.py": "",
        "script.py": "from whyrank.a import one",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setattr(imports, "SOURCE", tmp_path)
    return tmp_path


def test_the_closure_follows_imports_in_functions_and_packages_with_code_and_takes_templates_along(package):
    found = imports.closure(package / "script.py")
    assert {str(path.relative_to(package)) for path in found} == {
        "whyrank/a/one.py",
        "whyrank/a/page.jinja",
        "whyrank/b/__init__.py",
        "whyrank/c.py",
    }
    assert imports.external(found) == {"torch"}


def test_a_package_whose_modules_are_all_imported_is_in_the_closure_with_what_they_import(package):
    found = {str(path.relative_to(package)) for path in imports.closure(package / "whyrank/d.py")}
    assert found >= {"whyrank/a/one.py", "whyrank/a/two.py", "whyrank/b/__init__.py", "whyrank/c.py", "whyrank/e.py"}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('params.section(values, "encoder", params.Encoder)', {"encoder"}),
        ('params.section(values, "preflight", params.Preflight).stop_on\nparams.seed(values)', {"preflight", "seed"}),
        (
            'params.section(values, "finetune_rank", params.FirstBatches)',
            {f"finetune_rank.{name}" for name in ("batch_size", "candidates", "same_answer")}
            | {
                f"finetune_rank.objectives.similarity.{name}" for name in ("batch_size", "positive_from", "negative_to")
            },
        ),
        ('values = params.load("x")\nvalues["inits"]', {"inits"}),
        ("write(values)", set(stage_files.PARAMS)),
    ],
)
def test_the_parameters_that_a_script_reads(tmp_path, code, expected):
    (tmp_path / "script.py").write_text(code)
    assert stage_files.parameters_read(tmp_path / "script.py") == expected
