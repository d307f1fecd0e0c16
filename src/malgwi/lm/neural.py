"""A small LSTM over a tokenizer's ids: embedding, LSTM, output tied to the embedding or composed.

Mikolov et al., "Recurrent neural network based language model", Interspeech 2010; Sundermeyer et
al., "LSTM neural networks for language modeling", Interspeech 2012; Press and Wolf, "Using the
output embedding to improve language models", EACL 2017 (arXiv 1608.05859), for the tied output.

The probabilities of the next token are computed when a state is made, not when it is asked for: a
beam search asks every state once, and ``score`` is then free of side effects. Searches speak numpy;
what they say and hear is converted here, to and from whatever device the model is on.

On disk: ``NAME.safetensors`` and ``NAME.json`` (settings, tokenizer, SHA-256 of the former).

Shapes: N rows, B sentences, U tokens, D units, E embedding, V vocabulary.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load, save
from torch import Tensor, nn

from malgwi import tokenizers
from malgwi.errors import CheckpointError, ConfigError
from malgwi.lm.storage import write_whole
from malgwi.lm.units import TextSettings, differences, fingerprint
from malgwi.nn.composed_output import ComposedOutput
from malgwi.nn.dropout import Dropout
from malgwi.text.normalize import NormalizerConfig
from malgwi.tokenizers import jamo_table
from malgwi.types import Tokenizer

FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class LstmConfig:
    """Sizes.

    Attributes:
        embedding: E.
        units: D of each layer.
        layers: LSTM layers.
        dropout: On embeddings, between layers and before the output, in training.
        output: ``tied``: the embedding, transposed; ``composed``: syllables as sums of their
            letters (`malgwi.nn.composed_output`).
    """

    embedding: int = 256
    units: int = 512
    layers: int = 1
    dropout: float = 0.2
    output: Literal["tied", "composed"] = "tied"


@dataclass(frozen=True)
class LstmState:
    """Where each row of a search stands."""

    log_probs: Tensor  # [N, V] of the next token
    hidden: Tensor  # [layers, N, D]
    cell: Tensor  # [layers, N, D]


class LstmModel(nn.Module):
    """P(token | all tokens before), by an LSTM; a `malgwi.types.LanguageModel` of one tokenizer.

    Args:
        config: Sizes.
        tokenizer: Whose ids are predicted.
        settings: How the training text was cut.
    """

    def __init__(self, config: LstmConfig, tokenizer: Tokenizer, settings: TextSettings) -> None:
        super().__init__()
        self.config, self.tokenizer, self.settings = config, tokenizer, settings
        self.vocabulary_size = tokenizer.size
        self.embedding = nn.Embedding(tokenizer.size, config.embedding)
        self.embedding.weight.data.normal_(std=config.embedding**-0.5)
        between = config.dropout if config.layers > 1 else 0.0
        self.lstm = nn.LSTM(
            config.embedding, config.units, config.layers, dropout=between, batch_first=True
        )
        self.dropout = Dropout(config.dropout)
        if config.output == "tied":
            self.to_embedding = nn.Linear(config.units, config.embedding)
            self.bias = nn.Parameter(torch.zeros(tokenizer.size))
        else:
            self.composed = ComposedOutput(config.units, tokenizer.size, jamo_table(tokenizer))
        # Never said, so never predicted: all probability goes to what a text can hold.
        never = torch.zeros(tokenizer.size)
        never[[tokenizer.blank_id, tokenizer.start_id]] = -1e4
        self.register_buffer("never", never, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens [B, U], each sentence led by the start token → logits [B, U, V]."""
        hidden, _ = self.lstm(self.dropout(self.embedding(tokens)))
        return self._logits(hidden)

    def _logits(self, hidden: Tensor) -> Tensor:
        hidden = self.dropout(hidden)
        if self.config.output == "composed":
            logits: Tensor = self.composed(hidden)
        else:
            logits = F.linear(self.to_embedding(hidden), self.embedding.weight, self.bias)
        return logits + self.get_buffer("never")

    @torch.no_grad()
    def _after(self, tokens: Tensor, hidden: Tensor, cell: Tensor) -> LstmState:
        output, (hidden, cell) = self.lstm(self.embedding(tokens)[:, None], (hidden, cell))
        log_probs = F.log_softmax(self._logits(output[:, 0]).float(), dim=-1)
        return LstmState(log_probs, hidden, cell)

    def start(self, rows: int) -> LstmState:
        """The state at the beginning of a text; the model must be in ``eval()``."""
        weight = self.embedding.weight
        empty = weight.new_zeros(self.config.layers, 1, self.config.units)
        first = torch.tensor([self.tokenizer.start_id], device=weight.device)
        one = self._after(first, empty, empty)
        wide = (self.config.layers, rows, self.config.units)
        return LstmState(
            one.log_probs.expand(rows, -1),
            one.hidden.expand(wide).contiguous(),
            one.cell.expand(wide).contiguous(),
        )

    def score(self, state: LstmState) -> NDArray[np.float32]:
        """ln P(token | what stands before), [N, V] float32."""
        scores: NDArray[np.float32] = state.log_probs.cpu().numpy()
        return scores

    def advance(
        self, state: LstmState, rows: NDArray[np.int64], tokens: NDArray[np.int64]
    ) -> LstmState:
        """The state whose row i is row ``rows[i]`` followed by ``tokens[i]``, if not negative."""
        device = state.log_probs.device
        sources, ids = torch.tensor(rows, device=device), torch.tensor(tokens, device=device)
        grown = (ids >= 0).nonzero()[:, 0]
        log_probs = state.log_probs[sources]
        hidden, cell = state.hidden[:, sources], state.cell[:, sources]
        if len(grown):
            after = self._after(ids[grown], hidden[:, grown], cell[:, grown])
            log_probs[grown] = after.log_probs
            hidden[:, grown], cell[:, grown] = after.hidden, after.cell
        return LstmState(log_probs, hidden, cell)

    def contexts(self, state: LstmState) -> None:
        """No two texts are the same to it."""

    def bind(
        self, tokenizer: Tokenizer, text: NormalizerConfig | None = None, *, strict: bool = True
    ) -> "LstmModel":
        """This model, once it is sure that the recogniser's ids are its own.

        Args:
            tokenizer: Of the recogniser.
            text: The recogniser's normaliser, if known.
            strict: Refuse a model whose normaliser is another; ids must agree in any case.

        Raises:
            ConfigError: Another tokenizer or normaliser.
        """
        found = differences(self.settings, tokenizer, text)
        other_ids = fingerprint(tokenizer) != fingerprint(self.tokenizer)
        if other_ids or (found and strict):
            raise ConfigError(
                "this language model does not fit the recogniser: "
                + "; ".join(found or ["its tokenizer has other units, or in another order"])
                + ". Train one that does with  malgwi lm TEXT... --kind lstm "
                "--tokenizer RUN/tokenizer.json"
            )
        return self


def write_lstm(model: LstmModel, path: Path, measured: dict[str, Any] | None = None) -> None:
    """Write ``path`` (.safetensors) and the JSON beside it, the JSON last.

    Args:
        model: A trained model.
        path: Named ``….safetensors``.
        measured: Figures of its training, for the reader.
    """
    tensors = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    data = save({name: value.contiguous() for name, value in tensors.items()})
    record = {
        "format_version": FORMAT_VERSION,
        "kind": "lstm",
        "config": asdict(model.config),
        "settings": model.settings.to_dict(),
        "measured": measured or {},
        "sha256": hashlib.sha256(data).hexdigest(),
        "tokenizer": model.tokenizer.to_dict(),
    }
    write_whole(path, [data])
    text = json.dumps(record, ensure_ascii=False, indent=1)
    write_whole(path.with_suffix(".json"), [text.encode()])


def read_lstm(path: Path) -> LstmModel:
    """The model that `write_lstm` wrote, in ``eval()``.

    Raises:
        CheckpointError: A file is missing, damaged or of another version.
    """
    beside = path.with_suffix(".json")
    for file in (path, beside):
        if not file.is_file():
            raise CheckpointError(f"no file {file}: a neural language model is two files, {path} "
                                  f"and {beside.name}")  # fmt: skip
    data = path.read_bytes()
    try:
        record = json.loads(beside.read_text(encoding="utf-8"))
        version, digest = record["format_version"], record["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{beside} is damaged ({error!r}): train the model again") from None
    if version != FORMAT_VERSION:
        raise CheckpointError(f"{beside}: format version {version}, this malgwi reads 1")
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise CheckpointError(
            f"{path} is damaged or belongs to another {beside.name}: SHA-256 {found[:12]}…, "
            f"expected {digest[:12]}…; train the model again"
        )
    settings = TextSettings.from_dict(record["settings"])
    tokenizer = tokenizers.from_dict(record["tokenizer"])
    model = LstmModel(LstmConfig(**record["config"]), tokenizer, settings)
    model.load_state_dict(load(data))
    return model.eval()
