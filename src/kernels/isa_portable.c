/* isa_portable.c - every kernel, in plain C, for any machine. */
#define FV_ISA_ID         FV_ISA_PORTABLE
#define FV_KERNELS_SYMBOL fv__kernels_portable
#include "kernels/all_kernels.inc"
