"""What a wheel brings beside the package: files of this repository, copied while it is built; none is kept twice.

`whyrank.commands.template` finds them, in the wheel or in the repository itself.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
TEMPLATE = "whyrank/template"
PATTERNS = (
    "dvc.yaml",
    "params.yaml",
    "params.schema.json",
    "stages/*.py",
    "data/corrections/none.csv",
    "data/raw/sample/**/*.*",
)


class WithTemplate(build_py):
    """Copies them into the wheel; an editable install has them in the repository."""

    def run(self) -> None:
        super().run()
        for source, target in {} if self.editable_mode else self.template.items():
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)

    @property
    def template(self) -> dict[str, str]:
        """Where each file goes."""
        files = [file for pattern in PATTERNS for file in sorted(HERE.glob(pattern))]
        return {str(file): str(Path(self.build_lib, TEMPLATE, file.relative_to(HERE))) for file in files}

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), *self.template.values()]


setup(cmdclass={"build_py": WithTemplate})
