/* exact.h - refuses compiler options that change results. With them NaN and infinity go unnoticed (a test
 * error of "nan%"), sums lose their order, and one seed no longer gives the same bits. Every source file
 * includes this header through its first include, so that it does not matter who chose the options. */
#ifndef FV_BASE_EXACT_H
#define FV_BASE_EXACT_H

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) ||                     \
    defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__)
#error "Fovea needs exact arithmetic: build it without -ffast-math, -Ofast, -ffinite-math-only and their kin"
#endif

#endif
