import contextlib
import io
import os
import pickle
import pickletools
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nngpt_perfclf.nngpt.seed_row import read_seed_row
from nngpt_perfclf.types import PerfclfError

ROW = {"task": "img-classification", "dataset": "cifar-10", "nn": "ga-1", "epoch": 1, "accuracy": 0.5,
       "prm": {"lr": 0.1, "batch": 32, "transform": "norm_64"}, "transform_code": None}
# Written by pandas 2.2.3 with numpy 1.26.4, as NNGPT writes it.
OF_PANDAS_2 = Path(__file__).parent / "data" / "seed-row-pandas-2.df"


@pytest.fixture
def read(tmp_path):
    def read(content: bytes):
        (tmp_path / "dataframe.df").write_bytes(content)
        return read_seed_row(tmp_path / "dataframe.df")
    return read


def pickled(row=ROW) -> bytes:
    stream = io.BytesIO()
    next(pd.DataFrame([row]).iterrows())[1].to_pickle(stream)
    return stream.getvalue()


@pytest.mark.parametrize("storage", ["pyarrow", "python"])
def test_the_row_that_nngpt_pickles_is_read_whole(read, storage):
    with pd.option_context("mode.string_storage", storage):
        assert read(pickled()) == ROW


def test_a_row_of_an_older_pandas_is_read_too():
    row = read_seed_row(OF_PANDAS_2)
    assert (row["dataset"], row["prm"]) == ("svhn", {"lr": 0.1, "batch": 32, "transform": "norm_64"})


def test_rows_of_numbers_alone_are_read(read):
    assert read(pickled({"a": 1.5, "b": 2.0})) == {"a": 1.5, "b": 2.0}
    assert read(pickled({"a": 1, "b": 2})) == {"a": 1, "b": 2}


class Call:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def hidden_in(row_value) -> bytes:
    return pickle.dumps(pd.Series({"dataset": "cifar-10", "prm": row_value}, dtype=object), protocol=4)


@pytest.mark.parametrize("function", [os.system, eval, exec, __import__, open, getattr, print, type, pd.read_pickle,
                                      pd.eval, np.load, np.fromfile, pickle.loads, os.unlink])
def test_what_a_pickle_wants_to_call_is_not_called(read, tmp_path, function):
    with pytest.raises(PerfclfError, match="refused: it names"):
        read(hidden_in(Call(function, str(tmp_path / "trace"))))
    assert [path.name for path in tmp_path.iterdir()] == ["dataframe.df"]


def test_a_name_cannot_be_reached_through_another(read):
    for module, name in [("pandas", "io.common.os.system"), ("pandas.io.common", "os"), ("numpy", "f2py"),
                         ("pandas.core.series", "Series.to_pickle"), ("builtins", "slice.__init__")]:
        content = b"\x80\x04" + b"".join(b"\x8c" + bytes([len(word)]) + word.encode() for word in (module, name))
        with pytest.raises(PerfclfError, match="it names"):
            read(content + b"\x93)R.")


@pytest.mark.parametrize("content", [
    b"cos\nsystem\n(S'true'\ntR.", b"(S'true'\nios\nsystem\n.", b"(cos\nsystem\nS'true'\no.", b"Pevil\n.",
    b"\x80\x02\x82\x01.",
    b"\x80\x05\x96" + b"\0" * 4 + b"\xff" * 2 + b"\0" * 2 + b".", b"", b".", b"\x80\x04N.",
    b"not a pickle", b"\x80\x04]\x94.",
])
def test_old_opcodes_outside_references_and_rubbish_are_refused(read, content):
    with pytest.raises(PerfclfError):
        read(content)


def test_anything_but_a_series_is_refused(read):
    with pytest.raises(PerfclfError, match="it holds a dict, not a Series"):
        read(pickle.dumps(ROW))
    with pytest.raises(PerfclfError, match="refused"):
        read(pickle.dumps(pd.DataFrame([ROW])))


def test_a_class_is_not_called_so_that_it_cannot_be_told_to_fill_the_memory(read):
    for call in (Call(pd.Series, 0, Call(pd.RangeIndex, 10**12)), Call(np.ndarray, (10**12,), "O")):
        with pytest.raises(PerfclfError, match=r"refused|cannot be read"):
            read(hidden_in(call))


def test_a_class_or_a_function_is_not_changed(read):
    for name in (b"cpandas\nSeries\n", b"cpandas.core.indexes.base\n_new_Index\n"):
        with pytest.raises(PerfclfError, match="it changes a"):
            read(b"\x80\x02" + name + b"N}U\x08__init__NsU\x01aN\x86b.")


def array(code, shape, content) -> bytes:
    """A pickle of a numpy array whose state says what it likes."""
    return pickle.dumps(_State(code, shape, content), protocol=4)


class _State:
    def __init__(self, code, shape, content):
        self.told = code, shape, content

    def __reduce__(self):
        code, shape, content = self.told
        return (np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), (1, shape, np.dtype(code), False, content))


@pytest.mark.parametrize("content", [
    array("O", (3,), [None]), array("f8", (3,), b"\0" * 8), array("f8", (-1,), b""), array("O", (1,), b"\0" * 8),
    array([("a", "O")], (1,), [(None,)]), array("V8", (1,), b"\0" * 8), array("M8[ns]", (1,), b"\0" * 8),
])
def test_an_array_whose_shape_or_type_lies_is_refused(read, content):
    with pytest.raises(PerfclfError, match="it holds a numpy"):
        read(content)


def test_a_number_type_cannot_claim_to_hold_pointers(read):
    """numpy believes the flags in the state of a type; the state is not applied."""
    honest = pickle.dumps(np.dtype("f8"), protocol=2)
    assert honest.endswith(b"K\x00tq\x05b.")
    lying = honest.replace(b"K\x00tq\x05b.", b"K\x3ftq\x05b.")
    with pytest.raises(PerfclfError, match="not a Series"):
        read(lying)
    assert not np.dtype("f8").hasobject


def test_strings_whose_offsets_lie_are_refused(read):
    content = pickled()
    offsets = struct.pack("<qq", 0, 4)  # of the first column's name, "task"
    assert offsets in content
    with pytest.raises(PerfclfError, match="cannot be read"):
        read(content.replace(offsets, struct.pack("<qq", 0, 1 << 40)))


def test_a_file_too_large_to_be_a_row_is_not_read(tmp_path):
    with (tmp_path / "dataframe.df").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(PerfclfError, match="larger than 16 MiB"):
        read_seed_row(tmp_path / "dataframe.df")


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(st.integers(0, len(pickled()) - 1), st.integers(0, 255)), max_size=4),
       st.integers(0, len(pickled())))
def test_a_damaged_pickle_is_read_or_refused_and_never_anything_else(tmp_path_factory, changes, length):
    content = bytearray(pickled())
    for place, byte in changes:
        content[place] = byte
    path = tmp_path_factory.mktemp("damaged") / "dataframe.df"
    path.write_bytes(content[:length])
    with contextlib.suppress(PerfclfError):
        assert isinstance(read_seed_row(path), dict)


def test_what_is_admitted_is_what_rows_consist_of():
    """Read by the standard library's tool, a real row names nothing beyond pandas, numpy, Arrow's strings and slice."""
    words, named = [], set()
    for operation, argument, _ in pickletools.genops(pickled()):
        if isinstance(argument, str):
            words.append(argument)
        if operation.name == "STACK_GLOBAL":
            named |= {word.split(".")[0] for word in words[-2:] if word.startswith(("pandas", "numpy", "pyarrow"))}
    assert named == {"pandas", "numpy", "pyarrow"}
