#!/bin/sh
# soak.sh HOURS JOBS FOLDER - searches for HOURS with the targets of build-fuzz, JOBS at a time, each for its
# share, and goes on after findings; then the whole walk of tests/faults. FOLDER keeps, from soak to soak,
# NAME/corpus, NAME/findings and NAME/log. The last line says how many findings there are; exits 1 where any are.
set -eu
hours=$1 jobs=$2
mkdir -p "$3"
out=$(cd "$3" && pwd)
cd "$(dirname "$0")/../.."

targets=$(find build-fuzz/tests/fuzz -maxdepth 1 -type f -name 'fuzz_*' -perm -u+x | wc -l)
export FUZZ_OUT="$out" FUZZ_ON=1
FUZZ_SECONDS=$(awk "BEGIN { print int($hours * 3600 * $jobs / $targets) }")
export FUZZ_SECONDS
echo "soak: $targets targets, $FUZZ_SECONDS s each, $jobs at a time, in $out"
ctest --test-dir build-fuzz --label-regex fuzz --parallel "$jobs" --no-tests=error || true
mkdir -p "$out/faults"
build/tests/faults/fault_walk build/tests/faults/libfault_shim.so build/fovea >"$out/faults/log" || true
tail -n 1 "$out/faults/log"

inputs=$(find "$out" -path '*/findings/*' -type f | wc -l)
faults=$(sed -n '$s/.* \([0-9]*\) wrong/\1/p' "$out/faults/log")
if [ -z "$faults" ]; then
    echo "soak: the walk of faults did not end; see $out/faults/log"
    faults=1
fi
echo "soak: $((inputs + faults)) findings: $inputs inputs in $out/*/findings, $faults faults in $out/faults/log"
[ $((inputs + faults)) -eq 0 ]
