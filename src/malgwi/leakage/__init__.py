"""What the parts of a corpus have in common: speakers, scripts, nearly the same scripts, audio.

A score on utterances whose speakers or sentences stood in training measures memory, not hearing.
In the corpus that started this project 96 % of the validation sentences and 94 % of their
speakers also stood in training: 4 % error there was 23 % on the test.

The surprising choice: shares count utterances of the later part, not names. One speaker in common
out of fifty may be one utterance in a thousand, or half of them, and what bends a score is the
latter. Parts are read once, into a table on disk (`malgwi.utterance_table`): memory is bounded
whatever their number. shared.py counts there what is equal, near.py joins the scripts that are
nearly so, a length at a time, and audio.py finds copies and overlapping stretches of files.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal, get_args

from malgwi.leakage.audio import SharedAudio
from malgwi.leakage.near import NearScripts
from malgwi.leakage.shared import Counted, SharedNames
from malgwi.manifest import Facts
from malgwi.text.scripts import check_distance
from malgwi.utterance_table import UtteranceTable, number

#: "near_script" counts the exact ones, too, so it is never below "script".
Relation = Literal["speaker", "script", "near_script", "audio"]
RELATIONS: tuple[Relation, ...] = get_args(Relation)

#: What comparing may take, roughly, where nothing else is said.
MEMORY_BYTES = 1 << 26


@dataclass(frozen=True, kw_only=True)
class Example:
    """One utterance of the second part, and one of the first that gives it away.

    Attributes:
        first: Id of the utterance in the first part.
        second: Id of the one in the second part.
        what: The speaker, or the script of the second; empty for audio.
        distance: Edits between the scripts, for nearly equal scripts.
    """

    first: str
    second: str
    what: str
    distance: int = 0


@dataclass(frozen=True, kw_only=True)
class Leak:
    """How much of the second part stands in the first, by one relation.

    Attributes:
        relation: What they share.
        first: The part that comes first, most often training.
        second: The part whose score is in question.
        leaking: Utterances of the second part that share it with one of the first.
        utterances: All utterances of the second part.
        unknown: Those that cannot be judged: no speaker named, no text, no audio file; all of
            them where the first part has none at all.
        shared: Distinct speakers, scripts or files of the second part that leak.
        distinct: All of them in the second part.
        examples: Some, each of another speaker, script or file.
    """

    relation: Relation
    first: str
    second: str
    leaking: int
    utterances: int
    unknown: int
    shared: int
    distinct: int
    examples: tuple[Example, ...] = ()

    @property
    def judged(self) -> bool:
        """Whether anything could be compared; if not, a share of 0 is no good news."""
        return self.unknown < self.utterances

    @property
    def share(self) -> float:
        """Leaking utterances over all of the second part; 0 where it is empty."""
        return self.leaking / self.utterances if self.utterances else 0.0

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, with the share."""
        values = asdict(self)
        return {**values, "share": round(self.share, 6), "examples": list(values["examples"])}

    def describe(self) -> str:
        """One line to read.

        >>> Leak(relation="speaker", first="train", second="dev", leaking=9, utterances=10,
        ...      unknown=1, shared=3, distinct=4).describe()
        'dev: 9 of 10 utterances (90.0%), 3 of 4 speakers, share a speaker with train (1 unknown)'
        """
        things, phrase = _WORDS[self.relation]
        unknown = f" ({self.unknown:,} unknown)" if self.unknown else ""
        return (
            f"{self.second}: {self.leaking:,} of {self.utterances:,} utterances ({self.share:.1%})"
            f", {self.shared:,} of {self.distinct:,} {things}, {phrase} {self.first}{unknown}"
        )


_WORDS: dict[Relation, tuple[str, str]] = {
    "speaker": ("speakers", "share a speaker with"),
    "script": ("scripts", "share a script with"),
    "near_script": ("scripts", "share a script, or nearly, with"),
    "audio": ("files", "share audio with"),
}


def leakage(
    parts: Mapping[str, Iterable[Facts]],
    *,
    max_distance: float = 0.1,
    content_hash: Callable[[Facts], str | None] | None = None,
    examples: int = 5,
    memory_bytes: int = MEMORY_BYTES,
) -> list[Leak]:
    """What every part shares with those that come before it.

    Args:
        parts: Name → utterances, in order: training first. Each is gone through once.
        max_distance: Scripts are nearly the same up to this share of the longer one; 0 for
            exact scripts only.
        content_hash: Of an utterance's samples, where it has been computed: finds audio that was
            copied under another name. None leaves file and stretch to judge by.
        examples: How many to give at most, by pair of parts and relation.
        memory_bytes: Roughly what comparing may take, however many utterances there are.

    Returns:
        Four for each pair of parts, in the order of `RELATIONS`.

    Raises:
        ConfigError: ``max_distance`` below 0, or 0.5 and above.
        DataError: What reading the parts raises.
    """
    check_distance(max_distance)
    with UtteranceTable(memory_bytes // 2) as table:
        for number_of_part, utterances in enumerate(parts.values()):
            for facts in utterances:
                content = content_hash(facts) if content_hash else None
                table.add(number_of_part, facts, content=number(content))
        return leaks_of(
            table,
            list(parts),
            max_distance=max_distance,
            examples=examples,
            memory_bytes=memory_bytes // 2,
        )


def leaks_of(
    table: UtteranceTable,
    names: Sequence[str],
    *,
    max_distance: float,
    examples: int,
    memory_bytes: int = MEMORY_BYTES // 2,
) -> list[Leak]:
    """`leakage` of parts that are in a table, under their numbers.

    Args:
        table: Of all utterances; tables are made beside it, so it can be asked once.
        names: Of the parts, in their order.
        max_distance: As for `leakage`.
        examples: As for `leakage`.
        memory_bytes: Roughly what scripts may take that are compared.

    Raises:
        ConfigError: As `leakage`.
        DataError: The disk is full.
    """
    check_distance(max_distance)
    shared = SharedNames(table)
    near = NearScripts(table, len(names), max_distance, memory_bytes)
    audio = SharedAudio(table)
    found = []
    for (i, first), (j, second) in combinations(enumerate(names), 2):
        utterances = table.value("count(*) FROM utterance WHERE part = ?", j) or 0
        counted: dict[Relation, Counted] = {
            "speaker": shared.speakers(i, j, examples),
            "script": shared.scripts(i, j, examples),
            "near_script": near.scripts(i, j, examples),
            "audio": audio.between(i, j, examples),
        }
        found += [_leak(each, first, second, utterances, c) for each, c in counted.items()]
    return found


def _leak(relation: Relation, first: str, second: str, utterances: int, counted: Counted) -> Leak:
    return Leak(
        relation=relation,
        first=first,
        second=second,
        leaking=counted.leaking,
        utterances=utterances,
        unknown=utterances - counted.known,
        shared=counted.shared,
        distinct=counted.distinct,
        examples=tuple(
            Example(first=one, second=other, what=what, distance=distance)
            for one, other, what, distance in counted.examples
        ),
    )
