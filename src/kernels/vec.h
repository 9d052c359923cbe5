/* vec.h - the vector operations of the kernels, on native vectors of FV_V floats.
 *
 * The 16 lanes of a block are 16 / FV_V native vectors. Every operation acts per lane and is exactly
 * rounded (IEEE 754), so that a kernel written once gives the same bits on every instruction set.
 *
 *   fv_load fv_store fv_set1 fv_zero    memory and constants; any alignment
 *   fv_keep(a)                          a, in a register: the compiler does not load it again for every use
 *   fv_add fv_sub fv_mul fv_div fv_sqrt
 *   fv_fma(a, b, c)                     a * b + c, rounded once
 *   fv_max(a, b) fv_min(a, b)           a > b ? a : b and a < b ? a : b: the result is b if either is NaN
 *   fv_if_gt(a, b, x, y)                a > b ? x : y per lane; false for NaN
 *   fv_if_eq(a, b, x, y)                a == b ? x : y
 *   fv_abs fv_sign_of(m, s)             |x|; m with the sign bit of s (m >= 0)
 *   fv_pow2(t)                          2^n where t = n + FV_ROUND_MAGIC, -126 <= n <= 127
 *   fv_exponent fv_mantissa             of a positive normal x = m * 2^e, 1 <= m < 2 (e as a float)
 *   FV_REGISTERS                        vector registers that a tile may use; 0: large tiles gain nothing
 *   FV_BROADCASTS(m)                    how many of them hold broadcasts in a tile of m rows
 *   fv_transpose8(from, from_step, to, to_step)   to[j * to_step + i] = from[i * from_step + j], 8x8
 *
 * kernels/isa_*.c include this file after defining FV_USE_AVX512, FV_USE_AVX2, FV_USE_NEON or nothing. */
#ifndef FV_KERNELS_VEC_H
#define FV_KERNELS_VEC_H

#include <stdint.h>
#include <string.h>

/* x + FV_ROUND_MAGIC rounds x to the nearest integer (ties to even), |x| < 2^22. */
#define FV_ROUND_MAGIC 12582912.0f

#define FV_INLINE static inline __attribute__((always_inline, unused))

#if defined(FV_USE_AVX512)
#include "kernels/vec_avx512.h"
#elif defined(FV_USE_AVX2)
#include "kernels/vec_avx2.h"
#elif defined(FV_USE_NEON)
#include "kernels/vec_neon.h"
#else
#include "kernels/vec_portable.h"
#endif

#endif
