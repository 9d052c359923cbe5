#!/bin/sh
# make_seeds.sh [COMMAND] - writes the seeds of the target `run`, which change with the format of checkpoints:
# run folders made by COMMAND (default build/fovea), whole and damaged, packed as fuzz_unpack takes them.
set -eu
cd "$(dirname "$0")/../.."
command=$(realpath "${1:-build/fovea}")
out=$PWD/tests/fuzz/corpus/run
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$out"
cd "$scratch"

# Six pictures of 1x2x2, the target's own data: a run goes on with what it began with.
mkdir data
i=0
pixels=
while [ $i -lt 24 ]; do
    pixels="$pixels$(printf '\\%03o' $(((i * 37 + i / 11) % 256)))"
    i=$((i + 1))
done
for set in train t10k; do
    printf "\0\0\010\003\0\0\0\006\0\0\0\002\0\0\0\002$pixels" >data/$set-images-idx3-ubyte
    printf '\0\0\010\001\0\0\0\006\0\001\002\003\004\005' >data/$set-labels-idx1-ubyte
done
pack() { # NAME PARTS... of the folder run
    file=$out/$1
    shift
    : >"$file"
    for part in "$@"; do
        [ -s "$file" ] && printf '\n' >>"$file"
        printf '@@ %s\n' "$part" >>"$file"
        cat "run/$part" >>"$file"
    done
}
train() { # TEXT OPTIONS...
    rm -rf run
    printf "$1" >m.fovea
    shift
    "$command" train --model m.fovea --data data --out run --batch 4 --threads 1 --quiet "$@" >/dev/null
}

rm -f "$out"/good-* "$out"/bad-* "$out"/no-model-text
train 'input image 1x2x2\nflatten\nlinear o 6\nsoftmax\n' --epochs 2 --classes 0,1,2,3,4,5
pack good-linear model.fovea last.safetensors
pack good-with-best model.fovea last.safetensors best.safetensors
pack good-with-log model.fovea last.safetensors log.csv
cp run/last.safetensors last
{ head -c 1000 last && printf x && tail -c +1002 last; } >run/last.safetensors
pack bad-checkpoint-byte model.fovea last.safetensors
head -c 900 last >run/last.safetensors
pack bad-checkpoint-cut model.fovea last.safetensors
cp last run/last.safetensors
printf 'input image 1x2x2\nflatten\nlinear o 7\nsoftmax\n' >run/model.fovea
pack bad-other-model model.fovea last.safetensors
pack no-model-text last.safetensors # whether that will do is the checkpoint's business
printf 'input image 1x2x2\nconv\n' >run/model.fovea
pack bad-model-text model.fovea last.safetensors
train 'input image 1x2x2\nconv c 2 1x1 bias=no\nbatchnorm b\nrelu\nflatten\ndropout 0.5\nlinear o 6\nsoftmax\n' \
    --epochs 3 --schedule step --step-epochs 1 --shift 1 --classes 0,1,2,3,4,5
pack good-batchnorm model.fovea last.safetensors
pack bad-weights-alone model.fovea best.safetensors
ls -l "$out"
