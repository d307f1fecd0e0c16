"""What the parts of a corpus have in common: speakers, scripts, nearly the same scripts, audio.

A score on utterances whose speakers or sentences stood in training measures memory, not hearing.
In the corpus that started this project 96 % of the validation sentences and 94 % of their
speakers also stood in training: 4 % error there was 23 % on the test.

The surprising choice: shares count utterances of the later part, not names. One speaker in common
out of fifty may be one utterance in a thousand, or half of them, and what bends a score is the
latter. Parts are read once and only numbers about each utterance are kept, so a million fit.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from itertools import combinations
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from malgwi.manifest import Facts
from malgwi.text.scripts import check_distance, script
from malgwi.text.similarity_join import Ids, Mask, similar_pairs

#: "near_script" counts the exact ones, too, so it is never below "script".
Relation = Literal["speaker", "script", "near_script", "audio"]
RELATIONS: tuple[Relation, ...] = get_args(Relation)

#: Stretches of one file share audio if one reaches further than this into the other, or further
#: than half of it, from both sides: neighbours cut with a little margin do not count.
_OVERLAP_S = 0.5


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
) -> list[Leak]:
    """What every part shares with those that come before it.

    Args:
        parts: Name → utterances, in order: training first. Each is gone through once.
        max_distance: Scripts are nearly the same up to this share of the longer one; 0 for
            exact scripts only.
        content_hash: Of an utterance's samples, where it has been computed: finds audio that was
            copied under another name. None leaves file and stretch to judge by.
        examples: How many to give at most, by pair of parts and relation.

    Returns:
        Four for each pair of parts, in the order of `RELATIONS`.

    Raises:
        ConfigError: ``max_distance`` below 0, or 0.5 and above.
        DataError: What reading the parts raises.
    """
    check_distance(max_distance)
    names = _Names()
    read = {name: _Part.of(facts, names, content_hash) for name, facts in parts.items()}
    scripts = list(names.scripts)
    near = _NearScripts(list(read.values()), scripts, max_distance)
    return [
        leak
        for (i, first), (_, second) in combinations(enumerate(read), 2)
        for leak in _between(first, second, read, near.partner[i], names, examples)
    ]


@dataclass
class _Names:
    """Speakers and scripts as numbers, the same in all parts."""

    speakers: dict[str, int] = field(default_factory=dict)
    scripts: dict[str, int] = field(default_factory=dict)

    def speaker(self, name: str | None) -> int:
        return self.speakers.setdefault(name, len(self.speakers)) if name else -1

    def script(self, text: str) -> int:
        key = script(text)
        return self.scripts.setdefault(key, len(self.scripts)) if key else -1


@dataclass(frozen=True)
class _Part:
    """Columns of N utterances; −1 where a speaker or script, 0 where audio is not known."""

    ids: list[str]
    speaker: Ids
    script: Ids
    file: Ids
    content: Ids
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        utterances: Iterable[Facts],
        names: _Names,
        content_hash: Callable[[Facts], str | None] | None,
    ) -> "_Part":
        ids: list[str] = []

        def rows() -> Iterator[tuple[int, int, int, int, float, float]]:
            for u in utterances:
                ids.append(u.id)
                file = _number(f"{u.channel} {u.path}" if u.path else None)
                content = _number(content_hash(u) if content_hash else None)
                who, what = names.speaker(u.speaker), names.script(u.text)
                yield who, what, file, content, u.start_s, u.start_s + u.duration_s

        kind = np.dtype("i8,i8,i8,i8,f8,f8")
        table = np.fromiter(rows(), kind)
        return cls(ids, *(np.ascontiguousarray(table[name]) for name in kind.names or ()))

    def audio(self) -> Ids:
        """[N] what an utterance's audio is known by: its samples, or else its file."""
        return np.where(self.content != 0, self.content, self.file)


def _number(name: str | None) -> int:
    """64 bits of a name, so that names need not be kept; 0 for none."""
    if not name:
        return 0
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


class _NearScripts:
    """Which scripts stand in each part, exactly or nearly.

    Attributes:
        partner: [P, S] for each part and script, a script of that part which is the same, or
            else one that is nearly so; −1 for none.
    """

    def __init__(self, parts: Sequence[_Part], scripts: Sequence[str], distance: float) -> None:
        self._member = np.zeros((len(parts), len(scripts)), np.bool_)
        for members, part in zip(self._member, parts, strict=True):
            members[part.script[part.script >= 0]] = True
        everything = np.arange(len(scripts))
        self.partner = np.where(self._member, everything, -1)
        for pairs in similar_pairs(scripts, distance, self._wanted) if distance else ():
            for one, other in ((pairs.first, pairs.second), (pairs.second, pairs.first)):
                for members, partner in zip(self._member, self.partner, strict=True):
                    new = members[one] & (partner[other] < 0)
                    partner[other[new]] = one[new]

    def _wanted(self, first: Ids, second: Ids) -> Mask:
        """Pairs across parts, where the script of the later part has no partner yet."""
        wanted = np.zeros(len(first), np.bool_)
        for i, j in combinations(range(len(self._member)), 2):
            for one, other in ((first, second), (second, first)):
                wanted |= (
                    self._member[i, one] & self._member[j, other] & (self.partner[i, other] < 0)
                )
        return wanted


def _between(
    first: str,
    second: str,
    parts: Mapping[str, _Part],
    partner: Ids,
    names: _Names,
    examples: int,
) -> Iterator[Leak]:
    """The four relations of two parts."""
    one, other = parts[first], parts[second]
    speaks = np.zeros(len(names.speakers) + 1, np.bool_)  # one more: what −1 means
    speaks[one.speaker[one.speaker >= 0]] = True
    exact = np.append(partner == np.arange(len(partner)), False)
    nearly = np.append(partner >= 0, False)
    says = (other.script >= 0) & bool((one.script >= 0).any())
    found: dict[Relation, tuple[Ids, Mask, Mask]] = {
        "speaker": (
            other.speaker,
            (other.speaker >= 0) & bool(speaks.any()),
            speaks[other.speaker],
        ),
        "script": (other.script, says, exact[other.script]),
        "near_script": (other.script, says, nearly[other.script]),
        "audio": (
            other.audio(),
            (other.audio() != 0) & bool((one.audio() != 0).any()),
            _same_audio(one, other),
        ),
    }
    shown = _Examples(one, other, partner, list(names.speakers), list(names.scripts))
    for relation, (things, known, leaks) in found.items():
        rows = np.flatnonzero(leaks & ~exact[other.script] if relation == "near_script" else leaks)
        rows = rows[np.sort(np.unique(things[rows], return_index=True)[1])][:examples]
        yield Leak(
            relation=relation,
            first=first,
            second=second,
            leaking=int(leaks.sum()),
            utterances=len(other.ids),
            unknown=int((~known).sum()),
            shared=len(np.unique(things[leaks])),
            distinct=len(np.unique(things[known])),
            examples=tuple(shown.of(relation, int(row)) for row in rows),
        )


def _same_audio(one: _Part, other: _Part) -> Mask:
    """[N] whose samples, or whose stretch of a file, the first part has, too."""
    copied: Mask = (other.content != 0) & np.isin(other.content, one.content)
    return np.logical_or(copied, _overlapping(one, other))


def _overlapping(one: _Part, other: _Part) -> Mask:
    """[N] utterances that overlap with one of the first part in the same file.

    Of all that begin before an utterance ends, the one that ends last decides.
    """
    files = np.unique(one.file)
    rank = np.searchsorted(files, one.file)
    order = np.lexsort((one.start_s, rank))
    rank, start_s, end_s = rank[order], one.start_s[order], one.end_s[order]
    day_s = 1.0 + max(one.end_s.max(initial=0.0), other.end_s.max(initial=0.0))
    latest_s = np.maximum.accumulate(rank * day_s + end_s)  # each file on a day of its own
    at = np.searchsorted(files, other.file)
    known = np.isin(other.file, files) & (other.file != 0)
    margin_s = np.minimum(_OVERLAP_S, (other.end_s - other.start_s) / 2)
    before = np.searchsorted(rank * day_s + start_s, at * day_s + other.end_s - margin_s, "right")
    last = np.append(-1.0, latest_s)[before]
    overlaps: Mask = known & (last >= at * day_s + other.start_s + margin_s)
    return overlaps


@dataclass(frozen=True)
class _Examples:
    """Finds for an utterance of the second part one of the first that it shares something with."""

    one: _Part
    other: _Part
    partner: Ids
    speakers: Sequence[str]
    scripts: Sequence[str]

    def of(self, relation: Relation, row: int) -> Example:
        second = self.other.ids[row]
        if relation == "speaker":
            who = int(self.other.speaker[row])
            first = self._id(self.one.speaker == who)
            return Example(first=first, second=second, what=self.speakers[who])
        if relation == "audio":
            return Example(first=self._id(self._sounds_like(row)), second=second, what="")
        said = int(self.other.script[row])
        there = int(self.partner[said])
        return Example(
            first=self._id(self.one.script == there),
            second=second,
            what=self.scripts[said],
            distance=Levenshtein.distance(self.scripts[said], self.scripts[there]),
        )

    def _id(self, rows: Mask) -> str:
        return self.one.ids[int(np.argmax(rows))]

    def _sounds_like(self, row: int) -> Mask:
        other, one = self.other, self.one
        if other.content[row]:
            copies: Mask = one.content == other.content[row]
            if copies.any():
                return copies
        overlap_s = np.minimum(one.end_s, other.end_s[row]) - np.maximum(
            one.start_s, other.start_s[row]
        )
        overlaps: Mask = (one.file == other.file[row]) & (overlap_s > 0)
        return overlaps
