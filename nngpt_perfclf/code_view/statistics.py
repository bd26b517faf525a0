"""How large the views of a task's networks are, how many networks look alike in them, and what is left out."""

import ast
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from tokenizers import Tokenizer

from nngpt_perfclf.code_view.names import boilerplate
from nngpt_perfclf.code_view.parsing import parse
from nngpt_perfclf.code_view.view import CUT, code_view, estimate_tokens
from nngpt_perfclf.config import Config, ModelConfig, home
from nngpt_perfclf.console import progress
from nngpt_perfclf.tasks import TaskData


def measure(config: Config) -> dict:
    """Both styles of view over all networks with pairs at `config.epoch`.

    A row a style: median and 90 % quantile of the tokens, how many networks share their view with another one, how many
    different structures share it with another structure, and how many networks have something left out. A structure is
    the syntax tree without comments, docstrings, imports, annotations and training code. `counted_by`: the configured
    model if its tokenizer is on this machine, else an estimate.
    """
    codes = _codes(config)
    count, counted_by = _counter(config.model)
    structures = pd.Series([structure(code) for code in codes])
    rows = []
    with progress() as bar:
        for style, limit in (("ast", f"{config.code_tokens} tokens"), ("cut", f"{CUT:,} characters")):
            views = [code_view(code, style, config.code_tokens)
                     for code in bar.track(codes, description=f"code_view={style}")]
            texts, sizes = pd.Series([view.text for view in views]), pd.Series([count(view.text) for view in views])
            seen = pd.DataFrame({"structure": structures, "text": texts}).drop_duplicates()
            alike = seen[seen["text"].duplicated(keep=False)]
            rows.append({"view": f"{style}, {limit}", "median_tokens": float(sizes.median()),
                         "tokens_90": float(sizes.quantile(0.9)), "same_view": int(texts.duplicated(keep=False).sum()),
                         "structures_in_the_same_view": alike["structure"].nunique(),
                         "something_left_out": sum(bool(view.left_out) for view in views)})
    return {"networks": len(codes), "structures": int(structures.nunique()), "counted_by": counted_by, "views": rows}


def structure(code: str) -> str:
    """What makes a network: its syntax tree as text, without what no layer depends on; the code itself where it does
    not parse."""
    tree = parse(code)
    return code if tree is None else ast.dump(_Bare().visit(tree))


class _Bare(ast.NodeTransformer):
    def visit_Import(self, _: ast.Import) -> None:
        return None

    def visit_ImportFrom(self, _: ast.ImportFrom) -> None:
        return None

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST | None:
        if boilerplate(node.name):
            return None
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        return None if node.value is None else self.generic_visit(ast.Assign([node.target], node.value))

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)


def _codes(config: Config) -> Sequence[str]:
    data = TaskData.load(config)
    datasets = data.trials.groupby("nn")["dataset"].nunique()
    return [data.codes[nn] for nn in datasets.index[datasets > 1]]


def _counter(model: ModelConfig) -> tuple[Callable[[str], int], str]:
    """What counts tokens, and its name."""
    file = (Path(model.location) if model.source == "folder" else home() / "models" / model.name) / "tokenizer.json"
    if not file.is_file():
        return estimate_tokens, f"estimate (no {file})"
    tokenizer = Tokenizer.from_file(str(file))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False)), model.name
