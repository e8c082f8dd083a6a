"""`inits` and `systems`: what fine-tuning starts from, and what is scored and compared."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from whyrank.core.options.sections import CHECKED

# A system's name is the name of a folder and of a stage.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]


@dataclass(frozen=True, config=CHECKED)
class System:
    """What is scored and compared."""

    made_of: str = Field(min_length=1, examples=["models/base"], description="what its scores depend on")
