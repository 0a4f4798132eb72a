"""What PyTorch does with one batch, the peer of speed of `benchmark backbones`."""

import copy
import os
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from reid_tf.imagenet import MEAN, STANDARD_DEVIATION


class Pooled(nn.Module):
    """A network's pooled features, and identities from them.

    Args:
        network: nn.Module with `feature_map`.
        num_identities: int. Classes of the softmax.
    """

    def __init__(self, network: nn.Module, num_identities: int) -> None:
        super().__init__()
        self.network = network
        with torch.inference_mode():
            channels = network.feature_map(torch.zeros(2, 3, 64, 64)).shape[1]
        self.identity = nn.Linear(channels, num_identities)

    def embedding(self, images: torch.Tensor) -> torch.Tensor:
        """Maps normalised images [batch, 3, height, width] to [batch, channels]."""
        return self.network.feature_map(images).mean((2, 3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Maps normalised images [batch, 3, height, width] to logits [batch, num_identities]."""
        return self.identity(self.embedding(images))


def steps(
    network: nn.Module, images: np.ndarray, identities: np.ndarray, num_identities: int, training: bool
) -> dict[str, Callable[[], object]]:
    """What PyTorch does with one batch, from grey values in memory to embeddings or to updated weights.

    Memory is channels-last, and PyTorch gets as many threads as TensorFlow takes.
    bfloat16 comes in both of PyTorch's ways: by autocast (its counterpart of Keras'
    mixed policy) and with the weights themselves in bfloat16.

    Args:
        network: nn.Module with `feature_map`, such as `torch_networks` has.
        images: uint8 [batch, height, width, 3].
        identities: int [batch]. Below `num_identities`.
        num_identities: int. Classes of the softmax; the optimizer is SGD with momentum.
        training: bool. Whether training steps are wanted beside the embedding steps.

    Returns:
        dict from "embedding, float32", "embedding, bfloat16 autocast", "embedding,
        bfloat16 weights" and the same with "training" to a function without arguments.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    pooled = Pooled(network, num_identities).to(memory_format=torch.channels_last)
    forms = {
        "float32": (pooled, False),
        "bfloat16 autocast": (pooled, True),
        "bfloat16 weights": (copy.deepcopy(pooled).bfloat16(), False),
    }
    wanted: dict[str, Callable[[], object]] = {}
    for form, (module, autocast) in forms.items():
        wanted[f"embedding, {form}"] = _embedding_step(copy.deepcopy(module), images, autocast)
        if training:
            wanted[f"training, {form}"] = _training_step(copy.deepcopy(module), images, identities, autocast)
    return wanted


def _embedding_step(pooled: Pooled, images: np.ndarray, autocast: bool) -> Callable[[], object]:
    pooled.eval()

    def step() -> object:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            return pooled.embedding(_normalised(images).to(pooled.identity.weight.dtype)).float().numpy()

    return step


def _training_step(pooled: Pooled, images: np.ndarray, identities: np.ndarray, autocast: bool) -> Callable[[], object]:
    pooled.train()
    optimizer = torch.optim.SGD(pooled.parameters(), lr=1e-3, momentum=0.9)
    targets = torch.from_numpy(identities.astype(np.int64))

    def step() -> object:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logits = pooled(_normalised(images).to(pooled.identity.weight.dtype))
        loss = nn.functional.cross_entropy(logits.float(), targets)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def _normalised(images: np.ndarray) -> torch.Tensor:
    """Channels first in shape, channels last in memory, as the images already lie."""
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STANDARD_DEVIATION))
    return (torch.from_numpy(images).permute(0, 3, 1, 2).float() - mean) / deviation
