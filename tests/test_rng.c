/* test_rng.c - random numbers against published answers and moments, elementary functions against libm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"

#include <float.h>
#include <math.h>

/* ---- random numbers ------------------------------------------------------------------------------- */

/* The known answers of the authors' Random123 distribution. */
static void test_philox(void **state)
{
    (void)state;
    static const struct {
        uint64_t key;
        uint32_t counter[4], expected[4];
    } cases[] = {
        {0, {0, 0, 0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {UINT64_MAX,
         {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {0x299f31d0a4093822,
         {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uint32_t *c = cases[i].counter;
        const fv_u32x4 found = fv__philox(cases[i].key, c[0], c[1], c[2], c[3]);
        for (int k = 0; k < 4; k++)
            assert_int_equal(found.v[k], cases[i].expected[k]);
    }
}

static void test_sequence(void **state)
{
    (void)state;
    fv_rng rng = fv__rng(77, FV_STREAM_CHECK, 5, 6);
    for (uint32_t i = 0; i < 10; i++) {
        const fv_u32x4 block = fv__philox(77, i, 5, 6, FV_STREAM_CHECK);
        for (int k = 0; k < 4; k++)
            assert_int_equal(fv__rng_u32(&rng), block.v[k]);
    }
    /* Below 6: 60,000 draws, 10,000 each expected with a deviation of 91; 5 deviations are allowed. */
    int count[6] = {0};
    for (int i = 0; i < 60000; i++) {
        const uint32_t x = fv__rng_below(&rng, 6);
        assert_true(x < 6);
        count[x]++;
    }
    for (int k = 0; k < 6; k++)
        assert_in_range(count[k], 10000 - 457, 10000 + 457);
    /* Three quarters of 2^32: a plain remainder would give the lower third twice as often. */
    int low = 0;
    for (int i = 0; i < 30000; i++)
        low += fv__rng_below(&rng, 0xC0000000u) < 0x40000000u;
    assert_in_range(low, 10000 - 410, 10000 + 410); /* deviation 82 */
    assert_int_equal(fv__rng_below(&rng, 1), 0);
}

/* Mean, deviation and fourth moment of 200,000 draws: standard errors 1/sqrt(n) = 0.0022, 0.0016 and
 * sqrt(96/n) = 0.022 for the normal; 5 of them are allowed. */
static void test_moments(void **state)
{
    (void)state;
    enum { N = 200000 };
    fv_rng rng = fv__rng(20240607, FV_STREAM_CHECK, 0, 0);
    double m1 = 0, m2 = 0, m4 = 0, u1 = 0;
    for (int i = 0; i < N; i++) {
        const double z = fv__rng_normal(&rng);
        assert_true(z > -9 && z < 9);
        m1 += z / N;
        m2 += z * z / N;
        m4 += z * z * z * z / N;
        const double u = fv__rng_uniform(&rng);
        assert_true(u >= 0 && u < 1);
        u1 += u / N;
    }
    assert_true(fabs(m1) < 0.011);
    assert_true(fabs(sqrt(m2) - 1) < 0.008);
    assert_true(fabs(m4 - 3) < 0.11);
    assert_true(fabs(u1 - 0.5) < 0.0033);
}

/* ---- elementary functions against libm, itself good to about 1e-16 -------------------------------- */

static double relative(double found, double expected)
{
    return found == expected ? 0 : fabs(found - expected) / fabs(expected);
}

static void test_log_exp(void **state)
{
    (void)state;
    fv_rng rng = fv__rng(1, FV_STREAM_CHECK, 1, 0);
    double worst_log = 0, worst_exp = 0;
    for (int i = 0; i < 100000; i++) {
        const double u = fv__rng_uniform(&rng) + 0x1p-54;
        const double near_one = 1 + (fv__rng_uniform(&rng) - 0.5) * (i % 2 ? 1e-6 : 1);
        worst_log = fmax(worst_log, relative(fv__log(u), log(u)));
        worst_log = fmax(worst_log, relative(fv__log(near_one), log(near_one)));
        const double x = (fv__rng_uniform(&rng) - 0.5) * (i % 2 ? 2 : 1399);
        worst_exp = fmax(worst_exp, relative(fv__exp(x), exp(x)));
    }
    assert_true(worst_log < 1e-15);
    assert_true(worst_exp < 1e-15);
    assert_true(fv__log(1) == 0 && fv__exp(0) == 1);
    assert_true(relative(fv__log(DBL_MIN), log(DBL_MIN)) < 1e-15);
    assert_true(relative(fv__log(1e308), log(1e308)) < 1e-15);
    assert_true(fv__exp(-1e9) == 0 && isinf(fv__exp(1e9)) && isnan(fv__exp(NAN)));
    assert_true(fv__sqrt(2) == sqrt(2));
}

static void test_cos_sin(void **state)
{
    (void)state;
    const double two_pi = 6.283185307179586477;
    fv_rng rng = fv__rng(2, FV_STREAM_CHECK, 2, 0);
    double worst = 0, worst_circle = 0;
    for (int i = 0; i < 100000; i++) {
        const double t = (fv__rng_uniform(&rng) - 0.5) * 2;
        /* 2 pi t is rounded before libm sees it: 7 * 2^-53 in its argument, so absolute, not relative. */
        worst = fmax(worst, fabs(fv__cos_2pi(t) - cos(two_pi * t)));
        worst = fmax(worst, fabs(fv__sin_2pi(t) - sin(two_pi * t)));
        const double c = fv__cos_2pi(t), s = fv__sin_2pi(t);
        worst_circle = fmax(worst_circle, fabs(c * c + s * s - 1));
        assert_true(fv__cos_2pi(-t) == c && fv__sin_2pi(-t) == -s);
    }
    assert_true(worst < 1.2e-15);
    assert_true(worst_circle < 6e-16);
    for (int k = -8; k <= 8; k++) { /* quarter turns are exact */
        static const int cosine[4] = {1, 0, -1, 0}, sine[4] = {0, 1, 0, -1};
        assert_true(fv__cos_2pi(0.25 * k) == cosine[k & 3]);
        assert_true(fv__sin_2pi(0.25 * k) == sine[k & 3]);
    }
    assert_true(fv__cos_2pi(0x1p60) == 1 && fv__sin_2pi(-0x1p60) == 0);
    assert_true(isnan(fv__cos_2pi(NAN)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_philox),  cmocka_unit_test(test_sequence), cmocka_unit_test(test_moments),
        cmocka_unit_test(test_log_exp), cmocka_unit_test(test_cos_sin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
