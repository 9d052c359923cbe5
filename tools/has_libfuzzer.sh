#!/bin/sh
# has_libfuzzer.sh - exits 0 where clang is there and can build libFuzzer's targets; else says what is missing.
program=$(mktemp)
trap 'rm -f "$program"' EXIT
command -v clang >/dev/null 2>&1 || { echo "there is no clang" && exit 1; }
echo 'int LLVMFuzzerTestOneInput(const unsigned char *b, unsigned long n) { return b && n > 9; }' |
    clang -fsanitize=fuzzer,address,undefined -x c - -o "$program" 2>/dev/null ||
    { echo "clang lacks libFuzzer (Debian: libclang-rt-14-dev, of clang's own number)" && exit 1; }
