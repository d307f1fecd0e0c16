"""The command line: one file a command, found by name, imported only when called.

A command file holds one function ``main`` whose signature *is* the interface (tyro turns it into
options and help); one whose function is ``run`` parses for itself. ``malgwi score`` therefore
starts without importing torch.
"""

import os
import sys

import tyro

from malgwi import __version__
from malgwi.errors import MalgwiError
from malgwi.registry import resolve

#: name → (module:function, one line for the overview)
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": (
        "malgwi.cli.demo:main",
        "prepare, train, evaluate and transcribe on the corpus inside",
    ),
    "doctor": ("malgwi.cli.doctor:main", "what is installed, what works, what missing things cost"),
    "prepare": ("malgwi.cli.prepare:main", "a corpus, or your own recordings, to a manifest"),
    "audit": ("malgwi.cli.audit:main", "what is in a corpus, what is suspicious, what parts share"),
    "split": ("malgwi.cli.split:main", "manifests to training and development parts without leaks"),
    "train": ("malgwi.cli.train:run", "train a recogniser by a recipe"),
    "lm": ("malgwi.cli.lm:main", "a language model from text, or from an ARPA file"),
    "score": ("malgwi.cli.score:main", "error rates of any recogniser's output, with intervals"),
    "compare": ("malgwi.cli.compare:main", "whether one recogniser is better than another"),
    "synth": ("malgwi.cli.synth:main", "a synthetic telephone corpus, by espeak-ng"),
    "evaluate": (
        "malgwi.cli.evaluate:main",
        "score a run on a manifest, with time, size and report",
    ),
    "transcribe": ("malgwi.cli.transcribe:main", "audio files to text"),
}


def overview() -> str:
    """The text of ``malgwi --help``."""
    width = max(map(len, COMMANDS), default=0)
    lines = [f"malgwi {__version__}: Korean speech recognition, telephone first", ""]
    lines += ["usage: malgwi COMMAND [OPTIONS]        (malgwi COMMAND --help says more)", ""]
    lines += [f"  {name:<{width}}  {line}" for name, (_, line) in COMMANDS.items()]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    """Run one command. Exits with 2 on errors that the user can mend."""
    args = sys.argv[1:] if argv is None else argv
    if not args or args[0] in {"-h", "--help", "help"}:
        print(overview())
        return
    if args[0] in {"-V", "--version"}:
        print(__version__)
        return
    try:
        table = {name: target for name, (target, _) in COMMANDS.items()}
        command = resolve("command", table, args[0])
        if command.__name__ == "run":  # a command that parses for itself
            command(args[1:])
        else:
            tyro.cli(command, prog=f"malgwi {args[0]}", args=args[1:])
    except BrokenPipeError:  # the reader, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except MalgwiError as error:
        print(f"malgwi {args[0]}: {error}", file=sys.stderr)
        raise SystemExit(2) from None
