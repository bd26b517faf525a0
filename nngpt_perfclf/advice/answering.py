"""The verb `advise`: one network and two datasets, or a file of questions."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from nngpt_perfclf.advice import load_pair_adviser
from nngpt_perfclf.advice.adapters import PairAdviser
from nngpt_perfclf.advice.base import Adviser, check_question
from nngpt_perfclf.advice.inputs import read_network, read_outcomes, read_question, recipe_of
from nngpt_perfclf.advice.registry import identity_of
from nngpt_perfclf.code_view.parsing import parses
from nngpt_perfclf.config import Config
from nngpt_perfclf.console import progress
from nngpt_perfclf.datasets import dataset_properties
from nngpt_perfclf.files import alone
from nngpt_perfclf.types import Advice, PerfclfError, Question, Recipe

AT_ONCE = 64  # questions: enough for full batches, few enough to lose when the run is killed


def answer(config: Config, net: str | None = None, ds_a: str | None = None, ds_b: str | None = None,
           batch: str | None = None, outcomes: str | None = None) -> dict:
    """Ask `config.adviser` about the network file `net` and two datasets, or about every line of the file `batch`.
    `outcomes`: a file of candidates that were trained already, as JSON lines with `dataset` and `accuracy` or the run
    database of a loop.

    One question: returns answer, probability, prior, whether it is decided, and the reason. A batch: see `answer_all`.
    Raises PerfclfError for a file that is missing, empty, not UTF-8 or not Python, and for datasets that are unknown
    or the same.
    """
    if batch is not None:
        if net is not None:
            raise PerfclfError("--batch reads its questions from the file: name no network as well")
        return answer_all(_adviser(config, outcomes), config, Path(batch), outcomes)
    if net is None or ds_a is None or ds_b is None:
        raise PerfclfError("name a network file and two datasets, as in: advise net.py cifar-10 svhn; or --batch FILE")
    question = Question(read_network(Path(net)), ds_a, ds_b, *_recipes(config), epoch=config.epoch)
    if not parses(question.arch_code):
        raise PerfclfError(f"{net} does not parse as Python")
    adviser = _adviser(config, outcomes)
    _check(adviser, question, config)
    return {"network": net, "datasets": [ds_a, ds_b], "adviser": config.adviser,
            **_entry(adviser.advise_many([question])[0])}


def answer_all(adviser: PairAdviser, config: Config, file: Path, outcomes: str | None = None) -> dict:
    """Answer the JSON lines of `file` into `config.out` (default: beside it, ending in ``.advice.jsonl``), in order.
    `outcomes`: the file of outcomes that the adviser was told.

    A line holds the fields of a Question; `net`, a path relative to the file's folder, may replace `arch_code`, and a
    recipe is an object such as ``{"lr": 0.01, "batch": 64}``. A line that cannot be asked gets an entry with `error`.
    A stopped run goes on where it was: complete output lines that answer the input's lines are kept.
    """
    out = Path(config.out) if config.out else file.with_name(f"{file.stem}.advice.jsonl")
    if not file.is_file():
        raise PerfclfError(f"no file of questions {file}")
    if out.resolve() == file.resolve():
        raise PerfclfError(f"out={out} is the file of questions itself: name another one")
    total = sum(1 for _ in _lines(file))
    out.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(Path(outcomes).read_bytes()).hexdigest() if outcomes else ""
    asked_as = (f"{identity_of(config.adviser, config)} {config.epoch} {config.advice.confidence} {_recipes(config)}"
                f"{digest}")
    done = _keep_finished(out, file, asked_as)
    with progress() as bar, out.open("ab") as answers, alone(out):
        task = bar.add_task(f"asking {config.adviser}", total=total, completed=done)
        lines = islice(enumerate(_lines(file), 1), done, None)
        while chunk := list(islice(lines, AT_ONCE)):
            for (_, line), entry in zip(chunk, _answered(adviser, config, file, chunk), strict=True):
                keyed = {"key": _key(asked_as, line), **entry}
                answers.write(json.dumps(keyed, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
            answers.flush()
            os.fsync(answers.fileno())
            bar.advance(task, len(chunk))
    return {"out": str(out), "adviser": config.adviser, "questions": total, "kept_from_before": done, **_counts(out)}


def _adviser(config: Config, outcomes: str | None) -> PairAdviser:
    observations = read_outcomes(Path(outcomes), config.epoch) if outcomes else {}
    return load_pair_adviser(config.adviser, config, observations)


def _answered(adviser: PairAdviser, config: Config, file: Path, chunk: list[tuple[int, bytes]]) -> Iterator[dict]:
    questions: dict[int, Question] = {}
    errors: dict[int, str] = {}
    for number, line in chunk:
        try:
            question = read_question(line, file.parent, config.epoch, *_recipes(config))
            _check(adviser, question, config)
            questions[number] = question
        except PerfclfError as error:
            errors[number] = str(error)
    advice = dict(zip(questions, adviser.advise_many(list(questions.values())), strict=True))
    for number, _ in chunk:
        if number in errors:
            yield {"line": number, "error": errors[number]}
        else:
            asked = questions[number]
            yield {"line": number, "ds_a": asked.ds_a, "ds_b": asked.ds_b, **_entry(advice[number])}


def _recipes(config: Config) -> tuple[Recipe | None, Recipe | None]:
    """What `recipe_a.*`, `recipe_b.*` and, for both, `recipe.*` say; None for a side of which nothing is said."""
    both = recipe_of(config.recipe)
    sides = (recipe_of(config.recipe_a), recipe_of(config.recipe_b))
    merged = [Recipe(**{name: own if (own := getattr(side, name)) is not None else value
                        for name, value in asdict(both).items()}) for side in sides]
    return tuple(None if recipe.is_empty else recipe for recipe in merged)


def _check(adviser: PairAdviser, question: Question, config: Config) -> None:
    """Raise PerfclfError for a question that cannot be asked."""
    if isinstance(adviser, Adviser):
        adviser.check(question)
    else:
        check_question(question, dataset_properties(config.datasets))


def _entry(advice: Advice | None) -> dict:
    if advice is None:
        return {"answer": None, "probability": None, "prior": None, "decided": False, "reason": "no opinion"}
    entry = asdict(advice)
    return {"answer": entry.pop("better"), **entry}


def _keep_finished(out: Path, file: Path, asked_as: str) -> int:
    """How many lines of `out` answer the first lines of `file`; a half-written last line is cut off.

    Raises PerfclfError where `out` holds anything else, which is left as it is.
    """
    if not out.exists():
        return 0
    whole, done = 0, 0
    with out.open("rb") as answers:
        for answer, line in zip(answers, _lines(file), strict=False):
            if not answer.endswith(b"\n"):
                break
            if _key_of(answer) != _key(asked_as, line):
                raise PerfclfError(f"{out} holds answers to other questions, by another adviser or under other "
                                   "settings: name another out=")
            whole += len(answer)
            done += 1
        rest = out.stat().st_size - whole
        if rest and b"\n" in answers.read():
            raise PerfclfError(f"{out} holds more answers than {file} has questions: name another out=")
    os.truncate(out, whole)
    return done


def _lines(file: Path) -> Iterator[bytes]:
    """The lines that hold something."""
    with file.open("rb") as lines:
        yield from (line for line in lines if line.strip())


def _key(asked_as: str, line: bytes) -> str:
    """A digest of the question and of everything else that decides its answer, by which a later run knows its own."""
    return hashlib.sha256(asked_as.encode() + b"\0" + line.strip()).hexdigest()[:12]


def _key_of(answer: bytes) -> str | None:
    try:
        entry = json.loads(answer)
    except ValueError:
        return None
    return entry.get("key") if isinstance(entry, dict) else None


def _counts(out: Path) -> dict[str, int]:
    entries = [json.loads(line) for line in _lines(out)]
    return {"answered": sum(entry.get("answer") is not None for entry in entries),
            "decided": sum(entry.get("decided", False) for entry in entries),
            "errors": sum("error" in entry for entry in entries)}
