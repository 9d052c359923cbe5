/* test_depthwise.c - the kernels for depthwise convolutions give the bits of the plain sums (the ways "lines"
 * and "blocks"), whatever the shape: forward, data gradient and weight gradient, in one, two and three
 * directions, on every instruction set. That the sums are right is seen by test_ops and test_pins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "op_harness.h"

#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 11, N_SHAPES = 60 };

/* Both take the same inputs; the first is the expected one. */
static void compare(op_call *call, const char *plain)
{
    static const char *const isas[] = {"portable", "neon", "avx2", "avx512"};
    op_call_check(call);
    for (int i = 0; i < 4; i++) {
        fv_context *const ctx = op_context(isas[i], i % 2 + 1);
        if (!ctx)
            continue;
        call->way = plain;
        float *const expected = op_by_plan(call, ctx);
        call->way = "depthwise";
        float *const found = op_by_plan(call, ctx);
        for (int64_t k = 0; k < call->n_out; k++)
            if (memcmp(&found[k], &expected[k], sizeof *found) != 0)
                fail_msg("%s, %s: value %lld is %.9g, the plain sums give %.9g", call->what, isas[i],
                         (long long)k, (double)found[k], (double)expected[k]);
        free(expected), free(found);
        fv_context_destroy(ctx);
    }
}

static double *draw(fv_rng *rng, fv_shape shape, int n)
{
    const int64_t count = fv__shape_count(shape) * n;
    double *const v = calloc((size_t)count, sizeof *v);
    assert_non_null(v);
    for (int64_t i = 0; i < count; i++)
        v[i] = (double)(float)(fv__rng_uniform(rng) - 0.5);
    return v;
}

static int below(fv_rng *rng, int n)
{
    return (int)fv__rng_below(rng, (uint32_t)n);
}

/* "2x3": the numbers of the directions that there are. */
static const char *sizes(char text[48], const int *of, int n)
{
    text[0] = '\0';
    for (int k = 0; k < n; k++)
        sprintf(text + strlen(text), "%s%d", k ? "x" : "", of[k]);
    return text;
}

/* A random convolution of n directions: windows of 3, 5 or 7 columns and any rows. */
static void check_shape(fv_rng *rng, int n, int channels, int each)
{
    int x[4] = {channels}, y[4] = {channels * each}, w[5] = {channels * each, 1}, stride[3], pad[3],
        dilation[3];
    char words[256], geometry[128], a[48], b[48], c[48];
    for (int k = 0; k < n; k++) {
        const bool row = k == n - 1;
        w[2 + k] = row ? 3 + 2 * below(rng, 3) : 1 + below(rng, 4);
        stride[k] = row ? (w[2 + k] == 7 ? 1 : 1 + below(rng, 2)) : 1 + below(rng, 3);
        dilation[k] = row ? 1 : 1 + below(rng, 2);
        pad[k] = below(rng, w[2 + k]);
        const int span = (w[2 + k] - 1) * dilation[k] + 1, least = span - 2 * pad[k];
        x[1 + k] = (least > 1 ? least : 1) + below(rng, row ? 20 : 6);
        y[1 + k] = (x[1 + k] + 2 * pad[k] - span) / stride[k] + 1;
    }
    snprintf(geometry, sizeof geometry, "stride=%s pad=%s dilation=%s groups=%d", sizes(a, stride, n),
             sizes(b, pad, n), sizes(c, dilation, n), channels);
    const int images = 1 + below(rng, 40);
    const fv_shape xs = fv__shape(1 + n, x), ys = fv__shape(1 + n, y), ws = fv__shape(2 + n, w);
    double *const xv = draw(rng, xs, images), *const yv = draw(rng, ys, images), *const wv = draw(rng, ws, 1);
    double *const bv = draw(rng, fv__shape(1, y), 1);
    op_call forward = {.op = &fv_op_conv,
                       .words = geometry,
                       .n = images,
                       .shape = {xs, ws, fv__shape(1, y)},
                       .value = {xv, wv, bv}};
    snprintf(forward.what, sizeof forward.what, "conv %s of %d images", geometry, images);
    compare(&forward, "lines");
    snprintf(words, sizeof words, "%s size=%s", geometry, sizes(a, x + 1, n));
    op_call data = {.op = &fv_op_conv_dx, .words = words, .n = images, .shape = {ys, ws}, .value = {yv, wv}};
    snprintf(data.what, sizeof data.what, "dx %.200s", words);
    if (each == 1)
        compare(&data, "lines");
    snprintf(words, sizeof words, "%s size=%s", geometry, sizes(a, w + 2, n));
    op_call weights = {
        .op = &fv_op_conv_dw, .words = words, .n = images, .shape = {ys, xs}, .value = {yv, xv}};
    snprintf(weights.what, sizeof weights.what, "dw %.200s", words);
    compare(&weights, "blocks");
    free(xv), free(yv), free(wv), free(bv);
}

static void the_same_bits(void **state)
{
    (void)state;
    fv_rng rng = fv__rng(SEED, FV_STREAM_CHECK, 2, 0);
    for (int k = 0; k < N_SHAPES; k++)
        check_shape(&rng, 1 + k % 3, 2 + below(&rng, 4), 1 + below(&rng, 4) / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_same_bits)};
    return cmocka_run_group_tests_name("depthwise", tests, NULL, NULL);
}
