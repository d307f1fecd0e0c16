"""``malgwi prepare``: a corpus on disk → a manifest, and a list of what is wrong with the rest."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

import tyro
from lhotse.cut import MonoCut
from rich.console import Console
from rich.progress import track
from tyro.conf import OmitArgPrefixes, OmitSubcommandPrefixes, Positional

from malgwi import manifest
from malgwi.audio import ChannelPolicy
from malgwi.corpora import CORPORA
from malgwi.corpora.rows import BadRow, Corpus, cuts
from malgwi.errors import ConfigError, DataError
from malgwi.registry import resolve

C = TypeVar("C")


@dataclass(frozen=True, kw_only=True)
class Prepare(Generic[C]):
    """What ``malgwi prepare CORPUS`` takes.

    Attributes:
        source: The corpus: a folder, or the file of a table or manifest.
        out: The manifest to write, NAME.jsonl or NAME.jsonl.gz; bad rows go to NAME.bad.jsonl.
        corpus: What only this kind of corpus has.
        channels: Files of many channels: "error" refuses them, "mix" takes their mean, a number
            takes that channel, counted from 0.
        max_bad: Fail if more than this share of the rows is bad.
        check: "decode" decodes every file to its end; "header" is faster, but misses damage inside.
        prefix: Put before ids and speakers, so that corpora with equal names can be combined.
        threads: Decoding threads; by default one a processor.
    """

    source: Annotated[Positional[Path], tyro.conf.arg(metavar="SOURCE")]
    out: Annotated[Positional[Path], tyro.conf.arg(metavar="OUT")]
    corpus: C
    channels: ChannelPolicy = "error"
    max_bad: float = 0.01
    check: Literal["decode", "header"] = "decode"
    prefix: str = ""
    threads: int | None = None


@dataclass
class Tally:
    """What has gone by so far."""

    utterances: int = 0
    duration_s: float = 0.0
    speakers: set[str] = field(default_factory=set)
    bad: list[BadRow] = field(default_factory=list)

    @property
    def bad_share(self) -> float:
        total = self.utterances + len(self.bad)
        return len(self.bad) / total if total else 0.0

    def good(self, results: Iterable[MonoCut | BadRow]) -> Iterator[MonoCut]:
        """Count everything, let the cuts pass."""
        for result in results:
            if isinstance(result, BadRow):
                self.bad.append(result)
                continue
            self.utterances += 1
            self.duration_s += result.duration
            name = manifest.speaker(result)
            if name is not None:
                self.speakers.add(name)
            yield result

    def reasons(self) -> list[str]:
        """Each reason with its count and first example, the most frequent first."""
        first = {row.reason: row for row in reversed(self.bad)}
        counts = Counter(row.reason for row in self.bad)
        return [
            f"{count:,} × {reason}, e.g. {first[reason].utterance_id}: {first[reason].detail}"
            for reason, count in counts.most_common()
        ]


def _summary(kind: Any) -> str:
    return str(kind.__doc__).partition("\n")[0]


def _jobs() -> Any:
    """`Prepare` for each reader in the table, as the union that tyro turns into subcommands."""
    generic: Any = Prepare  # a type computed at run time is nothing mypy could follow
    kinds = {name: resolve("corpus", CORPORA, name) for name in CORPORA}
    jobs = [
        Annotated[generic[kind], tyro.conf.subcommand(name, description=_summary(kind))]
        for name, kind in kinds.items()
    ]
    union = reduce(or_, jobs)
    flat: Any = OmitArgPrefixes
    bare: Any = OmitSubcommandPrefixes
    return flat[bare[union]]


if TYPE_CHECKING:
    Job = Prepare[Any]
else:
    Job = _jobs()


def main(job: Job) -> None:
    """Turn a corpus into a manifest: every file opened, every bad row listed with its reason.

    For example, each on one line:

        malgwi prepare table recordings/transcripts.tsv data/mine.jsonl

        malgwi prepare table calls.csv data/calls.jsonl --path-column wav --channels 0

        malgwi prepare table pcm.tsv data/pcm.jsonl --raw-sample-rate-hz 8000

        malgwi prepare pansori pansori-tedxkr-corpus-1.0 data/pansori.jsonl

        malgwi prepare hackathon speech data/train.jsonl --part train --max-bad 0.001

        malgwi prepare ksponspeech KsponSpeech data/eval.jsonl --part eval_clean

        malgwi prepare aihub 571.telephone data/calls.jsonl --part train

    Args:
        job: The kind of corpus; malgwi prepare CORPUS --help shows its options.
    """
    prepare(job)


def prepare(job: Prepare[Any]) -> Tally:
    """Write the manifest and the list of bad rows; print the summary.

    Raises:
        DataError: Too many bad rows, or no good one. The list is written; the manifest is not,
            and what stood at its place still does.
        ConfigError: The output's name is not that of a manifest.
    """
    if not job.out.name.endswith((".jsonl", ".jsonl.gz")):
        raise ConfigError(f"{job.out}: a manifest's name ends in .jsonl or .jsonl.gz")
    if not job.source.exists():
        raise DataError(f"{job.source}: no such file or folder")
    console, tally = Console(stderr=True), Tally()
    manifest.write(_good_cuts(job, tally, console), job.out)
    print(
        f"{job.out}: {tally.utterances:,} utterances, {tally.duration_s / 3600:.2f} hours, "
        f"{len(tally.speakers):,} speakers, {len(tally.bad):,} bad rows"
    )
    for reason in tally.reasons():
        print(f"  {reason}")
    if not tally.speakers:
        print("  no speakers are named: a split by speaker will not be possible")
    return tally


def _good_cuts(job: Prepare[Any], tally: Tally, console: Console) -> Iterator[MonoCut]:
    """The cuts, counted under a progress bar; raises after the last one if too many were bad."""
    corpus: Corpus = job.corpus
    total = sum(1 for _ in corpus.rows(job.source))
    results = cuts(
        track(corpus.rows(job.source), "opening audio", total, console=console, transient=True),
        channels=job.channels,
        decode=job.check == "decode",
        prefix=job.prefix,
        threads=job.threads,
    )
    yield from tally.good(results)
    bad_path = _write_bad_rows(job.out, tally.bad)
    reasons = "".join(f"\n  {reason}" for reason in tally.reasons())
    if not tally.utterances:
        raise DataError(
            f"{job.source}: not one usable utterance in {len(tally.bad):,} rows{reasons}"
        )
    if tally.bad_share > job.max_bad:
        raise DataError(
            f"{len(tally.bad):,} of {total:,} rows are bad ({tally.bad_share:.2%}), more than "
            f"--max-bad {job.max_bad:g} allows; no manifest was written, the list is in "
            f"{bad_path}{reasons}"
        )


def _write_bad_rows(out: Path, bad: list[BadRow]) -> Path:
    """NAME.bad.jsonl beside the manifest; an old one goes when nothing is bad."""
    path = out.with_name(out.name.removesuffix(".gz").removesuffix(".jsonl") + ".bad.jsonl")
    if not bad:
        path.unlink(missing_ok=True)
        return path
    with manifest.atomic_text(path) as file:
        for row in bad:
            file.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")
    return path
