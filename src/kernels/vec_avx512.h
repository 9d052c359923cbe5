/* vec_avx512.h - the vector operations on AVX-512: 16 lanes in one zmm register. */
#include <immintrin.h>

#define FV_V             16
#define FV_REGISTERS     32
#define FV_BROADCASTS(m) 1
typedef __m512 fv_v;

/* A table, one operation a line. */
/* clang-format off */
FV_INLINE fv_v fv_load(const float *p) { return _mm512_loadu_ps(p); }
FV_INLINE void fv_store(float *p, fv_v a) { _mm512_storeu_ps(p, a); }
FV_INLINE fv_v fv_keep(fv_v a) { __asm__("" : "+v"(a)); return a; }
FV_INLINE fv_v fv_set1(float a) { return _mm512_set1_ps(a); }
FV_INLINE fv_v fv_zero(void) { return _mm512_setzero_ps(); }
FV_INLINE fv_v fv_add(fv_v a, fv_v b) { return _mm512_add_ps(a, b); }
FV_INLINE fv_v fv_sub(fv_v a, fv_v b) { return _mm512_sub_ps(a, b); }
FV_INLINE fv_v fv_mul(fv_v a, fv_v b) { return _mm512_mul_ps(a, b); }
FV_INLINE fv_v fv_div(fv_v a, fv_v b) { return _mm512_div_ps(a, b); }
FV_INLINE fv_v fv_sqrt(fv_v a) { return _mm512_sqrt_ps(a); }
FV_INLINE fv_v fv_fma(fv_v a, fv_v b, fv_v c) { return _mm512_fmadd_ps(a, b, c); }
FV_INLINE fv_v fv_max(fv_v a, fv_v b) { return _mm512_max_ps(a, b); }
FV_INLINE fv_v fv_min(fv_v a, fv_v b) { return _mm512_min_ps(a, b); }
FV_INLINE fv_v fv_if_gt(fv_v a, fv_v b, fv_v x, fv_v y)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), y, x);
}
FV_INLINE fv_v fv_if_eq(fv_v a, fv_v b, fv_v x, fv_v y)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ), y, x);
}
FV_INLINE fv_v fv_abs(fv_v a) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a); }
FV_INLINE fv_v fv_sign_of(fv_v m, fv_v s) { return _mm512_or_ps(m, _mm512_and_ps(_mm512_set1_ps(-0.0f), s)); }
FV_INLINE fv_v fv_pow2(fv_v t)
{
    const __m512i n = _mm512_sub_epi32(_mm512_castps_si512(t), _mm512_set1_epi32(0x4B400000 - 127));
    return _mm512_castsi512_ps(_mm512_slli_epi32(n, 23));
}
FV_INLINE fv_v fv_exponent(fv_v x)
{
    const __m512i e = _mm512_srli_epi32(_mm512_castps_si512(x), 23);
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(e, _mm512_set1_epi32(127)));
}
FV_INLINE fv_v fv_mantissa(fv_v x)
{
    const __m512i m = _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x007FFFFF));
    return _mm512_castsi512_ps(_mm512_or_si512(m, _mm512_set1_epi32(0x3F800000)));
}

#include "kernels/vec_transpose.h"
