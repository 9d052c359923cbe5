#!/usr/bin/env python3
"""compare_torch.py - Fovea beside PyTorch: whole steps on random pixels, by turns in one sitting, medians.

Fovea's side is bench_step: the plan that `fovea train` runs, or the one of prediction. PyTorch's is torch_peer.py:
the same network, batch, optimiser and loss; inference in its traced, frozen form. Both work on one batch that is
in memory already. Every turn runs Fovea with one thread and with all, then PyTorch likewise; the better of
PyTorch's medians counts. With --growth PyTorch stays out: how Fovea's cost of a flop changes with batch, width and
depth.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
FIND_TORCH = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"

Work = namedtuple("Work", "net mode batch goal")  # goal: times PyTorch
WORKS = (Work("lenet5-relu", "train", 128, 8.0), Work("mlp", "train", 128, 3.0), Work("vgg8", "train", 128, 2.0),
         Work("resnet18", "train", 64, 1.5), Work("vit", "train", 64, 4.0), Work("resnet50", "infer", 1, 1.2),
         Work("resnet50", "infer", 16, 1.2))
GROWTH_BATCHES = (16, 32, 64, 128, 256, 512)
GROWTH_BATCH, GROWTH_WIDTH, GROWTH_DEPTH = 128, 32, 2


def run(command):
    """The last JSON line of standard output."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    except OSError as error:
        sys.exit(f"compare_torch: {command[0]}: {error.strerror}; "
                 "`cmake --build build --target benchmarks` builds it")
    if done.returncode != 0:
        sys.exit(f"compare_torch: exit {done.returncode}: {' '.join(command)}")
    return json.loads([line for line in done.stdout.splitlines() if line.startswith("{")][-1])


def python_with_torch():
    for python in (sys.executable, "python3", "/usr/bin/python3"):
        try:
            if subprocess.run([python, "-c", FIND_TORCH], stderr=subprocess.DEVNULL).returncode == 0:
                return python
        except OSError:
            pass
    sys.exit("compare_torch: found no Python with PyTorch; tools/setup.sh bench installs it")


def timing(args):
    return ["--blocks", str(args.blocks), "--seconds", str(args.seconds)]


def fovea_step(args, model, batch, threads, mode="train"):
    return run([args.step, "--model", model, "--batch", str(batch), "--threads", str(threads), *timing(args)]
               + (["--infer"] if mode == "infer" else []))


def torch_step(args, python, work, threads):
    return run([python, os.path.join(HERE, "torch_peer.py"), work.net, str(work.batch), str(threads),
                "jit" if work.mode == "infer" else "train", *timing(args)])


def middle(results, key):
    return statistics.median(result[key] for result in results)


# ---- tables: text by columns, or Markdown ------------------------------------------------------------------


def print_table(args, head, rows):
    if args.markdown:
        print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
        for row in rows:
            print("| " + " | ".join(row) + " |")
        return
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        print("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(row, widths))))


# ---- beside PyTorch ----------------------------------------------------------------------------------------


def compare(args, python, work):
    counts = sorted({1, args.threads})
    ours, peer = {n: [] for n in counts}, {n: [] for n in counts}
    for turn in range(args.turns):
        for n in counts:
            ours[n].append(fovea_step(args, work.net, work.batch, n, work.mode))
        for n in counts:
            peer[n].append(torch_step(args, python, work, n))
        print(f"  {work.net} {work.mode} {work.batch}, turn {turn + 1} of {args.turns}: "
              + ", ".join(f"{who} x{n} {results[n][-1]['samples_per_s']:,.1f}"
                          for who, results in (("fovea", ours), ("torch", peer)) for n in counts)
              + " samples/s", file=sys.stderr)
    most = ours[args.threads]
    rate = middle(most, "samples_per_s")
    peer_rates = {n: middle(results, "samples_per_s") for n, results in peer.items()}
    return {"network": work.net, "mode": work.mode, "batch": work.batch, "threads": args.threads,
            "fovea": rate, "step_ms": middle(most, "step_ms"), "peak_share": middle(most, "peak_share"),
            "peak_gflops": middle(most, "peak_gflops"), "torch": peer_rates,
            "ratio": rate / max(peer_rates.values()), "goal": work.goal,
            "scaling": rate / middle(ours[1], "samples_per_s"), "run_mib": middle(most, "run_bytes") / 2**20,
            "resident_mib": middle(most, "max_resident_kib") / 1024,
            "torch_resident_mib": max(middle(results, "max_resident_kib") for results in peer.values()) / 1024}


def comparison_row(row):
    digits = 0 if row["fovea"] >= 1000 else 1
    return (f"{row['network']} {row['mode']}", str(row["batch"]), f"{row['fovea']:,.{digits}f}",
            f"{row['peak_share']:.0%}", " / ".join(f"{rate:,.{digits}f}" for rate in row["torch"].values()),
            f"{row['ratio']:.2f}", f"{row['goal']:.1f}", f"{row['scaling']:.2f}", f"{row['run_mib']:,.0f}",
            f"{row['resident_mib']:,.0f}", f"{row['torch_resident_mib']:,.0f}")


def compare_all(args, works):
    python = python_with_torch()
    rows = []
    for work in works:
        rows.append(compare(args, python, work))
        if args.json:
            print(json.dumps(rows[-1]), flush=True)
    if args.json or not rows:
        return
    counts = " / ".join(str(n) for n in sorted({1, args.threads}))
    print(f"\nSamples a second with {args.threads} threads, medians of {args.turns} turns; the peak was "
          f"{statistics.median(row['peak_gflops'] for row in rows):.0f} GFLOP/s; memory in MiB\n")
    print_table(args, ("network", "batch", "Fovea", "of peak", f"PyTorch, {counts} threads", "ratio", "goal",
                       f"1 to {args.threads} threads", "run", "process", "PyTorch's"),
                [comparison_row(row) for row in rows])


# ---- growth ------------------------------------------------------------------------------------------------


def stack(width, depth):
    """Model text: three stages of `depth` 3x3 convolutions, twice as wide from stage to stage."""
    lines = ["input image 3x32x32"]
    for stage in range(3):
        for k in range(depth):
            lines += [f"conv c{stage}_{k} {width << stage} 3x3 pad=1", "relu"]
        lines.append("maxpool 2x2")
    return "\n".join(lines + ["flatten", "linear out 10", "softmax", ""])


def growth_cases():
    cases = [(f"batch {batch}", batch, GROWTH_WIDTH, GROWTH_DEPTH) for batch in GROWTH_BATCHES]
    cases += [(f"width x{n}", GROWTH_BATCH, n * GROWTH_WIDTH, GROWTH_DEPTH) for n in (2, 4)]
    return cases + [(f"depth x{n}", GROWTH_BATCH, GROWTH_WIDTH, n * GROWTH_DEPTH) for n in (2, 4)]


def growth(args):
    cases, results = growth_cases(), {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(args.turns):
            for name, batch, width, depth in cases:
                path = os.path.join(folder, "stack.fovea")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(stack(width, depth))
                results.setdefault(name, []).append(fovea_step(args, path, batch, args.threads))
                print(f"  turn {turn + 1} of {args.turns}, {name}: {results[name][-1]['gflops']:,.0f} GFLOP/s",
                      file=sys.stderr)
    base = middle(results[f"batch {GROWTH_BATCH}"], "gflops")
    rows = []
    for name, batch, width, depth in cases:
        rate = middle(results[name], "gflops")
        rows.append({"case": name, "batch": batch, "width": width, "depth": depth, "gflops": rate,
                     "peak_share": middle(results[name], "peak_share"), "cost_of_a_flop": base / rate,
                     "step_ms": middle(results[name], "step_ms")})
        if args.json:
            print(json.dumps(rows[-1]))
    if args.json:
        return
    print(f"\nTraining three stages of {GROWTH_DEPTH} convolutions from width {GROWTH_WIDTH} on 3x32x32, batch "
          f"{GROWTH_BATCH} unless said, {args.threads} threads, medians of {args.turns} turns; the goal is a cost "
          "within 15%\n")
    print_table(args, ("", "ms a step", "GFLOP/s", "of peak", "cost of a flop"),
                [(row["case"], f"{row['step_ms']:,.2f}", f"{row['gflops']:,.0f}", f"{row['peak_share']:.0%}",
                  f"{row['cost_of_a_flop']:.2f}") for row in rows])


def choose_works(args):
    """What was asked for and is there: a network that Fovea does not have yet is left out, aloud."""
    known = subprocess.run([args.step, "--list"], stdout=subprocess.PIPE, text=True).stdout.split()
    works = []
    for work in WORKS:
        if args.nets and work.net not in args.nets:
            continue
        if work.net in known:
            works.append(work._replace(batch=args.batch or work.batch))
        else:
            print(f"compare_torch: left out {work.net} {work.mode}: no built-in model of that name",
                  file=sys.stderr)
    return list(dict.fromkeys(works))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step", default=os.path.join(HERE, "..", "build", "bench", "bench_step"),
                        help="the program bench_step")
    parser.add_argument("--batch", type=int, help="each network's own where left out")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--blocks", type=int, default=5, help="stretches of steps in a turn, of each side")
    parser.add_argument("--seconds", type=float, default=1.0, help="the length of one")
    parser.add_argument("--growth", action="store_true", help="the cost of a flop by batch, width and depth")
    parser.add_argument("--markdown", action="store_true", help="tables for a document")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    parser.add_argument("nets", nargs="*", metavar="NET", help=", ".join(dict.fromkeys(w.net for w in WORKS)))
    args = parser.parse_args()
    for net in args.nets:
        if net not in {work.net for work in WORKS}:
            parser.error(f"no network '{net}'")
    if not os.path.exists(args.step):
        sys.exit(f"compare_torch: {args.step}: not there; `cmake --build build --target benchmarks` builds it")
    if args.growth:
        growth(args)
    else:
        compare_all(args, choose_works(args))


if __name__ == "__main__":
    main()
