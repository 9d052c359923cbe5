#!/bin/sh
# fuzz_search.sh PROGRAM NAME - lets libFuzzer search from corpus/NAME on. Fails where it found something; the
# input and what was said of it lie in FUZZ_OUT then.
#
#   FUZZ_SECONDS   so long (default 60)
#   FUZZ_OUT       folder for NAME/corpus, which grows and is taken up by the next search, NAME/findings and
#                  NAME/log (default: the folder `found` beside the program)
#   FUZZ_ON        set: go on after a finding, until the time is over
set -u
program=$1 name=$2
here=$(cd "$(dirname "$0")" && pwd)
out=${FUZZ_OUT:-$(dirname "$program")/found}/$name
mkdir -p "$out/corpus" "$out/findings"
# Programs that crash cannot remove their files.
[ -w /dev/shm ] && files=$(mktemp -d /dev/shm/fovea-fuzz-XXXXXX) || files=$(mktemp -d) || exit 1
trap 'rm -rf "$files"' EXIT
export FUZZ_FOLDER="$files"

set -- -max_total_time="${FUZZ_SECONDS:-60}" -print_final_stats=1 -timeout=60 -report_slow_units=60 -rss_limit_mb=3000 \
    -max_len=4096 -artifact_prefix="$out/findings/"
case $name in
text | plan | step | check) set -- "$@" -dict="$here/model_text.dict" ;;
esac
# Computing takes time: long texts would only make it slow.
case $name in
plan | step | check) set -- "$@" -max_len=1500 ;;
esac
if [ "${FUZZ_ON:-}" ]; then
    set -- "$@" -fork=1 -ignore_crashes=1 -ignore_timeouts=1 -ignore_ooms=1
fi
"$program" "$@" "$out/corpus" "$here/corpus/$name" >"$out/log" 2>&1
code=$?
sed -n 's/^stat::\(number_of_executed_units\|average_exec_per_sec\): */\1 /p' "$out/log"
n=$(find "$out/findings" -type f | wc -l)
if [ "$n" -gt 0 ] || [ "$code" -ne 0 ]; then
    grep -v '^#' "$out/log" | tail -n 60
    echo "$name: $n findings in $out/findings"
    exit 1
fi
echo "$name: nothing found"
