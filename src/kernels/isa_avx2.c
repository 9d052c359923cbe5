/* isa_avx2.c - every kernel, compiled for AVX2. */
#define FV_USE_AVX2       1
#define FV_ISA_ID         FV_ISA_AVX2
#define FV_KERNELS_SYMBOL fv__kernels_avx2
#include "kernels/all_kernels.inc"
