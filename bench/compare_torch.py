#!/usr/bin/env python3
"""compare_torch.py - Fovea beside PyTorch: training, by turns in one sitting, medians.

Fovea trains on its built-in digits with all that a user gets (shuffling, evaluation, a run folder); its figure
counts training time alone. PyTorch trains on one batch that stays in its caches, with one thread and with as
many as Fovea has; the better median counts. Peak memory is the operating system's (ru_maxrss); the memory of
`fovea info digits`, which opens the same data and trains nothing, is what the data costs.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FIND_TORCH = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
GOALS = {"lenet5-relu": 4.0, "mlp": 1.5}  # times PyTorch


def run(command):
    """Standard output's JSON lines, and the peak resident memory in MiB."""
    with tempfile.TemporaryFile() as out:
        try:
            child = subprocess.Popen(command, stdout=out)
        except OSError as error:
            sys.exit(f"compare_torch: {command[0]}: {error.strerror}; `make` builds it")
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            sys.exit(f"compare_torch: exit {child.returncode}: {' '.join(command)}")
        out.seek(0)
        lines = [json.loads(line) for line in out if line.startswith(b"{")]
    return lines, usage.ru_maxrss / 1024


def python_with_torch():
    for python in (sys.executable, "python3", "/usr/bin/python3"):
        try:
            if subprocess.run([python, "-c", FIND_TORCH], stderr=subprocess.DEVNULL).returncode == 0:
                return python
        except OSError:
            pass
    sys.exit("compare_torch: found no Python with PyTorch; tools/setup.sh bench installs it")


def fovea_once(args, net):
    with tempfile.TemporaryDirectory() as folder:
        lines, memory = run([args.fovea, "train", "--model", net, "--data", "digits", "--batch", str(args.batch),
                             "--epochs", str(args.epochs), "--threads", str(args.threads), "--json", "--quiet",
                             "--out", os.path.join(folder, "run")])
    rates = [line["samples_per_s"] for line in lines if line.get("event") == "epoch"]
    return statistics.median(rates[1:] or rates), memory  # the first epoch warms up


def compare(args, python, net):
    """Medians of this network: Fovea's rate and memory, PyTorch's rate for each number of threads."""
    counts = sorted({1, args.threads})
    rates, memories, peer, peer_memory = [], [], {n: [] for n in counts}, 0
    for turn in range(args.turns):
        rate, memory = fovea_once(args, net)
        rates.append(rate)
        memories.append(memory)
        for n in counts:
            lines, memory = run([python, os.path.join(HERE, "torch_peer.py"), net, str(args.batch), str(n)])
            peer[n].append(lines[-1]["samples_per_s"])
            peer_memory = max(peer_memory, lines[-1]["max_resident_kib"] / 1024)
        print(f"  {net}, turn {turn + 1} of {args.turns}: fovea {rate:,.0f}, "
              + ", ".join(f"torch x{n} {peer[n][-1]:,.0f}" for n in counts) + " samples/s", file=sys.stderr)
    return {"fovea": statistics.median(rates), "memory": max(memories), "peer_memory": peer_memory,
            "torch": {n: statistics.median(peer[n]) for n in counts}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fovea", default=os.path.join(HERE, "..", "build", "fovea"), help="the command")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=5, help="of each of Fovea's runs")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("nets", nargs="*", default=list(GOALS), help="lenet5-relu, mlp")
    args = parser.parse_args()
    python = python_with_torch()
    _, data_memory = run([args.fovea, "info", "digits"])

    rows = [(net, compare(args, python, net)) for net in args.nets]
    print(f"\nTraining, batch {args.batch}, medians of {args.turns} turns, samples/s")
    print(f"{'':12s} {'fovea x' + str(args.threads):>11s} {'torch':>22s} {'ratio':>8s} {'goal':>6s} "
          f"{'memory':>9s} {'- data':>9s} {'torch':>9s}")
    for net, row in rows:
        n, best = max(row["torch"].items(), key=lambda item: item[1])
        others = "/".join(f"{rate:,.0f}" for rate in row["torch"].values())
        print(f"{net:12s} {row['fovea']:11,.0f} {others:>22s} {row['fovea'] / best:7.2f}x {GOALS[net]:5.1f}x "
              f"{row['memory']:5.0f} MiB {row['memory'] - data_memory:5.0f} MiB {row['peer_memory']:5.0f} MiB")
    print(f"torch: with {' and '.join(str(n) for n in sorted({1, args.threads}))} threads, the better one counts; "
          f"fovea info digits alone: {data_memory:.0f} MiB")


if __name__ == "__main__":
    main()
