/* vec_neon.h - the vector operations on AArch64's Advanced SIMD: 4 lanes in a q register; a block is four
 * of them. Maximum and minimum are a comparison and a selection, because the instructions for them
 * propagate a NaN and order -0 below 0. */
#include <arm_neon.h>

#define FV_V             4
#define FV_REGISTERS     32
#define FV_BROADCASTS(m) (m) /* a multiply-add takes one lane as its factor: gcc loads these early */
typedef float32x4_t fv_v;

/* A table, one operation a line. */
/* clang-format off */
FV_INLINE fv_v fv_load(const float *p) { return vld1q_f32(p); }
FV_INLINE void fv_store(float *p, fv_v a) { vst1q_f32(p, a); }
FV_INLINE fv_v fv_keep(fv_v a) { __asm__("" : "+w"(a)); return a; }
FV_INLINE fv_v fv_set1(float a) { return vdupq_n_f32(a); }
FV_INLINE fv_v fv_zero(void) { return vdupq_n_f32(0.0f); }
FV_INLINE fv_v fv_add(fv_v a, fv_v b) { return vaddq_f32(a, b); }
FV_INLINE fv_v fv_sub(fv_v a, fv_v b) { return vsubq_f32(a, b); }
FV_INLINE fv_v fv_mul(fv_v a, fv_v b) { return vmulq_f32(a, b); }
FV_INLINE fv_v fv_div(fv_v a, fv_v b) { return vdivq_f32(a, b); }
FV_INLINE fv_v fv_sqrt(fv_v a) { return vsqrtq_f32(a); }
FV_INLINE fv_v fv_fma(fv_v a, fv_v b, fv_v c) { return vfmaq_f32(c, a, b); }
FV_INLINE fv_v fv_max(fv_v a, fv_v b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
FV_INLINE fv_v fv_min(fv_v a, fv_v b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
FV_INLINE fv_v fv_if_gt(fv_v a, fv_v b, fv_v x, fv_v y) { return vbslq_f32(vcgtq_f32(a, b), x, y); }
FV_INLINE fv_v fv_if_eq(fv_v a, fv_v b, fv_v x, fv_v y) { return vbslq_f32(vceqq_f32(a, b), x, y); }
FV_INLINE fv_v fv_abs(fv_v a) { return vabsq_f32(a); }
FV_INLINE fv_v fv_sign_of(fv_v m, fv_v s)
{
    const uint32x4_t sign = vandq_u32(vreinterpretq_u32_f32(s), vdupq_n_u32(0x80000000u));
    return vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(m), sign));
}
FV_INLINE fv_v fv_pow2(fv_v t)
{
    const uint32x4_t n = vsubq_u32(vreinterpretq_u32_f32(t), vdupq_n_u32(0x4B400000u - 127u));
    return vreinterpretq_f32_u32(vshlq_n_u32(n, 23));
}
FV_INLINE fv_v fv_exponent(fv_v x)
{
    const int32x4_t e = vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_f32(x), 23));
    return vcvtq_f32_s32(vsubq_s32(e, vdupq_n_s32(127)));
}
FV_INLINE fv_v fv_mantissa(fv_v x)
{
    const uint32x4_t m = vandq_u32(vreinterpretq_u32_f32(x), vdupq_n_u32(0x007FFFFFu));
    return vreinterpretq_f32_u32(vorrq_u32(m, vdupq_n_u32(0x3F800000u)));
}

/* A 4x4 square: pairs of floats, then pairs of pairs. */
FV_INLINE void fv_transpose4(const float *from, int64_t from_step, float *to, int64_t to_step)
{
    const fv_v a = fv_load(from), b = fv_load(from + from_step);
    const fv_v c = fv_load(from + 2 * from_step), d = fv_load(from + 3 * from_step);
    const float64x2_t ab = vreinterpretq_f64_f32(vtrn1q_f32(a, b)); /* a0 b0 a2 b2 */
    const float64x2_t cd = vreinterpretq_f64_f32(vtrn1q_f32(c, d));
    const float64x2_t ab_odd = vreinterpretq_f64_f32(vtrn2q_f32(a, b)); /* a1 b1 a3 b3 */
    const float64x2_t cd_odd = vreinterpretq_f64_f32(vtrn2q_f32(c, d));
    fv_store(to, vreinterpretq_f32_f64(vtrn1q_f64(ab, cd)));
    fv_store(to + to_step, vreinterpretq_f32_f64(vtrn1q_f64(ab_odd, cd_odd)));
    fv_store(to + 2 * to_step, vreinterpretq_f32_f64(vtrn2q_f64(ab, cd)));
    fv_store(to + 3 * to_step, vreinterpretq_f32_f64(vtrn2q_f64(ab_odd, cd_odd)));
}
FV_INLINE void fv_transpose8(const float *from, int64_t from_step, float *to, int64_t to_step)
{
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 8; j += 4)
            fv_transpose4(from + i * from_step + j, from_step, to + j * to_step + i, to_step);
}
