"""Every family, every unit and every setting tried, on one task, each given the same time.

    python benchmarks/trials.py TRAIN.jsonl DEV.jsonl TEST.jsonl --out FOLDER [--budget 10m]
        [--only quick conformer …] [--lm jamo=LETTERS.lm syllable=SYLLABLES.lm]
        [--synthetic SPOKEN.jsonl]

Front end, batches, augmentation, optimiser and schedule are those of `quick`; what differs is the
model, the units that it writes, or one setting. Sizes are such as two cores can train: about
`quick`'s nine million parameters. Each trains for the budget, wall clock, with every core; then
development and test part are decoded on one thread, greedily and with a beam, CTC's with a language
model: one of its units where given, else that of its transcripts. Nothing is chosen by the test
part. What is in FOLDER is not trained again. --synthetic is what `malgwi synth` has made, for the
trial of that name.
Prints a table for docs/experiments.md; wants an idle machine.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from malgwi.cli.train import TrainOptions, train_run
from malgwi.config import RunConfig
from malgwi.decoders.fusion import FusionConfig
from malgwi.models.conformer import ConformerConfig
from malgwi.models.deep_speech import DeepSpeechConfig
from malgwi.models.deep_speech2 import DeepSpeech2Config
from malgwi.models.las import LASConfig
from malgwi.models.transducer import TransducerConfig
from malgwi.nn.subsampling import SubsamplingConfig
from malgwi.recipes import recipe
from malgwi.tokenizers import TokenizerConfig

#: Weight and bonus of a language model by units, as chosen on a development part before
#: (docs/experiments.md, "Units of Hangul"); those of pieces are the syllables'.
FUSION = {
    "jamo": FusionConfig(lm_weight=0.7, insertion_bonus=1.5),
    "syllable": FusionConfig(lm_weight=0.7, insertion_bonus=3.5),
}
HEAD = (
    "| model, units, settings | M parameters | epochs | dev, greedy | dev, beam and LM "
    "| test, greedy | test, beam and LM | × real time, greedy |"
)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One row."""

    label: str
    config: RunConfig
    greedy: str = "ctc"
    beam: str = "ctc_beam"
    synthetic: bool = False


def trials() -> dict[str, Trial]:
    """All rows by name; the first is what the others are compared with."""
    return families() | units() | settings()


def families() -> dict[str, Trial]:
    """Models of other kinds."""
    quick, joint, transducer = recipe("quick"), recipe("joint_quick"), recipe("transducer_quick")
    assert isinstance(quick.model, LASConfig)
    assert isinstance(joint.model, LASConfig)
    assert joint.model.speller is not None
    assert isinstance(transducer.model, TransducerConfig)
    wide_hop = replace(quick.front_end, hop_ms=20.0)
    return {
        "quick": Trial(label="BLSTM, CTC (`quick`), letters", config=quick),
        "las": Trial(
            label="LAS: the same with a speller, joint, letters",
            config=replace(
                quick,
                model=replace(quick.model, speller=replace(joint.model.speller, layers=2)),
                objective=joint.objective,
            ),
            beam="beam",
        ),
        "conformer": conformer("Conformer, 8 × 192, CTC, letters"),
        "conformer80": conformer("the same, syllables, 80 ms", "stack"),
        "fast_conformer": conformer(
            "FastConformer: that behind separable convolutions, kernel 9", "separable", kernel=9
        ),
        "e_branchformer": conformer(
            "E-Branchformer, 8 × 192, CTC, syllables, 80 ms", "stack", block="e_branchformer"
        ),
        "transducer": Trial(
            label="transducer, BLSTM 4 × 320 at 80 ms, letters",
            config=replace(
                quick,
                model=replace(
                    transducer.model,
                    predictor=replace(transducer.model.predictor, context=0),
                    composed_output=False,
                ),
                objective=transducer.objective,
                dev_decoding=transducer.dev_decoding,
            ),
            greedy="transducer",
            beam="transducer_beam",
        ),
        "deep_speech2": Trial(
            label="Deep Speech 2, 2 convolutions, GRU 4 × 512 both ways, hop 20 ms, letters",
            config=replace(
                quick,
                front_end=wide_hop,
                model=DeepSpeech2Config(
                    channels=(32, 32), cell="gru", layers=4, units=512, dropout=0.2
                ),
            ),
        ),
        "deep_speech2_streaming": Trial(
            label="Deep Speech 2 onward only, row convolution of 0.4 s, hop 20 ms, letters",
            config=replace(
                quick,
                front_end=wide_hop,
                model=DeepSpeech2Config(
                    channels=(32, 32),
                    cell="gru",
                    layers=4,
                    units=640,
                    bidirectional=False,
                    lookahead=10,
                    dropout=0.2,
                ),
            ),
        ),
        "deep_speech": Trial(
            label="Deep Speech, 5 × 1024, every fourth frame, letters",
            config=replace(
                quick, model=DeepSpeechConfig(context=9, stride=4, units=1024, dropout=0.1)
            ),
        ),
        "telephone": Trial(
            label="BLSTM, CTC, 8 kHz (`telephone`), letters", config=recipe("telephone")
        ),
    }


def conformer(
    label: str, front: Literal["stack", "separable"] | None = None, **encoder: Any
) -> Trial:
    """A Conformer or a successor, CTC alone: letters, or behind a front of 80 ms syllables."""
    quick, like = recipe("quick"), recipe("conformer_quick")
    assert isinstance(like.model, ConformerConfig)
    model = replace(
        like.model,
        front=SubsamplingConfig(kind=front or "stack", factor=8 if front else 4),
        encoder=replace(like.model.encoder, **encoder),
        decoder=None,
        composed_output=front is not None,
    )
    tokenizer = TokenizerConfig(kind="syllable") if front else quick.tokenizer
    config = replace(quick, model=model, tokenizer=tokenizer, optim=like.optim)
    return Trial(label=label, config=config)


def units() -> dict[str, Trial]:
    """Other units, which last longer than letters, so that 80 ms frames are enough."""
    quick, model = recipe("quick"), stacked(8)
    return {
        kind: Trial(
            label=f"BLSTM, CTC, {label}",
            config=replace(quick, tokenizer=TokenizerConfig(kind=kind), model=model),
        )
        for kind, label in (("syllable", "plain syllables"), ("subword", "2,000 pieces"))
    }


def settings() -> dict[str, Trial]:
    """`quick` with one thing changed."""
    quick = recipe("quick")
    batches, masking = quick.batches, quick.masking
    assert masking is not None

    def batched(**changes: Any) -> RunConfig:
        return replace(quick, batches=replace(batches, **changes))

    changed = {
        "frames30": ("frames of 30 ms", replace(quick, model=stacked(3))),
        "frames60": ("frames of 60 ms", replace(quick, model=stacked(6))),
        "batch40": ("batches of 40 s, not 80", batched(max_batch_s=40.0)),
        "batch160": ("batches of 160 s", batched(max_batch_s=160.0)),
        "one_view": ("one view of every utterance", batched(views=1)),
        "curriculum": ("first epoch from short to long", batched(curriculum_epochs=1)),
        "speeds3": ("speeds 0.9, 1 and 1.1", batched(speeds=(0.9, 1.0, 1.1))),
        "speed1": ("no other speeds", batched(speeds=(1.0,))),
        "no_early": (
            "CTC's output trained at the end alone",
            replace(quick, model=replace(stacked(4), early_ctc=0)),
        ),
        "no_masks": ("no SpecAugment", replace(quick, masking=None)),
        "wide_masks": (
            "masks of twice the width",
            replace(quick, masking=replace(masking, freq_mask_width=20, time_mask_width=40)),
        ),
        "no_average": (
            "weights not averaged",
            replace(quick, trainer=replace(quick.trainer, ema_decay=0.0)),
        ),
        "rate3": ("peak rate 3e-3, not 1.5e-3", with_rate(quick, 3e-3)),
        "rate07": ("peak rate 0.75e-3", with_rate(quick, 7.5e-4)),
        "lines": ("`telephone`, half of it over lines", with_lines(0.5)),
        "synthetic": ("synthetic speech beside the real", quick),
    }
    return {
        name: Trial(label=f"`quick`, {label}", config=config, synthetic=name == "synthetic")
        for name, (label, config) in changed.items()
    }


def stacked(frames: int) -> LASConfig:
    """`quick`'s model over so many joined frames of 10 ms."""
    model = recipe("quick").model
    assert isinstance(model, LASConfig)
    return replace(model, listener=replace(model.listener, stack=frames))


def with_lines(share: float) -> RunConfig:
    """`telephone`, some of whose speech comes over simulated lines."""
    config = recipe("telephone")
    return replace(config, batches=replace(config.batches, telephone_share=share))


def with_rate(config: RunConfig, rate: float) -> RunConfig:
    """Another peak of the schedule."""
    return replace(config, optim=replace(config.optim, learning_rate=rate))


def main() -> None:
    """Train what is missing, decode, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("dev", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--budget", default="10m")
    parser.add_argument("--only", nargs="+", choices=trials(), default=list(trials()))
    parser.add_argument("--lm", nargs="+", default=[], help="UNITS=FILE")
    parser.add_argument("--synthetic", type=Path, help="from malgwi synth")
    parser.add_argument("--cache", type=Path, help="an audio cache to share")
    options = parser.parse_args()
    language_models = {u: Path(p) for u, _, p in (one.partition("=") for one in options.lm)}
    print(HEAD + "\n|---" + "|---:" * 8 + "|", flush=True)
    for name in options.only:
        trial = trials()[name]
        if trial.synthetic and options.synthetic is None:
            print(f"{name}: left out, since no --synthetic is given", file=sys.stderr)
            continue
        run = options.out / name
        if not (run / "weights.safetensors").exists():
            train_run(
                TrainOptions(
                    train=(options.train, *([options.synthetic] if trial.synthetic else [])),
                    dev=(options.dev,),
                    out=run,
                    budget=options.budget,
                    cache=options.cache,
                    quiet=True,
                    config=trial.config,
                )
            )
        language_model = language_models.get(trial.config.tokenizer.kind)
        print(row(trial, run, options.dev, options.test, language_model), flush=True)


def row(trial: Trial, run: Path, dev: Path, test: Path, language_model: Path | None) -> str:
    """Decode a run four times."""
    greedy = {part: evaluated(run, part, trial.greedy, None) for part in (dev, test)}
    beam = {part: evaluated(run, part, trial.beam, language_model) for part in (dev, test)}
    last = json.loads((run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    size = greedy[dev]["size"]["parameters"] / 1e6
    return (
        f"| {trial.label} | {size:.1f} | {last['epoch']} | "
        f"{cer(greedy[dev])} | {cer(beam[dev])} | {cer(greedy[test], True)} | "
        f"{cer(beam[test], True)} | {greedy[test]['speed']['x_real_time']:.0f} |"
    )


def evaluated(run: Path, part: Path, method: str, language_model: Path | None) -> dict[str, Any]:
    """The report of `malgwi evaluate` on one thread, kept in the run's folder."""
    folder = run / "reports" / f"{part.stem}-{method}{'-lm' if language_model else ''}"
    if not (folder / "report.json").exists():
        lm = [] if language_model is None else ["--lm", str(language_model)]
        if language_model is not None:
            fusion = FUSION.get(kind_of(run), FUSION["syllable"])
            lm += ["--lm-weight", str(fusion.lm_weight), "--lm-bonus", str(fusion.insertion_bonus)]
        command = [sys.executable, "-m", "malgwi", "evaluate", str(run), str(part)]
        command += ["--out", str(folder), "--method", method, "--threads", "1", *lm]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report


def kind_of(run: Path) -> str:
    """What a run writes."""
    kind: str = json.loads((run / "tokenizer.json").read_text(encoding="utf-8"))["kind"]
    return kind


def cer(report: dict[str, Any], interval: bool = False) -> str:
    """A cell of the table."""
    rate, at = report["scores"]["cer_nospace"]["rate"], report["intervals"]["cer_nospace"]
    spread = f" ({100 * at['low']:.1f} to {100 * at['high']:.1f})" if interval else ""
    return f"{100 * rate:.2f}{spread}"


if __name__ == "__main__":
    main()
