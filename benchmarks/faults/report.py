"""How much of the bench the diagnosis saw: shares with Wilson's interval, and a table of the kinds."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from math import sqrt
from typing import Any

from benchmarks.faults import kinds
from whyrank.diagnosis import registry

Row = dict[str, Any]
LOUD = ("error", "warning")


def report(rows: Sequence[Row], kind: str) -> str:
    return healthy(rows) if kind == "healthy" else faulty(rows, kind)


def wilson(hits: int, n: int) -> str:
    """`31 of 37: 84 % [69, 92]`, the 95 % interval of Wilson."""
    if not n:
        return "0 of 0"
    z, share = 1.96, hits / n
    centre, half = share + z * z / (2 * n), z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = ((centre + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    return f"{hits} of {n}: {100 * share:.0f} % [{100 * max(0.0, low):.0f}, {100 * high:.0f}]"


def loud(row: Row) -> list[str]:
    """Codes of errors and warnings, before and after training, each once, in the order of the report."""
    said = row.get("findings") or row.get("preflight") or []
    both = [*said, *row.get("preflight", [])]
    return list(dict.fromkeys(one["code"] for one in both if one["severity"] in LOUD))


def roots(row: Row) -> list[str]:
    """Codes of the errors and warnings that are explained by no other finding, in the order of the report."""
    said = row.get("findings") or row.get("preflight") or []
    own = [one["code"] for one in said if one["severity"] in LOUD and one.get("is_root", True)]
    return list(dict.fromkeys(own))


def judged(row: Row, twin: Row, causes: Sequence[str], keys: Collection[str] = ()) -> dict[str, bool]:
    """Whether the fault was flagged, named first, among the first three, and before training.

    keys   of params.yaml that the fault set, of which a suspicion must name one
    """
    said = [*(row.get("findings") or ()), *row.get("preflight", ())]
    if not any(kinds.is_right(one, [kinds.SUSPICION], keys) for one in said):
        causes = [code for code in causes if code != kinds.SUSPICION]
    usual = set(loud(twin))
    refusal = row.get("refused", "")
    words = [cause.removeprefix("refused:").strip() for cause in causes if cause.startswith("refused:")]
    is_named = bool(refusal) and any(word in refusal for word in words)
    new = [code for code in roots(row) if code not in usual or code in causes]
    early = {one["code"] for one in row.get("preflight", []) if one["severity"] in LOUD} - usual
    is_early_refusal = bool(refusal) and row.get("stage") == "prepare"
    return {
        "flagged": bool(refusal) or bool(set(loud(row)) - usual),
        "first": is_named or (bool(new) and new[0] in causes),
        "three": is_named or bool(set(new[:3]) & set(causes)),
        "anywhere": is_named or bool(set(loud(row)) & set(causes)),
        "early": is_early_refusal or bool(early),
    }


def is_harmful(row: Row) -> bool:
    return bool(row.get("harm")) or bool(row.get("refused")) or bool(row.get("crashed"))


def faulty(rows: Sequence[Row], kind: str) -> str:
    causes, keys = kinds.causes(kind), kinds.named(kind)
    twins = {place(row): row for row in rows if row["kind"] == "twin" and "task" in row}
    cases = [row for row in rows if row["kind"] == kind]
    broken = [row for row in cases if row.get("failed") or row.get("crashed") or place(row) not in twins]
    sound = [row for row in cases if row not in broken]
    marks = {
        row["key"]: judged(row, twins[place(row)], causes.get(row["fault"], []), keys.get(row["fault"], ()))
        for row in sound
    }
    harmful = [row for row in sound if is_harmful(row)]
    early = [row for row in harmful if row["about"] in ("data", "labels")]
    names = {row["fault"] for row in cases}
    lines = [f"{len(cases)} cases of {len(names)} kinds; {len(harmful)} did harm, {len(broken)} did not run"]

    def share(what: str, name: str, of: Sequence[Row]) -> None:
        lines.append(f"{what}: {wilson(sum(marks[row['key']][name] for row in of), len(of))}")

    share("harmful, flagged", "flagged", harmful)
    share("harmful, right cause first", "first", harmful)
    share("harmful, right cause among the first three", "three", harmful)
    share("harmful faults of data and labels, flagged before training", "early", early)
    share("without harm, flagged", "flagged", [row for row in sound if not is_harmful(row)])
    lines += without_looking([causes.get(row["fault"], []) for row in harmful])
    lines += fixes([row for row in rows if row["kind"] == "fix"])
    lines += [
        "",
        "| kind | about | harm | flagged | first | three | raised that the healthy run has not |",
        "|---|---|---|---|---|---|---|",
    ]
    by_fault: dict[str, list[Row]] = defaultdict(list)
    for row in cases:
        by_fault[row["fault"]].append(row)
    for name, own in by_fault.items():
        lines.append(of_kind(name, own, marks, twins, causes.get(name, [])))
    return "\n".join(lines) + "\n"


def without_looking(causes: Sequence[Sequence[str]]) -> list[str]:
    """How often the first cause would be right without a look at the run."""
    of_development = Counter(code for right in kinds.causes("development").values() for code in right)
    usual = max(of_development, key=lambda code: (of_development[code], code))
    drawn = sum(len(set(right) & set(registry.codes())) for right in causes) / max(
        1, len(causes) * len(registry.codes())
    )
    always = sum(usual in right for right in causes)
    return [
        f"right cause, drawn from all codes: {100 * drawn:.1f} %",
        f"right cause, always `{usual}`, which names most development kinds: {wilson(always, len(causes))}",
    ]


def fixes(rows: Sequence[Row]) -> list[str]:
    """Plans of mendable faults that did harm, and steps that were no steps."""
    own = [row for row in rows if row.get("had_to")]
    wrong = [fault for row in rows for fault in row.get("faults", [])]
    back = f"fix plans that bring back 95 % of the healthy metric: {wilson(sum(row['back'] for row in own), len(own))}"
    return [back, f"fixes already set, opposite or repeated: {len(wrong)}", *(f"- {fault}" for fault in wrong)]


def place(row: Row) -> tuple[Any, ...]:
    """What a case has in common with its healthy twin."""
    return row.get("task"), row.get("set"), row.get("seed")


def of_kind(name: str, own: Sequence[Row], marks: dict[str, dict[str, bool]], twins: Any, right: Sequence[str]) -> str:
    sound = [row for row in own if row["key"] in marks]
    harmed = sum(is_harmful(row) for row in sound)

    def count(mark: str) -> str:
        return f"{sum(marks[row['key']][mark] for row in sound)}/{len(sound)}"

    said: dict[str, int] = defaultdict(int)
    for row in sound:
        usual = set(loud(twins[place(row)]))
        for code in roots(row):
            if code not in usual:
                said[f"**{code}**" if code in right else code] += 1
        if row.get("refused"):
            said[f"refused: {row['refused'][:90]}"] += 1
    failed = [(row.get("failed") or row.get("crashed"))[-120:].replace("\n", " ") for row in own if row not in sound]
    codes = ", ".join(f"{code} {n}" for code, n in sorted(said.items(), key=lambda item: -item[1])) or "nothing"
    codes += "".join(f"; DID NOT RUN {line}" for line in failed[:1])
    cells = [name, own[0]["about"], f"{harmed}/{len(sound)}", *map(count, ("flagged", "first", "three")), codes]
    return f"| {' | '.join(cells)} |"


def healthy(rows: Sequence[Row]) -> str:
    own = [row for row in rows if row["kind"] == "healthy"]
    sound = [row for row in own if not (row.get("failed") or row.get("crashed") or row.get("refused"))]
    severities = {row["key"]: {one["severity"] for one in [*row["findings"], *row["preflight"]]} for row in sound}
    lines = [
        f"{len(own)} healthy runs, {len(own) - len(sound)} did not run",
        f"with an error: {wilson(sum('error' in severities[row['key']] for row in sound), len(sound))}",
        f"with a warning: {wilson(sum('warning' in severities[row['key']] for row in sound), len(sound))}",
        "",
    ]
    said: dict[str, list[str]] = defaultdict(list)
    for row in sound:
        for code in loud(row):
            said[code].append(row["key"].removeprefix("healthy/"))
    lines += [
        f"- {code}: {len(keys)}: {', '.join(keys[:6])}"
        for code, keys in sorted(said.items(), key=lambda item: -len(item[1]))
    ]
    lines += [
        f"- did not run: {row['key']}: {(row.get('failed') or row.get('crashed') or row.get('refused'))[-200:]}"
        for row in own
        if row not in sound
    ]
    return "\n".join(lines) + "\n"
