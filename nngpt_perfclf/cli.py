"""`nngpt-perfclf VERB [operands] [key=value …]`: every verb calls one function and shows what it returns."""

import argparse
import re
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

from nngpt_perfclf.types import PerfclfError

_OVERRIDE = re.compile(r"[A-Za-z_][\w.]*=")


@dataclass(frozen=True)
class Verb:
    """`operands`: names of the positional words, the last with … if it takes any number, with ? if it may be
    absent; `options`: flag -> (metavar or None for a switch, help); `call`: "module:function", given the
    configuration, the operands and the options by keyword; `keys`: the configuration keys, or groups of them, that the
    verb reads; `config`: the file in conf/ that --config stands for; `table`: "module:function" that makes of the
    result what is shown without --json."""

    help: str
    call: str
    operands: tuple[str, ...] = ()
    options: tuple[tuple[str, str | None, str], ...] = ()
    keys: tuple[str, ...] = ()
    config: str | None = None
    table: str | None = None


_DATA = ("task", "epoch", "label", "trial", "seed", "corpus", "split")
_PROMPT = ("template", "code_only_template", "code_view", "code_tokens", "datasets")
_ADVICE = ("advice.confidence", "advice.batch_tokens", "advice.answer_cache", "advice.profile", "advice.references",
           "train.precision")
VERBS = {
    "corpus": Verb("read LEMUR's recorded trials and say what is in them", "corpus:describe", keys=("corpus",)),
    "pairs": Verb("make the labelled dataset pairs and their split", "tasks.export:export",
                  options=(("--out", "FILE", "write the pairs: .jsonl or .parquet"),), keys=(*_DATA, "out")),
    "dataset": Verb("describe an image dataset of your own, so that advisers know it", "datasets.sources:command",
                    ("action", "source"), (("--name", "NAME", "how it will be called"),), keys=("out",)),
    "models": Verb("list the models and which are ready", "models.zoo:describe",
                   options=(("--fetch", None, "fetch and convert the configured model first"),), keys=("model",)),
    "prompts": Verb("list the templates, or render those of an NNGPT file", "prompts:describe", ("name?",),
                    (("--nngpt", "FILE", "read an NNGPT prompt JSON instead"),
                     ("--views", None, "measure the code views of the task's networks instead")),
                    (*_PROMPT, "task", "epoch", "corpus", "model")),
    "train": Verb("fine-tune an adapter, or fit another adviser (model=pointwise, pairwise, stack), and calibrate it",
                  "advice.training:train", keys=(*_DATA, "seeds", *_PROMPT, "out", "resume", "threads", "model", "lora",
                                                 "train", "advice.features", "advice.parts", "advice.profile")),
    "advise": Verb("ask about one network's code", "advice.answering:answer", ("net.py?", "ds_a?", "ds_b?"),
                   (("--batch", "FILE", "read questions as JSON lines instead"),
                    ("--outcomes", "FILE", "candidates trained already: JSON lines, or a loop's database")),
                   ("adviser", "epoch", "label", "datasets", *_ADVICE, "recipe", "recipe_a", "recipe_b", "out")),
    "serve": Verb("answer rank, advise and gate over HTTP (extra: serve)", "serve.command:serve",
                  keys=("serve", "scorer", "adviser", "epoch", "label", "datasets", "seed", *_ADVICE, "out")),
    "rank": Verb("rank networks for one dataset, best first", "advice.rank_command:rank", ("net.py…",),
                 (("--target", "DATASET", "the dataset that they would be trained on"),
                  ("--outcomes", "FILE", "candidates trained on it already: JSON lines, or a loop's database")),
                 ("scorer", "epoch", "label", "datasets", *_ADVICE, "advice.rank_by", "advice.time_limit", "recipe")),
    "profile": Verb("build networks in the sandbox, untrained, and measure them", "advice.profile_command:profile",
                    ("net.py…?",),
                    (("--dataset", "DATASET", "the dataset that they are built for"),
                     ("--corpus", None, "the networks of LEMUR's trials instead of files"),
                     ("--out", "FILE", "with --corpus: write the table of features, .parquet"),
                     ("--sample", "COUNT", "with --corpus: only measure how long so many of the networks take")),
                    ("datasets", "task", "seed", "corpus", "recipe"), table="advice.profile_command:table"),
    "evaluate": Verb("measure an adviser on held-out pairs, with its baselines", "evaluation:evaluate", ("run?",),
                     (("--outcomes", "FILE", "compare it with the scorer on trained candidates instead"),
                      ("--against", "RUN", "say how far the probabilities are from those of another evaluation")),
                     ("adviser", "scorer", *_DATA, *_PROMPT, "out", "resume", "threads", *_ADVICE, "evaluate",
                      "train.labels", "train.precision", "model")),
    "report": Verb("write the HTML page of finished runs", "evaluation.report:report", ("run…",), keys=("out",)),
    "bench": Verb("measure how fast advice and training are on this machine", "models.benchmark:bench", ("net.py?",),
                  keys=("task", "code_view", "code_tokens", "threads", "model", "lora", "train", "evaluate.new_tokens",
                        "evaluate.temperature", "evaluate.top_k", "evaluate.top_p")),
    "loop": Verb("run the AutoML loop: propose, score, prune, train", "simulate:run_loop",
                 keys=(*_DATA, "datasets", "out", "resume", "threads", *_ADVICE, "evaluate.part", "loop")),
    "nngpt": Verb("prune or undo an NNGPT epoch, enable or disable an NNGPT checkout", "nngpt.command:command",
                  ("action", "path"),
                  (("--target", "DATASET", "prune: the dataset, instead of each candidate's own"),
                   ("--keep", "SHARE", "prune: the share of the candidates to keep"),
                   ("--dry-run", None, "prune, undo: only say what would be moved")),
                  ("scorer", "label", "datasets", "out", *_ADVICE, "loop.keep", "loop.least_kept", "loop.confidence",
                   "loop.miss_probability", "loop.inverse_temperature", "nngpt"), config="nngpt.yaml"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; 0: done, 1: a clear one-line error, 2: usage."""
    parser = _parser()
    arguments, later = parser.parse_known_args(argv)
    if flags := [word for word in later if word.startswith("-")]:
        parser.error(f"{arguments.verb} has no option {flags[0]}")
    verb = VERBS[arguments.verb]
    # argparse gives up on words that stand behind an option; people do not.
    words = [*arguments.words, *later]
    overrides = [word for word in words if _OVERRIDE.match(word)]
    operands = [word for word in words if not _OVERRIDE.match(word)]
    _check_operands(parser, arguments.verb, verb, operands)
    names = [flag.strip("-").replace("-", "_") for flag, _, _ in verb.options]
    options = {name: getattr(arguments, name) for name in names}
    try:
        from nngpt_perfclf.config import conf_folder, load_config
        from nngpt_perfclf.console import show
        from nngpt_perfclf.extras import extras_named

        config = load_config(arguments.config or (verb.config and conf_folder() / verb.config), overrides)
        with extras_named():
            result = _function(verb.call)(config, *operands, **options)
        show(result if arguments.json or verb.table is None else _function(verb.table)(result), arguments.json)
    except (PerfclfError, OSError) as error:
        print(f"nngpt-perfclf {arguments.verb}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"nngpt-perfclf {arguments.verb}: stopped; what was finished is kept "
              "(a run folder goes on with resume=true)", file=sys.stderr)
        return 130
    return 0


class _VerbParser(argparse.ArgumentParser):
    """A parser whose help ends with the configuration keys of its verb, read only when the help is shown."""

    def __init__(self, *arguments, keys: Sequence[str] = (), **named):
        super().__init__(*arguments, **named)
        self.keys = keys

    def format_help(self) -> str:
        from nngpt_perfclf.config.keys import keys

        rows = [f"  {key.name}={key.default}\n{_wrapped(f'{key.type}. {key.meaning}'.rstrip('. '))}"
                for key in keys(self.keys)]
        return super().format_help() + ("\nsettings, key=default:\n" + "\n".join(rows) + "\n" if rows else "")


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 100, initial_indent=" " * 6, subsequent_indent=" " * 6)


def _function(name: str) -> Callable:
    module, function = name.split(":")
    return getattr(import_module(f"nngpt_perfclf.{module}"), function)


def _parser() -> argparse.ArgumentParser:
    from nngpt_perfclf import __version__

    parser = argparse.ArgumentParser(
        prog="nngpt-perfclf", description="Predicts, before training, how well a network will do on an image dataset.",
        epilog="VERB --help lists the key=value settings that a verb reads.")
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=_VerbParser)
    for name, verb in VERBS.items():
        verb_parser = verbs.add_parser(name, help=verb.help, description=verb.help, keys=verb.keys,
                                       usage=f"nngpt-perfclf {' '.join([name, *map(_shown, verb.operands)])} "
                                             "[key=value …] [options]")
        verb_parser.add_argument("words", nargs="*", metavar="WORD", help="operands, and key=value overrides")
        verb_parser.add_argument("--config", metavar="FILE", help="a YAML file of overrides")
        verb_parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
        for flag, metavar, text in verb.options:
            kind = {"action": "store_true"} if metavar is None else {"metavar": metavar}
            verb_parser.add_argument(flag, help=text, **kind)
    return parser


def _shown(operand: str) -> str:
    word = operand.rstrip("?…").upper()
    word += "…" * ("…" in operand)
    return f"[{word}]" if operand.endswith("?") else word


def _check_operands(parser: argparse.ArgumentParser, name: str, verb: Verb, operands: list[str]) -> None:
    least = sum(not operand.endswith("?") for operand in verb.operands)
    most = 10**9 if any("…" in operand for operand in verb.operands) else len(verb.operands)
    if not least <= len(operands) <= most:
        wanted = " ".join(map(_shown, verb.operands)) or "no operands"
        parser.error(f"{name} takes {wanted} (and key=value overrides), not {' '.join(operands) or 'nothing'}")
