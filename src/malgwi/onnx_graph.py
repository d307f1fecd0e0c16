"""A trained recogniser as one ONNX graph: waveforms in, CTC's log-probabilities out.

The surprising choice: the Fourier transform is two matrix products. ONNX's own operator for it
exists, but differs between runtimes in speed and framing; products are the best-kept operator there
is, and err no more than torch's transform (1e-4 in log-mel bands).

Torch's TorchScript-based exporter is used: it follows recurrent layers and gathers by length to
graphs of any length and batch size, without the further packages that the newer one needs. It
records what one example does, so `compared` runs every graph at other shapes.

Shapes: B batch, N samples, T frames, F frequency bins, S encoder frames, V vocabulary.
"""

import io
import math
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from malgwi import spectral
from malgwi.errors import ConfigError, MissingExtraError
from malgwi.features import FrontEnd
from malgwi.nn.acoustic_model import AcousticModel
from malgwi.runtime import open_session

#: The first with LayerNormalization; every runtime of the last years reads it.
OPSET = 17
#: No graph is written whose log-probabilities differ by more from torch's.
TOLERANCE = 1e-3
#: What an ONNX file can hold: protobuf's limit.
MAX_BYTES = 2**31
#: Other lengths and batch sizes than the exported example: s an utterance, silence last.
TRIALS_S = ((0.37,), (2.3, 0.05, 1.1, 3.9, 0.5))


class MatrixFrontEnd(FrontEnd):
    """The same front end without loops or data-dependent shapes.

    It makes as many frames as the padded batch holds, those past an utterance's end zero as ever.
    Only the energy of each frequency is wanted, which does not depend on where time begins: counted
    from the middle of the window, cosines are even and sines odd, so that each needs half of it.
    """

    cosines: Tensor
    sines: Tensor

    def __init__(self, front_end: FrontEnd) -> None:
        super().__init__(front_end.config)
        self.load_state_dict(front_end.state_dict())
        # The window is shorter than the transform: no need to multiply by the zeros around it.
        length = self.config.window_length
        self.before = (self.config.fft_length - length) // 2
        self.after = self.config.fft_length - length - self.before
        cosines, sines = fourier_halves(self.config.fft_length, length // 2)
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)

    def _unnormalized(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        config = self.config
        feature_lengths = self.num_frames(lengths)
        waveforms, lengths = spectral.append_silence(waveforms, lengths, config.append_length)
        waveforms = spectral.emphasize(waveforms, config.gain, config.preemphasis)
        if config.kind == "waveform":
            inside = spectral.within(lengths, waveforms.shape[1])
            return waveforms[..., None] * inside, feature_lengths
        pad = config.fft_length // 2 if config.center else 0
        padded = spectral.pad_each(waveforms, lengths, pad, config.pad_mode)
        energy = self._energy(padded)
        mask = spectral.within(feature_lengths, energy.shape[1])
        return self._scaled(energy, mask), feature_lengths

    def _energy(self, padded: Tensor) -> Tensor:
        length = self.config.window_length
        taper = self.window[self.before : self.before + length]
        frames = self._frames(padded[:, self.before : padded.shape[1] - self.after]) * taper
        middle = length // 2
        # An even window has one sample more before its middle than after it.
        later = nn.functional.pad(frames[..., middle + 1 :], (0, 1 - length % 2))
        earlier = frames[..., :middle].flip(-1)
        even = torch.cat([frames[..., middle : middle + 1], later + earlier], dim=-1)
        energy: Tensor = (even @ self.cosines).square() + ((later - earlier) @ self.sines).square()
        return energy

    def _frames(self, samples: Tensor) -> Tensor:
        """Overlapping frames [B, T, window] of [B, N], gathered by their greatest common pieces."""
        length, hop = self.config.window_length, self.config.hop_length
        piece = math.gcd(length, hop)
        count = (samples.shape[1] - length) // hop + 1
        whole = samples[:, : samples.shape[1] // piece * piece]
        pieces = whole.reshape(samples.shape[0], -1, piece)  # not len(): it would become constant
        starts = torch.arange(count, device=samples.device) * (hop // piece)
        within = torch.arange(length // piece, device=samples.device)
        frames: Tensor = pieces[:, starts[:, None] + within].flatten(2)
        return frames


def fourier_halves(n_fft: int, half: int) -> tuple[Tensor, Tensor]:
    """Cosines [half + 1, F] from the middle on, and sines [half, F] from one sample after it.

    >>> cosines, sines = fourier_halves(4, 1)       # F = 3: constant, a quarter turn, alternating
    >>> cosines.round().tolist(), sines.round().tolist()
    ([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0]], [[0.0, 1.0, 0.0]])
    """
    turns = torch.arange(half + 1)[:, None] * torch.arange(n_fft // 2 + 1) % n_fft
    angles = turns.double() * (2 * torch.pi / n_fft)
    cosines, sines = angles.cos().float(), angles.sin().float()
    return cosines, sines[1:].contiguous()


class WaveformsToLogProbs(nn.Module):
    """Front end, encoder and CTC output in one module."""

    def __init__(self, front_end: FrontEnd, model: AcousticModel) -> None:
        super().__init__()
        self.front_end, self.model = front_end, model

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, N], lengths [B] in samples → log-probabilities [B, S, V], lengths [B] in frames."""
        encoded = self.model.encode(*self.front_end(waveforms, lengths))
        assert encoded.ctc_log_probs is not None
        return encoded.ctc_log_probs, encoded.lengths


def to_onnx(front_end: FrontEnd, model: AcousticModel) -> bytes:
    """The graph ``waveforms`` [B, N], ``lengths`` [B] → ``log_probs`` [B, S, V], ``frames`` [B].

    Constant parts are folded: composed output weights become one matrix, and what CTC does not
    need, such as an attention head, is gone.

    Args:
        front_end: Before the model.
        model: In evaluation mode, on the CPU.

    Raises:
        ConfigError: The model has no CTC output, or is too large for a file.
        MissingExtraError: onnx or onnxruntime is not installed.
    """
    if not model.config.ctc:
        raise ConfigError(
            "the model has no CTC output, and an exported graph holds nothing else (an attention "
            "or transducer head writes step by step): train with  --model.ctc"
        )
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    if size >= MAX_BYTES:
        raise ConfigError(
            f"the model's weights take {size / 1e9:.1f} GB, an ONNX file holds "
            f"{MAX_BYTES / 1e9:.1f} GB at most: use the run with torch, or train a smaller one"
        )
    _need_onnx()
    module = WaveformsToLogProbs(MatrixFrontEnd(front_end), model).eval()
    rate = front_end.config.sample_rate_hz
    example = 0.1 * torch.randn(2, rate, generator=torch.Generator().manual_seed(0))
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        # Tracing warns of every Python number that it makes constant; `compared` judges instead.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (example, torch.tensor([rate, rate * 2 // 3])),
            buffer,  # type: ignore[arg-type]  # the older exporter takes files, too
            dynamo=False,
            opset_version=OPSET,
            input_names=["waveforms", "lengths"],
            output_names=["log_probs", "frames"],
            dynamic_axes={
                "waveforms": {0: "batch", 1: "samples"},
                "lengths": {0: "batch"},
                "log_probs": {0: "batch", 1: "frames"},
                "frames": {0: "batch"},
            },
        )
    return _folded(buffer.getvalue())


def compared(
    graph: bytes,
    front_end: FrontEnd,
    model: AcousticModel,
    trials_s: Sequence[Sequence[float]] = TRIALS_S,
) -> float:
    """The greatest difference of log-probabilities between the graph and torch.

    Noise of several lengths, batches of several sizes, silence and a single frame.

    Raises:
        ConfigError: Lengths differ, or a log-probability differs by more than ``TOLERANCE``: what
            the model does cannot be exported this way.
    """
    session, worst = open_session(graph, threads=1), 0.0
    random = np.random.default_rng(0)
    config = front_end.config
    hears_s = np.inf if model.max_frames is None else model.max_frames * config.frame_s
    longest = (hears_s - config.append_ms / 1000) * config.sample_rate_hz
    for seconds in trials_s:
        lengths = [max(1, round(min(s * config.sample_rate_hz, longest - 1))) for s in seconds]
        padded = np.zeros((len(lengths), max(lengths)), dtype=np.float32)
        for row, length in zip(padded[: max(1, len(lengths) - 1)], lengths, strict=False):
            row[:length] = random.normal(0, 0.1, length)  # the last of several stays silent
        found, frames = session.run(None, {"waveforms": padded, "lengths": np.array(lengths)})
        with torch.inference_mode():
            features = front_end(torch.from_numpy(padded), torch.tensor(lengths))
            encoded = model.encode(*features)
        assert encoded.ctc_log_probs is not None
        same_lengths = frames.tolist() == encoded.lengths.tolist()
        for ours, theirs, length in zip(
            found, encoded.ctc_log_probs.numpy(), encoded.lengths.tolist(), strict=True
        ):
            if same_lengths and length:
                worst = max(worst, float(np.abs(ours[:length] - theirs[:length]).max()))
        if not same_lengths or not worst <= TOLERANCE:
            raise ConfigError(
                f"the exported graph of a model of kind {model.config.kind!r} differs from torch "
                f"at {lengths} samples: frames {frames.tolist()} instead of "
                f"{encoded.lengths.tolist()}, log-probabilities by {worst:.2g}: nothing is written"
            )
    return worst


def _need_onnx() -> None:
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("export", "onnx", "`malgwi export`") from error


def _folded(graph: bytes) -> bytes:
    """The same graph with constant parts computed, by onnxruntime's basic optimisations."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "folded.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(path)
        options.log_severity_level = 3
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        return path.read_bytes()
