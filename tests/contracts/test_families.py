"""Every member of every family: it resolves, names its source, and builds at a small size."""

import inspect
import json
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import debug_models
import golden_curves
import pytest
import torch
from debug_models import DEBUG, make
from tiny_encoders import save_encoder
from toy_scorer import BLANK, END, START, RandomSpeller
from toy_transducer import RandomTransducer

from malgwi import tokenizers
from malgwi.augment import POLICIES, spec_augment
from malgwi.cli import COMMANDS, overview
from malgwi.config import from_yaml, to_yaml
from malgwi.corpora import CORPORA
from malgwi.decoders import DECODERS
from malgwi.errors import ConfigError
from malgwi.features import FrontEnd
from malgwi.front_end import PRESETS
from malgwi.lm import LANGUAGE_MODELS
from malgwi.models import MODELS, model_class
from malgwi.models.pretrained import PretrainedConfig
from malgwi.nn.initialize import check_start
from malgwi.recipes import RECIPES, recipe
from malgwi.registry import resolve
from malgwi.run import make_model
from malgwi.tokenizers import TOKENIZERS, TokenizerConfig
from malgwi.types import Hypothesis

TABLES: dict[str, Mapping[str, str]] = {
    "corpora": CORPORA,
    "tokenizers": TOKENIZERS,
    "models": MODELS,
    "recipes": RECIPES,
    "decoders": DECODERS,
    "lm": LANGUAGE_MODELS,
    "cli": {name: target for name, (target, _) in COMMANDS.items()},
}
MEMBERS = [(family, name) for family, table in TABLES.items() for name in table]
#: What the source of a recipe looks like: a paper, or the contest that it comes from.
SOURCE = re.compile(r"arXiv \d{4}\.\d{4,5}|2019")
#: Models that need nothing from elsewhere; a pretrained one has tests of its own.
AFRESH = [name for name in MODELS if name != "pretrained"]
SENTENCES = ["네 알겠습니다", "다시 한 번 말씀해 주세요", "주문 번호가 어떻게 되세요"]


def module_of(family: str, name: str) -> Any:
    return import_module(TABLES[family][name].partition(":")[0])


@pytest.mark.parametrize(("family", "name"), MEMBERS)
def test_a_member_resolves_in_its_own_folder_and_says_what_it_is(family: str, name: str) -> None:
    member = resolve(family, TABLES[family], name)
    assert member.__module__.startswith(f"malgwi.{family}.")
    assert inspect.getdoc(module_of(family, name))
    assert inspect.getdoc(member), f"{family} {name} has no docstring"


@pytest.mark.parametrize("family", TABLES)
def test_an_unknown_name_is_an_error_that_lists_the_known(family: str) -> None:
    table = TABLES[family]
    with pytest.raises(ConfigError) as error:
        resolve(family, table, "nonesuch")
    assert all(name in str(error.value) for name in table)


@pytest.mark.parametrize("family", TABLES)
def test_no_file_of_a_family_stands_outside_its_table(family: str) -> None:
    """A module that no member uses is dead, or was forgotten in the table."""
    folder = Path(import_module(f"malgwi.{family}").__file__ or "").parent
    named = {target.partition(":")[0].rpartition(".")[2] for target in TABLES[family].values()}
    parts = {"corpora": {"rows", "file_tree"}}
    parts["cli"] = {"score_tables", "score_report", "search_options", "lm_neural", "lm_sources"}
    parts["lm"] = {"units", "storage", "perplexity", "counting", "kneser_ney", "pruning", "arpa"}
    parts["lm"] |= {"binary", "neural_training", "hotwords", "backoff", "mixing", "transcripts"}
    parts["decoders"] = {"beam_config", "beam_history", "beam_step", "ctc_prefix"}
    parts["decoders"] |= {"certainty", "forced_alignment", "tensor_text", "token_times"}
    parts["decoders"] |= {"ctc_frames", "fingerprint", "fusion", "prefix_text", "rescore"}
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert files == named | parts.get(family, set())


@pytest.mark.parametrize("name", CORPORA)
def test_a_corpus_names_source_licence_and_how_to_obtain_it(name: str) -> None:
    text = inspect.getdoc(module_of("corpora", name)) or ""
    for wanted in ("source", "licence", "how to obtain"):
        assert wanted in text.lower(), f"{name} does not say: {wanted}"


@pytest.mark.parametrize("name", CORPORA)
def test_a_corpus_builds_from_its_defaults_and_has_rows(name: str) -> None:
    reader = resolve("corpus", CORPORA, name)()
    assert list(inspect.signature(reader.rows).parameters) == ["source"]


@pytest.fixture
def label_table(tmp_path: Path) -> str:
    """A label table in the hackathon's form, of the characters in SENTENCES."""
    letters = sorted(set("".join(SENTENCES)))
    entries = ["_", *letters, "<s>", "</s>"]
    lines = ["id\\tchar\\tfreq", *(f"{i}\t{entry}\t1" for i, entry in enumerate(entries))]
    path = tmp_path / "hackathon.labels"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("spaces", [False, True])
@pytest.mark.parametrize("kind", TOKENIZERS)
def test_a_tokenizer_trains_gives_text_back_and_survives_json(
    kind: str, spaces: bool, label_table: str
) -> None:
    labels = label_table if kind == "label_table" else None
    config = TokenizerConfig(kind=kind, spaces=spaces, vocab_size=40, labels=labels)
    tokenizer = tokenizers.train(SENTENCES, config)
    again = tokenizers.from_dict(tokenizer.to_dict())
    special = {tokenizer.blank_id, tokenizer.start_id, tokenizer.end_id}
    assert len(special) == 3
    for text in SENTENCES:
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == tokenizers.canonical(text, spaces=spaces)
        assert again.encode(text) == ids
        assert not special & set(ids)
        assert max(ids) < tokenizer.size == again.size


def test_a_pretrained_encoder_names_its_papers_and_runs_small(tmp_path: Path) -> None:
    assert "arXiv" in (inspect.getdoc(module_of("models", "pretrained")) or "")
    pytest.importorskip("transformers", reason="needs the extra hf: transformers")
    encoder = save_encoder(tmp_path, "hubert")
    config = PretrainedConfig(encoder=str(encoder), mask_feature_prob=0.0)
    model = model_class("pretrained")(1, 9, config)
    encoded = model.encode(torch.randn(2, 800, 1), torch.tensor([800, 300]))
    assert encoded.ctc_log_probs.shape == (2, 10, 9)
    assert encoded.ctc_log_probs.isfinite().all()


@pytest.mark.parametrize("name", AFRESH)
def test_a_model_names_its_paper_and_runs_small(name: str) -> None:
    assert "arXiv" in (inspect.getdoc(module_of("models", name)) or "")
    assert DEBUG[name].kind == name
    model, batch = make(DEBUG[name]).eval(), debug_models.batch()
    encoded = model.encode(batch.features, batch.lengths)
    assert encoded.memory.isfinite().all()
    assert 1 <= int(encoded.lengths.min()) <= int(encoded.lengths.max()) == encoded.memory.shape[1]
    assert (encoded.ctc_log_probs is not None) == model.config.ctc
    if encoded.ctc_log_probs is not None:
        assert encoded.ctc_log_probs.shape == (*encoded.memory.shape[:2], debug_models.SIZE)
        total = encoded.ctc_log_probs.logsumexp(-1)
        torch.testing.assert_close(total, torch.zeros_like(total), atol=1e-5, rtol=0)
    if model.config.writer is not None:
        logits = debug_models.written(model, batch.tokens, encoded)
        assert logits.shape == (*batch.tokens.shape, debug_models.SIZE)
        assert logits.isfinite().all()


@pytest.mark.parametrize("name", AFRESH)
def test_what_an_utterance_gets_does_not_depend_on_its_batch(name: str) -> None:
    model, batch = make(DEBUG[name]), debug_models.batch()
    model.encode(batch.features, batch.lengths)  # running averages of norms leave their start
    model.eval()
    together = model.encode(batch.features, batch.lengths)
    for row, length in enumerate(batch.lengths.tolist()):
        one = slice(row, row + 1)
        alone = model.encode(batch.features[one, :length], batch.lengths[one])
        frames = int(alone.lengths)
        assert int(together.lengths[row]) == frames == alone.memory.shape[1]
        assert_close(alone.memory[0], together.memory[row, :frames])
        if together.ctc_log_probs is not None and alone.ctc_log_probs is not None:
            assert_close(alone.ctc_log_probs[0], together.ctc_log_probs[row, :frames])
        if model.config.writer is not None:
            written = debug_models.written(model, batch.tokens, together)[row]
            assert_close(debug_models.written(model, batch.tokens[one], alone)[0], written)


def assert_close(alone: torch.Tensor, together: torch.Tensor) -> None:
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", AFRESH)
def test_the_gradient_reaches_every_parameter(name: str) -> None:
    model, batch = make(DEBUG[name]).train(), debug_models.batch()
    loss, _ = debug_models.objective(DEBUG[name])(model, batch, 0.0, None)
    loss.backward()
    unmoved = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # what a softmax takes the same of from every key changes nothing
    assert [n for n in unmoved if not n.endswith("key.bias")] == []


@pytest.mark.parametrize("name", AFRESH)
def test_the_start_check_has_nothing_to_say_of_a_sound_start(name: str) -> None:
    model, batch = make(DEBUG[name]).train(), debug_models.batch()
    loss_of = debug_models.objective(DEBUG[name])
    report = check_start(model, lambda: loss_of.at_start(model, batch), debug_models.SIZE)
    assert report.warnings == ()


@pytest.mark.parametrize("name", AFRESH)
def test_twenty_steps_of_training_are_as_they_were(name: str) -> None:
    golden = json.loads(golden_curves.PATH.read_text(encoding="utf-8"))
    assert golden.keys() == DEBUG.keys() == set(AFRESH)
    assert golden_curves.curve(name) == pytest.approx(golden[name], rel=1e-4)
    assert golden[name][-1] < 0.75 * golden[name][0]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_says_source_command_and_what_it_measured(name: str) -> None:
    function = resolve("recipe", RECIPES, name)
    text = inspect.getdoc(function) or ""
    assert re.search(rf"malgwi (train )?{name}\b", text), f"{name}: no command"
    assert "Measured:" in text, f"{name}: neither a measurement nor 'not measured'"
    own = module_of("recipes", name).__name__.endswith(".quick")
    assert own or SOURCE.search(inspect.getdoc(module_of("recipes", name)) or "")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_builds_at_its_real_size(name: str) -> None:
    """Without memory: on the meta device. The largest known is LAS-6-1280."""
    config = recipe(name)
    assert from_yaml(to_yaml(config)) == config
    if config.model.kind == "pretrained":
        return  # as large as the encoder that it is given: tests/e2e/test_finetune_cli.py
    tokenizer = tokenizers.train(SENTENCES, config.tokenizer)
    with torch.device("meta"):
        model = make_model(config, tokenizer)
    bound = 4e8 if name.startswith("las_") else 1e8
    assert 1e6 < sum(p.numel() for p in model.parameters()) < bound


@pytest.mark.parametrize("name", PRESETS)
def test_a_front_end_preset_makes_features(name: str) -> None:
    config = PRESETS[name]
    front_end = FrontEnd(config)
    tone = torch.sin(torch.arange(config.sample_rate_hz // 2) / 5).numpy()
    if config.normalize == "global":
        front_end.fit_global([tone])
    features = front_end.extract(tone)
    assert features.shape[1] == config.num_features
    assert features.isfinite().all()


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_masks(name: str) -> None:
    ones = torch.ones(1, 200, 80)
    generator = torch.Generator().manual_seed(3)
    masked = spec_augment(ones, torch.tensor([200]), POLICIES[name], generator)
    assert masked.shape == ones.shape
    assert not masked.equal(ones)


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_finds_something_for_every_utterance(name: str) -> None:
    decode: Callable[..., Any] = resolve("decoder", DECODERS, name)
    toy = RandomTransducer if name.startswith("transducer") else RandomSpeller
    scorer = toy(seed=1, lengths=[6, 3])
    wanted = inspect.signature(decode).parameters
    offered: dict[str, Any] = {
        "scorer": scorer,
        "start_id": START,
        "end_id": END,
        "blank_id": BLANK,
        "encoder_lengths": scorer.lengths,
        "max_lengths": torch.tensor([5, 4]),
        "log_probs": torch.randn(2, 6, 5).log_softmax(-1),
        "lengths": scorer.lengths,
        "config": wanted["config"].annotation(beams=2) if "config" in wanted else None,
    }
    if name == "ctc_beam":  # numpy through and through, for where torch is not installed
        offered |= {key: offered[key].numpy() for key in ("log_probs", "lengths")}
    needed = {key for key, value in wanted.items() if value.default is inspect.Parameter.empty}
    assert needed <= offered.keys(), f"{name} needs what no decoder needed before"
    found = decode(**{key: value for key, value in offered.items() if key in wanted})
    assert len(found) == 2
    best = [result[0] if isinstance(result, list) else result for result in found]
    assert all(isinstance(hypothesis, Hypothesis) for hypothesis in best)


@pytest.mark.parametrize("name", LANGUAGE_MODELS)
def test_a_language_model_names_its_papers_and_can_be_bound(name: str) -> None:
    kind = resolve("language model", LANGUAGE_MODELS, name)
    assert re.search(r"(19|20)\d\d", inspect.getdoc(module_of("lm", name)) or "")
    assert list(inspect.signature(kind.bind).parameters)[:3] == ["self", "tokenizer", "text"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_its_own_file_and_a_line_in_the_overview(name: str) -> None:
    assert COMMANDS[name][0].startswith(f"malgwi.cli.{name}:")
    assert COMMANDS[name][1] in overview()
