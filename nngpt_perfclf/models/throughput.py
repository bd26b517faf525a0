"""How many tokens a second a language model reads and trains on here, measured in a few seconds.

`python -m nngpt_perfclf.models.throughput [key=value …]` prints both rates of the configured model as JSON.
"""

import json
import sys

import numpy as np
import torch

from nngpt_perfclf.budget import Rates, measured_rate
from nngpt_perfclf.config import Config, load_config
from nngpt_perfclf.models.adapter import with_adapter
from nngpt_perfclf.models.device import resolve, timed
from nngpt_perfclf.models.encoder import prompt_tokens
from nngpt_perfclf.models.language import LanguageModel, load, threads
from nngpt_perfclf.models.rows import option_row, row_tokens
from nngpt_perfclf.models.trainer import OptionsCollator, options_log_odds
from nngpt_perfclf.models.zoo import ensure_ready
from nngpt_perfclf.prompts import Prompt
from nngpt_perfclf.types import PerfclfError

_LEAST, _LARGEST = 2, 64  # questions in a sample
_LAYER = "conv3:{}>{} bn relu max2 "  # a code of 24 such layers has as many tokens as LEMUR's codes on average
_QUESTION = ("{}: lr-2.6 mom.92 batch64 drop.3 img64 flip norm\n{}: lr-1.9 mom.85 batch256 drop.12 img32 norm\n"
             "better score at epoch 1:\n")
_OPTIONS = ("cifar-10", "svhn")


def measure(model: LanguageModel, config: Config) -> Rates:
    """Both rates. The model gets an adapter where it has none; its weights are left as they are."""
    return Rates(reading_rate(model), training_rate(model, config))


def reading_rate(model: LanguageModel) -> float:
    """Tokens a second of scoring two questions about each of several codes."""
    def read(questions: int) -> int:
        prompts = [prompt for code in range(questions // 2 or 1) for prompt in _prompts(code, 2)]
        model.score(prompts)
        return prompt_tokens(map(model.encoder.asked, prompts))

    return measured_rate(read, _LEAST, _LARGEST, timed)


def training_rate(model: LanguageModel, config: Config) -> float:
    """Tokens a second of passes forward and backward over several questions about each code."""
    model = with_adapter(model, config)
    size, precision = config.train.questions_per_code, resolve(config.train.precision)
    device = model.network.device

    def train(questions: int) -> int:
        prompts = [_prompts(code, min(size, questions)) for code in range(max(1, questions // size))]
        rows = [option_row(model.encoder, lesson, np.ones(len(lesson)), np.zeros(len(lesson)), 10**6)
                for lesson in prompts]
        inputs = {name: tensor.to(device) for name, tensor in OptionsCollator()(rows).items()}
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            scores = options_log_odds(model.network, model.causal, model.answers, inputs)
        scores.sum().backward()
        return sum(map(row_tokens, rows))

    model.network.train()
    try:
        return measured_rate(train, _LEAST, _LARGEST, timed)
    finally:
        model.network.eval()
        model.network.zero_grad(set_to_none=True)


def _prompts(code: int, questions: int) -> list[Prompt]:
    """Questions of a usual size about one of many codes."""
    layers = "".join(_LAYER.format(8 * (code + at), 8 * (code + at + 1)) for at in range(12))
    return [Prompt("On which dataset does the network do better?", f"{layers}fc>n\n",
                   _QUESTION.format(*(_OPTIONS if at % 2 else _OPTIONS[::-1])) + f"{at}:", _OPTIONS)
            for at in range(questions)]


def main(words: list[str]) -> int:
    """The rates of the model that the overrides `words` configure, on standard output; the exit status."""
    try:
        config = load_config(overrides=words)
        with threads(config.threads):
            model = load(ensure_ready(config.model), chat=config.model.chat, precision=config.train.precision)
            rates = measure(model, config)
    except PerfclfError as error:
        print(f"throughput: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"read": rates.read, "train": rates.train}))
    return 0


if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
