"""One diagnosis of many findings: causes before what they explain, one entry for all systems, no advice in doubt.

A finding is a symptom of another one about the same systems

- where the check of that one names it in `explains`; or
- along the chain data, labels, evaluation, encoder, batches, training, symptom: where an error stands before it, and it
  rests on how the run came out. What is read off the thing itself (a rate, the texts of a batch), and any error, stays
  a cause of its own beside it: severity says so, or direct evidence; or
- where it names no cause, and labels, evaluation or encoder are in doubt by a warning that has points enough.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from whyrank.findings.finding import CAUSE, LAYERS, SEVERITIES, Finding, Fix
from whyrank.findings.probe import Probe, place, tasks

Found = tuple[Probe, Finding]
# From the system of a cause to that of a symptom, the nearer the surer; None where neither has to do with the other.
Distance = Callable[[str, str], int | None]

# While one of these is at fault, other rates and more steps are no remedy.
GROUND = ("data", "labels", "evaluation", "encoder")
# Share of a symptom's points that a warning must have at stake to be what it comes from: 1 % of contradicting labels
# does not make a training that learned nothing.
CARRIED = 0.25
# From the data to what reads them, where no training stands between.
FARTHEST = 9


class Root(NamedTuple):
    """place   among the findings;  far   from the system of the symptom;  is_named   in `explains`, not by the chain"""

    place: int
    far: int
    is_named: bool


def diagnosed(found: Iterable[Found], distance: Distance) -> list[Finding]:
    """The findings as a reader needs them, in order. found   by probes that stand causes first"""
    return in_order(merged(explained(without_named(found), distance)))


def without_named(found: Iterable[Found]) -> list[Found]:
    """All but suspicions of a setting, the first of their fix, that a finding sets which is no symptom of theirs."""
    told = list(found)

    def is_named(suspect: Found) -> bool:
        key = next(iter(suspect[1].fix.params), "")
        return any(
            probe.layer != "symptom"
            and probe.code not in {suspect[0].code, *suspect[0].explains}
            and finding.severity != "info"
            and key in finding.fix.params
            for probe, finding in told
        )

    return [one for one in told if not (one[0].suspects and is_named(one))]


def explained(found: Iterable[Found], distance: Distance) -> list[Finding]:
    """Each with its root causes and the codes of its symptoms; a symptom takes the fix of its cause, if it has one."""
    told = list(found)
    named = [_causes_named(told, at, distance) for at in range(len(told))]
    chained = [{} if named[at] else _causes_before(told, named, at, distance) for at in range(len(told))]
    roots = [_roots(at, named, chained, told) for at in range(len(told))]
    symptoms: list[dict[str, None]] = [{} for _ in told]
    for at, (probe, _) in enumerate(told):
        for cause in (*named[at], *chained[at]):
            symptoms[cause][probe.code] = None
    findings = [_with_causes(told, at, roots[at]) for at in range(len(told))]
    return [replace(one, explains=tuple(codes)) for one, codes in zip(findings, symptoms, strict=True)]


def _causes_named(told: list[Found], at: int, distance: Distance) -> dict[int, int]:
    """Place and distance of the findings whose check names this one."""
    symptom = told[at]
    return {
        number: far
        for number, cause in enumerate(told[:at])
        if _may_explain(cause, symptom) and (far := _far(cause, symptom, distance)) is not None
    }


def _far(cause: Found, symptom: Found, distance: Distance) -> int | None:
    """What texts bring about reaches all that reads them, the encoder as it was given and baselines; so do labels, but
    for how a ranking came out.
    """
    far = distance(cause[1].system, symptom[1].system)
    is_read = cause[0].layer == "data" or (cause[0].layer == "labels" and symptom[0].layer in GROUND)
    return FARTHEST if far is None and is_read and cause[1].system == "data" else far


def _may_explain(cause: Found, symptom: Found) -> bool:
    """A code that has a probe for each task is explained by what is about the same task, or about any."""
    (one, cause_finding), (other, finding) = cause, symptom
    if other.code not in one.explains or (len(tasks(other)) > 1 and one.about not in ("", other.about)):
        return False
    if cause_finding.severity == "info" and finding.severity != "info":
        return False
    # Text that a fifth of the answers share does not bring an encoder to chance.
    is_doubt = one.layer == "data" and cause_finding.severity == "warning"
    if is_doubt and other.layer in GROUND and not _carries(cause_finding, finding):
        return False
    # A few wrong labels do not make a rate that no encoder stands, nor some shared text labels that fit no text.
    is_graver = finding.severity == "error" and cause_finding.severity != "error"
    after = ("batches", "training") if one.layer in GROUND[1:] else ("labels", "batches", "training")
    return not (is_graver and one.layer in GROUND and other.layer in after)


def _causes_before(told: list[Found], named: list[dict[int, int]], at: int, distance: Distance) -> dict[int, int]:
    """The same of what stands before it in the chain, without a cause itself."""
    symptom = told[at]
    return {
        number: far
        for number, cause in enumerate(told)
        if not named[number]
        and _stands_before(cause, symptom)
        and (far := distance(cause[1].system, symptom[1].system)) is not None
    }


def _stands_before(cause: Found, symptom: Found) -> bool:
    (one, cause_finding), (other, finding) = cause, symptom
    names_none = other.layer == "symptom"
    if not other.by_outcome or (finding.severity == "error" and not names_none):
        return False
    if LAYERS.index(one.layer) >= LAYERS.index(other.layer) or one.about not in ("", other.about):
        return False
    if cause_finding.severity == "error":
        return True
    is_doubt = cause_finding.severity == "warning" and one.layer in ("labels", "evaluation", "encoder")
    return names_none and is_doubt and not one.by_outcome and _carries(cause_finding, finding)


def _carries(cause: Finding, symptom: Finding) -> bool:
    return cause.weight >= CAUSE or cause.weight >= CARRIED * (symptom.weight % CAUSE)


def _roots(at: int, named: list[dict[int, int]], chained: list[dict[int, int]], told: list[Found]) -> list[Root]:
    """Where the chains of causes that lead to a finding begin."""
    if chained[at]:
        return [Root(cause, far, False) for cause, far in chained[at].items()]
    found: dict[int, Root] = {}
    for cause, far in named[at].items():
        above = _roots(cause, named, chained, told)
        for root in above or [Root(cause, far, True)]:
            # One that is not named for this very finding is less sure than any that is.
            own = named[at].get(root.place, len(told))
            found.setdefault(root.place, root._replace(far=own))
    return list(found.values())


def _with_causes(told: list[Found], at: int, roots: list[Root]) -> Finding:
    """The finding as it is without any; the surest cause, or where they add up all of them, the costliest first."""
    probe, finding = told[at]
    if not roots:
        return finding
    surest = sorted(roots, key=lambda root: _surest(told[root.place], finding, root.far))
    causes = [told[root.place] for root in surest]
    costliest = sorted(causes, key=lambda cause: (-cause[1].weight, cause[1].code))
    causes = costliest if probe.adds_up else causes[:1]
    codes = tuple(dict.fromkeys(cause.code for _, cause in causes))
    named = ", ".join(f"`{code}`" for code in codes)
    return replace(
        finding,
        cause=f"Explained by {named}. {causes[0][1].cause}",
        explained_by=codes,
        fix=_fix(finding, causes, is_named=surest[0].is_named),
    )


def _surest(cause: Found, symptom: Finding, far: int) -> tuple[int, bool, int, int]:
    probe, finding = cause
    is_small = probe.layer in GROUND and not _carries(finding, symptom)
    return SEVERITIES.index(finding.severity), is_small, far, place(probe)


def _fix(finding: Finding, causes: list[Found], *, is_named: bool) -> Fix:
    """That of its causes; none where the ground is at fault, and its own where a cause that is named has none."""
    params = {key: value for _, cause in reversed(causes) for key, value in cause.fix.params.items()}
    if params and is_named:
        return Fix(params, causes[0][1].fix.action if len(causes) == 1 else "")
    probe, first = causes[0]
    if is_named and (probe.layer not in GROUND or not _carries(first, finding)):
        return finding.fix
    return Fix({}, f"fix `{first.code}` first, and run again: this may be its consequence")


def merged(findings: list[Finding]) -> list[Finding]:
    """One entry for what is said of several systems with the same cause; the weightiest speaks, the others are `also`.

    Fixes of different parameters are joined; of two for the same parameters the speaker's is taken.
    """
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for one in findings:
        groups.setdefault((one.code, one.severity, one.cause, one.explained_by, one.fix.is_in_words), []).append(one)
    return [_joined(sorted(group, key=lambda one: -one.weight)) for group in groups.values()]


def _joined(group: list[Finding]) -> Finding:
    first, *others = group
    params = dict(first.fix.params)
    for one in others:
        if params and params.keys().isdisjoint(one.fix.params):
            params |= one.fix.params
    explains = dict.fromkeys(code for one in group for code in one.explains)
    return replace(first, also=tuple(others), explains=tuple(explains), fix=replace(first.fix, params=params))


def in_order(findings: list[Finding]) -> list[Finding]:
    """Causes: errors, then warnings, the weightiest first; what names no cause; what a cause explains; information.

    A cause weighs as much as the weightiest of what it explains. findings   causes before their symptoms: codes that
    weigh the same keep that order
    """
    heaviest: dict[str, float] = {}
    for finding in findings:
        for code in (finding.code, *finding.explained_by[:1]):
            heaviest[code] = max(finding.weight, heaviest.get(code, 0.0))
    order = {code: number for number, code in enumerate(dict.fromkeys(one.code for one in findings))}

    def key(finding: Finding) -> tuple[int, float, int, str]:
        weight = heaviest[finding.code] if finding.is_root else finding.weight
        return _group(finding), -weight, order[finding.code], finding.system

    return sorted(findings, key=key)


def _group(finding: Finding) -> int:
    if finding.severity == "info":
        return 5 if finding.is_root else 6
    if not finding.is_root:
        return 4
    return SEVERITIES.index(finding.severity) + (2 if finding.layer == "symptom" else 0)


def nested(findings: list[Finding]) -> list[tuple[Finding, list[Finding]]]:
    """Each finding that stands by itself, with those that it explains; all in the order given."""
    codes = {one.code for one in findings}
    heads = [one for one in findings if one.is_root or one.explained_by[0] not in codes]
    by_itself = {id(head) for head in heads}
    below: dict[int, list[Finding]] = {}
    for one in findings:
        if id(one) not in by_itself:
            above = [head for head in heads if head.code == one.explained_by[0]]
            near = [head for head in above if set(head.systems) & set(one.systems)]
            below.setdefault(id((near or above or heads)[0]), []).append(one)
    return [(head, below.get(id(head), [])) for head in heads]
