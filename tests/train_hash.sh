# train_hash.sh - for neon_test.sh and compilers_test.sh, which read it with "."; expects $scratch, a folder.

# What is compared: ReLU and max-pooling; tanh and average pooling; linear layers alone; and the rest.
models="lenet5-relu lenet5 mlp $scratch/rest.fovea"
cat >"$scratch/rest.fovea" <<'END'
input image 1x28x28
conv c1 5 3x3 stride=2 pad=1 bias=no
batchnorm b1
leakyrelu name=trunk
conv c2 5 3x3 pad=1
softplus
add trunk
maxpool 2x2
dropout 0.2
conv c3 33 1x1
batchnorm b3
relu
conv c4 32 3x3 pad=1
globalavgpool
flatten
linear h 19
sigmoid
linear out 10
softmax
END

# train_hash ISA MODEL COMMAND... - four steps on the built-in digits, and the hash of the parameters that
# they lead to, as the command prints it; "lacking" where the machine has no such instructions; nothing where
# the command fails.
train_hash() {
    isa=$1 model=$2
    shift 2
    if ! FOVEA_ISA=$isa NO_COLOR=1 "$@" train --model "$model" --data digits --limit 256 --epochs 1 \
        --batch 64 --threads 2 --quiet --out "$scratch/run" --replace >"$scratch/said" 2>&1; then
        grep -q 'this machine lacks it' "$scratch/said" && echo lacking && return
        cat "$scratch/said" >&2
        return
    fi
    sed -n 's/.*hash \([0-9a-f]\{16\}\).*/\1/p' "$scratch/said"
}

# same_hash EXPECTED WHAT ISA MODEL COMMAND... - counts in $wrong where the hash is another.
wrong=0
same_hash() {
    expected=$1 what=${2##*/}
    shift 2
    found=$(train_hash "$@")
    [ "$found" = lacking ] && echo "$what: skipped, this machine lacks it" && return
    if [ -n "$found" ] && [ "$found" = "$expected" ]; then
        echo "$what: $found"
    else
        echo "$what: expected $expected, found ${found:-no hash}" >&2
        wrong=$((wrong + 1))
    fi
}
