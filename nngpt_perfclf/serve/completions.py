"""Chat completions for NNGPT's accuracy predictor: how far a network will come, given its first epochs.

NNGPT's client (ab/gpt/util/acc_client.py) puts dataset, code and the accuracies of three epochs into a message to an
OpenAI-style server, and expects a JSON object with `best_accuracy` in percent and `best_epoch`. Its message is read
here, and answered by `advice.curves` instead of a language model.
"""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from nngpt_perfclf.advice.adapters import Scorer
from nngpt_perfclf.advice.curve_model import EPOCHS
from nngpt_perfclf.advice.curves import CurveAdviser, going_on
from nngpt_perfclf.config import Config
from nngpt_perfclf.types import Candidate, PerfclfError

BUDGET = 50  # epochs, where the message states none
_FENCE = re.compile(r"^```(?:python)?[ \t]*\n(.*)^```", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r"^(dataset|max_epochs|epoch_[0-9]{1,3}_accuracy):[ \t]*(\S+)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Request:
    """What a message asks: how far `candidate`, whose first epochs were seen, comes within `budget` epochs."""

    candidate: Candidate
    dataset: str
    budget: int


def read_message(text: str) -> Request:
    """Raises PerfclfError for a message without a dataset, code or an accuracy, and for numbers that cannot be. The
    accuracies are percentages if one is above 1; else they are shares."""
    code = _FENCE.search(text)
    if code is None:
        raise PerfclfError("the message has no code between ``` and ```")
    fields = dict(_FIELD.findall(text[:code.start()]))  # what the code says about itself does not count
    if "dataset" not in fields:
        raise PerfclfError("the message has no line 'dataset: NAME'")
    seen = {int(name.split("_")[1]): _number(name, value) for name, value in fields.items()
            if name.endswith("accuracy")}
    if not seen:
        raise PerfclfError("the message has no line 'epoch_1_accuracy: NUMBER'")
    scale = 100 if max(seen.values()) > 1 else 1
    candidate = Candidate("", code[1], seen={epoch: accuracy / scale for epoch, accuracy in seen.items()})
    budget = _number("max_epochs", fields.get("max_epochs", str(BUDGET)))
    if not 1 <= budget < 1e6:
        raise PerfclfError(f"max_epochs is {budget:g}")
    return Request(candidate, fields["dataset"], int(budget))


def curve_advisers(scorer: Scorer, config: Config) -> dict[int, CurveAdviser]:
    """By each of `EPOCHS`, who says what a network will reach by then."""
    return {epoch: going_on(scorer, replace(config, epoch=epoch)) for epoch in EPOCHS}


def best(request: Request, advisers: Mapping[int, CurveAdviser]) -> tuple[float, int]:
    """The highest accuracy in 0..1 that was seen or is expected at one of the advisers' epochs within the budget, and
    its epoch."""
    reached = dict(request.candidate.seen)
    last = max(reached)
    for epoch, adviser in advisers.items():
        if last < epoch <= request.budget:
            (score,) = adviser.score([request.candidate], request.dataset)
            if score is not None and score.accuracy is not None:
                reached[epoch] = score.accuracy.value
    epoch = max(reached, key=lambda each: (reached[each], -each))
    return reached[epoch], epoch


def completion(accuracy: float, epoch: int, model: str, stop: str | Sequence[str] | None) -> dict:
    """The answer in OpenAI's form. As there, the text ends before the first of the `stop` texts."""
    text = json.dumps({"best_accuracy": round(100 * accuracy, 2), "best_epoch": epoch})
    places = [text.find(word) for word in ([stop] if isinstance(stop, str) else stop or []) if word]
    text = text[:min((place for place in places if place >= 0), default=len(text))]
    return {"id": "nngpt-perfclf", "object": "chat.completion", "created": int(time.time()), "model": model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}


def _number(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        raise PerfclfError(f"{name} is {value[:50]!r}, not a number") from None
    if not 0 <= number < float("inf"):
        raise PerfclfError(f"{name} is {value[:50]}")
    return number
