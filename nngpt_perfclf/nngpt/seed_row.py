"""Read the seed row that NNGPT pickles with each candidate, without running code that the pickle may contain.

A pickle names functions, calls them and sets what they returned to a state. This reader knows the few constructors
that a pickled Series consists of, by their exact names (pandas 1, 2 and 3 have different ones), and refuses the rest.
numpy and Arrow do not check the shapes, flags and offsets that they are given, so stricter functions replace theirs.
"""

import io
import math
import pickle
import re
from importlib import import_module
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from nngpt_perfclf.types import PerfclfError

LARGEST = 16 << 20

_INDEXES = {"Index", "RangeIndex", "_new_Index"}
_ARRAYS = {"StringDtype", "StringArray", "StringArrayNumpySemantics", "ArrowStringArray",
           "ArrowStringArrayNumpySemantics"}
_PANDAS = {
    "pandas": {"Series", "Index", "RangeIndex", "StringDtype", "NA"},
    "pandas.arrays": {"StringArray", "ArrowStringArray"},
    "pandas.core.series": {"Series"},
    "pandas.core.internals.managers": {"SingleBlockManager"},
    "pandas.core.indexes.base": _INDEXES,
    "pandas.core.indexes.range": {"RangeIndex"},
    "pandas.core.arrays.string_": _ARRAYS,
    "pandas.core.arrays.string_arrow": _ARRAYS,
    "pandas._libs.internals": {"_unpickle_block"},
    "pandas._libs.arrays": {"__pyx_unpickle_NDArrayBacked"},
    "pandas._libs.missing": {"NA"},
}
_PLAIN_DTYPE = re.compile(r"[biufcOSU]\d+|\?")
# Stands for the class that numpy's reconstruction is given; nothing can be made of it.
_NDARRAY = object()


def read_seed_row(path: Path) -> dict[str, object]:
    """The pickled Series in `path` as a dict of its index.

    Raises PerfclfError for a pickle of anything else, one that names what is not listed here, or a damaged one.
    """
    if path.stat().st_size > LARGEST:
        raise PerfclfError(f"{path} refused: larger than {LARGEST >> 20} MiB")
    try:
        row = _Reader(io.BytesIO(path.read_bytes())).load()
        if type(row) is not pd.Series:
            raise PerfclfError(f"it holds a {type(row).__name__}, not a Series")
        return dict(zip(map(str, row.index), row.to_numpy(dtype=object), strict=True))
    except PerfclfError as error:
        raise PerfclfError(f"{path} refused: {error}") from error
    except Exception as error:  # a damaged pickle raises anything, and none may stop a run
        raise PerfclfError(f"{path} cannot be read as a pickled Series: {type(error).__name__}: {error}") from error


class _Reader(pickle._Unpickler):
    """The standard library's unpickler in Python, because that one lets each operation be checked before it runs."""

    dispatch: ClassVar = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> object:
        strict = _stricter().get((module, name))
        if strict is not None:
            return strict
        if name in _PANDAS.get(module, ()):
            return getattr(import_module(module), name)
        raise PerfclfError(f"it names {module}.{name}, which no seed row needs")

    def call(self) -> None:
        """A class whose constructor is called could be told to make something huge; most are only made empty."""
        function = self.stack[-2]
        if isinstance(function, type) and function not in (slice, pd.StringDtype):
            raise PerfclfError(f"it calls {function.__name__}, which no seed row needs")
        self.load_reduce()

    def build(self) -> None:
        target, state = self.stack[-2:]
        if isinstance(target, np.dtype):
            _check_dtype_state(state)
            self.stack.pop()  # the type's code has said it all
            return
        if isinstance(target, np.ndarray):
            _check_array_state(state)
        elif not isinstance(target, pd.Series | pd.Index | pd.api.extensions.ExtensionArray | pd.StringDtype
                            | import_module("pandas.core.internals.managers").SingleBlockManager):
            raise PerfclfError(f"it changes a {type(target).__name__}, which no seed row needs")
        self.load_build()

    def bytes_to_change(self) -> None:
        """The original makes room for as many bytes as are announced, before it sees whether they come."""
        length = int.from_bytes(self.read(8), "little")
        if length > LARGEST:
            raise PerfclfError("it declares more bytes than it has")
        self.append(bytearray(self.read(length)))

    def refuse(self) -> None:
        raise PerfclfError("it holds an operation that no seed row needs")

    dispatch[pickle.REDUCE[0]] = call
    dispatch[pickle.BUILD[0]] = build
    dispatch[pickle.BYTEARRAY8[0]] = bytes_to_change
    for operation in (pickle.INST, pickle.OBJ, pickle.PERSID, pickle.BINPERSID, pickle.EXT1, pickle.EXT2, pickle.EXT4):
        dispatch[operation[0]] = refuse


def _check_dtype_state(state: object) -> None:
    """numpy would take flags and fields from here as they are, and then read plain bytes as pointers."""
    if not isinstance(state, tuple) or len(state) < 5 or state[1] not in ("<", "|", "=") or any(state[2:5]):
        raise PerfclfError("it holds a numpy type of an unusual form")


def _check_array_state(state: object) -> None:
    """numpy reads as many objects from the list as the shape says, however short the list is."""
    if not isinstance(state, tuple) or len(state) != 5:
        raise PerfclfError("it holds a numpy array of an unusual form")
    _, shape, dtype, _, content = state
    sound = (isinstance(shape, tuple) and all(type(side) is int and side >= 0 for side in shape)
             and isinstance(dtype, np.dtype) and isinstance(content, list if dtype.hasobject else bytes | bytearray))
    if not sound or len(content) != math.prod(shape) * (1 if dtype.hasobject else dtype.itemsize):
        raise PerfclfError("it holds a numpy array whose shape does not fit its content")


def _stricter() -> dict[tuple[str, str], object]:
    arrow = {("pyarrow.lib", name): function for name, function in
             (("_restore_array", _arrow_array), ("type_for_alias", _arrow_type), ("py_buffer", _arrow_buffer))}
    numpy = {(f"numpy.{core}.{module}", name): function for core in ("core", "_core") for module, name, function in
             (("multiarray", "_reconstruct", _empty_array), ("multiarray", "scalar", _scalar),
              ("numeric", "_frombuffer", _from_buffer))}
    named = {("numpy", "dtype"): _dtype, ("numpy", "ndarray"): _NDARRAY, ("builtins", "slice"): slice}
    return arrow | numpy | named


def _dtype(code: object, align: bool = False, copy: bool = False):
    if not isinstance(code, str) or not _PLAIN_DTYPE.fullmatch(code):
        raise PerfclfError("it holds a numpy type of an unusual form")
    return np.dtype(code)


def _empty_array(kind: object, shape: object, code: object):
    """numpy always begins with no elements and fills in the state; a shape here would only claim memory."""
    if kind is not _NDARRAY or shape != (0,):
        raise PerfclfError("it asks for an array of a shape that numpy does not pickle")
    return np.ndarray.__new__(np.ndarray, (0,), "b")


def _scalar(dtype, value: object = b""):
    if not isinstance(dtype, np.dtype) or dtype.hasobject or not isinstance(value, bytes | bytearray):
        raise PerfclfError("it holds a numpy scalar that is not one plain number")
    if dtype.itemsize != len(value):
        raise PerfclfError("it holds a numpy scalar of the wrong size")
    return np.frombuffer(value, dtype)[0]


def _from_buffer(buffer, dtype, shape: tuple, order: str):
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)


def _arrow_array(state: tuple):
    """Arrow trusts the number of buffers, and offsets until it is asked to check them all."""
    from pyarrow import lib

    kind, length, nulls, offset, buffers, children, dictionary = state
    sound = (isinstance(kind, lib.DataType) and all(type(number) is int for number in (length, nulls, offset))
             and length >= 0 and offset >= 0 and len(buffers) == 3 and not children and dictionary is None)
    if not sound or not all(buffer is None or isinstance(buffer, lib.Buffer) for buffer in buffers):
        raise PerfclfError("it holds an Arrow array of an unusual form")
    array = lib._restore_array(state)
    array.validate(full=True)
    return array


def _arrow_type(name: str):
    from pyarrow import lib

    if name not in ("string", "large_string"):
        raise PerfclfError(f"it holds an Arrow array of {name}, not of strings")
    return lib.type_for_alias(name)


def _arrow_buffer(content: object):
    from pyarrow import lib

    if not isinstance(content, bytes | bytearray | pickle.PickleBuffer):
        raise PerfclfError("it holds an Arrow buffer that is not bytes")
    return lib.py_buffer(content)
