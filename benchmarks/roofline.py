"""The roofline of a training step: the arithmetic and memory traffic of its operations, counted.

Nothing is computed: the network runs on torch's ``meta`` device, which knows shapes only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

# Operations whose memory traffic a perfect compiler cannot avoid. It fuses the elementwise
# operations between them into these.
UNFUSIBLE = (
    *("convolution", "mm", "attention", "batch_norm", "layer_norm", "group_norm", "pool", "mean"),
)


@dataclass(frozen=True)
class Operation:
    """One operation of a step: floating-point operations, and bytes read and written."""

    name: str
    flops: int
    bytes: int

    @property
    def fusible(self) -> bool:
        """Whether a compiler can merge it into its neighbours."""
        return not any(name in self.name for name in UNFUSIBLE)


def training_operations(
    network: Callable[[], nn.Module], shape: tuple[int, ...]
) -> list[Operation]:
    """The operations of one forward and backward pass in bfloat16.

    Args:
        network: builds the network.
        shape: of a batch of images, (batch, 3, height, width).
    """
    with torch.device("meta"):
        model = network().bfloat16().train()
        images = torch.empty(shape, dtype=torch.bfloat16)
    counter = _Counter()
    with _flash_attention(), counter:
        model(images).float().sum().backward()
    return counter.operations


def fused_seconds(
    operations: list[Operation], flops_a_second: float, bytes_a_second: float
) -> float:
    """The least time of a step if each operation waits for arithmetic or memory, not both."""
    return sum(
        max(operation.flops / flops_a_second, operation.bytes / bytes_a_second)
        for operation in operations
        if not operation.fusible
    )


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes each operation that torch dispatches."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[Operation] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        if not function.is_view:
            touched = [t for t in tree_leaves((args, kwargs, result)) if isinstance(t, Tensor)]
            moved = sum(t.numel() * t.element_size() for t in touched)
            name = function._schema.name.partition("::")[2]
            flops = _flops(function._overloadpacket, args, kwargs or {}, result)
            self.operations.append(Operation(name, flops, moved))
        return result


def _flops(operation: Any, args: Any, kwargs: Any, result: Any) -> int:
    if operation is torch.ops.aten.convolution_backward:
        # torch's own count is too high for grouped convolutions. Each of the two products costs
        # what the forward pass did.
        gradient, weight, products = args[0], args[2], args[10][:2]
        return int(2 * gradient.numel() * weight[0].numel() * sum(products))
    if operation not in flop_registry:
        return 0
    return int(flop_registry[operation](*args, **kwargs, out_val=result))


@contextmanager
def _flash_attention() -> Iterator[None]:
    """Fused attention, as on GPUs; the meta device would decompose it."""
    original = F.scaled_dot_product_attention

    def attend(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Any:
        flash = torch.ops.aten._scaled_dot_product_flash_attention
        return flash(query, key, value, 0.0, False, False)[0]

    F.scaled_dot_product_attention = attend
    try:
        yield
    finally:
        F.scaled_dot_product_attention = original
