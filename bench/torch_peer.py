#!/usr/bin/env python3
"""torch_peer.py NET BATCH THREADS [train|infer|jit] - one of Fovea's networks in PyTorch on random pictures.

train: stochastic gradient descent with momentum on the cross-entropy; the learning rate is 0, as bench_step has
it, so that all work is done and the numbers stay ordinary ones. infer: without gradients. jit: the same, traced,
frozen and optimised for inference. Prints one JSON object: the median of some blocks of steps, samples per second.
"""
import argparse
import json
import resource
import statistics
import time

import torch
from torch import nn

WARM_UP_STEPS = 3


def lenet5_relu():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def mlp():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 150), nn.ReLU(), nn.Linear(150, 10))


def conv_norm(n_in, n_out, kernel, stride=1, padding=0):
    return nn.Sequential(nn.Conv2d(n_in, n_out, kernel, stride, padding, bias=False), nn.BatchNorm2d(n_out))


def vgg8():
    layers, n_in = [], 3
    for n_out in (64, 128, 256):
        layers += [conv_norm(n_in, n_out, 3, padding=1), nn.ReLU(),
                   conv_norm(n_out, n_out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        n_in = n_out
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4096, 10))


class Residual(nn.Module):
    """relu(body(x) + x); x goes through a 1x1 convolution where the shape changes."""

    def __init__(self, body, n_in, n_out, stride):
        super().__init__()
        self.body = body
        self.shortcut = nn.Identity() if n_in == n_out and stride == 1 else conv_norm(n_in, n_out, 1, stride)

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


def basic_block(n_in, n_out, stride):
    body = nn.Sequential(conv_norm(n_in, n_out, 3, stride, 1), nn.ReLU(), conv_norm(n_out, n_out, 3, 1, 1))
    return Residual(body, n_in, n_out, stride)


def bottleneck(n_in, n_middle, stride):
    n_out = 4 * n_middle
    body = nn.Sequential(conv_norm(n_in, n_middle, 1), nn.ReLU(),
                         conv_norm(n_middle, n_middle, 3, stride, 1), nn.ReLU(), conv_norm(n_middle, n_out, 1))
    return Residual(body, n_in, n_out, stride)


def resnet18():
    """The form for pictures of 32x32."""
    layers, n_in = [conv_norm(3, 64, 3, 1, 1), nn.ReLU()], 64
    for n_out, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [basic_block(n_in, n_out, stride), basic_block(n_out, n_out, 1)]
        n_in = n_out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


def resnet50():
    layers, n_in = [conv_norm(3, 64, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)], 64
    for n_middle, n_blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for k in range(n_blocks):
            layers.append(bottleneck(n_in, n_middle, stride if k == 0 else 1))
            n_in = 4 * n_middle
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))


class VisionTransformer(nn.Module):
    """Pictures of 32x32 in patches of 4x4, and a class token, through layers with the norms first."""

    def __init__(self, width=192, n_layers=6, n_heads=3, patch=4, n_classes=10):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(0.02 * torch.randn(1, (32 // patch) ** 2 + 1, width))
        layer = nn.TransformerEncoderLayer(width, n_heads, 4 * width, dropout=0.0, activation="gelu",
                                           batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, n_layers)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, n_classes)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.position
        return self.head(self.norm(self.layers(x))[:, 0])


# name: (network, channels, size)
NETS = {"lenet5-relu": (lenet5_relu, 1, 28), "mlp": (mlp, 1, 28), "vgg8": (vgg8, 3, 32),
        "resnet18": (resnet18, 3, 32), "resnet50": (resnet50, 3, 224), "vit": (VisionTransformer, 3, 32)}


def make_step(net, images, mode):
    if mode == "train":
        optimizer = torch.optim.SGD(net.parameters(), lr=0.0, momentum=0.9)
        loss_of = nn.CrossEntropyLoss()
        labels = torch.randint(0, 10, (len(images),))

        def train():
            optimizer.zero_grad(set_to_none=True)
            loss_of(net(images), labels).backward()
            optimizer.step()
        return train

    net.eval()
    if mode == "jit":
        with torch.no_grad():
            net = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net, images)))

    def infer():
        with torch.no_grad():
            net(images)
    return infer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("net", choices=NETS)
    parser.add_argument("batch", type=int)
    parser.add_argument("threads", type=int)
    parser.add_argument("mode", nargs="?", default="train", choices=("train", "infer", "jit"))
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a block")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    make, channels, size = NETS[args.net]
    step = make_step(make(), torch.randn(args.batch, channels, size, size), args.mode)

    def seconds_of(n_steps):
        start = time.perf_counter()
        for _ in range(n_steps):
            step()
        return time.perf_counter() - start

    seconds_of(WARM_UP_STEPS)
    n_steps = max(1, int(args.seconds / seconds_of(1)))
    rates = [n_steps * args.batch / seconds_of(n_steps) for _ in range(args.blocks)]
    print(json.dumps({
        "samples_per_s": statistics.median(rates), "version": torch.__version__,
        "max_resident_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


if __name__ == "__main__":
    main()
