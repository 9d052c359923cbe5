#!/usr/bin/env python3
"""torch_peer.py NET BATCH THREADS - trains one of Fovea's networks in PyTorch on random pictures.

Stochastic gradient descent with momentum on the cross-entropy, as `fovea train` does by default. Prints one
JSON object: the median of five blocks of about a second each, in samples per second.
"""
import json
import resource
import statistics
import sys
import time

import torch
from torch import nn

BLOCKS = 5
BLOCK_SECONDS = 1.0
WARM_UP_STEPS = 5


def lenet5_relu():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def mlp():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 150), nn.ReLU(), nn.Linear(150, 10))


NETS = {"lenet5-relu": lenet5_relu, "mlp": mlp}


def main():
    name, batch, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    net = NETS[name]()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    loss_of = nn.CrossEntropyLoss()
    images = torch.randn(batch, 1, 28, 28)
    labels = torch.randint(0, 10, (batch,))

    def train(n_steps):
        start = time.perf_counter()
        for _ in range(n_steps):
            optimizer.zero_grad(set_to_none=True)
            loss_of(net(images), labels).backward()
            optimizer.step()
        return time.perf_counter() - start

    train(WARM_UP_STEPS)
    n_steps = max(1, round(BLOCK_SECONDS / (train(WARM_UP_STEPS) / WARM_UP_STEPS)))
    rates = [n_steps * batch / train(n_steps) for _ in range(BLOCKS)]
    print(json.dumps({
        "samples_per_s": statistics.median(rates), "version": torch.__version__,
        "max_resident_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


if __name__ == "__main__":
    main()
