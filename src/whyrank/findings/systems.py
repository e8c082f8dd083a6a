"""Which systems there are, what each is for, and which of them are worth comparing. Nothing here knows a name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from whyrank.core.options.checking import typed
from whyrank.core.options.system_links import made_of
from whyrank.core.options.systems import PRETRAINED, RATING_KINDS, TRAINED, Role, System, tuned_folder

# Stands for the better of the baselines, which only a run can tell.
BEST_BASELINE = "best lexical baseline"
# The same of all that a rival competes with: encoders and lexical baselines.
BEST_OTHER = "best encoder or lexical baseline"


@dataclass(frozen=True)
class Systems:
    """options   of each system by its name, in the order of params.yaml;  inits   what fine-tuning starts from

    Names come in the order of params.yaml. A system may start from one that is not evaluated.
    """

    options: Mapping[str, System]
    inits: tuple[str, ...]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Systems":
        """Those of params.yaml. Raises UserError, with a line for each value that does not belong there."""
        return cls(typed(dict[str, System], values.get("systems"), "systems"), tuple(values["inits"]))

    def with_role(self, *roles: Role) -> tuple[str, ...]:
        """Names of the systems with one of the roles."""
        return tuple(name for name, system in self.options.items() if system.role in roles)

    @cached_property
    def baselines(self) -> tuple[str, ...]:
        return self.with_role("baseline")

    @cached_property
    def zero_shot(self) -> tuple[str, ...]:
        return self.with_role("zero-shot")

    @property
    def rating_baseline(self) -> str:
        """The first baseline that rates texts; empty where there is none."""
        return next((name for name in self.baselines if self.options[name].kind in RATING_KINDS), "")

    @cached_property
    def tuned(self) -> tuple[str, ...]:
        return self.with_role("tuned")

    @cached_property
    def encoders(self) -> tuple[str, ...]:
        return self.with_role("zero-shot", *TRAINED)

    @cached_property
    def rivals(self) -> tuple[str, ...]:
        """Other ways to use what is there, which fine-tuning has to beat."""
        return self.with_role("rival")

    @cached_property
    def compressed(self) -> dict[str, tuple[str, ...]]:
        """Of each system with compressed vectors, or in another format, the one that it was made of."""
        return {name: self.made_of(name) for name in self.rivals if self.options[name].kind in ("compressed", "served")}

    @cached_property
    def others(self) -> tuple[str, ...]:
        """What rivals compete with."""
        return tuple(name for name in self.options if name not in self.rivals)

    def made_of(self, name: str) -> tuple[str, ...]:
        """The systems that a rival reads, directly; none of another system."""
        return tuple(made_of(name, self.options))

    @cached_property
    def start(self) -> dict[str, str]:
        """Each trained system with what its training started from."""
        return {name: self.options[name].starts_from for name in self.with_role(*TRAINED)}

    @cached_property
    def untuned(self) -> dict[str, str]:
        """Each tuned system with what its training started from."""
        return {name: self.options[name].starts_from for name in self.tuned}

    @cached_property
    def pretraining(self) -> tuple[tuple[str, str], ...]:
        """Pairs that differ by pretraining alone, with it and without: tuned ones first, then untuned ones."""
        with_it = (*self.tuned, *self.with_role("pretrained"))
        return tuple((name, other) for name in with_it for other in self._without_pretraining(name))

    def without_pretraining(self, name: str) -> str:
        """The first system that differs by pretraining alone; empty where there is none."""
        return next(self._without_pretraining(name), "")

    def _without_pretraining(self, name: str) -> Iterator[str]:
        if self.role(name) == "pretrained":
            yield self.start[name]
        elif self.is_after_pretraining(name):
            earlier = self.start[self.start[name]]
            yield from (other for other, start in self.untuned.items() if start == earlier)

    def role(self, name: str) -> Role | None:
        """None of a system that is not evaluated."""
        return self.options[name].role if name in self.options else None

    def is_pretrained(self, name: str) -> bool:
        """Whether pretraining had a part in the system."""
        return self.role(name) == "pretrained" or self.is_after_pretraining(name)

    def is_after_pretraining(self, name: str) -> bool:
        """Whether the system was tuned from a pretrained one."""
        return self.role(name) == "tuned" and self.role(self.start[name]) == "pretrained"

    def root(self, name: str) -> str:
        """The encoder that no training of ours has changed, from which the system descends; of others itself."""
        while name in self.start:
            name = self.start[name]
        return name

    def trained_from(self, init: str) -> str:
        """The system that the stage finetune_rank trains from `init`, evaluated or not."""
        folder = tuned_folder(init)
        made = (name for name, system in self.options.items() if system.made_of == folder)
        return next(made, PurePosixPath(folder).name)

    def init(self, name: str) -> str | None:
        """The one of `inits` from which the stage finetune_rank trained the system; None of one made otherwise."""
        folder = self.options[name].made_of if name in self.options else ""
        return next((init for init in self.inits if tuned_folder(init) == folder), None)

    def is_made_by_pretraining(self, name: str) -> bool:
        """Whether the stage pretrain_barlow wrote the system."""
        return name in self.options and self.options[name].made_of == PRETRAINED

    def is_trained_elsewhere(self, name: str) -> bool:
        """Whether no stage of ours wrote the trained system."""
        return self.role(name) in TRAINED and self.init(name) is None and not self.is_made_by_pretraining(name)

    def comparisons(self) -> list[tuple[str, str]]:
        """Pairs (a, b) of which a - b answers a question; b may be `BEST_BASELINE` or `BEST_OTHER`.

        What did each training add, what did pretraining add before tuning, is an encoder worth its cost at all, and is
        there a better way to use it?
        """
        places = {name: place for place, name in enumerate(self.options)}
        by_start = sorted(self.start, key=lambda name: (places.get(self.start[name], -1), self.role(name) != "tuned"))
        pretraining = [(a, b) for a, b in self.pretraining if a in self.untuned]
        against_words = [(name, BEST_BASELINE) for name in (*self.tuned, *self.zero_shot)]
        # What is another system in fewer bytes is held against that one.
        against_others = [(name, next(iter(self.compressed.get(name, ())), BEST_OTHER)) for name in self.rivals]
        return [*((name, self.start[name]) for name in by_start), *pretraining, *against_words, *against_others]

    def rating_comparisons(self) -> list[tuple[str, str]]:
        """Those and more: a ridge on a frozen encoder is a baseline of ratings by itself."""
        from_root = [(name, self.root(name)) for name in self.tuned if self.is_after_pretraining(name)]
        pretrained = [(name, BEST_BASELINE) for name in self.with_role("pretrained")]
        return [*self.comparisons(), *from_root, *pretrained]
