"""Changes to PyTorch's functions while a candidate runs: they stay on one device and report dropout rates."""

import torch
from torch.overrides import TorchFunctionMode

MOST_DROPOUTS = 2000
_DROPOUTS = {getattr(torch.nn.functional, name): 0.5 for name in
             ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")}
_MOVES = {torch.Tensor.cpu, torch.Tensor.cuda}


class OnMeta(TorchFunctionMode):
    """Tensors on the meta device stay there, whatever device is named: where a tensor lies changes no shape."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in _MOVES and args[0].is_meta:
            return args[0]
        if function is torch.Tensor.to and args[0].is_meta:
            args = (args[0], *("meta" if _names_device(arg) else arg for arg in args[1:]))
        if kwargs.get("device") is not None:
            kwargs = {**kwargs, "device": "meta"}
        return function(*args, **kwargs)


def _names_device(argument: object) -> bool:
    return isinstance(argument, str | torch.device) or type(argument) is int


class Dropouts(TorchFunctionMode):
    """The probabilities with which the forward pass drops, in the order in which it does."""

    def __init__(self):
        super().__init__()
        self.probabilities = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in _DROPOUTS and len(self.probabilities) < MOST_DROPOUTS:
            probability = args[1] if len(args) > 1 else kwargs.get("p", _DROPOUTS[function])
            self.probabilities.append(float(probability))
        return function(*args, **kwargs)
