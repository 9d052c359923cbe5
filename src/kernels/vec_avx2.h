/* vec_avx2.h - the vector operations on AVX2 with FMA: 8 lanes in a ymm register; a block is two of them. */
#include <immintrin.h>

#define FV_V             8
#define FV_REGISTERS     16
#define FV_BROADCASTS(m) 1
typedef __m256 fv_v;

/* A table, one operation a line. */
/* clang-format off */
FV_INLINE fv_v fv_load(const float *p) { return _mm256_loadu_ps(p); }
FV_INLINE void fv_store(float *p, fv_v a) { _mm256_storeu_ps(p, a); }
FV_INLINE fv_v fv_keep(fv_v a) { __asm__("" : "+x"(a)); return a; }
FV_INLINE fv_v fv_set1(float a) { return _mm256_set1_ps(a); }
FV_INLINE fv_v fv_zero(void) { return _mm256_setzero_ps(); }
FV_INLINE fv_v fv_add(fv_v a, fv_v b) { return _mm256_add_ps(a, b); }
FV_INLINE fv_v fv_sub(fv_v a, fv_v b) { return _mm256_sub_ps(a, b); }
FV_INLINE fv_v fv_mul(fv_v a, fv_v b) { return _mm256_mul_ps(a, b); }
FV_INLINE fv_v fv_div(fv_v a, fv_v b) { return _mm256_div_ps(a, b); }
FV_INLINE fv_v fv_sqrt(fv_v a) { return _mm256_sqrt_ps(a); }
FV_INLINE fv_v fv_fma(fv_v a, fv_v b, fv_v c) { return _mm256_fmadd_ps(a, b, c); }
FV_INLINE fv_v fv_max(fv_v a, fv_v b) { return _mm256_max_ps(a, b); }
FV_INLINE fv_v fv_min(fv_v a, fv_v b) { return _mm256_min_ps(a, b); }
FV_INLINE fv_v fv_if_gt(fv_v a, fv_v b, fv_v x, fv_v y)
{
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_GT_OQ));
}
FV_INLINE fv_v fv_if_eq(fv_v a, fv_v b, fv_v x, fv_v y)
{
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_EQ_OQ));
}
FV_INLINE fv_v fv_abs(fv_v a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
FV_INLINE fv_v fv_sign_of(fv_v m, fv_v s) { return _mm256_or_ps(m, _mm256_and_ps(_mm256_set1_ps(-0.0f), s)); }
FV_INLINE fv_v fv_pow2(fv_v t)
{
    const __m256i n = _mm256_sub_epi32(_mm256_castps_si256(t), _mm256_set1_epi32(0x4B400000 - 127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(n, 23));
}
FV_INLINE fv_v fv_exponent(fv_v x)
{
    const __m256i e = _mm256_srli_epi32(_mm256_castps_si256(x), 23);
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(e, _mm256_set1_epi32(127)));
}
FV_INLINE fv_v fv_mantissa(fv_v x)
{
    const __m256i m = _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x007FFFFF));
    return _mm256_castsi256_ps(_mm256_or_si256(m, _mm256_set1_epi32(0x3F800000)));
}

#include "kernels/vec_transpose.h"
