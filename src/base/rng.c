/* rng.c - Philox4x32-10, draws from it, and the elementary functions that they need.
 *
 * Philox: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. A round
 * multiplies two words of the counter into double words, swaps halves and mixes in the key; the key is
 * bumped by a Weyl sequence between rounds.
 *
 * The functions use + - * / and exact manipulations of bits alone, in double, so that no libm affects the
 * initial values of parameters. */
#include "base/rng.h"

#include <math.h>
#include <string.h>

fv_u32x4 fv__philox(uint64_t seed, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3)
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        const uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u; /* the golden ratio    */
        k1 += 0xBB67AE85u; /* the root of three - 1 */
    }
    return (fv_u32x4){{c0, c1, c2, c3}};
}

fv_rng fv__rng(uint64_t seed, uint32_t stream, uint32_t a, uint32_t b)
{
    return (fv_rng){.seed = seed, .a = a, .b = b, .stream = stream};
}

uint32_t fv__rng_u32(fv_rng *rng)
{
    if (rng->left == 0) {
        rng->block = fv__philox(rng->seed, rng->i++, rng->a, rng->b, rng->stream);
        rng->left = 4;
    }
    return rng->block.v[4 - rng->left--];
}

/* The high word of a product (Lemire, "Fast random integer generation in an interval", 2019). Low words
 * under 2^32 mod n are drawn again, so that all results are equally likely. */
uint32_t fv__rng_below(fv_rng *rng, uint32_t n)
{
    uint64_t product = (uint64_t)fv__rng_u32(rng) * n;
    if ((uint32_t)product < n) {
        const uint32_t surplus = (0u - n) % n;
        while ((uint32_t)product < surplus)
            product = (uint64_t)fv__rng_u32(rng) * n;
    }
    return (uint32_t)(product >> 32);
}

void fv__draw_shift(uint64_t seed, uint32_t sample, uint32_t epoch, int range, int by[2])
{
    fv_rng rng = fv__rng(seed, FV_STREAM_AUGMENT, sample, epoch);
    for (int i = 0; i < 2; i++)
        by[i] = (int)fv__rng_below(&rng, 2 * (uint32_t)range + 1) - range;
}

double fv__rng_uniform(fv_rng *rng)
{
    const uint64_t high = fv__rng_u32(rng) >> 5; /* 27 bits */
    const uint64_t low = fv__rng_u32(rng) >> 6;  /* 26 bits */
    return (double)(high << 26 | low) * 0x1p-53;
}

/* Box and Muller 1958: sqrt(-2 log u) cos(2 pi v), u in (0, 1]. */
double fv__rng_normal(fv_rng *rng)
{
    const double u = 1.0 - fv__rng_uniform(rng);
    const double v = fv__rng_uniform(rng);
    return fv__sqrt(-2.0 * fv__log(u)) * fv__cos_2pi(v);
}

/* ---- elementary functions ------------------------------------------------------------------------- */

/* log 2 in two parts; the high one has 21 zero bits at the end, so that k * high is exact. */
static const double ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;

/* x = 2^k m with m in [sqrt(1/2), sqrt(2)), s = (m - 1)/(m + 1), |s| < 0.172:
 *     log x = k log 2 + 2 (s + s^3/3 + s^5/5 + ...) */
double fv__log(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int k = (int)(bits >> 52) - 1023;
    bits = (bits & 0x000FFFFFFFFFFFFFu) | 0x3FF0000000000000u;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m >= 0x1.6a09e667f3bcdp+0) {
        m *= 0.5;
        k++;
    }
    const double s = (m - 1.0) / (m + 1.0), z = s * s;
    double sum = 1.0 / 25.0;
    for (int i = 23; i >= 3; i -= 2)
        sum = sum * z + 1.0 / i;
    const double tail = 2.0 * s * z * sum + k * ln2_low;
    return k * ln2_high + (2.0 * s + tail);
}

/* x = k log 2 + r, |r| < 0.347:  exp x = 2^k (1 + r + r^2/2! + ...) */
double fv__exp(double x)
{
    if (!(x > -708.0))
        return x <= -708.0 ? 0.0 : x;
    if (x > 709.0)
        return INFINITY;
    const int k = (int)(x * 0x1.71547652b82fep+0 + (x < 0.0 ? -0.5 : 0.5));
    const double r = (x - k * ln2_high) - k * ln2_low;
    double sum = 1.0;
    for (int i = 15; i >= 2; i--)
        sum = 1.0 + sum * r / i;
    const uint64_t bits = (uint64_t)(k + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return (1.0 + r * sum) * scale;
}

/* sin and cos of 2 pi t for |t| <= 1/8, by their series. */
static double sin_small(double t)
{
    const double a = 0x1.921fb54442d18p+2 * t, z = a * a;
    double sum = 1.0;
    for (int i = 20; i >= 2; i -= 2)
        sum = 1.0 - sum * z / (i * (i + 1));
    return a * sum;
}

static double cos_small(double t)
{
    const double a = 0x1.921fb54442d18p+2 * t, z = a * a;
    double sum = 1.0;
    for (int i = 20; i >= 2; i -= 2)
        sum = 1.0 - sum * z / (i * (i - 1));
    return sum;
}

/* turns = whole + quarter/4 + rest, |rest| <= 1/8; every step is exact. Returns quarter in 0..3. */
static int reduce(double turns, double *rest)
{
    if (!(turns > -0x1p51 && turns < 0x1p51)) {
        /* Above 2^52 the value is a whole number of turns, or of halves that count as whole turns; NaN
         * stays NaN. */
        *rest = turns - turns;
        return 0;
    }
    const double t = turns - (double)(int64_t)turns; /* (-1, 1) */
    const int quarter = (int)(4.0 * t + (t < 0.0 ? -0.5 : 0.5));
    *rest = t - 0.25 * quarter;
    return quarter & 3;
}

double fv__cos_2pi(double turns)
{
    double rest;
    switch (reduce(turns, &rest)) {
    case 0:
        return cos_small(rest);
    case 1:
        return -sin_small(rest);
    case 2:
        return -cos_small(rest);
    default:
        return sin_small(rest);
    }
}

double fv__sin_2pi(double turns)
{
    double rest;
    switch (reduce(turns, &rest)) {
    case 0:
        return sin_small(rest);
    case 1:
        return cos_small(rest);
    case 2:
        return -sin_small(rest);
    default:
        return -cos_small(rest);
    }
}

/* IEEE 754 requires the correctly rounded root, so every C library gives the same bits. */
double fv__sqrt(double x)
{
    return sqrt(x);
}
