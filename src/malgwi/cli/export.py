"""`malgwi export`: a trained run to a folder that needs no torch."""

from pathlib import Path
from typing import Annotated

import torch
import tyro
import yaml

from malgwi import manifest
from malgwi.config import to_yaml
from malgwi.errors import ConfigError
from malgwi.export import MAX_RISE, Check, Heldout, export
from malgwi.exported import GRAPHS, TOKENIZER
from malgwi.lm import transcripts
from malgwi.run import load_config, load_recogniser, references
from malgwi.transcribe import Recogniser


def main(
    run: Annotated[Path, tyro.conf.Positional],
    /,
    *,
    out: Path | None = None,
    int8: bool = False,
    check: Path | None = None,
    threads: int | None = None,
) -> None:
    """Export a run to ONNX, the front end inside: waveforms in, log-probabilities out.

    Only the CTC output is exported: an attention head writes step by step. The graph is compared
    with torch at several lengths and batch sizes before anything is written. Use the folder with
    `malgwi transcribe`, or without torch with `python -m malgwi.runtime`.

    For example, each on one line:

    malgwi export runs/first

    malgwi export runs/first --out first.onnx --int8 --check data/dev.jsonl

    Args:
        run: A run folder.
        out: A folder for the export; RUN/export if not given. An export there is replaced.
        int8: Also write a quantised graph, a quarter of the size, which is then the one used.
        check: A manifest to score both graphs on; the quantised one is left out, and the exit
            status 1, where it costs more than 0.3 points of CER. Needs --int8.
        threads: CPU threads.
    """
    if check is not None and not int8:
        raise ConfigError("--check compares the quantised graph with the other: add --int8")
    if threads is not None:
        torch.set_num_threads(threads)
    config, recogniser = load_config(run), load_recogniser(run)
    folder = run / "export" if out is None else out
    heldout = None if check is None else _heldout(check, run, recogniser)
    record = yaml.safe_load(to_yaml(config))
    found = export(
        recogniser,
        folder,
        run=record,
        text=config.text,
        int8=int8,
        heldout=heldout,
        say=print,
    )
    for name in (*GRAPHS.values(), TOKENIZER, transcripts.FILE):
        if (folder / name).is_file():
            print(f"{name:<16} {(folder / name).stat().st_size / 1e6:7.2f} MB")
    if found is not None:
        print("\n".join(_lines(found)))
    print(f"written to {folder}")
    if found is not None and found.rise > MAX_RISE:
        raise SystemExit(1)


def _heldout(path: Path, run: Path, recogniser: Recogniser) -> Heldout:
    cuts = list(manifest.read(path))
    return Heldout(
        waveforms={cut.id: recogniser.front_end.cut_waveform(cut) for cut in cuts},
        references=references(cuts, load_config(run)),
    )


def _lines(check: Check) -> list[str]:
    rows = (("fp32", check.fp32), ("int8", check.int8))
    lines = [
        f"{name}  CER {100 * one.cer_nospace:6.2f} %  {one.x_real_time:6.0f} × real time, 1 thread"
        for name, one in rows
    ]
    verdict = f"quantisation adds {100 * check.rise:+.2f} points on {check.utterances} utterances"
    if check.rise > MAX_RISE:
        verdict += f", more than {100 * MAX_RISE:.1f}: the quantised graph is left out"
    if check.int8.x_real_time < check.fp32.x_real_time:
        verdict += "; and it is no faster on this machine"
    return [*lines, verdict]
