/* cpu.c - which instruction sets this machine and its operating system support. */
#include "base/cpu.h"

#include <string.h>

static const char *const isa_names[FV_N_ISA] = {
    [FV_ISA_PORTABLE] = "portable",
    [FV_ISA_AVX2] = "avx2",
    [FV_ISA_AVX512] = "avx512",
    [FV_ISA_NEON] = "neon",
};

bool fv__cpu_has(fv_isa isa)
{
    if (isa == FV_ISA_PORTABLE)
        return true;
#if defined(__x86_64__) && defined(__GNUC__)
    /* The builtins also ask the operating system whether it saves the wide registers. */
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (isa == FV_ISA_AVX2)
        return avx2;
    if (isa == FV_ISA_AVX512)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#elif defined(__aarch64__)
    if (isa == FV_ISA_NEON)
        return true; /* a part of the architecture */
#endif
    return false;
}

fv_isa fv__cpu_best(void)
{
    static const fv_isa fastest_first[] = {FV_ISA_AVX512, FV_ISA_AVX2, FV_ISA_NEON};
    for (size_t i = 0; i < sizeof fastest_first / sizeof *fastest_first; i++)
        if (fv__cpu_has(fastest_first[i]))
            return fastest_first[i];
    return FV_ISA_PORTABLE;
}

const char *fv__isa_name(fv_isa isa)
{
    return (unsigned)isa < FV_N_ISA ? isa_names[isa] : "unknown";
}

fv_status fv__isa_choose(fv_context *ctx, const char *name, fv_isa *out)
{
    if (!name || strcmp(name, "auto") == 0) {
        *out = fv__cpu_best();
        return FV_OK;
    }
    for (int i = 0; i < FV_N_ISA; i++) {
        if (strcmp(name, isa_names[i]) != 0)
            continue;
        if (!fv__cpu_has((fv_isa)i))
            return fv__fail(ctx, FV_ERR_UNSUPPORTED,
                            "instruction set '%s': this machine lacks it; the best that it has is '%s'", name,
                            fv__isa_name(fv__cpu_best()));
        *out = (fv_isa)i;
        return FV_OK;
    }
    const char *near = fv__nearest(name, isa_names, FV_N_ISA);
    return fv__fail(ctx, FV_ERR_ARGUMENT,
                    "instruction set '%s': unknown; expected auto, avx512, avx2, neon or portable%s%s%s",
                    name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}
