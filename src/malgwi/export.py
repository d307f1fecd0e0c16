"""A trained recogniser to a folder that runs without torch: graph, units, checksums.

Eight-bit weights are made channel by channel and for matrix products and LSTM cells alone; the
front end stays as it is. Activations are quantised as they come (dynamic quantisation), so nothing
has to be calibrated. The surprising choice: weights keep seven bits. On processors without
eight-bit dot products onnxruntime adds pairs of products in 16 bits, which eight-bit weights
overflow without a word; a file that is right on one machine would be wrong on another.

Whether eight bits cost accuracy is measured, not assumed: `check` scores both graphs.
"""

import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from malgwi import __version__
from malgwi.checkpoint import write_bytes
from malgwi.errors import ConfigError
from malgwi.exported import (
    GRAPHS,
    MANIFEST,
    TOKENIZER,
    ExportedAudio,
    ExportedSearch,
    ExportManifest,
    is_export,
    record_file,
)
from malgwi.front_end import FrontEndConfig
from malgwi.lm.binary import write_binary
from malgwi.lm.transcripts import FILE
from malgwi.metrics.error_rate import cer_nospace
from malgwi.onnx_graph import OPSET, compared, to_onnx
from malgwi.runtime import load
from malgwi.text.normalize import NormalizerConfig
from malgwi.transcribe import Recogniser

#: The most that quantisation may add to the character error rate, absolute.
MAX_RISE = 0.003
_QUANTISED = ("MatMul", "Gemm", "LSTM")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One graph on one manifest: CER without spaces, and seconds of audio a second, one thread."""

    cer_nospace: float
    x_real_time: float


@dataclass(frozen=True, kw_only=True)
class Check:
    """Both graphs on the same utterances."""

    utterances: int
    fp32: Measured
    int8: Measured

    @property
    def rise(self) -> float:
        """What quantisation added to the error rate, absolute."""
        return self.int8.cer_nospace - self.fp32.cer_nospace


@dataclass(frozen=True, kw_only=True)
class Heldout:
    """What to score graphs on: trimmed waveforms [N] and references by the same ids."""

    waveforms: Mapping[str, NDArray[np.float32]]
    references: Mapping[str, str]


def export(
    recogniser: Recogniser,
    folder: Path,
    *,
    run: Mapping[str, Any],
    text: NormalizerConfig | None = None,
    int8: bool = False,
    heldout: Heldout | None = None,
    say: Callable[[str], None] = lambda _line: None,
) -> Check | None:
    """Write an exported recogniser, beside first and then renamed; an export there is replaced.

    Args:
        recogniser: On the CPU, with a CTC output.
        folder: Where to; it may be an export already.
        run: The run's configuration, for people to read.
        text: How the run normalises transcripts, by which language models are refused that do
            not fit.
        int8: Whether to write the quantised graph too.
        heldout: What to measure the loss by quantisation on.
        say: Where facts are told.

    Returns:
        What was measured on ``heldout``. If the error rate rose by more than ``MAX_RISE``, the
        quantised graph is left out.

    Raises:
        ConfigError: No CTC output, the graph differs from torch, or ``folder`` holds other things.
        MissingExtraError: onnx or onnxruntime is not installed.
    """
    _refuse_other_things(folder)
    graph = to_onnx(recogniser.front_end, recogniser.model)
    difference = compared(graph, recogniser.front_end, recogniser.model)
    say(f"log-probabilities differ from torch's by at most {difference:.1e}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as made:
        beside = Path(made) / folder.name
        write_bytes(beside / GRAPHS["fp32"], graph)
        units = json.dumps(recogniser.tokenizer.to_dict(), ensure_ascii=False)
        write_bytes(beside / TOKENIZER, units.encode())
        if recogniser.transcripts_model is not None:
            write_binary(recogniser.transcripts_model.model, beside / FILE)
        facts = {**_facts(recogniser), "difference_from_torch": difference, "run": dict(run)}
        check = None
        if int8:
            quantise(beside / GRAPHS["fp32"], beside / GRAPHS["int8"])
            _write_manifest(recogniser, beside, text, facts)
            check = None if heldout is None else measure(beside, heldout)
        if check is not None:
            facts["check"] = asdict(check)
            if check.rise > MAX_RISE:
                (beside / GRAPHS["int8"]).unlink()
        _write_manifest(recogniser, beside, text, facts)
        _replace(folder, beside)
    return check


def _refuse_other_things(folder: Path) -> None:
    """An export may be replaced, and nothing else."""
    ours = {MANIFEST, TOKENIZER, FILE, *GRAPHS.values()}
    if not folder.exists():
        return
    others = [path.name for path in folder.iterdir() if path.name not in ours]
    if others or not is_export(folder):
        held = f"holds {sorted(others)[0]}" if others else "has no manifest.json"
        raise ConfigError(f"{folder} exists and is not an export ({held}): give another --out")


def quantise(graph: Path, target: Path) -> None:
    """Write a graph with weights of matrix products and LSTM cells in eight bits, by channel."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    nodes = onnx.load(graph).graph.node
    logging.disable(logging.WARNING)  # it recommends what `to_onnx` has done already
    try:
        quantize_dynamic(
            graph,
            target,
            op_types_to_quantize=list(_QUANTISED),
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[node.name for node in nodes if "/front_end/" in node.name],
        )
    finally:
        logging.disable(logging.NOTSET)


def measure(folder: Path, heldout: Heldout) -> Check:
    """Score both graphs of an export on one thread."""
    return Check(
        utterances=len(heldout.references),
        fp32=_measured(folder, "fp32", heldout),
        int8=_measured(folder, "int8", heldout),
    )


def _measured(folder: Path, precision: Any, heldout: Heldout) -> Measured:
    recogniser = load(folder, precision=precision, threads=1)
    names = list(heldout.references)
    waveforms = [heldout.waveforms[name] for name in names]
    began = time.perf_counter()
    found = recogniser.recognise(waveforms)
    spent_s = time.perf_counter() - began
    hypotheses = {name: heard.text for name, heard in zip(names, found, strict=True)}
    return Measured(
        cer_nospace=cer_nospace(dict(heldout.references), hypotheses).rate,
        x_real_time=sum(heard.duration_s for heard in found) / spent_s,
    )


def _facts(recogniser: Recogniser) -> dict[str, Any]:
    encoder = recogniser.model
    return {
        "opset": OPSET,
        "torch": torch.__version__,
        "model": encoder.config.kind,
        "parameters_trained": sum(p.numel() for p in encoder.parameters()),
        "units": recogniser.tokenizer.size,
        "unit": recogniser.tokenizer.to_dict()["kind"],
    }


def _write_manifest(
    recogniser: Recogniser, folder: Path, text: NormalizerConfig | None, facts: Mapping[str, Any]
) -> None:
    decoding, config = recogniser.decoding, recogniser.front_end.config
    manifest = ExportManifest(
        malgwi_version=__version__,
        audio=_audio(config),
        search=ExportedSearch(
            blank_id=recogniser.tokenizer.blank_id,
            max_segment_s=decoding.max_segment_s,
            max_batch_s=decoding.max_batch_s,
            method="ctc_beam" if decoding.method == "ctc_beam" else "ctc",
            ctc_beam=decoding.ctc_beam,
            fusion=decoding.fusion,
        ),
        files={path.name: record_file(path) for path in _files(folder)},
        text=None if text is None else text.to_dict(),
        facts=facts,
    )
    write_bytes(folder / MANIFEST, manifest.to_json().encode())


def _audio(config: FrontEndConfig) -> ExportedAudio:
    return ExportedAudio(
        sample_rate_hz=config.sample_rate_hz,
        channels=config.channels,
        trim_db=config.trim_db,
        trim_frame_length=config.trim_frame_length,
        trim_hop_length=config.trim_hop_length,
        min_samples=1 if config.center else config.fft_length,
    )


def _files(folder: Path) -> Sequence[Path]:
    return sorted(path for path in folder.iterdir() if path.name != MANIFEST)


def _replace(folder: Path, beside: Path) -> None:
    """Put a finished folder in its place; an earlier one goes only once that has worked."""
    if folder.exists():
        old = folder.with_name(f".{folder.name}.old.{os.getpid()}")
        folder.rename(old)
        beside.rename(folder)
        shutil.rmtree(old)
    else:
        beside.rename(folder)
