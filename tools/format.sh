#!/bin/sh
# format.sh [--check] [FOLDER] - all C sources in the one form of .clang-format: rewrites what differs, or, with
# --check, names it and exits 1. Exits 77 (skipped) without clang-format 14, for others format differently.
set -eu
check=
[ "${1:-}" != --check ] || { check=1; shift; }
cd "$(dirname "$0")/.."
[ $# -eq 0 ] || cd "$1"
format=
for name in clang-format-14 clang-format; do
    if [ -z "$format" ] && command -v "$name" >/dev/null && "$name" --version | grep -q ' version 14\.'; then
        format=$name
    fi
done
[ -n "$format" ] || { echo "format: skipped, there is no clang-format 14"; exit 77; }

# Left as they are: tables (.def, digits_strokes.inc), and the corpus of the fuzz targets, which is data.
list=${TMPDIR:-/tmp}/format.$$
trap 'rm -f "$list" "$list.said" "$list.other"' EXIT
find src include cli tests examples bench -type f ! -path '*/corpus/*' ! -name digits_strokes.inc \
    \( -name '*.c' -o -name '*.h' -o -name '*.inc' \) | sort >"$list"
# Many files a process: one process a file would take longer to start than to format.
xargs -P 2 -n 64 "$format" --style=file --dry-run <"$list" >"$list.said" 2>&1 || { cat "$list.said"; exit 1; }
sed -n 's/:[0-9]*:[0-9]*: warning: code should be clang-formatted.*//p' "$list.said" | sort -u >"$list.other"
n_other=$(wc -l <"$list.other")
if [ -n "$check" ]; then
    sed 's/$/: not as tools\/format.sh leaves it/' "$list.other"
elif [ "$n_other" -gt 0 ]; then
    xargs "$format" --style=file -i <"$list.other"
fi
echo "format: $(wc -l <"$list") files, $n_other $([ -n "$check" ] && echo differ || echo rewritten)"
[ -z "$check" ] || [ "$n_other" -eq 0 ]
