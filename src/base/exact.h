/* exact.h - refuses to be compiled with options that let the compiler change results: then NaN and infinity
 * go unseen (a test error of "nan%"), sums lose their order, and the same seed no longer gives the same bits.
 * What every source begins with includes this header, so that it does not matter who chose the options. */
#ifndef FV_BASE_EXACT_H
#define FV_BASE_EXACT_H

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) ||                     \
    defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__)
#error "Fovea needs exact arithmetic: build it without -ffast-math, -Ofast, -ffinite-math-only and their kin"
#endif

#endif
