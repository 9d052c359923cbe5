/* vec_portable.h - the vector operations in plain C: 4 lanes in a struct. fmaf is exactly rounded by the C
 * standard (annex F), so the bits are those of the hardware's fused multiply-add. */
#include <math.h>

#define FV_V             4
#define FV_REGISTERS     0
#define FV_BROADCASTS(m) 0
typedef struct fv_v {
    float f[FV_V];
} fv_v;

#define FV_EACH(expression)                                                                                  \
    fv_v r;                                                                                                  \
    for (int i = 0; i < FV_V; i++)                                                                           \
        r.f[i] = (expression);                                                                               \
    return r

FV_INLINE uint32_t fv_bits(float a)
{
    uint32_t u;
    memcpy(&u, &a, sizeof u);
    return u;
}
FV_INLINE float fv_float(uint32_t u)
{
    float a;
    memcpy(&a, &u, sizeof a);
    return a;
}
/* A table, one operation a line. */
/* clang-format off */
FV_INLINE fv_v fv_load(const float *p) { FV_EACH(p[i]); }
FV_INLINE void fv_store(float *p, fv_v a) { memcpy(p, a.f, sizeof a.f); }
FV_INLINE fv_v fv_keep(fv_v a) { return a; }
FV_INLINE fv_v fv_set1(float a) { FV_EACH(a); }
FV_INLINE fv_v fv_zero(void) { FV_EACH(0.0f); }
FV_INLINE fv_v fv_add(fv_v a, fv_v b) { FV_EACH(a.f[i] + b.f[i]); }
FV_INLINE fv_v fv_sub(fv_v a, fv_v b) { FV_EACH(a.f[i] - b.f[i]); }
FV_INLINE fv_v fv_mul(fv_v a, fv_v b) { FV_EACH(a.f[i] * b.f[i]); }
FV_INLINE fv_v fv_div(fv_v a, fv_v b) { FV_EACH(a.f[i] / b.f[i]); }
FV_INLINE fv_v fv_sqrt(fv_v a) { FV_EACH(sqrtf(a.f[i])); }
FV_INLINE fv_v fv_fma(fv_v a, fv_v b, fv_v c) { FV_EACH(fmaf(a.f[i], b.f[i], c.f[i])); }
FV_INLINE fv_v fv_max(fv_v a, fv_v b) { FV_EACH(a.f[i] > b.f[i] ? a.f[i] : b.f[i]); }
FV_INLINE fv_v fv_min(fv_v a, fv_v b) { FV_EACH(a.f[i] < b.f[i] ? a.f[i] : b.f[i]); }
FV_INLINE fv_v fv_if_gt(fv_v a, fv_v b, fv_v x, fv_v y) { FV_EACH(a.f[i] > b.f[i] ? x.f[i] : y.f[i]); }
FV_INLINE fv_v fv_if_eq(fv_v a, fv_v b, fv_v x, fv_v y) { FV_EACH(a.f[i] == b.f[i] ? x.f[i] : y.f[i]); }
FV_INLINE fv_v fv_abs(fv_v a) { FV_EACH(fv_float(fv_bits(a.f[i]) & 0x7FFFFFFFu)); }
FV_INLINE fv_v fv_sign_of(fv_v m, fv_v s)
{
    FV_EACH(fv_float(fv_bits(m.f[i]) | (fv_bits(s.f[i]) & 0x80000000u)));
}
FV_INLINE fv_v fv_pow2(fv_v t) { FV_EACH(fv_float((fv_bits(t.f[i]) - (0x4B400000u - 127u)) << 23)); }
FV_INLINE fv_v fv_exponent(fv_v x) { FV_EACH((float)((int)(fv_bits(x.f[i]) >> 23) - 127)); }
FV_INLINE fv_v fv_mantissa(fv_v x) { FV_EACH(fv_float((fv_bits(x.f[i]) & 0x007FFFFFu) | 0x3F800000u)); }
#undef FV_EACH

FV_INLINE void fv_transpose8(const float *from, int64_t from_step, float *to, int64_t to_step)
{
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++)
            to[j * to_step + i] = from[i * from_step + j];
}
