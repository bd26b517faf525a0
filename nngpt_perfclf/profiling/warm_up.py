"""What is done once, before any network: everything that PyTorch imports when it is first used."""

import contextlib
from importlib import import_module

import torch

from nngpt_perfclf.profiling.build import profile

_STANDARD = ("abc", "copy", "dataclasses", "enum", "functools", "gc", "inspect", "itertools", "logging", "math",
             "numbers", "random", "traceback", "typing", "warnings", "numpy", "torch.amp", "torch.cuda.amp",
             "torch.distributions", "torch.fft", "torch.nn.utils.parametrizations", "torch.utils.checkpoint",
             "torch.utils.data")

_TRUSTED = '''
import torch
from torch import nn
import torch.nn.functional as F

def supported_hyperparameters():
    return {"lr", "momentum", "dropout"}

class Net(nn.Module):
    def __init__(self, in_shape, out_shape, prm, device):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(in_shape[1], 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(inplace=True),
                                  nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.GroupNorm(2, 8), nn.GELU(),
                                  nn.AvgPool2d(2), nn.InstanceNorm2d(8), nn.SiLU(), nn.Hardswish(), nn.LeakyReLU(),
                                  nn.ELU(), nn.Sigmoid(), nn.Tanh(), nn.Dropout2d(prm["dropout"]),
                                  nn.ConvTranspose2d(8, 8, 2, 2), nn.AdaptiveMaxPool2d(4))
        self.norm = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.memory = nn.LSTM(8, 8, batch_first=True)
        self.head = nn.Linear(8, out_shape[0])
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        self.device = device

    def forward(self, x):
        x = self.stem(x)
        x = x + F.interpolate(F.adaptive_avg_pool2d(x, 2), size=x.shape[-2:], mode="bilinear") * torch.sigmoid(x)
        x = torch.cat([x, x], 1).chunk(2, 1)[0].flatten(2).transpose(1, 2)
        x = self.encoder(self.norm(x) + self.attention(x, x, x)[0])
        x = self.memory(x)[0].mean(1)
        return F.log_softmax(self.head(x), 1)

    def train_setup(self, prm):
        self.to(self.device)
        self.criteria = (nn.CrossEntropyLoss(label_smoothing=0.1).to(self.device),)
        for kind in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop):
            self.optimizer = kind(self.parameters(), lr=prm["lr"])
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 10)
'''


def warm_up() -> None:
    """Import and profile, on meta alone, a network of the project's own that uses the common layers. Raises
    RuntimeError where even that fails."""
    torch.set_num_threads(1)
    # The fused kernels of inference would hide from the recorder what they compute.
    torch.backends.mha.set_fastpath_enabled(False)
    for name in _STANDARD:
        import_module(name)
    _import_torchvision()
    request = {"channels": 3, "size": 32, "width": 32, "classes": 2, "complex": False, "transform": "norm_32"}
    found = profile(_TRUSTED, request)
    if found["status"] != "built" or found["way"] != "meta":
        raise RuntimeError(f"the profiler cannot profile its own network: {found}")


def _import_torchvision() -> None:
    """Import torchvision where it is installed, also a build for CUDA beside PyTorch's for the processor: its operators
    are missing then, and it stops at describing their shapes."""
    original = torch.library.register_fake
    torch.library.register_fake = lambda *args, **kwargs: lambda function: function
    try:
        with contextlib.suppress(ModuleNotFoundError):
            import_module("torchvision")
    finally:
        torch.library.register_fake = original
