"""Fuzzed codes and fuzzed batches of questions: advice, `broken` or one clear line, in bounded time and memory."""

from __future__ import annotations

import json
import logging
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from cases import NOT_BUILT, Cases
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from lemur_wheel import Texts

from nngpt_perfclf import rank
from nngpt_perfclf.advice import load_pair_adviser, load_scorer
from nngpt_perfclf.advice.answering import answer_all
from nngpt_perfclf.config import load_config
from nngpt_perfclf.types import Candidate, PerfclfError, Question, Recipe

CODES, BATCHES = 10_000, 1_000
AT_ONCE = 50  # codes in one case
BUILT_CODES, BUILT_BATCHES = 100, 20  # one in so many is built in the sandbox, which takes most of a second
SLOWEST = 6.0  # seconds of processor time for one code: its checks, its score and its advice
MOST_MEMORY = 700  # MiB that all cases together may add
# What Python 3.8 to 3.14 brought.
SYNTAX = """
if (n := len('ab')) > 1: pass
def f(a, b, /, c, *, d): return f'{a=} {b!r:>{c}}'
with (open('a') as a, open('b') as b): pass
@(lambda f: f)
def g(): return {'a': 1} | {'b': 2}
match [1, 2]:\n    case [int(x), *rest] if x: pass\n    case {'k': v, **more} | Point(x=0): pass\n    case _: pass
try:\n    pass\nexcept* (ValueError, TypeError) as group:\n    raise
def h(*args: *tuple[int, ...]) -> int | None: return args[*range(2)]
type Pair[T: (int, str), *Ts, **P] = tuple[T, *Ts]
class Box[T = int]:\n    def get[U](self: 'Box[U]') -> U: ...
s = f'{'nested' + f"{1 + f'{2}'}"}'
s = f'''{\n1\n}'''
t = t'hello {name!r:>{width}}'
try:\n    pass\nexcept ValueError, TypeError:\n    pass
def k():\n    try:\n        return 1\n    finally:\n        return 2
async def m():\n    async with a as b, c: [x async for x in y if await z]
global_ = [*a, *b], {**c}
lambda *, k=1, **kw: (yield)
print 'old'
exec 'code' in ns
0777; 1_000.0e-1_0j; 0x_ff; b'\\xff' rb'\\'
x: int = 1; y: 'str'
del (a), [b]; assert x, y; raise A from B; nonlocal_ = ...
""".strip().splitlines()
SYNTAX = [line.encode().decode("unicode_escape") if "\\n" in line else line for line in SYNTAX]
WORDS = ["(", ")", "[", "]", "{", "}", ":", ",", "lambda", "def", "class", "self.", "nn.Conv2d(", "=", "*", "**", "\n",
         "\t", "    ", "\\", "'", '"', '"""', "#", "9" * 40, "1e999", "\0", "\ufeff", "\ud800", "\u202e", "\x1b[31m",
         "if", "else", "for", "in", "yield", "await", "async", "import", "from", "prm['lr']", "ﬁ", "é", "\r", "\x0c"]


FIELDS = ("arch_code", "ds_a", "ds_b", "recipe", "recipe_a", "recipe_b", "epoch", "net", "nett")


def mutated(code: str, rng: random.Random) -> str:
    """The code with a few random changes."""
    for _ in range(rng.randint(1, 6)):
        lines = code.split("\n")
        place, at = rng.randrange(len(lines)), rng.randrange(len(code) + 1)
        changed = (
            code[:at] + rng.choice(WORDS) + code[at:], code[:at] + code[at + rng.randint(1, 40):],
            "\n".join(lines[:place] + lines[place + 1:]),
            "\n".join([*lines[:place], rng.choice(SYNTAX), *lines[place:]]),
            "\n".join([*lines[:place], " " * rng.randrange(9) + lines[place], *lines[place + 1:]]),
            "\n".join(lines[:place] + [lines[place]] * rng.choice((2, 3, 50)) + lines[place:]),
            code[:at] + chr(rng.choice((rng.randrange(128), rng.randrange(0x110000)))) + code[at:],
            code[:at] + rng.choice("([{") * rng.choice((1, 5, 130)) + code[at:],
            code[:at] + str(rng.choice((0, -1, 10**9, 10**30))) + code[at + 1:])
        code = rng.choice(changed)
    return code


def fuzzed_codes() -> Iterator[str]:
    """Texts by hypothesis, lines of new syntax in networks, mutated networks, and large and deep codes."""
    texts: list[str] = []
    keywords = st.sampled_from([*WORDS, *SYNTAX, "class Net:", "def forward(self, x):", "return x"])

    @seed(0)
    @settings(max_examples=3000, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))
    @given(st.one_of(st.text(st.characters(), max_size=300), st.lists(keywords, max_size=40).map(" ".join),
                     st.lists(keywords, max_size=40).map("\n".join), st.binary(max_size=300).map(
                         lambda raw: raw.decode("utf-8", "surrogateescape"))))
    def collect(text: str) -> None:
        texts.append(text)

    collect()
    yield from texts
    for size in (10, 100, 1000, 20_000, 200_000):
        for part in ("(", "[", "-", "not ", "lambda: ", "a.", "f(", "x=", "if x:\n", "class A:\n ", "#", "'", "1+",
                     "a,", "\n", "x\n", "def f(): pass\n", "@d\n", "{**", "*", "x if x else ", "x[0]", "f'{"):
            yield part * (size // len(part))
    networks = Texts("ab/nn/nn")
    names, number = sorted(networks.keys()), 0
    while True:
        rng = random.Random(number)
        yield mutated(networks[rng.choice(names)], rng)
        number += 1


def check_codes(cases: Cases) -> None:
    scorer, adviser = load_scorer("pointwise", NOT_BUILT), load_pair_adviser("pairwise", NOT_BUILT)
    codes = list(islice(fuzzed_codes(), CODES))
    start = None
    for number in range(0, CODES, AT_ONCE):
        case = f"codes {number}"
        if case in cases.done:
            continue
        counts, slowest, violation = {"ok": 0, "broken": 0, "unknown": 0}, 0.0, ""
        for place, code in enumerate(codes[number:number + AT_ONCE], number):
            began = time.process_time()
            try:
                config = None if place % BUILT_CODES == 0 else NOT_BUILT
                [row] = rank([Candidate(f"net-{place}", code)], "svhn", scorer, config)
                [advice] = adviser.advise_many([Question(code, "svhn", "mnist")])
                counts[row.status] += 1
                if row.status == "broken" and not one_line(row.reason):
                    violation = f"code {place}: the reason is not one clear line: {row.reason!r}"
                if advice is not None and not 0.5 <= advice.probability <= 1:
                    violation = f"code {place}: {advice}"
            except Exception as error:  # noqa: BLE001 - every error is the finding
                violation = f"code {place}: {type(error).__name__}: {error}"
            slowest = max(slowest, time.process_time() - began)
        if slowest > SLOWEST:
            violation = violation or f"one code took {slowest:.1f} s"
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        start = start or memory
        if memory - start > MOST_MEMORY:
            violation = violation or f"{memory - start:.0f} MiB more than at the start"
        cases.note(case, "50 codes", violation, **counts, slowest=slowest, memory=memory)


def one_line(text: str) -> bool:
    return bool(text) and "\n" not in text and len(text) < 1000


def fuzzed_batch(number: int, codes: list[str]) -> bytes:
    """A few lines, most of them almost questions."""
    rng = random.Random(number)

    def value() -> object:
        return rng.choice([None, True, 0, -1, 10**400, 0.1, float("nan"), float("inf"), "", "svhn", "mnist", "cifar-10",
                           "no such", "\ud800", [], {}, [1], {"lr": 0.1}, rng.choice(codes), "x" * 10_000])

    def line() -> bytes:
        question = {"arch_code": rng.choice(codes), "ds_a": "svhn", "ds_b": "mnist"}
        for _ in range(rng.randrange(4)):
            question[rng.choice(FIELDS)] = value()
        if rng.random() < 0.3:
            question["recipe_a"] = {rng.choice(["lr", "batch", "momentum", "dropout", "transform", "depth"]): value()}
        raw = bytearray(json.dumps(question, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass"))
        if rng.random() < 0.3:
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        return bytes(raw[:rng.randrange(len(raw))] if rng.random() < 0.1 else raw)

    return b"\n".join(line() for _ in range(rng.randint(0, 5)))


def check_batches(cases: Cases) -> None:
    configs = [load_config(overrides=["adviser=pairwise", "advice.answer_cache=false", f"advice.profile={profile}"])
               for profile in ("never", "auto")]
    advisers = [load_pair_adviser("pairwise", config) for config in configs]
    networks = Texts("ab/nn/nn")
    codes = [networks[name] for name in sorted(networks.keys())[:40]] + ["x = (", "", "\0", "class Net: pass"]
    with tempfile.TemporaryDirectory() as folder:
        for case in cases.missing(f"batch {number}" for number in range(BATCHES)):
            number = int(case.split()[1])
            config, adviser = (kinds[number % BUILT_BATCHES == 0] for kinds in (configs, advisers))
            file, out = Path(folder) / f"{number}.jsonl", Path(folder) / f"{number}.out"
            file.write_bytes(fuzzed_batch(number, codes))
            began, violation, outcome = time.process_time(), "", "answered"
            try:
                result = answer_all(adviser, replace(config, out=str(out)), file)
                lines = [json.loads(line) for line in out.read_bytes().splitlines()]
                if len(lines) != result["questions"] or not all(
                        one_line(line["error"]) if "error" in line else "answer" in line for line in lines):
                    violation = "a line without answer or error"
                recipes = [Candidate("n", code, Recipe(*random.Random(number).choices(
                    [None, 0.1, -1.0, 1e300, 0.0], k=2))) for code in codes[:3]]
                rank(recipes, "svhn", config=config)
            except PerfclfError as error:
                outcome = "refused"
                violation = "" if one_line(str(error)) else f"not one clear line: {error}"
            except Exception as error:  # noqa: BLE001 - every error is the finding
                violation = f"{type(error).__name__}: {error}"
            seconds = time.process_time() - began
            cases.note(case, f"batch {outcome}", violation or (f"took {seconds:.1f} s" if seconds > SLOWEST else ""))


def main() -> None:
    logging.disable(logging.WARNING)
    cases = Cases("fuzz")
    check_codes(cases)
    check_batches(cases)
    cases.finish()


if __name__ == "__main__":
    main()
