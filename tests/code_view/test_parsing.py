"""Whatever a network's code is made of, it is viewed or refused with a clear line in about a second."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nngpt_perfclf.code_view import code_view, names, parsing
from nngpt_perfclf.code_view.parsing import LARGEST, parses
from nngpt_perfclf.types import PerfclfError

INIT = "class Net:\n def __init__(self):\n"
FORWARD = "class Net:\n def forward(self, x):\n"


@contextmanager
def about_a_second():
    """The processor's time, since a loaded machine stretches that of the clock; half of it is what the worst take."""
    start = time.process_time()
    yield
    assert time.process_time() - start < 1.5


def inits(*lines):
    return INIT + "".join(f"  {line}\n" for line in lines) + " def forward(self, x): return self.last(x)\n"


def nested(head, levels=95):
    return "".join(f"{' ' * (depth + 2)}{head}:\n" for depth in range(levels)) + (" " * (levels + 2) + "a=f(a)\n") * 900


ENDLESS = {
    "10 MB": "x = 1\n" * 2_000_000,
    "open brackets": "(" * 100_000,
    "nested lists": "x = " + "[" * 100_000 + "]" * 100_000,
    "minus": "x = " + "-" * 100_000 + "1",
    "spaced minus": "x = " + ("-" + " " * 5000) * 70 + "1",
    "not": "x = " + "not " * 50_000 + "1",
    "dots": "x = a" + ".b" * 100_000,
    "sum": "x = 1" + "+1" * 100_000,
    "powers": "x = 2" + "**2" * 50_000,
    "lambda": "x = " + "lambda: " * 5000 + "1",
    "ternary": "x = " + "1 if a else " * 5000 + "1",
    "elif": "if a: pass\n" + "elif a: pass\n" * 5000,
    "calls": "x = f" + "(1)" * 5000,
    "indents": "".join(" " * depth + "if a:\n" for depth in range(1000)) + " " * 1000 + "pass",
    "words": "a," * 190_000,
    "statements": "a;" * 190_000,
    "strings": "''," * 130_000,
    "formatted strings": "f'{a}'," * 55_000,
    "definitions": "def f(): pass\n" * 2000,
    # What follows is small or flat, and its view would be enormous or take for ever.
    "calls in calls": inits("self.last = " + "g(" * 60 + "1" + ")" * 60),
    "lists in lists": inits("a0=[1]", *(f"a{n}=[*a{n - 1},*a{n - 1}]" for n in range(1, 40)), "self.last = g(*a39)"),
    "constants in constants": "class C0:\n x = 1\n" + "".join(
        f"class C{n}:\n x = (C{n - 1}.x, C{n - 1}.x)\n" for n in range(1, 40)) + inits("self.last = g(C39.x)"),
    "tables in tables": "T0 = {0: 1}\n" + "".join(
        f"T{n} = {{0: (T{n - 1}[0], T{n - 1}[0])}}\n" for n in range(1, 40)) + inits("self.last = g(T39[0])"),
    "a table in itself": "T = {0: T[0]}\n" + inits("self.last = g(T[0])"),
    "a list named often": inits("a=[" + ",".join(f"f{n}" for n in range(4000)) + "]", *["self.last(a)"] * 4000),
    "a list read often": inits("a=[" + ",".join(f"f{n}" for n in range(4000)) + "]", *["b=a[0]"] * 4000),
    "growing attributes": inits("self.a0 = nn.Sequential(f)", *(
        f"self.a{n} = nn.Sequential(self.a{n - 1}, nn.Linear({n},2))" for n in range(1, 3000)),
        "self.last = self.a2999"),
    "many parameters": "def f(" + ",".join(f"p{n}" for n in range(9000)) + "): pass\n" + inits(
        *["self.a(f(p8999=1))"] * 4000),
    "a growing text": inits("b0=c+1", *(f"b{n}=b{n - 1}+q" for n in range(1, 7000)), "self.last=f(b6999)"),
    "values and loops": inits(*(f"v{n}=1" for n in range(6000)), *["v=1\n  for i in x: v=f(i)"] * 1500),
    "nested loops": FORWARD + nested("for i in x"),
    "nested contexts": FORWARD + nested("with x"),
}
LARGE = {
    "methods in methods": FORWARD + "  return " + "x.view(1, " * 40 + "x" + ")" * 40,
    "a long line": inits("self.last = nn.Sequential(" + ",".join(f"nn.Linear({n},{n + 7})" for n in range(4000)) + ")"),
    "methods calling on": "class Net:\n" + "".join(
        f" def m{n}(self): self.m{n + 1}()\n" for n in range(1480)) + " def forward(self, x): return self.m0(x)\n",
    "functions using all": "".join(
        f"def f{n}(): return ({','.join(f'f{(n * 31 + other * 7) % 1400}' for other in range(12))})\n"
        for n in range(1400)),
    "attributes": FORWARD + "  return (" + ",".join(["self.forward"] * 9000) + ")\n" + "".join(
        f" def m{n}(self): pass\n" for n in range(1000)),
    "decorators": "class Net:\n" + " @a\n" * 25_000 + " def forward(self, x): return x\n",
    "a long number": "x = " + "9" * 390_000,
    "a long hexadecimal": inits("self.last = nn.Linear(0x" + "f" * 390_000 + ", 2)"),
    "a long name": "é" * 390_000,
    "a name that grows": "\ufdfa" * 20_000 + " = 1",
    "an open string": "'" + "\\'" * 190_000,
    "an open text": '"""' + "a\\" * 190_000,
    "quotes": '"' * 390_000,
    "continued lines": "\\\n" * 190_000,
    "tabs": "\t" * 390_000 + "a",
    "nothing in a list": inits("a=[(yield)]", "self.last = f(a[0])"),
    "words without sense": "class (\n" + "word " * 39_000,
    "spaces behind a stride": "stride=" + " " * 390_000,
}


@pytest.mark.parametrize("code", ENDLESS.values(), ids=ENDLESS)
def test_code_that_could_exhaust_its_reader_is_refused(code):
    with about_a_second(), pytest.raises(PerfclfError) as refused:
        code_view(code)
    assert str(refused.value).startswith("the network's code ")


@pytest.mark.parametrize("code", LARGE.values(), ids=LARGE)
def test_code_that_is_merely_large_is_viewed(code):
    assert len(code) <= LARGEST
    with about_a_second():
        assert code_view(code).text


@pytest.mark.parametrize("code", [code for code in {**ENDLESS, **LARGE}.values() if len(code) <= LARGEST])
def test_what_may_be_asked_about_is_soon_turned_into_numbers_too(code):
    import numpy as np

    from nngpt_perfclf.advice.features import text_rows

    with suppress(PerfclfError):
        parses(code)
        with about_a_second():
            assert np.isfinite(text_rows([code])).all()


PIECES = [
    "(", "[", "{", ")", "]", "}", "a", "1", ",", ":", "=", "*", "**", "-", "@", "'", '"', '"""', "f'{", "\\", "\n", " ",
    "# ", ".", ":=", "lambda x:", " if ", " else ", " for a in ", "not ", " in ", "await ", "f(", "a[", "{a:", 
    "class A:", "def f(", "with ", "match x:\n case ", "del ", "global a", "import a", "try:\n", "0x", "e9", "\u212a"]


@settings(max_examples=150)
@given(*[st.lists(st.sampled_from(PIECES), max_size=4).map("".join)] * 3, st.sampled_from((30, 60, 100, 3000)))
def test_no_repetition_keeps_the_reader_busy(before, again, after, times):
    code = before + again * times + after
    with about_a_second(), suppress(PerfclfError):
        assert code_view(code).text


def test_a_number_too_long_to_be_said_is_a_neutral_mark():
    assert code_view(inits("self.last = nn.Linear(0x" + "f" * 9000 + ", 2)")).text == "= fc:('')>2"


def test_lemurs_largest_network_needs_less_than_half_of_what_is_allowed(lemur_codes, monkeypatch):
    code = max((lemur_codes[name] for name in lemur_codes if name.startswith("rag-")), key=len)
    for limit in ("LARGEST", "_WORDS", "_NODES", "_DEPTHS", "_DEFINITIONS"):
        monkeypatch.setattr(parsing, limit, getattr(parsing, limit) // 2)
    monkeypatch.setattr(names, "_MOST_WORK", names._MOST_WORK // 10)
    assert len(code) > 170_000
    assert code_view.__wrapped__(code).parsed


def test_threads_may_parse_at_the_same_time(monkeypatch):
    inside, most = [], []

    def slow(code):
        inside.append(code)
        most.append(len(inside))
        real("x = [" + "(1 + 2), " * 5_000 + "]")
        inside.pop()
        return real(code)

    real = parsing.ast.parse
    monkeypatch.setattr(parsing.ast, "parse", slow)
    with ThreadPoolExecutor(8) as threads:
        trees = list(threads.map(parsing.parse, [f"a = {number}" for number in range(24)]))
    assert [tree.body[0].value.value for tree in trees] == list(range(24))
    assert max(most) == 1
