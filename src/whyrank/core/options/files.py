"""`prepare.files`: how files of text are read where they do not say it themselves."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from whyrank.core.options.sections import CHECKED, Fault, repeated

Spelling = Literal["comma", "percent", "fraction", "boolean"]


@dataclass(frozen=True, config=CHECKED)
class Files:
    """How files of text are read."""

    encoding: str = Field(
        min_length=1,
        examples=["auto"],
        description="auto: UTF-8, UTF-16 or UTF-32; else the name of what files are in that are none of these",
    )
    quoting: Literal["auto", "quoted", "none"] = Field(
        description="of CSV and TSV; quoted: a cell may stand in quotation marks; none: a mark is a character"
    )
    numbers: Annotated[list[Spelling], Field(max_length=4)] = Field(
        examples=[[]], description="read beside 0.5: comma (0,5), percent (85 %), fraction (4/5), boolean (yes, true)"
    )

    def faults(self) -> Iterator[Fault]:
        if self.encoding != "auto":
            try:
                "a\n".encode(self.encoding)
            except (LookupError, ValueError):
                yield Fault("encoding", f"is {self.encoding!r}, which is no encoding of text", ["encoding=cp1252"])
        yield from repeated("numbers", self.numbers)
