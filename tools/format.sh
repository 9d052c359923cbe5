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
other=${TMPDIR:-/tmp}/format.$$
trap 'rm -f "$other" "$other.list"' EXIT
find src include cli tests examples bench -type f ! -path '*/corpus/*' ! -name digits_strokes.inc \
    \( -name '*.c' -o -name '*.h' -o -name '*.inc' \) | sort >"$other.list"
n_other=0
while read -r file; do
    "$format" --style=file --assume-filename="${file%.*}.c" <"$file" >"$other"
    if ! cmp -s "$file" "$other"; then
        n_other=$((n_other + 1))
        if [ -n "$check" ]; then
            echo "$file: not as tools/format.sh leaves it"
        else
            cat "$other" >"$file"
        fi
    fi
done <"$other.list"
echo "format: $(wc -l <"$other.list") files, $n_other $([ -n "$check" ] && echo differ || echo rewritten)"
[ -z "$check" ] || [ "$n_other" -eq 0 ]
