#!/bin/sh
# narrow.sh - formats the lines that check_house.sh finds too long, and no others (needs clang-format).
set -eu
cd "$(dirname "$0")/.."
tools/check_house.sh | sed -n 's/^\([^:]*\):\([0-9]*\): line of .*/\1 \2/p' \
    | awk '{ lines[$1] = lines[$1] " --lines=" $2 ":" $2 } END { for (file in lines) print file, lines[file] }' \
    | while read -r file lines; do
    # shellcheck disable=SC2086
    clang-format -i $lines "$file"
done
