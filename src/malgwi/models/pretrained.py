"""A pretrained speech encoder under a CTC or a joint head, by way of transformers.

wav2vec 2.0 (arXiv 2006.11477), HuBERT (arXiv 2106.07447) or the encoder of Whisper (arXiv
2212.04356). The surprising choice: the norms over time of the library's models, which see the
padding, are exchanged for our own (`malgwi.nn.utterance_norm`).

Shapes: B batch, N samples, T frames of the front end, S encoder frames, U tokens, D features,
V vocabulary, E encoder width.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from malgwi import encoder_folder
from malgwi.errors import ConfigError
from malgwi.front_end import FrontEndConfig
from malgwi.nn.acoustic_model import Encoded, Writer
from malgwi.nn.dropout import Dropout
from malgwi.nn.output_layer import Letters, letters_to_compose, output_layer
from malgwi.nn.recurrent import length_mask
from malgwi.nn.transformer_decoder import (
    TransformerDecoder,
    TransformerDecoderConfig,
    TransformerWriter,
)
from malgwi.nn.utterance_norm import SteadyNorm, UtteranceNorm

#: Where a run folder keeps the encoder's description.
KEPT_IN = "encoder"
_LAYER = re.compile(r"(?:^|\.)layers\.(\d+)\.")


@dataclass(frozen=True, kw_only=True)
class PretrainedConfig:
    """Which encoder, what of it is trained, and the head.

    Attributes:
        encoder: A folder as Hugging Face saves one, or a name on its hub.
        revision: On the hub: branch, tag or commit.
        composed_output: Whether syllable scores are composed of initial, medial and final.
        output_rank: Of a composed output; see `malgwi.nn.output_layer`.
        head_dropout: Before the CTC output.
        joint: Whether a decoder also writes, attending to the encoder (Watanabe et al. 2017).
        decoder: Its sizes.
        freeze_feature_extractor: Never train the convolutions at the encoder's foot (the paper).
        freeze_layers: Never train so many of its lower layers either, nor what lies under them.
        layer_drop: Share of layers left out of each training step (LayerDrop, arXiv 1909.11556).
        mask_time_prob: Of wav2vec 2.0 and HuBERT: share of frames under time masks, were none to
            overlap. Whisper's input is masked by ``masking`` instead.
        mask_time_length: Frames of a time mask.
        mask_feature_prob: The same for channels.
        mask_feature_length: Channels of a mask.
        gradient_checkpointing: Compute each layer twice and keep little: memory for time.
        lora_rank: Train low-rank additions to some matrices (LoRA, arXiv 2106.09685) and nothing
            else of the encoder; 0 is off.
        lora_alpha: Their scale is alpha over rank.
        lora_dropout: On their input.
        lora_targets: Which matrices, by the ends of their names.
        kind: A pretrained encoder.
    """

    encoder: str = ""
    revision: str | None = None
    composed_output: bool = False
    output_rank: int | None = None
    head_dropout: float = 0.1
    joint: bool = False
    decoder: TransformerDecoderConfig = field(default_factory=TransformerDecoderConfig)
    freeze_feature_extractor: bool = True
    freeze_layers: int = 0
    layer_drop: float = 0.05
    mask_time_prob: float = 0.5
    mask_time_length: int = 10
    mask_feature_prob: float = 0.1
    mask_feature_length: int = 64
    gradient_checkpointing: bool = False
    lora_rank: int = 0
    lora_alpha: float = 16.0
    lora_dropout: float = 0.0
    lora_targets: tuple[str, ...] = ("q_proj", "v_proj")
    kind: Literal["pretrained"] = "pretrained"

    @property
    def ctc(self) -> bool:
        """CTC is always there."""
        return True

    @property
    def writer(self) -> Writer | None:
        """The decoder of a joint head."""
        return "attention" if self.joint else None

    def find(self) -> Path:
        """The encoder's folder."""
        return encoder_folder.find(self.encoder, self.revision)

    def keep(self, run: Path) -> None:
        """Copy what rebuilding the encoder needs into a run folder."""
        encoder_folder.keep_architecture(self.find(), run / KEPT_IN)

    def kept(self, run: Path) -> "PretrainedConfig":
        """The same model, described by its run folder."""
        return replace(self, encoder=str(run / KEPT_IN), revision=None)

    def check(self, front_end: FrontEndConfig, longest_s: float) -> None:
        """Refuse another front end than the encoder's, and audio longer than it can hear.

        Raises:
            ConfigError: See there.
        """
        folder = self.find()
        encoder_folder.check_front_end(folder, front_end)
        said = encoder_folder.architecture(folder)
        if said["model_type"] != "whisper":
            return
        hears_s = said.get("max_source_positions", 1500) * 2 * front_end.hop_ms / 1000
        if longest_s + front_end.append_ms / 1000 > hears_s:
            raise ConfigError(
                f"the encoder {folder} hears {hears_s:g} s at once, utterances may last "
                f"{longest_s:g} s: lower batches.max_utterance_s (over the slowest of its speeds) "
                f"and decoding.max_segment_s to {hears_s - front_end.append_ms / 1000:g}"
            )


class Pretrained(TransformerWriter):
    """An encoder of that folder, untrained until `load_pretrained`, and its heads.

    Args:
        inputs: D, width of the features: 1 for waveforms.
        size: V.
        config: Which encoder, and what of it is trained.
        letters: (initial, medial, final) of every unit, for ``composed_output``.

    Raises:
        ConfigError: The folder is missing or holds no encoder of a known kind.
        MissingExtraError: transformers, or for LoRA peft, is not installed.
    """

    config: PretrainedConfig
    divisible = False  # the library's dropout, masks and LayerDrop draw from global generators

    def __init__(
        self,
        inputs: int,
        size: int,
        config: PretrainedConfig,
        letters: Letters | None = None,
    ) -> None:
        super().__init__()
        self.config, self.size = config, size
        self.folder = config.find()
        self.settings = _settings(encoder_folder.architecture(self.folder), config)
        self.whisper = self.settings.model_type == "whisper"
        self.max_frames = 2 * self.settings.max_source_positions if self.whisper else None
        self.encoder: Any = self._prepared(encoder_folder.model_class(self.settings)(self.settings))
        self.dropout = Dropout(config.head_dropout)
        letters, rank = letters_to_compose(config.composed_output, letters), config.output_rank
        width = self.settings.hidden_size
        self.ctc = output_layer(width, size, letters, rank)
        self.decoder = (
            TransformerDecoder(width, size, config.decoder, letters, rank) if config.joint else None
        )

    def load_pretrained(self) -> None:
        """Put the folder's weights in place of the present ones.

        Raises:
            CheckpointError: There are none, or they do not fit ``config.json``.
        """
        self.encoder = self._prepared(encoder_folder.loaded(self.folder, self.settings))

    def _prepared(self, encoder: Any) -> Any:
        """An encoder of the library, ready to be trained as the settings say."""
        if not self.whisper:
            # It marks waveforms as wanting gradients, for a kind of checkpointing not used here.
            encoder.feature_extractor._requires_grad = False
            if self.settings.feat_extract_norm == "group":
                first = encoder.feature_extractor.conv_layers[0]
                first.layer_norm = UtteranceNorm(first.layer_norm)
            if getattr(self.settings, "conv_pos_batch_norm", False):
                places = encoder.encoder.pos_conv_embed
                places.batch_norm = SteadyNorm(places.batch_norm)
        if self.config.gradient_checkpointing:
            encoder.activation_checkpointing_enable()
        if self.config.lora_rank:
            return _with_lora(encoder, self.config)
        for name, parameter in encoder.named_parameters():
            if self._is_frozen(self._depth(name)):
                parameter.requires_grad_(False)
        return encoder

    def _is_frozen(self, depth: int) -> bool:
        layers, kept = self.settings.num_hidden_layers, self.config.freeze_layers
        foot = self.config.freeze_feature_extractor and depth == layers + 1
        return foot or (kept > 0 and depth >= layers - kept)

    def _depth(self, name: str) -> int:
        """Layers above a parameter of the encoder: the convolutions lie deepest."""
        layers: int = self.settings.num_hidden_layers
        if found := _LAYER.search(name):
            return layers - 1 - int(found[1])
        if name.startswith(("feature_extractor.", "conv1.", "conv2.", "embed_positions.")):
            return layers + 1
        at_the_top = self.whisper or self.settings.do_stable_layer_norm
        return 0 if at_the_top and re.match(r"(encoder\.)?layer_norm\.", name) else layers

    def pretrained_depths(self) -> dict[str, int]:
        """Every parameter of the encoder, what LoRA adds to it included."""
        names = (name for name, _ in self.encoder.named_parameters())
        return {f"encoder.{name}": self._depth(name) for name in names}

    def encode(self, features: Tensor, lengths: Tensor) -> Encoded:
        """features [B, T, D], lengths [B] → what the encoder heard, and its CTC output."""
        hear = self._hear_mel if self.whisper else self._hear_waveform
        memory, frames = hear(features, lengths)
        log_probs = self.ctc(self.dropout(memory)).float().log_softmax(-1)
        return Encoded(memory, frames, log_probs)

    def _hear_waveform(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Waveforms [B, N, 1] → memory [B, S, E] and its lengths [B].

        What is shorter than the convolutions' field is heard with silence after it.
        """
        settings = self.settings
        convolutions = list(zip(settings.conv_kernel, settings.conv_stride, strict=True))
        least = 1
        for kernel, stride in reversed(convolutions):
            least = (least - 1) * stride + kernel
        frames = lengths = lengths.clamp(min=least)
        waveforms = F.pad(features[..., 0], (0, least))[:, : lengths.max()]
        for index, (kernel, stride) in enumerate(convolutions):
            frames = (frames - kernel) // stride + 1
            if index == 0 and settings.feat_extract_norm == "group":
                self.encoder.feature_extractor.conv_layers[0].layer_norm.lengths = frames
        if getattr(settings, "conv_pos_batch_norm", False):
            self.encoder.encoder.pos_conv_embed.batch_norm.lengths = frames
        mask = length_mask(lengths, waveforms.shape[1]).long()
        # The library refuses masks longer than the batch.
        long_enough = int(frames.max()) >= settings.mask_time_length
        self.encoder.config.apply_spec_augment = long_enough
        with _numpy_follows_torch() if self.training else nullcontext():
            memory = self.encoder(waveforms, attention_mask=mask).last_hidden_state
        return memory, frames

    def _hear_mel(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Log-mel [B, T, D] → memory [B, S, E] and its lengths [B].

        The encoder always hears as much as it was trained on: silence follows, at the value that
        Whisper's scale gives it, 8 decades under the utterance's loudest or 10 under 1.
        """
        wanted = self.max_frames
        assert wanted is not None
        if features.shape[1] > wanted:
            raise ConfigError(f"{features.shape[1]} frames: the encoder hears {wanted} at once")
        inside = length_mask(lengths, features.shape[1])[..., None]
        loudest = features.masked_fill(~inside, -torch.inf).amax((1, 2), keepdim=True)
        silence = (loudest - 2.0).clamp(min=-1.5)
        filled = F.pad(features, (0, 0, 0, wanted - features.shape[1]))
        heard = torch.where(length_mask(lengths, wanted)[..., None], filled, silence)
        frames = (lengths + 1) // 2
        memory = self.encoder(heard.transpose(1, 2)).last_hidden_state
        return memory[:, : frames.max()], frames


def _settings(said: dict[str, Any], config: PretrainedConfig) -> Any:
    """The library's own configuration of an encoder, with the masking and dropping of ours.

    Raises:
        ConfigError: More layers are frozen, or channels masked, than there are.
    """
    settings = encoder_folder.library("transformers").AutoConfig.for_model(**said)
    if config.freeze_layers > settings.num_hidden_layers:
        raise ConfigError(
            f"model.freeze_layers is {config.freeze_layers}, the encoder has "
            f"{settings.num_hidden_layers} layers"
        )
    if settings.model_type == "whisper":
        settings.encoder_layerdrop = config.layer_drop
        return settings
    settings.add_adapter = False  # of a head of its own, as is Whisper's decoder
    if config.mask_feature_prob > 0 and config.mask_feature_length > settings.hidden_size:
        raise ConfigError(
            f"model.mask_feature_length is {config.mask_feature_length}, the encoder has "
            f"{settings.hidden_size} channels: lower it, or set mask_feature_prob to 0"
        )
    settings.layerdrop = config.layer_drop
    for name in ("time_prob", "time_length", "feature_prob", "feature_length"):
        setattr(settings, f"mask_{name}", getattr(config, f"mask_{name}"))
    return settings


def _with_lora(encoder: Any, config: PretrainedConfig) -> Any:
    """The encoder with low-rank additions, which alone are trained.

    Raises:
        ConfigError: It has no matrices of those names.
    """
    peft = encoder_folder.library("peft")
    settings = peft.LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=list(config.lora_targets),
    )
    try:
        return peft.inject_adapter_in_model(settings, encoder)
    except ValueError as error:
        raise ConfigError(f"model.lora_targets {config.lora_targets}: {error}") from error


@contextmanager
def _numpy_follows_torch() -> Iterator[None]:
    """Seed numpy's global generator, which the library draws its masks from, by torch's.

    The loop reseeds torch's for every step; a resumed run then draws the same masks.
    """
    before = np.random.get_state()
    np.random.seed(int(torch.randint(2**31, ())))
    try:
        yield
    finally:
        np.random.set_state(before)
