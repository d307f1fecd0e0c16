"""Pretrained encoders against the library that they come from, alone and in company."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_encoders import KINDS, extractor, save_encoder
from torch.nn.utils.rnn import pad_sequence

from malgwi import encoder_folder, onnx_graph
from malgwi.cost import measure_cost
from malgwi.errors import CheckpointError, ConfigError, MissingExtraError
from malgwi.features import FrontEnd
from malgwi.front_end import FrontEndConfig
from malgwi.models.pretrained import Pretrained, PretrainedConfig
from malgwi.onnx_graph import compared, to_onnx
from malgwi.optim import OptimConfig, build_optimizer, rest_encoder, set_rate
from malgwi.timestamps import frame_clock

transformers = pytest.importorskip("transformers", reason="needs the extra hf: transformers")
peft = pytest.importorskip("peft", reason="needs the extra hf: peft")

SIZE = 7
SMALL = PretrainedConfig(mask_feature_length=4, mask_time_length=3, head_dropout=0.0)
RATE = 16_000


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("encoders")
    return {kind: save_encoder(root / kind, kind) for kind in KINDS}


def voice(seconds: float, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (0.1 * random.standard_normal(int(seconds * RATE)) + 0.02).astype(np.float32)


def model_of(folder: Path, **changes: Any) -> Pretrained:
    torch.manual_seed(1)
    model = Pretrained(1, SIZE, replace(SMALL, encoder=str(folder), **changes))
    model.load_pretrained()
    return model


def heard(model: Pretrained, waveforms: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    front_end = FrontEnd(encoder_folder.front_end(model.folder, FrontEndConfig()))
    padded = pad_sequence([torch.from_numpy(w) for w in waveforms], batch_first=True)
    features, lengths = front_end(padded, torch.tensor([len(w) for w in waveforms]))
    encoded = model.encode(features, lengths)
    return encoded.memory, encoded.lengths


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_an_utterance_is_heard_as_the_library_hears_it(kind: str, folders: dict[str, Path]) -> None:
    model = model_of(folders[kind]).eval()
    y = voice(0.7, 3)
    memory, lengths = heard(model, [y])
    inputs = extractor(kind)(y, sampling_rate=RATE, return_tensors="pt")
    theirs = transformers.AutoModel.from_pretrained(folders[kind]).eval()
    if kind == "whisper":
        wanted = theirs.encoder(inputs.input_features).last_hidden_state
        assert int(lengths) == memory.shape[1] < wanted.shape[1]
    else:
        wanted = theirs(inputs.input_values).last_hidden_state
        assert int(lengths) == memory.shape[1] == wanted.shape[1]
    torch.testing.assert_close(memory, wanted[:, : int(lengths)], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_company_does_not_matter(kind: str, folders: dict[str, Path]) -> None:
    model = model_of(folders[kind]).eval()
    waveforms = [voice(0.4, 1), voice(1.3, 2), voice(0.004, 4)]
    together, lengths = heard(model, waveforms)
    for index, waveform in enumerate(waveforms):
        alone, length = heard(model, [waveform])
        assert int(length) == int(lengths[index]) > 0
        torch.testing.assert_close(
            together[index : index + 1, : int(length)], alone, rtol=1e-4, atol=2e-5
        )


@torch.no_grad()
def test_the_library_alone_does_let_company_matter(folders: dict[str, Path]) -> None:
    """What `UtteranceNorm` is for; should this ever fail, it can go."""
    theirs = transformers.AutoModel.from_pretrained(folders["wav2vec2_group"]).eval()
    inputs = extractor("hubert")(
        [voice(0.4, 1), voice(1.3, 2)],
        sampling_rate=RATE,
        return_tensors="pt",
        padding=True,
        return_attention_mask=True,
    )
    together = theirs(inputs.input_values, attention_mask=inputs.attention_mask)
    alone = theirs(inputs.input_values[:1, : int(0.4 * RATE)]).last_hidden_state
    difference = together.last_hidden_state[:1, : alone.shape[1]] - alone
    assert difference.abs().max() > 1e-3


@pytest.mark.parametrize("num_mels", [80, 128])
@pytest.mark.parametrize("num_samples", [1, 399, 16_000, 23_457, 30_080])
def test_mel_equals_whispers_own(num_mels: int, num_samples: int, tmp_path: Path) -> None:
    own = transformers.WhisperFeatureExtractor(feature_size=num_mels)
    said = {"model_type": "whisper", "num_mel_bins": num_mels}
    (tmp_path / "config.json").write_text(json.dumps(said))
    front_end = FrontEnd(encoder_folder.front_end(tmp_path, FrontEndConfig()))
    y = voice(2.0, 5)[:num_samples]
    ours = front_end.extract(y)
    theirs = own(y, sampling_rate=RATE, return_tensors="pt").input_features[0].T
    torch.testing.assert_close(ours, theirs[: len(ours)], rtol=1e-4, atol=1e-4)
    silence = max(-1.5, float(ours.max()) - 2.0)  # what the model fills up with
    torch.testing.assert_close(
        theirs[len(ours) :], torch.full((3000 - len(ours), num_mels), silence), rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("do_normalize", [True, False])
@pytest.mark.parametrize("level", [1.0, 1e-4, 0.0])
def test_waveforms_equal_wav2vecs_own(do_normalize: bool, level: float, tmp_path: Path) -> None:
    own = transformers.Wav2Vec2FeatureExtractor(do_normalize=do_normalize)
    own.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "hubert"}')
    front_end = FrontEnd(encoder_folder.front_end(tmp_path, FrontEndConfig()))
    y = level * voice(0.5, 6)
    theirs = own(y, sampling_rate=RATE, return_tensors="pt").input_values[0]
    torch.testing.assert_close(front_end.extract(y)[:, 0], theirs, rtol=1e-4, atol=1e-5)


def loss_of(model: Pretrained, *, seed: int = 0) -> torch.Tensor:
    """Something that every trained parameter takes part in, the masks' random draws fixed."""
    torch.manual_seed(seed)
    mel = model.whisper
    features = torch.randn(2, 60, 80) if mel else torch.randn(2, 4000, 1)
    return (
        -model.encode(features, torch.tensor([60, 50] if mel else [4000, 3000]))
        .ctc_log_probs[..., 1]
        .mean()
    )


def moved(model: Pretrained, config: OptimConfig, *, resting: bool = False) -> set[str]:
    """Parameters that one step changes."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = build_optimizer(model, config)
    set_rate(optimizer, config.learning_rate)
    rest_encoder(optimizer, resting)
    model.train()
    loss_of(model).backward()
    optimizer.step()
    rest_encoder(optimizer, False)
    return {name for name, p in model.named_parameters() if not p.equal(before[name])}


STEP = OptimConfig(learning_rate=1e-2, weight_decay=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_parameters_do_not_move(kind: str, folders: dict[str, Path]) -> None:
    model = model_of(folders[kind], freeze_layers=1, layer_drop=0.0)
    changed = moved(model, STEP)
    layer = re.compile(r"\.layers\.(\d)\.")
    layers = {found[1] for name in changed if (found := layer.search(name))}
    assert layers == {"1"}
    assert {"ctc.residual.weight", "ctc.residual.bias"} <= changed
    low = ("feature_extractor", "feature_projection", "pos_conv", "conv1", "embed_positions")
    assert not [name for name in changed if any(part in name for part in low)]
    open_model = model_of(folders[kind], freeze_feature_extractor=False, layer_drop=0.0)
    assert len(moved(open_model, STEP)) > len(changed) + 10


@pytest.mark.parametrize("kind", ["wav2vec2_group", "whisper"])
def test_a_resting_encoder_does_not_move(kind: str, folders: dict[str, Path]) -> None:
    model = model_of(folders[kind])
    assert moved(model, STEP, resting=True) == {"ctc.residual.weight", "ctc.residual.bias"}
    assert len(moved(model, STEP)) > 20


def test_lower_layers_learn_more_slowly(folders: dict[str, Path]) -> None:
    model = model_of(folders["wav2vec2_layer"], freeze_feature_extractor=False)
    config = OptimConfig(encoder_rate=0.5, layer_decay=0.1)
    optimizer = build_optimizer(model, config)
    set_rate(optimizer, 2.0)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    rate = {name: rates[id(p)] for name, p in model.named_parameters()}
    assert rate["ctc.residual.weight"] == 2.0
    assert rate["encoder.encoder.layer_norm.weight"] == pytest.approx(1.0)  # stable: at the top
    assert rate["encoder.encoder.layers.1.attention.q_proj.weight"] == pytest.approx(1.0)
    assert rate["encoder.encoder.layers.0.attention.q_proj.bias"] == pytest.approx(0.1)
    assert rate["encoder.feature_projection.projection.weight"] == pytest.approx(0.01)
    assert rate["encoder.masked_spec_embed"] == pytest.approx(0.01)
    assert rate["encoder.feature_extractor.conv_layers.0.conv.weight"] == pytest.approx(0.001)


@pytest.mark.parametrize("kind", ["hubert", "whisper"])
def test_lora_changes_nothing_at_first_and_then_its_adapters_alone(
    kind: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    plain = model_of(folders[kind]).eval()
    model = model_of(folders[kind], lora_rank=2).eval()
    model.ctc.load_state_dict(plain.ctc.state_dict())
    with torch.no_grad():
        assert loss_of(model).equal(loss_of(plain))
    changed = moved(model, STEP) | moved(model, STEP)  # A moves once B is no longer zero
    adapters = {name for name in changed if "lora_" in name}
    assert len(adapters) == 2 * 2 * 2  # layers, matrices, A and B
    assert changed == adapters | {"ctc.residual.weight", "ctc.residual.bias"}
    model.eval()
    again = model_of(folders[kind], lora_rank=2).eval()
    again.load_state_dict(model.state_dict())
    with torch.no_grad():
        wanted = loss_of(model)
        assert loss_of(again).equal(wanted)
        for module in again.encoder.modules():
            if isinstance(module, peft.tuners.lora.LoraLayer):
                module.merge()
        torch.testing.assert_close(loss_of(again), wanted)
    assert not loss_of(again).equal(loss_of(plain))


def test_gradient_checkpointing_changes_no_gradient(folders: dict[str, Path]) -> None:
    gradients = []
    for checkpointing in (False, True):
        model = model_of(folders["hubert"], gradient_checkpointing=checkpointing).train()
        loss_of(model, seed=4).backward()
        gradients.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], msg=name)


def test_masks_are_torchs_draw(folders: dict[str, Path]) -> None:
    """The library draws from numpy's global generator, which the loop does not reseed."""
    model = model_of(folders["wav2vec2_group"], mask_time_prob=0.9).train()
    losses = [float(loss_of(model, seed=seed).detach()) for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]
    np.random.seed(3)
    wanted = np.random.rand()
    np.random.seed(3)
    loss_of(model)
    assert np.random.rand() == wanted


def test_checkpoints_of_the_librarys_other_heads_are_read(tmp_path: Path) -> None:
    """`facebook/wav2vec2-base` is saved with its pretraining head, Whisper with its decoder."""
    for kind, name in (("wav2vec2_group", "Wav2Vec2ForPreTraining"), ("whisper", "Whisper")):
        torch.manual_seed(5)
        settings = transformers.AutoConfig.for_model(**KINDS[kind])
        cls = transformers.WhisperForConditionalGeneration if name == "Whisper" else None
        whole = (cls or getattr(transformers, name))(settings)
        whole.save_pretrained(tmp_path / kind)
        inner = whole.model.encoder if name == "Whisper" else whole.wav2vec2
        model = model_of(tmp_path / kind)
        found = model.encoder.state_dict()
        for key, value in inner.state_dict().items():
            assert found[key].equal(value), key


def test_an_encoder_saved_alone_and_one_with_an_adapter_are_read(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    """Whisper's encoder by itself; what a head of the library's own put on top is left aside."""
    whole = transformers.AutoModel.from_pretrained(folders["whisper"])
    whole.encoder.save_pretrained(tmp_path / "alone")
    found = model_of(tmp_path / "alone").encoder.state_dict()
    for key, value in whole.encoder.state_dict().items():
        assert found[key].equal(value), key
    settings = transformers.AutoConfig.for_model(**KINDS["wav2vec2_group"], add_adapter=True)
    theirs = transformers.Wav2Vec2Model(settings).eval()
    theirs.save_pretrained(tmp_path / "adapted")
    theirs.adapter = None
    y = voice(0.7, 3)
    memory, _ = heard(model_of(tmp_path / "adapted").eval(), [y])
    inputs = extractor("hubert")(y, sampling_rate=RATE, return_tensors="pt")
    wanted = theirs(inputs.input_values).last_hidden_state
    torch.testing.assert_close(memory, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [*((kind, {}) for kind in KINDS), ("hubert", {"lora_rank": 2}), ("whisper", {"lora_rank": 2})],
)
def test_the_exported_graph_equals_torch(
    kind: str, changes: dict[str, int], folders: dict[str, Path]
) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra export: onnxruntime")
    model = model_of(folders[kind], **changes).eval()
    front_end = FrontEnd(encoder_folder.front_end(model.folder, FrontEndConfig()))
    graph = to_onnx(front_end, model)
    assert compared(graph, front_end, model) < 1e-4
    if model.max_frames is None:  # shorter than the convolutions' field
        assert compared(graph, front_end, model, [[0.002]]) < 1e-4


def test_attention_is_counted_in_the_cost(folders: dict[str, Path]) -> None:
    """By formula, of Whisper's encoder: two convolutions, then layers over 150 frames."""
    model = model_of(folders["whisper"]).eval()
    encoder = measure_cost(model, 80, 0.01)[0]
    frames, width, wide = 150, 16, 24
    convolutions = 2 * frames * 3 * 80 * width + frames * 3 * width * width
    layer = frames * (4 * width * width + 2 * width * wide) + 2 * frames * frames * width
    assert encoder.name == "encoder"
    assert encoder.multiply_adds * 3.0 == pytest.approx(convolutions + 2 * layer)


def test_a_model_too_large_for_an_onnx_file_is_refused(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_graph, "MAX_BYTES", 20_000)
    model = model_of(folders["hubert"]).eval()
    front_end = FrontEnd(encoder_folder.front_end(model.folder, FrontEndConfig()))
    with pytest.raises(ConfigError, match="use the run with torch"):
        to_onnx(front_end, model)


def test_times_are_counted_by_the_encoders_own_stride(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    published = {"conv_kernel": (10, 3, 3, 3, 3, 2, 2), "conv_stride": (5, 2, 2, 2, 2, 2, 2)}
    said = KINDS["hubert"] | published | {"conv_dim": (8,) * 7}
    settings = transformers.AutoConfig.for_model(**said)
    transformers.HubertModel(settings).save_pretrained(tmp_path)
    for folder, wanted_s in (
        (tmp_path, 0.02),
        (folders["whisper"], 0.02),
        (folders["hubert"], 0.005),
    ):
        front_end = encoder_folder.front_end(folder, FrontEndConfig())
        assert frame_clock(model_of(folder).eval(), front_end).frame_s == pytest.approx(wanted_s)


def rewritten(folder: Path, target: Path, **changes: Any) -> Path:
    """A copy of an encoder's folder with another configuration."""
    target.mkdir()
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    said = json.loads((target / "config.json").read_text()) | changes
    (target / "config.json").write_text(json.dumps(said))
    return target


def test_errors_name_the_thing_and_the_remedy(folders: dict[str, Path], tmp_path: Path) -> None:
    base = folders["wav2vec2_group"]
    with pytest.raises(ConfigError, match="name the encoder's folder with  --encoder"):
        Pretrained(1, SIZE, SMALL)
    with pytest.raises(ConfigError, match="/no/such/folder: no such folder"):
        model_of(Path("/no/such/folder"))
    with pytest.raises(ConfigError, match=r"config\.json is missing"):
        model_of(tmp_path)
    odd = rewritten(base, tmp_path / "odd", model_type="bert")
    with pytest.raises(ConfigError, match=r"'bert'.* Known: hubert, wav2vec2, whisper"):
        model_of(odd)
    with pytest.raises(ConfigError, match="freeze_layers is 3, the encoder has 2 layers"):
        model_of(base, freeze_layers=3)
    with pytest.raises(ConfigError, match="mask_feature_length is 64, the encoder has 16"):
        model_of(base, mask_feature_length=64)
    with pytest.raises(ConfigError, match="lora_targets"):
        model_of(base, lora_rank=2, lora_targets=("nowhere",))
    other = rewritten(base, tmp_path / "other", num_hidden_layers=3)
    with pytest.raises(CheckpointError, match="16 of its weights are missing"):
        model_of(other)
    wider = rewritten(base, tmp_path / "wider", intermediate_size=30)
    with pytest.raises(CheckpointError, match=r"damaged or do not fit config\.json"):
        model_of(wider)


def test_pickled_weights_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    target = rewritten(folders["hubert"], tmp_path / "pickle")
    weights = load_file(target / "model.safetensors")
    (target / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="there are no weights"):
        model_of(target)
    torch.save(weights, target / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pickle \(pytorch_model\.bin\)") as refused:
        model_of(target)
    command = re.search(r'python -c "(.*)"', str(refused.value))
    exec(command[1], {})  # the remedy works
    assert len(model_of(target).state_dict()) == len(model_of(folders["hubert"]).state_dict())


def test_another_front_end_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    config = replace(SMALL, encoder=str(folders["whisper"]))
    with pytest.raises(ConfigError, match=r"front_end\.scale is 'ln', not 'whisper'"):
        config.check(FrontEndConfig(), 1.0)
    right = encoder_folder.front_end(config.find(), FrontEndConfig(trim_db=40.0))
    assert right.trim_db == 40.0
    config.check(right, 2.97)
    with pytest.raises(ConfigError, match=r"hears 3 s at once.* to 2\.97"):
        config.check(right, 2.98)
    slow = rewritten(folders["hubert"], tmp_path / "slow")
    (slow / "preprocessor_config.json").write_text('{"sampling_rate": 8000}')
    with pytest.raises(ConfigError, match=r"sample_rate_hz is 16000, not 8000"):
        replace(SMALL, encoder=str(slow)).check(FrontEndConfig(kind="waveform"), 1.0)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, folders: Any) -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(encoder_folder, "import_module", absent)
    with pytest.raises(MissingExtraError, match=r"pip install 'malgwi\[hf\]'"):
        model_of(folders["hubert"])


def test_the_hub_is_asked_by_name_for_safetensors_alone(
    monkeypatch: pytest.MonkeyPatch, folders: dict[str, Path]
) -> None:
    import huggingface_hub

    asked: list[Any] = []

    def snapshot(name: str, **settings: Any) -> str:
        asked.append((name, settings["revision"], settings["allow_patterns"]))
        return str(folders["hubert"])

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert encoder_folder.find("team/korean-hubert", "v2") == folders["hubert"]
    assert asked == [("team/korean-hubert", "v2", ["*.json", "model*.safetensors"])]

    def offline(name: str, **settings: Any) -> str:
        raise huggingface_hub.errors.OfflineModeIsEnabled("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(ConfigError, match=r"neither a folder here nor .* hub \(no network\)"):
        encoder_folder.find("team/korean-hubert")
