"""Articles and queries that are not what they should be: scrapers, exports, logs, old pages."""

import re
from pathlib import Path

import numpy as np

from ..fault import Fault
from ..raw import Row, edit_answers, edit_queries, read_lines, read_qrels, write_lines, write_qrels

Random = np.random.Generator
NOTICE = (
    "Skip to main content. Home Products Support Community Blog Careers Log in Sign up. We value your privacy. We and "
    "our 214 partners store and access information on a device, such as cookies, and process personal data, such as "
    "unique identifiers, for personalised advertising and content, measurement, audience research and services "
    "development. With your permission we may use precise location data and identification through device scanning. "
    "You may click to consent to the processing described above, or change your preferences before consenting. Your "
    "preferences apply to this website only. You can change them at any time by returning to this site. Accept all. "
    "Reject all. Manage options. Share on Facebook. Share on X. Copy link. Print this page. Was this page helpful? Yes "
    "No. Popular articles. Recently viewed. Subscribe to our newsletter. Last updated by the support team."
)
FORM = (
    "Ticket received through the web form. Category: Other. Priority: Normal. Channel: Web. Language: English. Consent "
    "to data processing: yes. Browser: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like "
    "Gecko) Chrome/120.0 Safari/537.36. Attachments: none. Message: "
)


def sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part]


def cookie_notice(folder: Path, random: Random) -> None:
    def edit(number: int, row: Row) -> None:
        if random.random() < 0.8:
            row["text"] = f"{NOTICE} {row.get('text') or ''}"

    edit_answers(folder, edit)


def moved_up(folder: Path, random: Random) -> None:
    rows = read_lines(folder / "corpus.jsonl")
    texts = [row.get("text") for row in rows]
    first = len(rows) // 3
    moved = [*texts[:first], *texts[first + 1 :], texts[first]]
    edit_answers(folder, lambda number, row: row.update(text=moved[number]))


def without_customer(folder: Path, random: Random) -> None:
    def edit(number: int, row: Row) -> None:
        if row["metadata"]["type"] != "conversation":
            return
        lines = row["text"].splitlines()
        kept = [line for line in lines if not line.lower().startswith("user:")]
        # Where no turns are marked, what is asked stands at the end.
        row["text"] = "\n".join(kept) if 0 < len(kept) < len(lines) else " ".join(sentences(row["text"])[:-1]) or "Hi."

    edit_queries(folder, edit)


def old_revisions(folder: Path, random: Random) -> None:
    rows = read_lines(folder / "corpus.jsonl")
    edit_answers(folder, lambda number, row: None)
    kept = read_lines(folder / "corpus.jsonl")
    for row in rows:
        if random.random() < 0.7:
            parts = sentences(row.get("text") or "")
            text = " ".join([*parts[: -max(1, len(parts) // 5)], "Reviewed by the editors."])
            kept.append({"_id": f"{row['_id']}-rev2", "title": row.get("title") or "", "text": text})
    write_lines(folder / "corpus.jsonl", kept)


def links_alone(folder: Path, random: Random) -> None:
    def edit(number: int, row: Row) -> None:
        if random.random() < 0.3:
            link = f"https://community.example.com/t/{random.integers(1000, 9999)}"
            row.update(title="", text=f"This has been answered here: {link}")

    edit_answers(folder, edit)


def made_of_answers(folder: Path, random: Random) -> None:
    texts = {row["_id"]: sentences(row.get("text") or "") for row in read_lines(folder / "corpus.jsonl")}
    answer = {query: texts[own] for query, own, score in read_qrels(folder, "train") if texts[own]}

    def edit(number: int, row: Row) -> None:
        if row["_id"] in answer:
            row["text"] = " ".join(str(random.choice(answer[row["_id"]])).split()[:12])

    edit_queries(folder, edit)


def quoted_history(folder: Path, random: Random) -> None:
    others = [row["text"] for row in read_lines(folder / "queries.jsonl") if row["metadata"]["type"] == "conversation"]

    def edit(number: int, row: Row) -> None:
        if row["metadata"]["type"] == "conversation" and random.random() < 0.8:
            earlier = "\n".join(random.choice(others, 3)).splitlines()
            quoted = "\n".join(f"> {line}" for line in earlier)
            row["text"] = f"On Tue, 4 Mar at 09:12 Support wrote:\n{quoted}\n\n{row['text']}"

    edit_queries(folder, edit)


def few_answers(folder: Path, random: Random) -> None:
    rows = read_qrels(folder, "train")
    ids = sorted({answer for _, answer, _ in rows})
    kept = set(random.permutation(ids)[: max(3, len(ids) // 8)].tolist())
    write_qrels(folder, "train", [row for row in rows if row[1] in kept])


def in_a_form(folder: Path, random: Random) -> None:
    edit_queries(folder, lambda number, row: row.update(text=FORM + row["text"]))


FAULTS = (
    Fault(
        name="cookie-notice-before-articles",
        about="data",
        sentence="The scraper kept the site's navigation and cookie notice: four in five articles begin with the "
        "same 150 words, which fill most of what the encoder reads. Strip them before indexing.",
        source="Barbaresi 2021, trafilatura (boilerplate in scraped corpora)",
        data=cookie_notice,
    ),
    Fault(
        name="article-bodies-moved-up-a-row",
        about="data",
        sentence="From a third of the table on, each article has the body of the next row: a cell was deleted and "
        "the column moved up, while ids and titles stayed. Put the bodies back in their rows.",
        source="spreadsheet errors (EuSpRIG horror stories: a deleted cell shifts a column)",
        data=moved_up,
    ),
    Fault(
        name="conversations-without-the-customer",
        about="data",
        sentence="The export left the customer's own turns, and with them the question, out of the conversations; "
        "only what the agent said is there. Export both sides.",
        source="practice of ticket exports (one side of a thread); SuperLinked VectorHub#426 for unlike queries",
        data=without_customer,
    ),
    Fault(
        name="old-revisions-in-corpus",
        about="data",
        sentence="Earlier revisions of most articles are still in the corpus under ids of their own that nobody "
        "judged, and they take the first place from the current ones. Remove them or merge them.",
        source="mteb#4626; vecscope `collapse` (failures.md row 36)",
        mendable=True,
        data=old_revisions,
    ),
    Fault(
        name="articles-that-are-a-link",
        about="data",
        sentence="Three in ten answers consist of a link to another page and say nothing themselves, so no text can "
        "be matched to them. Fetch what is linked, or leave these answers out.",
        source="Stack Exchange policy on link-only answers; BEIR CQADupStack",
        mendable=True,
        data=links_alone,
    ),
    Fault(
        name="training-queries-cut-from-answers",
        about="data",
        sentence="The training queries are snippets of the answers themselves, while dev and test have real "
        "questions: training teaches to match copied words. Train on questions that people asked.",
        source="arXiv:2505.19274; Izacard et al. 2021 on the inverse cloze task, arXiv:2112.09118",
        data=made_of_answers,
    ),
    Fault(
        name="conversations-quote-other-tickets",
        about="data",
        sentence="Most conversations begin with quoted e-mails of other tickets, and the customer's own message "
        "comes after what the encoder reads. Strip quoted text, or keep the end of the conversation.",
        source="practice of e-mail threads (talon, EmailReplyParser); HF#1666 on head and tail",
        mendable=True,
        data=quoted_history,
    ),
    Fault(
        name="training-asks-for-few-answers",
        about="data",
        sentence="The training queries ask for only an eighth of the answers, while the test asks for all of them: "
        "the log covers only popular articles. Collect queries for the others.",
        source="practice of click logs (popularity bias); Thakur et al. 2021, BEIR, arXiv:2104.08663",
        data=few_answers,
    ),
    Fault(
        name="queries-inside-a-web-form",
        about="data",
        sentence="Every query stands behind the same header of the web form, which fills the tokens that a question "
        "is allowed, so the question itself is cut off. Strip the header or raise the token budget.",
        source="ST#181, ST#285 (truncation of what matters); practice of ticket systems",
        mendable=True,
        data=in_a_form,
    ),
)
