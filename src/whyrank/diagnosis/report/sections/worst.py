"""The queries that the best system ranks worst."""

from whyrank.diagnosis.compare.worst import Hit, WorstQuery
from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.blocks import Answers, Block, Card, Paragraph, Quote, Section
from whyrank.diagnosis.report.content import Content

MOST_CORRECT = 2


def section(content: Content) -> Section:
    if not content.worst:
        return Section(80, "Worst queries", [Paragraph("Every correct answer is ranked first.")])
    note = f"The queries that {content.worst[0].system} ranks worst, with the answers that it puts first."
    return Section(80, "Worst queries", [Paragraph(note), *map(_card, content.worst)])


def _card(query: WorstQuery) -> Card:
    correct, more = query.right[:MOST_CORRECT], len(query.right) - MOST_CORRECT
    blocks: list[Block] = [Quote(query.text), Answers("Correct", [_answer(hit, "") for hit in correct])]
    blocks += [Paragraph(f"and {more} more correct answers")] if more > 0 else []
    top = [_answer(hit, "correct" if hit.is_relevant else "") for hit in query.top]
    blocks.append(Answers("Ranked first", top, is_ranked=True))
    if query.others:
        places = ", ".join(f"{system} {place}" for system, place in query.others.items())
        blocks.append(Paragraph(f"Rank of the correct answer in other systems: {places}"))
    return Card(f"Correct answer at rank {query.place} of {query.n_answers}", f"{query.type} {query.query_id}", blocks)


def _answer(hit: Hit, remark: str) -> tuple[str, str, str]:
    score = f"score {numbers.value(hit.score)}" if hit.score == hit.score else ""
    return hit.title or hit.answer_id, ", ".join(filter(None, (remark, score))), hit.text
