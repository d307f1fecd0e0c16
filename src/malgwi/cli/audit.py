"""``malgwi audit``: know the data before the model, and let CI stop where parts leak."""

import gzip
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from tyro.conf import Positional

from malgwi import manifest
from malgwi.audit import AuditConfig, Part, audit
from malgwi.audit.listening import ListeningConfig
from malgwi.errors import ConfigError, DataError
from malgwi.leakage import RELATIONS, Relation

#: Leakage beyond the bound: neither success nor an error.
EXIT_LEAKAGE = 1


def main(
    manifests: Annotated[Positional[tuple[str, ...]], tyro.conf.arg(metavar="[NAME=]MANIFEST...")],
    /,
    *,
    out: Path = Path("audit"),
    max_leakage: float = 0.0,
    max_unknown: float = 0.05,
    relations: tuple[Relation, ...] = RELATIONS,
    max_distance: float = 0.1,
    sound: bool = True,
    by_part: bool = False,
    estimate_speakers: bool = False,
    edge_db: float = 25.0,
    pace_z: float = 4.0,
    examples: int = 10,
    threads: int | None = None,
) -> None:
    """Measure a corpus, list what is suspicious, and say what its parts share.

    Several manifests are parts of one corpus, training first: each later one is compared with
    those before it. Writes audit.json and audit.html (which plays the suspicious utterances) and
    prints a summary. Exits with 1 if a part leaks more than --max-leakage or nobody can tell, with
    2 on errors.

    For example, each on one line:

        malgwi audit data/mine.jsonl --out audit

        malgwi audit data/split/train.jsonl data/split/dev.jsonl --max-leakage 0

        malgwi audit train=data/a.jsonl test=data/b.jsonl --relations speaker audio --no-sound

        malgwi audit data/zeroth.jsonl --by-part --estimate-speakers

    Args:
        manifests: Each is a part, named by its file or as NAME=MANIFEST; training first.
        out: Folder for audit.json and audit.html.
        max_leakage: Share of a part's utterances that may leak by any one relation.
        max_unknown: Share of them of which that may be unknown, as of those that name no speaker.
        relations: Which relations the bound is for; all are reported.
        max_distance: Scripts are nearly the same up to this share of the longer one; 0 compares
            exactly only.
        sound: Decode and measure the audio; without, only what the manifests say.
        by_part: Divide each manifest by the official part that its utterances name.
        estimate_speakers: Listen for who speaks, where labels are missing or doubtful; time for
            the clustering grows with the square of the utterances.
        edge_db: Edges this far below the loudest frame are silence.
        pace_z: Robust z-score of characters a second from which a text is suspicious.
        examples: Utterances listed of each kind of suspicion.
        threads: Decoding threads; one a processor, at most 8, if not given.
    """
    from malgwi.report.audit_page import write_audit  # its package loads torch
    from malgwi.report.audit_summary import show

    config = AuditConfig(
        sound=sound,
        listening=ListeningConfig(threads=threads, edge_db=edge_db),
        examples=examples,
        max_distance=max_distance,
        max_leakage=max_leakage,
        max_unknown=max_unknown,
        relations=relations,
        speakers=estimate_speakers,
        pace_z=pace_z,
    )
    parts = parts_of(manifests, by_part=by_part)
    with _progress(parts) as advance:
        found = audit(parts, config, measured=advance)
    page = write_audit(found, out)
    console = Console(highlight=False)
    show(found, console)
    console.print(f"\nwritten to {page.parent}: {page.name}, audit.json", markup=False)
    if found.excessive or found.unjudged:
        raise SystemExit(EXIT_LEAKAGE)


def parts_of(manifests: Sequence[str], *, by_part: bool = False) -> list[Part]:
    """The parts that the command line names.

    Raises:
        ConfigError: No manifest, or two parts of one name.
        DataError: No such manifest, or none of its utterances names an official part.
    """
    if not manifests:
        raise ConfigError("give at least one manifest; `malgwi prepare` makes them")
    parts = [part for word in manifests for part in _parts(word, by_part)]
    names = [part.name for part in parts]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"several parts are called {twice[0]!r}: name them as NAME=MANIFEST")
    return parts


def _parts(word: str, by_part: bool) -> list[Part]:
    name, equals, given = word.partition("=")
    named = bool(equals) and not Path(word).is_file()
    path = Path(given if named else word)
    stem = path.name.removesuffix(".gz").removesuffix(".jsonl")
    name = name if named else stem
    if not path.is_file():
        raise DataError(f"{path}: no such manifest; `malgwi prepare` makes one")
    if not by_part:
        return [Part(name, path)]
    officials = dict.fromkeys(
        str(f.custom["part"]) for f in manifest.facts(path) if "part" in f.custom
    )
    if not officials:
        raise DataError(f"{path}: no utterance names an official part: leave --by-part out")
    prefix = f"{name}." if named else ""
    return [Part(f"{prefix}{official}", path, official) for official in _training_first(officials)]


def _training_first(officials: dict[str, None]) -> list[str]:
    return sorted(officials, key=lambda name: not name.startswith("train"))


@contextmanager
def _progress(parts: Sequence[Part]) -> Iterator[Callable[[int], None]]:
    """A bar over all utterances, on the terminal's error stream."""
    bar = Progress(
        TextColumn("looking at utterances"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        paths = {part.path for part in parts}
        task = bar.add_task("", total=sum(_num_lines(path) for path in paths))
        yield lambda number: bar.advance(task, number)


def _num_lines(path: Path) -> int:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        return sum(1 for _ in file)
