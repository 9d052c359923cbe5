/* kernels.c - the rows of kernels.def, and the table of kernels of an instruction set. */
#include "kernels/args.h"
#include "kernels/kernel.h"

extern const fv_kernels fv__kernels_portable;
#if defined(__x86_64__)
extern const fv_kernels fv__kernels_avx2, fv__kernels_avx512;
#elif defined(__aarch64__)
extern const fv_kernels fv__kernels_neon;
#endif

const fv_kernel_row *fv__kernel_row(fv_kernel_id id)
{
    static const fv_kernel_row rows[FV_N_KERNELS] = {
#define FV_KERNEL(name, args, can) [FV_KERNEL_##name] = {#name, sizeof(args), can},
#include "kernels/kernels.def"
#undef FV_KERNEL
    };
    return &rows[id];
}

const char *fv__kernel_name(fv_kernel_id id)
{
    return fv__kernel_row(id)->name;
}

const fv_kernels *fv__kernels(fv_isa isa)
{
    switch (isa) {
#if defined(__x86_64__)
    case FV_ISA_AVX512:
        return &fv__kernels_avx512;
    case FV_ISA_AVX2:
        return &fv__kernels_avx2;
#elif defined(__aarch64__)
    case FV_ISA_NEON:
        return &fv__kernels_neon;
#endif
    case FV_ISA_PORTABLE:
        return &fv__kernels_portable;
    default:
        return NULL;
    }
}
