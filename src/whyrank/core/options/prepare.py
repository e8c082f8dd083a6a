"""`prepare` and `preflight`: which data is read, how it is split and cut, and when a run stops before any training."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, StrictFloat, StrictInt
from pydantic.dataclasses import dataclass

from whyrank.core.options.files import Files
from whyrank.core.options.pairs import Pairs
from whyrank.core.options.ratings import Ratings
from whyrank.core.options.sections import CHECKED, MOST_ENTRIES, MOST_NUMBER, MOST_TEXT_TOKENS, Fault

# How the metrics of ratings begin, as those of a source of pairs begin with its name.
RATINGS = "ratings"
Selection = Literal["head", "head_tail", "tail", "tfidf", "tfidf_sections"]


@dataclass(frozen=True, config=CHECKED)
class Tokens:
    """Budgets per text, [CLS] and [SEP] included."""

    question: StrictInt = Field(ge=1, le=MOST_TEXT_TOKENS, examples=[64], description="tokens of a question")
    conversation: StrictInt = Field(ge=1, le=MOST_TEXT_TOKENS, examples=[256], description="tokens of a conversation")
    answer: StrictInt = Field(ge=1, le=MOST_TEXT_TOKENS, examples=[256], description="tokens of an answer")
    pair: StrictInt = Field(ge=1, le=MOST_TEXT_TOKENS, examples=[128], description="tokens of each text of a pair")


@dataclass(frozen=True, config=CHECKED)
class SelectionPerText:
    """How a text longer than its budget is cut."""

    question: Selection = Field(description="of a question")
    conversation: Selection = Field(description="of a conversation")
    answer: Selection = Field(description="of an answer")


@dataclass(frozen=True, config=CHECKED)
class Split:
    """Used where the source does not bring train, dev and test itself."""

    by: Literal["query", "answer"] = Field(
        description="query: every answer is seen in training; answer: test answers are new"
    )
    dev: StrictFloat = Field(ge=0, lt=1, examples=[0.15], description="share of the queries")
    test: StrictFloat = Field(ge=0, lt=1, examples=[0.35], description="share of the queries")
    test_alone: Literal["refuse", "split", "keep"] = Field(
        description="of a source whose only judgements are called test or dev; split: train on some of them; "
        "keep: all are test queries, and nothing can be trained"
    )

    def faults(self) -> Iterator[Fault]:
        if self.dev + self.test >= 1:
            yield Fault(
                "dev",
                f"is {self.dev:g} and `test` {self.test:g}, which leaves no query to train on; take a sum below 1",
                ["dev=0.15", "test=0.35"],
            )


@dataclass(frozen=True, config=CHECKED)
class Labels:
    """How many of its judgements training gets: fewer, to see what they are worth."""

    queries: StrictInt = Field(
        ge=0, le=MOST_NUMBER, examples=[0], description="training queries that keep their judgements; 0: all"
    )
    answers: StrictFloat = Field(
        gt=0, le=1, examples=[1.0], description="share of the answers that training has judgements of"
    )


@dataclass(frozen=True, config=CHECKED)
class PseudoQueries:
    """Training queries that are made of the answers themselves."""

    per_answer: StrictInt = Field(ge=0, le=1_000, examples=[3], description="of each answer at most; 0: none")
    of: Literal["unlabelled", "all"] = Field(description="answers without a training query, or all of them")
    within: StrictInt = Field(
        ge=1, le=1_000_000, examples=[3], description="rank up to which TF-IDF must find the answer of one that is kept"
    )


@dataclass(frozen=True, config=CHECKED)
class Rated:
    """Of `prepare`, what predictions of ratings are written by: the name of their ids."""

    ratings: Ratings = Field(description="texts rated on several targets; read where `read` is true")


@dataclass(frozen=True, config=CHECKED)
class Prepare(Rated):
    """Which data is read, and how it is checked, split and cut."""

    source: str = Field(min_length=1, examples=["data/raw/sample"], description="folder in BEIR layout")
    hub: str = Field(examples=[""], description='hub id of a set in BEIR layout, read instead of `source`; "": none')
    files: Files = Field(description="how files of text are read, of pairs and ratings too")
    corrections: str = Field(
        min_length=1,
        examples=["data/corrections/none.csv"],
        description="CSV of judgements, queries and answers to leave out or to change",
    )
    types: Annotated[dict[str, Literal["question", "conversation"]], Field(max_length=MOST_ENTRIES)] = Field(
        examples=[{}], description="what the types of the set's own metadata.type count as, by their names"
    )
    relevant_from: StrictFloat = Field(
        ge=0,
        le=MOST_NUMBER,
        examples=[0.0],
        description="score of the qrels from which an answer is relevant; 0: every score above 0",
    )
    short_conversation: StrictInt = Field(
        ge=0,
        le=1_000_000,
        examples=[100],
        description="characters; a shorter query of no declared type counts as a question",
    )
    split: Split = Field(description="used where the source does not bring train, dev and test itself")
    near_duplicate: StrictFloat = Field(
        gt=0,
        le=1,
        examples=[0.8],
        description="Jaccard or containment of word 3-grams from which two queries stay on one side of the split",
    )
    max_rejected: StrictFloat = Field(
        ge=0, le=1, examples=[0.01], description="share of bad rows above which the run stops"
    )
    tokens: Tokens = Field(description="budgets per text")
    selection: SelectionPerText = Field(description="how a text longer than its budget is cut")
    head_share: StrictFloat = Field(
        ge=0, le=1, examples=[0.25], description="of the budget, for the beginning; for head_tail"
    )
    pairs: Pairs = Field(description="pairs of sentences, to train and test similarity")
    labels: Labels = Field(
        default_factory=lambda: Labels(queries=0, answers=1.0),
        description="judgements that training gets; dev and test keep all of theirs",
    )
    pseudo_queries: PseudoQueries = Field(
        default_factory=lambda: PseudoQueries(per_answer=0, of="unlabelled", within=3),
        description="training queries made of titles, headings and questions in answers",
    )

    def faults(self) -> Iterator[Fault]:
        names = [source.name for source in self.pairs.sources]
        if self.ratings.read and RATINGS in names:
            said = f"is {RATINGS!r}, with which the metrics of `prepare.ratings` begin; name it otherwise"
            yield Fault(f"pairs.sources[{names.index(RATINGS)}].name", said)


@dataclass(frozen=True, config=CHECKED)
class Preflight:
    """When a run stops before any training."""

    stop_on: Literal["error", "never"] = Field(description="error: a finding of that severity ends the run")
