/* test_borders.c - a convolution whose padding is a border has the bits of the operation `border` and a
 * convolution without padding: forward and weight gradient, by every way, in one to three directions, with
 * frames of other widths at the end than at the beginning, on every instruction set. That the sums, and the
 * data gradient, are right is seen by test_ops, test_ways and test_pins. */
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

enum { SEED = 23, N_SHAPES = 24 };

typedef struct shape {
    int n, images;
    fv_shape x, padded, w, y;
    int before[3], after[3], stride[3], dilation[3];
    bool same;
    const char *mode;
} shape;

static int below(fv_rng *rng, int n)
{
    return (int)fv__rng_below(rng, (uint32_t)n);
}

static double *draw(fv_rng *rng, fv_shape of, int n)
{
    const int64_t count = fv__shape_count(of) * n;
    double *const v = calloc((size_t)count, sizeof *v);
    assert_non_null(v);
    for (int64_t i = 0; i < count; i++)
        v[i] = (double)(float)(fv__rng_uniform(rng) - 0.5);
    return v;
}

/* "2x3": the numbers of the directions that there are. */
static const char *sizes(char text[48], const int *of, int n)
{
    text[0] = '\0';
    for (int k = 0; k < n; k++)
        sprintf(text + strlen(text), "%s%d", k ? "x" : "", of[k]);
    return text;
}

/* Every third shape is one for Winograd, every second pads by pad=same. */
static shape draw_shape(fv_rng *rng, int k)
{
    static const char *const modes[] = {"constant:-1.25", "mirror", "reflect", "edge", "modulo"};
    static const int many[] = {34, 17, 33};
    const bool winograd = k % 3 == 1;
    shape s = {.n = winograd ? 2 : 1 + below(rng, 3), .same = k % 2 == 0, .mode = modes[below(rng, 5)]};
    const int in = winograd ? many[below(rng, 2)] : 1 + below(rng, 36),
              out = winograd ? 33 : 1 + below(rng, 40);
    s.images = 1 + below(rng, 20);
    s.x = fv__shape(1 + s.n, (int[4]){in});
    s.w = fv__shape(2 + s.n, (int[5]){out, in});
    s.y = fv__shape(1 + s.n, (int[4]){out});
    for (int d = 0; d < s.n; d++) {
        const int window = winograd ? 3 : 1 + below(rng, 4);
        s.stride[d] = winograd ? 1 : 1 + below(rng, 3);
        s.dilation[d] = winograd ? 1 : 1 + below(rng, 2);
        s.x.dim[1 + d] = 6 + below(rng, 6);
        const int span = (window - 1) * s.dilation[d] + 1;
        const int outputs = (s.x.dim[1 + d] + s.stride[d] - 1) / s.stride[d];
        const int more = (outputs - 1) * s.stride[d] + span - s.x.dim[1 + d];
        s.before[d] = s.after[d] = s.same ? 0 : 1 + below(rng, 3);
        if (s.same && more > 0)
            s.before[d] = more / 2, s.after[d] = more - more / 2;
        s.w.dim[2 + d] = window;
        s.y.dim[1 + d] = (s.x.dim[1 + d] + s.before[d] + s.after[d] - span) / s.stride[d] + 1;
        if (s.y.dim[1 + d] < 1)
            return draw_shape(rng, k);
    }
    s.padded = s.x;
    for (int d = 0; d < s.n; d++)
        s.padded.dim[1 + d] += s.before[d] + s.after[d];
    return s;
}

static float *by_plan(op_call *call, fv_context *ctx)
{
    op_call_check(call);
    return op_by_plan(call, ctx);
}

/* x with its border, as the operation `border` makes it. */
static double *with_border(const shape *s, double *x, fv_context *ctx)
{
    char words[160], begin[48], end[48];
    snprintf(words, sizeof words, "size=%s end=%s mode=%s", sizes(begin, s->before, s->n),
             sizes(end, s->after, s->n), s->mode);
    op_call call = {.op = &fv_op_border, .words = words, .n = s->images, .shape = {s->x}, .value = {x}};
    snprintf(call.what, sizeof call.what, "border %.120s", words);
    float *const y = by_plan(&call, ctx);
    double *const out = calloc((size_t)call.n_out, sizeof *out);
    assert_non_null(y);
    assert_non_null(out);
    for (int64_t k = 0; k < call.n_out; k++)
        out[k] = (double)y[k];
    free(y);
    return out;
}

/* Both by the same way; false if it cannot do the shape. */
static bool compare(op_call *bordered, op_call *plain, const char *way, fv_context *ctx)
{
    bordered->way = plain->way = way;
    float *const found = by_plan(bordered, ctx), *const expected = by_plan(plain, ctx);
    assert_true(!found == !expected);
    for (int64_t k = 0; found && k < plain->n_out; k++)
        if (memcmp(&found[k], &expected[k], sizeof *found) != 0)
            fail_msg("%s by %s: value %lld is %.9g, of a border in front %.9g", bordered->what, way,
                     (long long)k, (double)found[k], (double)expected[k]);
    const bool can = found != NULL;
    free(found), free(expected);
    return can;
}

/* How many of the shapes each way could do: forward, and the weight gradient. */
static const char *const forward_ways[] = {"winograd", "pixels", "depthwise", "lines"};
static const char *const weight_ways[] = {"winograd", "rows", "outputs", "depthwise", "blocks"};
static int n_forward[4], n_weights[5];

static void check_shape(const shape *s, double *const value[3], fv_context *ctx)
{
    char a[48], b[48], c[48], plain[128], words[2][256], of_dw[2][320];
    snprintf(plain, sizeof plain, "stride=%s dilation=%s", sizes(a, s->stride, s->n),
             sizes(b, s->dilation, s->n));
    snprintf(words[0], sizeof words[0], "%s pad=%s border=%s", plain,
             s->same ? "same" : sizes(c, s->before, s->n), s->mode);
    snprintf(words[1], sizeof words[1], "%s", plain);
    for (int k = 0; k < 2; k++)
        snprintf(of_dw[k], sizeof of_dw[k], "%.255s size=%s", words[k], sizes(a, &s->w.dim[2], s->n));
    double *const padded = with_border(s, value[0], ctx), *const w = value[1], *const dy = value[2];
    op_call conv[2] = {
        {.op = &fv_op_conv, .words = words[0], .n = s->images, .shape = {s->x, s->w}, .value = {value[0], w}},
        {.op = &fv_op_conv,
         .words = words[1],
         .n = s->images,
         .shape = {s->padded, s->w},
         .value = {padded, w}}};
    op_call dw[2] = {{.op = &fv_op_conv_dw,
                      .words = of_dw[0],
                      .n = s->images,
                      .shape = {s->y, s->x},
                      .value = {dy, value[0]}},
                     {.op = &fv_op_conv_dw,
                      .words = of_dw[1],
                      .n = s->images,
                      .shape = {s->y, s->padded},
                      .value = {dy, padded}}};
    for (int k = 0; k < 2; k++) {
        snprintf(conv[k].what, sizeof conv[k].what, "conv %.180s", words[k]);
        snprintf(dw[k].what, sizeof dw[k].what, "dw %.180s", of_dw[k]);
    }
    for (size_t k = 0; k < sizeof forward_ways / sizeof *forward_ways; k++)
        n_forward[k] += compare(&conv[0], &conv[1], forward_ways[k], ctx);
    for (size_t k = 0; k < sizeof weight_ways / sizeof *weight_ways; k++)
        n_weights[k] += compare(&dw[0], &dw[1], weight_ways[k], ctx);
    free(padded);
}

static void the_same_bits(void **state)
{
    static const char *const isas[] = {"portable", "neon", "avx2", "avx512"};
    (void)state;
    for (int i = 0; i < 4; i++) {
        fv_context *const ctx = op_context(isas[i], i % 2 + 1);
        fv_rng rng = fv__rng(SEED, FV_STREAM_CHECK, 2, 0);
        for (int k = 0; ctx && k < N_SHAPES; k++) {
            const shape s = draw_shape(&rng, k);
            double *const value[] = {draw(&rng, s.x, s.images), draw(&rng, s.w, 1),
                                     draw(&rng, s.y, s.images)};
            check_shape(&s, value, ctx);
            free(value[0]), free(value[1]), free(value[2]);
        }
        if (ctx)
            fv_context_destroy(ctx);
    }
    assert_true(n_forward[0] >= N_SHAPES / 3 && n_forward[1] >= N_SHAPES && n_forward[3] >= N_SHAPES);
    assert_true(n_weights[0] >= N_SHAPES / 3 && n_weights[1] >= N_SHAPES && n_weights[4] >= N_SHAPES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_same_bits)};
    return cmocka_run_group_tests_name("borders", tests, NULL, NULL);
}
