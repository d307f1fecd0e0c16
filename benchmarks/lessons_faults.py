"""The beam-search faults of the team of 2019, for the ablation of their lessons.

Their search never sorted the finished hypotheses and returned the first; then it sorted them the
wrong way round and returned the worst; then it lacked length normalisation. Mending all three
"gave about 4 points". The search itself was sound, so the faults are ways to choose from what it
finished: search with ``as_in_2019(config)``, then choose.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from malgwi.decoders.attention_beam import BeamConfig
from malgwi.types import Hypothesis


def as_in_2019(config: BeamConfig, *, normalized: bool = False) -> BeamConfig:
    """Stop once ``beams`` hypotheses have finished, and keep all of them.

    In the last step before stopping, up to ``beams`` more may finish. Fewer finish where the
    maximum length comes first; the list then ends with those it cut off.
    """
    alpha = config.length_normalization if normalized else 0.0
    return replace(config, patience=1.0, nbest=2 * config.beams, length_normalization=alpha)


def sorted_(hypotheses: Sequence[Hypothesis]) -> Hypothesis:
    """The mended choice: the best."""
    return hypotheses[0]


def unsorted(hypotheses: Sequence[Hypothesis]) -> Hypothesis:
    """The first fault: whichever finished first."""
    return min(_finished(hypotheses), key=lambda h: h.finished_at or 0)


def ascending(hypotheses: Sequence[Hypothesis]) -> Hypothesis:
    """The second fault: sorted the wrong way round, so the worst that finished."""
    return min(_finished(hypotheses), key=lambda h: h.score)


#: name → how to choose from one utterance's finished hypotheses
CHOICES: dict[str, Callable[[Sequence[Hypothesis]], Hypothesis]] = {
    "sorted": sorted_,
    "unsorted": unsorted,
    "ascending": ascending,
}


def _finished(hypotheses: Sequence[Hypothesis]) -> Sequence[Hypothesis]:
    """Those with an end token; all, where none has one."""
    return [h for h in hypotheses if h.ended] or hypotheses
