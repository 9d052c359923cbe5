/* isa_neon.c - every kernel, compiled for AArch64's Advanced SIMD. */
#define FV_USE_NEON       1
#define FV_ISA_ID         FV_ISA_NEON
#define FV_KERNELS_SYMBOL fv__kernels_neon
#include "kernels/all_kernels.inc"
