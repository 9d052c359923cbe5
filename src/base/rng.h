/* rng.h - counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
 * 1, 2, 3", SC 2011). A draw depends on its key and counter alone, not on the order of draws or the thread.
 */
#ifndef FV_BASE_RNG_H
#define FV_BASE_RNG_H

#include "base/exact.h"

#include <stdint.h>

/* Streams separate the uses of one seed: the last word of the counter. */
enum {
    FV_STREAM_INIT = 1,
    FV_STREAM_SHUFFLE,
    FV_STREAM_DROPOUT,
    FV_STREAM_AUGMENT,
    FV_STREAM_DIGITS,
    FV_STREAM_CHECK,
    FV_STREAM_ROUNDING,
    FV_STREAM_SPLIT
};

typedef struct fv_u32x4 {
    uint32_t v[4];
} fv_u32x4;

fv_u32x4 fv__philox(uint64_t seed, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3);

/* A sequence of draws for sequential code: counter (i, a, b, stream). */
typedef struct fv_rng {
    uint64_t seed;
    uint32_t a, b, stream, i;
    fv_u32x4 block;
    int left;
} fv_rng;
fv_rng fv__rng(uint64_t seed, uint32_t stream, uint32_t a, uint32_t b);
uint32_t fv__rng_u32(fv_rng *rng);
uint32_t fv__rng_below(fv_rng *rng, uint32_t n); /* 0..n-1, unbiased; n > 0 */
double fv__rng_uniform(fv_rng *rng);             /* [0, 1), 53 bits */
/* by[0], by[1]: the pixels by which an image is moved down and right in an epoch, each -range to range. */
void fv__draw_shift(uint64_t seed, uint32_t sample, uint32_t epoch, int range, int by[2]);
double fv__rng_normal(fv_rng *rng); /* mean 0, deviation 1; Box-Muller with our own log, cos */

/* Computed with + - * / and comparisons alone, so the bits are the same everywhere. About 1e-15 relative. */
double fv__log(double x);         /* x > 0, finite, normal */
double fv__exp(double x);         /* |x| < 700 */
double fv__cos_2pi(double turns); /* cos(2 pi turns) */
double fv__sin_2pi(double turns);
double fv__sqrt(double x);

#endif
