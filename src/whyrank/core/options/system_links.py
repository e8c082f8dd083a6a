"""What systems are made of and start from, and whether it goes together."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from whyrank.core.errors import UserError
from whyrank.core.options.sections import Fault
from whyrank.core.options.systems import BASELINES, OF_SCORES, RUNS, WITH_VECTORS, System, tuned_folder
from whyrank.core.rerun import remedy


def faults_of(systems: Mapping[str, System], inits: Sequence[str]) -> Iterator[Fault]:
    """What of several systems, or of a system and `inits`, does not go together."""
    for name, system in systems.items():
        if name in BASELINES and system.kind != name:
            # A fusion records the baseline in it by its kind, among the names of systems.
            yield Fault(f"systems.{name}.kind", f"is {system.kind}, but {name} is the name of a baseline; rename it")
        key, start = f"systems.{name}.starts_from", system.starts_from
        if start and start not in systems and start not in inits:
            yield Fault(key, f"is {start!r}, which is neither in `systems` ({', '.join(systems)}) nor in `inits`")
        elif start in systems and systems[start].role == "baseline":
            yield Fault(key, f"is {start!r}, a baseline; training starts from an encoder")
        elif name in _origins(name, systems):
            yield Fault(key, f"is {start!r}, which starts from {name} in turn; name what was trained first")
        yield from _faults_of_sources(name, systems)
    made = {system.made_of for system in systems.values() if system.role == "tuned"}
    for init in inits:
        if tuned_folder(init) not in made:
            yield Fault(
                "inits",
                f"has {init!r}, but no system of role tuned is made of {tuned_folder(init)}, into which it is trained; "
                "add that system, or leave the name out",
            )


def _faults_of_sources(name: str, systems: Mapping[str, System]) -> Iterator[Fault]:
    """What a rival is made of has to be there, of the right kind, and not to be made of the rival itself."""
    own = systems[name]
    system, kind = own.sources
    key = f"systems.{name}.made_of"
    if own.kind == "served" and not made_of(name, systems):
        folders = ", ".join(one.made_of for one in systems.values() if one.kind == "encoder" and one.pooling == "auto")
        said = f"is {own.made_of!r}; encoders, whose cost is compared, are made of {folders or 'nothing'}"
        yield Fault(key, said)
    with_vectors = [other for other, one in systems.items() if one.kind in WITH_VECTORS]
    if system and system not in with_vectors:
        said = f"is {own.made_of!r}; systems that keep vectors are {', '.join(with_vectors) or 'missing'}"
        yield Fault(key, said)
    of_kind = [other for other, one in systems.items() if one.kind == kind]
    if kind and not of_kind:
        kinds = dict.fromkeys(one.kind for one in systems.values() if one.kind != own.kind)
        yield Fault(key, f"is {own.made_of!r}, and no system is of kind {kind}; there are {', '.join(kinds)}")
    elif kind and name in _made_of(name, systems):
        yield Fault(key, f"is {own.made_of!r}, which is made of {name} in turn; name another kind of systems")
    for other in own.of:
        if kind and of_kind and other not in of_kind:
            said = f"names {other!r}; the systems of kind {kind} are {', '.join(of_kind)}"
            yield Fault(f"systems.{name}.of", said)


def made_of(name: str, systems: Mapping[str, System]) -> list[str]:
    """The systems that a rival reads, directly; none of another system. Of a served one the encoder as it was made."""
    own = systems[name]
    if own.kind == "served":
        return [other for other, one in systems.items() if one.kind == "encoder" and _is_whole(one, own.made_of)][:1]
    system, kind = own.sources
    of_kind = [other for other, one in systems.items() if one.kind == kind]
    return [system] if system else [other for other in of_kind if other in (own.of or of_kind)]


def check_scored_with(name: str, systems: Mapping[str, System], how: Mapping[str, Any]) -> None:
    """Raise UserError where a fusion or a reranker was scored with a system that it would not be made of now.

    how   what its run records. DVC leaves the scores of a system that is taken out of params.yaml where they are, and
          so takes what was made of them for up to date.
    """
    own, now = systems[name], made_of(name, systems)
    # The lexical baseline of a fusion is scored with it, and need not be a system.
    parts = (
        [how["first_stage"]] if "first_stage" in how else [one for one in how.get("systems", []) if one != own.lexical]
    )
    if gone := [part for part in parts if part not in now]:
        raise UserError(
            f"{RUNS}/{name} was scored with {gone[0]!r}, which is no longer a system of kind {own.sources[1]} in "
            f"params.yaml; {remedy(f'{RUNS}/{name}')}"
        )


def left_without(gone: Collection[str], systems: Mapping[str, System]) -> set[str]:
    """The rivals that have nothing to read where some systems are gone; one that takes what there is stays."""
    lost: set[str] = set()
    while True:
        missing = {*gone, *lost}
        more = {
            name
            for name, own in systems.items()
            if missing.intersection(own.of or ([] if own.kind in OF_SCORES else made_of(name, systems)))
        }
        if more <= lost:
            return lost
        lost |= more


def _is_whole(system: System, folder: str) -> bool:
    return system.made_of == folder and system.pooling == "auto"


def _made_of(name: str, systems: Mapping[str, System]) -> set[str]:
    """The same, and what those read, and so on."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        new = set(made_of(waiting.pop(), systems)) - found
        found |= new
        waiting += new
    return found


def _origins(name: str, systems: Mapping[str, System]) -> list[str]:
    """What a system starts from, what that one starts from, and so on; a circle once."""
    found: list[str] = []
    while name in systems and (start := systems[name].starts_from) and start not in found:
        found.append(name := start)
    return found
