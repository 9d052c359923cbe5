/* isa_avx512.c - every kernel, compiled for AVX512. */
#define FV_USE_AVX512     1
#define FV_ISA_ID         FV_ISA_AVX512
#define FV_KERNELS_SYMBOL fv__kernels_avx512
#include "kernels/all_kernels.inc"
