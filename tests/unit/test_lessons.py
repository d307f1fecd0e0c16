"""The ablation: variants change what they name, nothing is measured twice, figures hold."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import lessons
import lessons_measure
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lessons import Options, chosen, main, read_data
from lessons_faults import CHOICES
from lessons_measure import parts, run_folder
from lessons_results import (
    Counts,
    Made,
    Result,
    Scored,
    Settings,
    Shared,
    Training,
    load,
    path,
    save,
    save_settings,
    scored,
    shared,
)
from lessons_table import between_markers, render, write_table
from lessons_variants import (
    NAMES,
    SEARCHED,
    TRAINED,
    attention_beam,
    changes,
    ctc_greedy,
    greedy,
    joint_beam,
    not_applicable,
)
from tones import RATE, make_corpus

from malgwi import manifest
from malgwi.config import RunConfig
from malgwi.errors import ConfigError, DataError
from malgwi.front_end import preset
from malgwi.metrics.confidence import interval, paired_difference
from malgwi.models.las import LASConfig, ListenerConfig, SpellerConfig
from malgwi.objective import ObjectiveConfig
from malgwi.recipes import recipe
from malgwi.text.normalize import NormalizerConfig, normalize
from malgwi.text.scripts import script
from malgwi.transcribe import DecodingConfig

SETTINGS_OFF = {
    "baseline": set(),
    "another_seed": {"trainer.seed"},
    "predict_spaces": {"tokenizer.spaces"},
    "no_label_smoothing": {"objective.smoothing"},
    "no_text_cleaning": {
        *("text.dual", "text.tags", "text.fillers", "text.repetitions", "text.unclear"),
        *("text.digits", "text.case", "text.symbols", "text.punctuation", "text.forms"),
    },
    "no_trimming": {"front_end.trim_db"},
    "no_specaugment": {"masking"},
    "uniform_init": {"init.scheme", "init.scale"},
    "random_split": set(),
}
SEARCHES_OFF = {
    "greedy": ({"method"}, "sorted"),
    "beam_mended": ({"beam.nbest", "beam.patience"}, "sorted"),
    "beam_unsorted": ({"beam.nbest", "beam.patience"}, "unsorted"),
    "beam_ascending": ({"beam.nbest", "beam.patience"}, "ascending"),
    "beam_not_normalized": (
        {"beam.nbest", "beam.patience", "beam.length_normalization"},
        "sorted",
    ),
    "beam_unsorted_2019": (
        {"beam.nbest", "beam.patience", "beam.length_normalization"},
        "unsorted",
    ),
    "beam_ascending_2019": (
        {"beam.nbest", "beam.patience", "beam.length_normalization"},
        "ascending",
    ),
    "beam_joint": ({"beam.ctc_weight"}, "sorted"),
}


@pytest.mark.parametrize("name", ["demo", "joint_quick"])
def test_a_trained_variant_changes_exactly_what_it_names(name: str) -> None:
    base = recipe(name)
    found = {key: set(changes(base, variant.change(base))) for key, variant in TRAINED.items()}
    assert found == SETTINGS_OFF
    assert [key for key, variant in TRAINED.items() if variant.random_split] == ["random_split"]
    assert all(not_applicable(key, base) is None for key in NAMES)


def test_what_is_turned_off_is_off() -> None:
    changed = {key: variant.change(recipe("demo")) for key, variant in TRAINED.items()}
    assert changed["predict_spaces"].tokenizer.spaces
    assert changed["no_label_smoothing"].objective.smoothing == 0
    assert changed["no_trimming"].front_end.trim_db is None
    assert changed["no_specaugment"].masking is None
    assert changed["uniform_init"].init.scheme == "uniform_everything"
    assert changed["uniform_init"].init.scale == 0.08
    raw = "아/ (3시)/(세 시) 15,000원, OK? b/ …"
    assert normalize(raw, changed["no_text_cleaning"].text) == raw
    assert normalize(raw, changed["baseline"].text) != raw


def test_a_searched_variant_changes_exactly_what_it_names() -> None:
    decoding = recipe("demo").decoding
    correct = attention_beam(decoding)
    assert (correct.method, correct.beam.beams, correct.beam.ctc_weight) == ("beam", 8, 0.0)
    assert correct.beam.length_normalization > 0
    found = {
        key: (set(changes(correct, variant.change(decoding))), variant.choose)
        for key, variant in SEARCHED.items()
    }
    assert found == {
        key: (fields, CHOICES[choice]) for key, (fields, choice) in SEARCHES_OFF.items()
    }
    assert all(
        SEARCHED[key].change(decoding).beam.ctc_weight == 0
        for key in SEARCHES_OFF
        if key != "beam_joint"
    )
    assert SEARCHED["beam_ascending"].change(decoding).beam.length_normalization == 1
    assert SEARCHED["beam_ascending_2019"].change(decoding).beam.length_normalization == 0
    assert joint_beam(decoding).beam.ctc_weight == decoding.beam.ctc_weight > 0
    assert greedy(decoding).method == "attention"
    assert ctc_greedy(decoding).method == "ctc"


def test_what_a_recipe_cannot_show_is_said() -> None:
    assert "norms" in str(not_applicable("uniform_init", recipe("las")))
    assert "CTC" in str(not_applicable("beam_joint", recipe("las")))
    assert not_applicable("no_specaugment", recipe("clovacall")) == "the recipe has it off already"
    assert not_applicable("uniform_init", recipe("team")) is None  # norms in its convolutions


def test_variants_are_chosen_by_name_and_the_baseline_comes_first() -> None:
    assert chosen(()) == list(NAMES)
    assert chosen(["greedy", "no_trimming"]) == ["baseline", "no_trimming", "greedy"]
    with pytest.raises(ConfigError, match=r"no_trimmings.*known: baseline"):
        chosen(["no_trimmings"])


# --- on a toy language ------------------------------------------------------------------------


def tiny() -> RunConfig:
    base = RunConfig()
    return replace(
        base,
        front_end=replace(preset("telephone"), num_mels=20, trim_db=40.0),
        batches=replace(base.batches, max_batch_s=8.0),
        model=LASConfig(
            listener=ListenerConfig(front="stack", stack=4, layers=1, units=16),
            speller=SpellerConfig(
                attention="dot", attention_units=16, layers=1, units=16, embedding=8
            ),
            ctc=True,
        ),
        objective=ObjectiveConfig(ctc_weight=0.5, smoothing=0.1),
        trainer=replace(base.trainer, precision="fp32", evaluations=1),
        dev_decoding=DecodingConfig(method="ctc"),
    )


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    folder = tmp_path_factory.mktemp("tones")
    sizes = {"train": 24, "dev": 8, "test": 6}
    made = [
        make_corpus(folder, count, seed=seed, prefix=part)
        for seed, (part, count) in enumerate(sizes.items())
    ]
    return str(made[0]), str(made[1]), str(made[2])


ONLY = ("no_label_smoothing", "no_text_cleaning", "uniform_init", "random_split")
SEARCHES = ("greedy", "beam_ascending", "beam_joint")


@pytest.fixture(scope="module")
def measured(toy: tuple[str, str, str], tmp_path_factory: pytest.TempPathFactory) -> Options:
    folder = tmp_path_factory.mktemp("ablation")
    options = Options(
        data=toy,
        name="tones",
        recipe="demo",
        epochs=1,
        only=(*ONLY, *SEARCHES),
        out=folder / "out",
        experiments=folder / "experiments.md",
        threads=1,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lessons, "recipe", lambda _name: tiny())
        main(options)
    return options


@pytest.fixture
def tiny_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lessons, "recipe", lambda _name: tiny())


def result(options: Options, name: str) -> Result:
    assert options.out is not None
    return load(path(options.out, name, 0))


def test_every_variant_is_measured_or_says_why_not(measured: Options) -> None:
    baseline = result(measured, "baseline")
    assert set(baseline.test) == {"beam", "greedy", "ctc", "joint"}
    assert baseline.training is not None
    assert baseline.training.utterances == 24
    assert baseline.dev is not None
    assert len(baseline.dev.counts) == 8
    assert result(measured, "no_label_smoothing").changed == ("objective.smoothing",)
    assert "clean already" in str(result(measured, "no_text_cleaning").not_measured)
    assert "norms" in str(result(measured, "uniform_init").not_measured)
    assert result(measured, "beam_ascending").training is None
    # a search of the baseline's own model is what the baseline recorded
    assert result(measured, "greedy").test["beam"] == baseline.test["greedy"]
    assert result(measured, "beam_joint").test["beam"] == baseline.test["joint"]


def test_compared_by_the_joint_search(
    toy: tuple[str, ...], tmp_path: Path, tiny_recipe: None
) -> None:
    options = Options(
        data=toy,
        name="tones",
        recipe="demo",
        epochs=1,
        only=("beam_unsorted",),
        search="joint",
        out=tmp_path / "out",
        experiments=tmp_path / "experiments.md",
        threads=1,
    )
    main(options)
    baseline = result(options, "baseline")
    assert baseline.test["beam"] == baseline.test["joint"]
    assert "attention model alone" in str(result(options, "beam_unsorted").not_measured)
    text = options.experiments.read_text(encoding="utf-8")
    assert "--search joint" in text
    assert "joint beam search (8 beams" in text


def test_the_document_holds_every_row(measured: Options) -> None:
    text = measured.experiments.read_text(encoding="utf-8")
    for name in ("baseline", *ONLY, *SEARCHES):
        assert f"\n| `{name}` | " in text
    assert "--epochs 1 --seeds 1" in text
    assert "not measured: all training transcripts are clean already |" in text
    assert "6 utterances" in text


def test_what_exists_is_not_measured_again(
    measured: Options,
    tiny_recipe: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[str] = []
    real = lessons_measure.measure

    def spy(ablation: lessons_measure.Ablation, name: str, seed: int) -> Result:
        asked.append(name)
        return real(ablation, name, seed)

    monkeypatch.setattr(lessons, "measure", spy)
    assert measured.out is not None
    before = result(measured, "no_label_smoothing")
    path(measured.out, "no_label_smoothing", 0).unlink()
    main(measured)
    assert asked == ["no_label_smoothing"]
    assert "baseline, seed 0: measured already" in capsys.readouterr().out
    after = result(measured, "no_label_smoothing")  # from the run's last checkpoint
    assert after.test == before.test
    assert after.training is not None
    assert before.training is not None
    assert after.training.updates == before.training.updates


def test_results_of_other_settings_are_refused(measured: Options, tiny_recipe: None) -> None:
    with pytest.raises(ConfigError, match=r"end, config, trainer\.epochs differ"):
        main(replace(measured, epochs=2))


def test_the_table_alone_needs_no_data(measured: Options, tmp_path: Path) -> None:
    document = tmp_path / "experiments.md"
    main(Options(out=measured.out, experiments=document, table=True))
    wanted = measured.experiments.read_text(encoding="utf-8")
    assert document.read_text(encoding="utf-8") == wanted
    with pytest.raises(DataError, match="no baseline"):
        main(Options(out=tmp_path, experiments=document, table=True))


def test_variants_share_decoded_audio(measured: Options) -> None:
    assert measured.out is not None
    caches = {run_folder(measured.out, name, 0) / "audio_cache" for name in ("baseline",)}
    assert {cache.resolve() for cache in caches} == {(measured.out / "audio_cache").resolve()}


def test_a_random_split_pools_training_and_development(toy: tuple[str, str, str]) -> None:
    data = read_data(toy)
    train_cuts, dev_cuts = parts(data, TRAINED["random_split"], seed=0)
    pool = {cut.id for cut in (*data.train, *data.dev)}
    assert {cut.id for cut in train_cuts} | {cut.id for cut in dev_cuts} == pool
    assert not {cut.id for cut in train_cuts} & {cut.id for cut in dev_cuts}
    assert not pool & {cut.id for cut in data.test}
    assert {cut.id for cut in dev_cuts} != {cut.id for cut in data.dev}
    wanted_s = sum(cut.duration for cut in data.dev)
    drawn_s = [cut.duration for cut in dev_cuts]
    assert wanted_s <= sum(drawn_s) < wanted_s + max(drawn_s)
    assert shared(train_cuts, dev_cuts).speakers > 0
    assert parts(data, TRAINED["no_trimming"], seed=0) == (data.train, data.dev)


def test_parts_that_share_an_utterance_are_refused(toy: tuple[str, str, str]) -> None:
    with pytest.raises(DataError, match="8 utterances stand twice"):
        read_data((toy[0], toy[1], toy[1]))
    with pytest.raises(ConfigError, match="2 given"):
        read_data(toy[:2])


# --- counting and figures ---------------------------------------------------------------------


def cut(name: str, text: str, speaker: str | None = None) -> manifest.MonoCut:
    return manifest.new_cut(
        name, Path(f"{name}.wav"), sample_rate_hz=RATE, num_samples=RATE, text=text, speaker=speaker
    )


def test_both_sides_are_cleaned_in_the_same_way() -> None:
    cuts = [cut("a", "3시에 와요!"), cut("b", "네.")]
    found = scored(cuts, {"a": "3시에와요?", "b": "네네"}, NormalizerConfig())
    assert found.counts == {"a": (5, 0, 0, 0, 5), "b": (1, 0, 0, 1, 1)}
    assert found.rate() == pytest.approx(1 / 6)


def test_what_two_parts_share_is_counted() -> None:
    first = [cut("a", "네, 맞아요", "s1"), cut("b", "아니요", "s2")]
    second = [cut("c", "네 맞아요.", "s1"), cut("d", "글쎄요", "s3"), cut("e", "글쎄요")]
    assert shared(first, second) == Shared(speakers=1, of_speakers=3, scripts=1, of_scripts=2)
    assert script("네, 맞아요") == script("네 맞아요.")


SPEAKERS = tuple((f"u{i}", f"s{i % 8}") for i in range(40))
TRAINING = Training(
    minutes=3.0,
    updates=1000,
    best_update=900,
    hours=1.0,
    utterances=100,
    changed_texts=0,
    warnings=(),
    dev_shared=Shared(speakers=0, of_speakers=5, scripts=0, of_scripts=90),
)


def made(name: str, errors: Callable[[int], int], *, seed: int = 0, **fields: object) -> Result:
    """40 utterances of 10 characters; utterance i has ``errors(i)`` substitutions."""
    counts: dict[str, Counts] = {f"u{i}": (10 - errors(i), errors(i), 0, 0, 10) for i in range(40)}
    found = Scored(hypotheses=dict.fromkeys(counts, "가"), counts=counts)
    defaults = {"changed": (), "test": {"beam": found, "ctc": found}, "dev": found}
    return Result(
        name=name,
        seed=seed,
        made=Made(date="2026-11-22", version="0.1.0", machine="a machine, 2 cores", threads=2),
        **{**defaults, "training": TRAINING, **fields},  # type: ignore[arg-type]
    )


SETTINGS = Settings(
    name="toy",
    data=("embedded",),
    recipe="demo",
    end=("epochs", "20"),
    config="",
    search="attention",
    utterances=("1", "2", "3"),
    test_speakers=SPEAKERS,
    test_shared=Shared(speakers=0, of_speakers=8, scripts=0, of_scripts=40),
)


def row(text: str, name: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_figures_are_those_of_the_bootstrap() -> None:
    base, worse = made("baseline", lambda i: i % 3), made("no_trimming", lambda i: i % 3 + i % 2)
    text = render(SETTINGS, [base, worse])
    a, b = ([*r.test["beam"].rates().values()] for r in (base, worse))
    clusters = [speaker for _, speaker in SPEAKERS]
    both = [interval(b, clusters), interval(b)]
    wide = max(both, key=lambda found: found.high - found.low)
    cells = row(text, "no_trimming")
    assert cells[2] == f"14.8 [{100 * wide.low:.1f}, {100 * wide.high:.1f}]"
    found = [paired_difference(a, b, clusters), paired_difference(a, b)]
    gap = max((d.interval for d in found), key=lambda i: i.high - i.low)
    assert cells[3] == f"+5.0 [{100 * gap.low:+.1f}, {100 * gap.high:+.1f}]"
    assert cells[4:6] == ["14.8", "3.0 min, 1,000 updates"]


def test_a_difference_that_chance_explains_is_called_that() -> None:
    base = made("baseline", lambda i: 2)
    results = [
        base,
        made("another_seed", lambda i: 3),
        made("no_label_smoothing", lambda i: 2 + (-1) ** (i // 8)),
        made("no_trimming", lambda i: 3),
        made("no_specaugment", lambda i: 6),
        made("predict_spaces", lambda i: 0),
        made("greedy", lambda i: 3, training=None),
    ]
    text = render(SETTINGS, results)
    assert "`another_seed` shows" in text
    assert "`another_seed` shows" not in render(SETTINGS, [base])
    assert row(text, "another_seed")[6] == "worse"
    assert row(text, "no_label_smoothing")[6] == (
        "no measurable difference (the interval includes 0)"
    )
    assert row(text, "no_trimming")[6] == "worse, but by no more than another seed changes"
    assert row(text, "no_specaugment")[6] == "worse"
    assert row(text, "predict_spaces")[6] == "better"
    assert row(text, "greedy")[6] == "worse"  # the same model: chance in training has no part


def test_seeds_are_summed_and_shown() -> None:
    results = [
        made("baseline", lambda i: 2, seed=0),
        made("baseline", lambda i: 4, seed=1),
        made("no_trimming", lambda i: 5, seed=1),
    ]
    text = render(SETTINGS, results)
    assert row(text, "baseline")[2] == "30.0 [30.0, 30.0]"
    assert "by seed: 20.0, 40.0" in row(text, "baseline")[6]
    assert row(text, "no_trimming")[3] == "+10.0 [+10.0, +10.0]"  # against seed 1 alone


def test_the_claim_of_a_random_split_stands_beside_the_test_score() -> None:
    base = made("baseline", lambda i: 3)
    leak = Shared(speakers=26, of_speakers=27, scripts=90, of_scripts=95)
    drawn = made(
        "random_split",
        lambda i: 4,
        dev=made("dev", lambda i: 1).test["beam"],
        training=replace(TRAINING, dev_shared=leak, hours=1.1, warnings=("a", "b")),
    )
    text = render(SETTINGS, [base, drawn])
    claims = "\n".join(text.splitlines()[-2:])
    assert row(claims, "random_split")[1:] == ["10.0", "40.0", "+30.0", "26 of 27", "90 of 95"]
    assert row(claims, "baseline")[1:4] == ["30.0", "30.0", "+0.0"]
    assert row(text, "random_split")[6] == (
        "worse; trained on 1.10 h of audio; the start-up check warned 2 times"
    )


def test_results_survive_the_disk(tmp_path: Path) -> None:
    for made_one in (
        made("baseline", lambda i: i % 5),
        Result(
            name="uniform_init",
            seed=1,
            changed=(),
            made=made("x", lambda i: 0).made,
            not_measured="no norms",
        ),
    ):
        save(made_one, tmp_path)
        assert load(path(tmp_path, made_one.name, made_one.seed)) == made_one


plain = st.text(alphabet="가나다 #|\n-", max_size=40)


@given(before=plain, old=plain, after=plain, new=plain)
def test_the_rest_of_the_document_stays(before: str, old: str, after: str, new: str) -> None:
    document = f"{before}<!-- x -->{old}<!-- /x -->{after}"
    once = between_markers(document, "x", "## X", new)
    assert once == f"{before}<!-- x -->\n{new}\n<!-- /x -->{after}"
    assert between_markers(once, "x", "## X", new) == once


@given(document=plain, new=plain)
def test_missing_markers_are_appended_once(document: str, new: str) -> None:
    once = between_markers(document, "x", "## X", new)
    assert once.startswith(document.rstrip())
    assert once.count("## X") == 1
    assert between_markers(once, "x", "## X", new) == once


def test_a_lone_marker_is_an_error() -> None:
    for document in ("<!-- x --> old", "old <!-- /x -->", "<!-- /x --> old <!-- x -->"):
        with pytest.raises(DataError, match="add the other"):
            between_markers(document, "x", "## X", "new")


def test_two_corpora_share_a_document(tmp_path: Path) -> None:
    document = tmp_path / "experiments.md"
    document.write_text("# Experiments\n\nWords.\n", encoding="utf-8")
    for name in ("toy", "real"):
        folder = tmp_path / name
        save_settings(replace(SETTINGS, name=name), folder)
        save(made("baseline", lambda i: 1), folder)
        write_table(folder, document)
    text = document.read_text(encoding="utf-8")
    assert text.startswith("# Experiments\n\nWords.\n\n## ")
    assert text.index("<!-- /lessons:toy -->") < text.index("<!-- lessons:real -->")
