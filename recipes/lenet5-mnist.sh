#!/bin/sh
# LeNet-5 on MNIST to at most 0.8% test error: 20 epochs, images shifted by up to two pixels.
# Usage: FOVEA_DATA=FOLDER recipes/lenet5-mnist.sh [FOVEA [OPTIONS...]]
# FOLDER holds mnist/ with the four IDX files; OPTIONS such as --replace, for a second time, go to the command.
set -eu
fovea=${1:-build/fovea}
[ $# -eq 0 ] || shift
exec "$fovea" train --model lenet5-relu --data mnist --epochs 20 --batch 64 --lr 0.03 --schedule cosine \
    --shift 2 --weight-decay 0.0001 --out runs/lenet5-mnist "$@"
