"""ResNet-32, the usual network for CIFAR-100-LT."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

BLOCKS_PER_STAGE = 5
CHANNELS = (16, 32, 64)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut without parameters (He et al. 2016, option A).

    If the block halves the image size, the shortcut takes every second pixel and pads the new
    channels with zeros.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.new_channels = stride, outputs - inputs

    def forward(self, images: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(images)))))
        shortcut = images
        if self.stride > 1:
            half = self.new_channels // 2
            shortcut = F.pad(images[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, half, half))
        return F.relu(residual + shortcut)


class ResNet32(nn.Module):
    """He et al. 2016 (arXiv 1512.03385, section 4.2) with n = 5: 464 thousand parameters.

    Convolutions are initialised as in Cao et al. 2019: Kaiming normal, fan-in.
    """

    num_features = CHANNELS[-1]

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, CHANNELS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(CHANNELS[0])
        blocks: list[nn.Module] = []
        inputs = CHANNELS[0]
        for outputs in CHANNELS:
            for _ in range(BLOCKS_PER_STAGE):
                blocks.append(BasicBlock(inputs, outputs, stride=2 if outputs > inputs else 1))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)

    def group_matcher(self, coarse: bool = False) -> dict[str, str]:
        """Return the layer of each parameter as timm expects it: the stem, then each block."""
        assert not coarse  # there are no coarser groups than blocks
        return {"stem": r"^conv1|bn1", "blocks": r"^blocks\.(\d+)"}

    def forward(self, images: Tensor) -> Tensor:
        """Return features of shape (batch, 64) for images of shape (batch, 3, height, width)."""
        maps: Tensor = self.blocks(F.relu(self.bn1(self.conv1(images))))
        return maps.mean(dim=(2, 3))
