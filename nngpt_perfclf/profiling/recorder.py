"""What a forward pass does, operator by operator: products, shapes, paths, layers. Runs in the sandbox."""

from collections import Counter
from math import prod

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from nngpt_perfclf.profiling.paths import EDGE, joined, through_convolution, through_pool, through_product
from nngpt_perfclf.profiling.sites import Sites

MOST_LAYERS, MOST_TRACED = 2000, 400
_ATEN = torch.ops.aten
_CONVOLUTIONS = {_ATEN.convolution, _ATEN._convolution}
# Operator -> where its two factors stand among the arguments.
_PRODUCTS = {_ATEN.mm: (0, 1), _ATEN.bmm: (0, 1), _ATEN.addmm: (1, 2), _ATEN.baddbmm: (1, 2), _ATEN.addbmm: (1, 2),
             _ATEN.mv: (0, 1), _ATEN.addmv: (1, 2), _ATEN.dot: (0, 1)}
_POOLS = {_ATEN.max_pool2d_with_indices, _ATEN.avg_pool2d, _ATEN.max_pool1d, _ATEN.avg_pool1d,
          _ATEN.max_pool3d_with_indices, _ATEN.avg_pool3d}
_SUMS = {_ATEN.add, _ATEN.add_, _ATEN.sub, _ATEN.sub_}
_GATES = {_ATEN.mul, _ATEN.mul_}


class Recorder(TorchDispatchMode):
    """Counts what is computed from the network's input; `batch`: images in it; `sites`: told of
    every layer that runs. One forward pass each.

    A tensor is known by its storage, so that views and changes in place need no bookkeeping.
    """

    def __init__(self, batch: int, sites: Sites):
        super().__init__()
        self.batch = batch
        self.sites = sites
        self.macs = self.activations = 0
        self.operators, self.kinds = Counter(), Counter()
        self.layers, self.layers_left_out, self.trace = [], 0, []
        self.depth, self.receptive_field = 0, 1.0
        self._edges = {}
        self._frames = []
        self._names = {}
        self._weights = {}
        self._used = set()

    def watch(self, network: torch.nn.Module, images: torch.Tensor):
        """Run the forward pass and return its result."""
        self._names = {id(module): name for name, module in network.named_modules()}
        self._weights = {_storage(parameter): parameter.numel() for parameter in network.parameters()}
        self._edges[_storage(images)] = EDGE
        hooks = torch.nn.modules.module
        handles = [hooks.register_module_forward_pre_hook(self._enter), hooks.register_module_forward_hook(self._leave)]
        try:
            with torch.no_grad(), self:
                return network(images)
        finally:
            for handle in handles:
                handle.remove()

    @property
    def executed(self) -> int:
        """Parameters that an operator has read."""
        return sum(self._weights[storage] for storage in self._used)

    def edge(self, tensor: torch.Tensor):
        """How the tensor follows from the network's input, None where it does not."""
        return self._edges.get(_storage(tensor))

    def _enter(self, module, args) -> None:
        self._frames.append([module, 0])

    def _leave(self, module, args, output) -> None:
        while self._frames and self._frames[-1][0] is not module:  # a caught exception left a frame behind
            self._frames.pop()
        if not self._frames:
            return
        _, macs = self._frames.pop()
        if isinstance(module, torch.nn.RNNBase):
            for tensor in _tensors([output]):
                if edge := self.edge(tensor):
                    self._edges[_storage(tensor)] = through_product(edge, weighted=True)
        inside_attention = any(isinstance(frame[0], torch.nn.MultiheadAttention) for frame in self._frames)
        whole = isinstance(module, torch.nn.MultiheadAttention) or next(module.children(), None) is None
        if not inside_attention and (whole or macs):
            self._list(module, macs, output, whole)

    def _list(self, module, macs: int, output, whole: bool) -> None:
        kind = torch_class(module)
        self.kinds[kind] += 1
        self.sites.executed(module, kind)
        if len(self.layers) >= MOST_LAYERS:
            self.layers_left_out += 1
            return
        shown = next(iter(_tensors([output])), None)
        parameters = sum(parameter.numel() for parameter in module.parameters(recurse=whole))
        shape = [] if shown is None else list(shown.shape[1:])
        self.layers.append([self._names.get(id(module), ""), kind, shape, parameters, macs // self.batch])

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        output = function(*args, **kwargs)
        operator = function.overloadpacket
        inputs = _tensors([*args, *kwargs.values()])
        storages = [_storage(tensor) for tensor in inputs]
        self._used.update(storage for storage in storages if storage in self._weights)
        edges = [self._edges[storage] for storage in storages if storage in self._edges]
        outputs = _tensors([output])
        if not edges:
            for tensor in outputs:
                self._edges.pop(_storage(tensor), None)
            return output
        self._count_macs(operator, args, kwargs, output)
        self.operators[operator.__name__.rstrip("_")] += 1
        self.kinds["op:inputs"] += len(edges)
        edge = joined(edges)
        # A recurrent layer is one layer, whatever it does at each step.
        if not any(isinstance(frame[0], torch.nn.RNNBase) for frame in self._frames):
            edge = self._passed(operator, args, inputs, edge, len(edges), outputs)
        for tensor in outputs:
            self._edges[_storage(tensor)] = edge
        # A view, a change in place, positions of maxima and a normalisation's statistics are no new activations.
        if outputs and not _whole(outputs[0]) and function._schema.returns[0].alias_info is None:
            self.activations += outputs[0].numel()
        self.depth = max(self.depth, edge.longest)
        return output

    def _count_macs(self, operator, args, kwargs, output) -> None:
        formula = flop_registry.get(operator)
        if formula is None:
            return
        macs = int(formula(*args, **kwargs, out_val=output)) // 2
        self.macs += macs
        for frame in self._frames:
            if isinstance(frame[0], torch.nn.MultiheadAttention):
                frame[1] += macs
                return
        if self._frames:
            self._frames[-1][1] += macs

    def _passed(self, operator, args, inputs, edge, joined_edges: int, outputs):
        if operator in _CONVOLUTIONS and len(args) >= 9:
            weight, stride, dilation, transposed, groups = args[1], args[3], args[5], args[6], args[8]
            self._count_convolution(args[0], weight, stride, groups, transposed)
            weighted = self.edge(weight) is None
            edge = through_convolution(edge, weight.shape[2:], stride, dilation, transposed, weighted)
            self._trace(outputs[0], edge)
        elif operator in _PRODUCTS:
            first, second = (args[place] for place in _PRODUCTS[operator])
            weighted = self.edge(first) is None or self.edge(second) is None
            self.kinds["op:linear" if weighted else "op:product"] += 1
            edge = through_product(edge, weighted)
        elif operator in _POOLS:
            edge = through_pool(edge, args[1], args[2] if len(args) > 2 and args[2] else args[1])
            self._trace(outputs[0], edge)
        elif operator in _SUMS and joined_edges > 1 and inputs[0].shape == inputs[1].shape:
            self.kinds["op:skip_add"] += 1
        elif operator in _GATES and joined_edges > 1:
            self.kinds["op:gate"] += 1
        elif operator is _ATEN.cat and joined_edges > 1:
            self.kinds["op:concat"] += 1
        return edge

    def _count_convolution(self, images, weight, stride, groups: int, transposed: bool) -> None:
        kernel = list(weight.shape[2:])
        channels = images.shape[1] if images.dim() > 1 else 1
        self.kinds["op:conv"] += 1
        self.kinds["op:conv_depthwise"] += groups > 1 and groups == channels
        self.kinds["op:conv_grouped"] += 1 < groups < channels
        self.kinds["op:conv_pointwise"] += prod(kernel) == 1
        self.kinds["op:conv_large"] += max(kernel, default=1) > 3
        self.kinds["op:conv_strided"] += max(stride, default=1) > 1
        self.kinds["op:conv_transposed"] += bool(transposed)

    def _trace(self, output, edge) -> None:
        self.receptive_field = max(self.receptive_field, *edge.field)
        if output.dim() == 4:
            step = list(output.shape[1:])
            if len(self.trace) < MOST_TRACED and (not self.trace or self.trace[-1] != step):
                self.trace.append(step)


def torch_class(thing: object) -> str:
    """The nearest class of PyTorch's own that it is an instance of: the candidate's names say nothing."""
    own = (kind.__name__ for kind in type(thing).__mro__ if kind.__module__.split(".")[0] == "torch")
    return next(own, "object")


def _whole(tensor: torch.Tensor) -> bool:
    return not (tensor.is_floating_point() or tensor.is_complex())


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _tensors(values) -> list[torch.Tensor]:
    found = []
    for value in values:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += _tensors(value)
        elif isinstance(value, dict):
            found += _tensors(value.values())
    return found
