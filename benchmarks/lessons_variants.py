"""What the ablation turns off: each variant is the baseline with one thing changed.

`TRAINED` variants train a model of their own. `SEARCHED` ones search the baseline's model
otherwise, since the beam faults of 2019 were faults of decoding.

The surprising choice: ``another_seed`` turns nothing off. It shows how far two trainings with
equal settings lie apart, which the intervals of one test set cannot show.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from lessons_faults import CHOICES, as_in_2019

from malgwi.config import RunConfig
from malgwi.nn.initialize import InitConfig
from malgwi.text.normalize import NormalizerConfig
from malgwi.transcribe import DecodingConfig
from malgwi.types import Hypothesis

Choose = Callable[[Sequence[Hypothesis]], Hypothesis]
Search = Callable[[DecodingConfig], DecodingConfig]

#: The best hypothesis, as a mended search returns it.
first: Choose = CHOICES["sorted"]

BEAMS = 8
_JOINT_WEIGHT = 0.5
_SEED_STEP = 1000


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A variant with a model of its own.

    Attributes:
        label: Its row in the table.
        change: From the baseline's configuration to its own.
        random_split: Whether its development part is drawn at random.
    """

    label: str
    change: Callable[[RunConfig], RunConfig] = lambda config: config
    random_split: bool = False


@dataclass(frozen=True, kw_only=True)
class Searched:
    """Another way to search the baseline's model.

    Attributes:
        label: Its row in the table.
        change: From the baseline's decoding to its own.
        choose: Which of an utterance's hypotheses is the result.
    """

    label: str
    change: Search
    choose: Choose = first


def attention_beam(config: DecodingConfig) -> DecodingConfig:
    """The search that all variants are compared by: a correct beam, the attention model alone."""
    beam = replace(config.beam, beams=BEAMS, nbest=1, ctc_weight=0.0)
    return replace(config, method="beam", beam=beam)


def joint_beam(config: DecodingConfig) -> DecodingConfig:
    """The same beam with the CTC output's say, at the recipe's weight."""
    weight = config.beam.ctc_weight or _JOINT_WEIGHT
    beam = replace(attention_beam(config).beam, ctc_weight=weight)
    return replace(config, method="beam", beam=beam)


#: What the variants are compared by: name → search
COMPARED: dict[str, Search] = {"attention": attention_beam, "joint": joint_beam}


def greedy(config: DecodingConfig) -> DecodingConfig:
    """The attention model's best unit at each step."""
    return replace(attention_beam(config), method="attention")


def ctc_greedy(config: DecodingConfig) -> DecodingConfig:
    """The CTC output's best unit at each frame."""
    return replace(attention_beam(config), method="ctc")


def _faulty(*, normalized: bool) -> Search:
    def change(config: DecodingConfig) -> DecodingConfig:
        correct = attention_beam(config)
        return replace(correct, beam=as_in_2019(correct.beam, normalized=normalized))

    return change


def _predict_spaces(config: RunConfig) -> RunConfig:
    return replace(config, tokenizer=replace(config.tokenizer, spaces=True))


def _no_label_smoothing(config: RunConfig) -> RunConfig:
    return replace(config, objective=replace(config.objective, smoothing=0.0))


def _no_text_cleaning(config: RunConfig) -> RunConfig:
    kept = {f.name: "keep" for f in dataclasses.fields(NormalizerConfig) if f.name != "whitespace"}
    as_found = NormalizerConfig.from_dict({**kept, "whitespace": config.text.whitespace})
    return replace(config, text=as_found)


def _no_trimming(config: RunConfig) -> RunConfig:
    return replace(config, front_end=replace(config.front_end, trim_db=None))


def _no_specaugment(config: RunConfig) -> RunConfig:
    return replace(config, masking=None)


def _uniform_init(config: RunConfig) -> RunConfig:
    return replace(config, init=InitConfig(scheme="uniform_everything", scale=0.08))


def _another_seed(config: RunConfig) -> RunConfig:
    seed = config.trainer.seed + _SEED_STEP
    return replace(config, trainer=replace(config.trainer, seed=seed))


BASELINE = "baseline"

#: name → variant, in the order of the table
TRAINED: dict[str, Trained] = {
    BASELINE: Trained(label="all lessons on"),
    "another_seed": Trained(label="nothing off, another seed", change=_another_seed),
    "predict_spaces": Trained(label="spaces are predicted", change=_predict_spaces),
    "no_label_smoothing": Trained(label="no label smoothing", change=_no_label_smoothing),
    "no_text_cleaning": Trained(label="transcripts as found", change=_no_text_cleaning),
    "no_trimming": Trained(label="silence stays at both ends", change=_no_trimming),
    "no_specaugment": Trained(label="no SpecAugment", change=_no_specaugment),
    "uniform_init": Trained(
        label="every parameter from U(−0.08, 0.08), norms too", change=_uniform_init
    ),
    "random_split": Trained(label="development drawn at random", random_split=True),
}

#: name → search, in the order of the table; one fault each, then those of 2019 together
SEARCHED: dict[str, Searched] = {
    "greedy": Searched(label="greedy instead of beam search", change=greedy),
    "beam_mended": Searched(
        label="the team's search, its three faults mended", change=_faulty(normalized=True)
    ),
    "beam_unsorted": Searched(
        label="the first to finish is taken",
        change=_faulty(normalized=True),
        choose=CHOICES["unsorted"],
    ),
    "beam_ascending": Searched(
        label="sorted the wrong way round",
        change=_faulty(normalized=True),
        choose=CHOICES["ascending"],
    ),
    "beam_not_normalized": Searched(
        label="no length normalisation", change=_faulty(normalized=False)
    ),
    "beam_unsorted_2019": Searched(
        label="the first to finish, no length normalisation",
        change=_faulty(normalized=False),
        choose=CHOICES["unsorted"],
    ),
    "beam_ascending_2019": Searched(
        label="sorted the wrong way round, no length normalisation",
        change=_faulty(normalized=False),
        choose=CHOICES["ascending"],
    ),
    "beam_joint": Searched(label="beam search with CTC's say (for information)", change=joint_beam),
}

NAMES: tuple[str, ...] = (*TRAINED, *SEARCHED)
LABELS: dict[str, str] = {
    **{name: variant.label for name, variant in TRAINED.items()},
    **{name: variant.label for name, variant in SEARCHED.items()},
}


def not_applicable(name: str, base: RunConfig, search: str = "attention") -> str | None:
    """Why this recipe cannot show what the variant costs; None if it can."""
    listener = base.model.listener
    if (name == "beam_joint" or search == "joint") and not base.model.ctc:
        return "the recipe's model has no CTC output"
    if name in SEARCHED and search == "joint":
        return "a search of the attention model alone, where the joint one is compared"
    if name == "uniform_init" and not (listener.layer_norm or listener.front == "conv"):
        return "the recipe's model has no norms, whose scale and shift the fault was about"
    variant = TRAINED.get(name)
    if name == BASELINE or variant is None or variant.random_split:
        return None
    return "the recipe has it off already" if variant.change(base) == base else None


def changes(before: object, after: object, where: str = "") -> Iterator[str]:
    """The dotted names of all fields in which two configurations differ.

    >>> list(changes(DecodingConfig(), DecodingConfig(max_batch_s=30)))
    ['max_batch_s']
    """
    if before == after:
        return
    if not dataclasses.is_dataclass(before) or type(before) is not type(after):
        yield where
        return
    for field in dataclasses.fields(before):
        name = f"{where}.{field.name}" if where else field.name
        yield from changes(getattr(before, field.name), getattr(after, field.name), name)
