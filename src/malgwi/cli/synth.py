"""``malgwi synth``: make a synthetic telephone corpus, such as the one that ships."""

from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from malgwi.synthesis import SynthesisConfig, write_corpus
from malgwi.text.sentences import SentenceConfig


def main(
    out: Annotated[Path, tyro.conf.Positional],
    seed: int = 7,
    sentences: SentenceConfig = SentenceConfig(),  # noqa: B008 - tyro reads fields from defaults
    synthesis: SynthesisConfig = SynthesisConfig(),  # noqa: B008
) -> None:
    """Synthesise a corpus of contact-centre and daily-life speech over telephone lines.

    Needs the espeak-ng program. The embedded corpus was made by this command with its defaults;
    the same seed gives the same bytes again on the same espeak-ng (see provenance.json).

    For example, each on one line:

    malgwi synth corpus

    malgwi synth corpus --seed 8 --sentences.train 4000 --synthesis.telephone.snr-db 10 30

    Args:
        out: Folder to write: train.tsv, dev.tsv, test.tsv, provenance.json, audio/.
        seed: Of sentences, voices' variation and lines.
        sentences: Sizes of the parts, and how new development and test sentences must be.
        synthesis: Variation within a voice, telephone lines, storage.
    """
    console = Console()
    with console.status("starting espeak-ng") as status:
        provenance = write_corpus(
            out, seed=seed, sentences=sentences, config=synthesis, progress=status.update
        )
    totals = provenance["totals"]
    assert isinstance(totals, dict)
    for part, total in totals.items():
        console.print(
            f"{part:<5} {total['utterances']:>5} utterances  {total['speakers']:>2} voices  "
            f"{total['minutes']:>6.2f} min  {total['distinct_syllables']} distinct syllables"
        )
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    console.print(f"{size / 1e6:.2f} MB in {out}")
