"""Error rates of Korean recognition, each with its counting spelled out.

A Korean score means little without its counting: spacing alone costs over a third of the word
error rate on KsponSpeech. All rates here share the same rules:

- texts pass the normaliser if one is given, then NFC; white space is trimmed and collapsed;
- edits are summed over the corpus and divided once, so long utterances weigh more;
- every reference character counts, whether or not a recogniser's vocabulary has it;
- a rate may exceed 1, and where there is no reference at all it is NaN (null in JSON); an empty
  reference inside a corpus still adds its insertions.

Five metrics: ``cer_nospace`` (white space removed on both sides), ``cer`` (an inner space is a
token), ``wer`` (words between white space), ``swer`` (``wer`` after the hypothesis took the
reference's word spacing where they match), ``mer`` (edits of ``wer`` over all its columns).

Sources: sWER: Bang et al., "KsponSpeech: Korean Spontaneous Speech Corpus for Automatic Speech
Recognition", Applied Sciences 10(19), 2020. MER: Morris, Maier & Green, "From WER and RIL to MER
and WIL", Interspeech 2004, over words, as jiwer has it.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from malgwi.errors import DataError
from malgwi.metrics.counts import Counts, PairCounts, count_edits, count_pair
from malgwi.metrics.passport import Passport, references_hash
from malgwi.text.normalize import VERSION, NormalizerConfig, normalize

#: What the five metrics count and how they treat white space.
SPACE_POLICY: dict[str, str] = {
    "cer_nospace": "characters, white space removed",
    "cer": "characters, an inner run of white space is one token",
    "wer": "words between white space",
    "swer": "words, reference spacing where characters match",
    "mer": "words between white space, over all aligned columns",
}
#: Their names in tables.
TITLES = {
    "cer_nospace": "CER without spaces",
    "cer": "CER with spaces",
    "wer": "WER",
    "swer": "sWER",
    "mer": "MER",
}
_LISTED_IDS = 10
_PLAIN = re.compile("[가-힣]+(?: [가-힣]+)*").fullmatch


@dataclass(frozen=True)
class ErrorRate:
    """Counts of an alignment, of one utterance or summed over many.

    Args:
        hits: Tokens that match.
        substitutions: Reference tokens that became another token.
        deletions: Reference tokens without a counterpart.
        insertions: Hypothesis tokens without a counterpart.
        reference: Tokens of the reference: hits + substitutions + deletions.
        per: What the edits are divided by: the ``reference`` tokens, or (match error rate) all
            ``columns`` of the alignment.

    >>> ErrorRate(8, 0, 1, 0, 9).rate
    0.1111111111111111
    >>> ErrorRate(0, 0, 0, 3, 0).rate
    nan
    """

    hits: int
    substitutions: int
    deletions: int
    insertions: int
    reference: int
    per: Literal["reference", "columns"] = "reference"

    def __post_init__(self) -> None:
        assert self.reference == self.hits + self.substitutions + self.deletions, self

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions together."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def denominator(self) -> int:
        """What ``rate`` divides by."""
        return self.reference if self.per == "reference" else self.hits + self.errors

    @property
    def rate(self) -> float:
        """Errors a token; NaN without anything to divide by; above 1 with enough insertions."""
        return self.errors / self.denominator if self.denominator else math.nan

    def to_dict(self) -> dict[str, float | int | None]:
        """rate (None where there is none) and the five counts."""
        counts = ("hits", "substitutions", "deletions", "insertions", "reference")
        rate = self.rate if self.denominator else None
        return {"rate": rate, **{name: getattr(self, name) for name in counts}}


def total(rates: Iterable[ErrorRate]) -> ErrorRate:
    """The counts summed: the corpus-level rate of these utterances.

    Raises:
        ValueError: They divide by different things.

    >>> total([ErrorRate(1, 1, 0, 0, 2), ErrorRate(2, 0, 0, 1, 2)])
    ErrorRate(hits=3, substitutions=1, deletions=0, insertions=1, reference=4, per='reference')
    """
    listed = list(rates)
    kinds = sorted({rate.per for rate in listed})
    if len(kinds) > 1:
        raise ValueError(f"rates per {' and per '.join(kinds)} do not add up")
    return ErrorRate(
        hits=sum(rate.hits for rate in listed),
        substitutions=sum(rate.substitutions for rate in listed),
        deletions=sum(rate.deletions for rate in listed),
        insertions=sum(rate.insertions for rate in listed),
        reference=sum(rate.reference for rate in listed),
        per=kinds[0] if kinds else "reference",
    )


@dataclass(frozen=True, kw_only=True)
class Rates:
    """All five metrics of one utterance or of a corpus."""

    cer_nospace: ErrorRate
    cer: ErrorRate
    wer: ErrorRate
    swer: ErrorRate
    mer: ErrorRate

    @property
    def crr(self) -> float:
        """Character recognition rate in percent, (1 − cer_nospace) · 100; may be negative."""
        return (1.0 - self.cer_nospace.rate) * 100.0

    def by_name(self) -> dict[str, ErrorRate]:
        """metric → rate, in the order that they are shown."""
        return {name: getattr(self, name) for name in SPACE_POLICY}


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The result of scoring: the corpus, each utterance, and how and on what it was counted."""

    corpus: Rates
    utterances: Mapping[str, Rates]
    passport: Passport

    @property
    def counting(self) -> Mapping[str, Any]:
        """How it was counted, as the passport says."""
        return self.passport.counting

    def of(self, metric: str) -> list[ErrorRate]:
        """One metric of each utterance, for intervals."""
        return [rates.by_name()[metric] for rates in self.utterances.values()]

    def to_dict(self) -> dict[str, Any]:
        """The record of ``malgwi score --json``, but for what is resampled or counted otherwise."""
        return score_record(self.corpus, self.passport)


def score_record(corpus: Rates, passport: Passport) -> dict[str, Any]:
    """Five metrics, ``crr``, ``counting`` and ``passport`` as JSON values."""
    crr = None if math.isnan(corpus.crr) else corpus.crr
    metrics = {name: rate.to_dict() for name, rate in corpus.by_name().items()}
    how = {"counting": dict(passport.counting), "passport": passport.to_dict()}
    return {**metrics, "crr": crr, **how}


def score(
    references: Mapping[str, str],
    hypotheses: Mapping[str, str],
    normalizer: NormalizerConfig | None = None,
) -> Scores:
    """Score a corpus by all metrics.

    Args:
        references: id → what was said.
        hypotheses: id → what was recognised; the same ids, in any order.
        normalizer: Applied to both sides; None leaves them as they are but for NFC and white
            space, so punctuation counts.

    Raises:
        DataError: The ids differ.

    >>> scores = score({"a": "커피 한 잔 주세요"}, {"a": "커피 한잔 주세요"})
    >>> scores.corpus.cer_nospace.rate, scores.corpus.wer.rate, scores.corpus.crr
    (0.0, 0.5, 100.0)
    """
    check_ids(references, hypotheses)
    said = {name: countable(text, normalizer) for name, text in references.items()}
    utterances = {
        name: rates_of(count_pair(text, countable(hypotheses[name], normalizer)))
        for name, text in said.items()
    }
    corpus = Rates(
        **{
            name: total(rates.by_name()[name] for rates in utterances.values())
            for name in SPACE_POLICY
        }
    )
    passport = Passport(
        counting=counting(normalizer),
        references=references_hash(said.items()),
        utterances=len(references),
    )
    return Scores(corpus=corpus, utterances=utterances, passport=passport)


def utterance_rates(
    reference: str, hypothesis: str, normalizer: NormalizerConfig | None = None
) -> Rates:
    """All metrics of one utterance."""
    return rates_of(count_pair(countable(reference, normalizer), countable(hypothesis, normalizer)))


def rates_of(counts: PairCounts) -> Rates:
    """The five metrics made of four counts."""
    words = _rate(counts.wer)
    return Rates(
        cer_nospace=_rate(counts.cer_nospace),
        cer=_rate(counts.cer),
        wer=words,
        swer=_rate(counts.swer),
        mer=replace(words, per="columns"),
    )


def cer_nospace(
    references: Mapping[str, str],
    hypotheses: Mapping[str, str],
    normalizer: NormalizerConfig | None = None,
) -> ErrorRate:
    """Corpus character error rate without spaces alone: what training watches.

    Raises:
        DataError: The ids differ.
    """
    check_ids(references, hypotheses)
    return total(
        _rate(
            count_edits(
                countable(said, normalizer).replace(" ", ""),
                countable(hypotheses[name], normalizer).replace(" ", ""),
            )
        )
        for name, said in references.items()
    )


def countable(text: str, normalizer: NormalizerConfig | None = None) -> str:
    """The text as it is counted: normalised if asked, NFC, white space trimmed and collapsed.

    >>> countable("  말\\t 귀\\n"), countable("\\u1106\\u1161\\u11af")
    ('말 귀', '말')
    """
    if is_plain(text):  # most transcripts: nothing to normalise but, if asked, the spaces
        return text.replace(" ", "") if normalizer and normalizer.whitespace == "remove" else text
    if normalizer is not None:
        text = normalize(text, normalizer)
    return " ".join(unicodedata.normalize("NFC", text).split())


def is_plain(text: str) -> bool:
    """Whether the text is Hangul words between single spaces, and no more.

    >>> is_plain("한 잔만"), is_plain("한 잔만."), is_plain("한  잔")
    (True, False, False)
    """
    return _PLAIN(text) is not None


def word_starts(text: str) -> list[bool]:
    """For each character that is no white space, whether a word begins there.

    >>> word_starts("한 잔만")
    [True, True, False]
    """
    return [place == 0 for word in text.split() for place in range(len(word))]


def counting(normalizer: NormalizerConfig | None = None) -> dict[str, Any]:
    """How the rates are counted, as it stands beside every score."""
    return {
        "normalizer": {
            "version": VERSION,
            "settings": None if normalizer is None else asdict(normalizer),
        },
        "unicode": "NFC",
        "spaces": dict(SPACE_POLICY),
    }


def check_ids(references: Mapping[str, str], hypotheses: Mapping[str, str]) -> None:
    """Every reference has its hypothesis and the reverse.

    Raises:
        DataError: They do not; lists the ids that lack a counterpart.

    >>> check_ids({"a": "", "b": ""}, {"b": "", "c": ""})
    Traceback (most recent call last):
    malgwi.errors.DataError: 1 of 2 references have no hypothesis: 'a'; 1 of 2 hypotheses have \
no reference: 'c'. Both sides need the same ids: add the missing ones (empty text if nothing was \
recognised) and remove the rest
    """
    problems = [
        f"{len(lone)} of {len(side)} {noun} have no {other}: {_listed(lone)}"
        for side, others, noun, other in (
            (references, hypotheses, "references", "hypothesis"),
            (hypotheses, references, "hypotheses", "reference"),
        )
        if (lone := [name for name in side if name not in others])
    ]
    if problems:
        raise DataError(
            f"{'; '.join(problems)}. Both sides need the same ids: add the missing ones (empty "
            "text if nothing was recognised) and remove the rest"
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED_IDS} more" if len(names) > _LISTED_IDS else ""
    return ", ".join(map(repr, names[:_LISTED_IDS])) + more


def _rate(counts: Counts) -> ErrorRate:
    return ErrorRate(*counts, reference=counts.hits + counts.substitutions + counts.deletions)
