/* test_kernel_shapes.c - convolution, linear layers (of vectors and of tokens), attention and layer
 * normalisation, forward and gradients, at 500 random shapes: every instruction set of this machine against
 * the double reference and, bit by bit, against each other. Each is planned and run, and one in turn kernel
 * by kernel before guard pages (op_harness.h).
 *
 * Shapes are drawn small, so that most have odd tails; a few are large. Plain C is slow: a part of them.
 *
 * Tolerance: a sum of T products of numbers in [-1, 1] is at most T large on its way, and is rounded T + 1
 * times by at most 2^-24 of itself. Random signs keep it near sqrt(T) and the errors' sum near 2^-24 T / 7;
 * 2^-22 (T + 2) is far above that and far below one term. Winograd's transforms have numbers up to 8 on both
 * sides of the sum: where its form may be chosen, 8 times that. FOVEA_TEST_SEED tries other shapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "op_harness.h"

#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "training.h"

enum {
    N_SHAPES = TRAINING_SLOW ? 150 : 500,
    LARGE_ONE_IN = 50,
    PLAIN_C_ONE_IN = 4,
    PRODUCTS = 150000,
    LARGE_FACTOR = 20
};
enum { WINOGRAD_ONE_IN = 50, WINOGRAD_CHANNELS = 32, WINOGRAD_FACTOR = 8 };

static const char *const isas[] = {"avx512", "avx2", "neon", "portable"};
enum { N_ISAS = sizeof isas / sizeof *isas, PLAIN_C = N_ISAS - 1 };

static fv_context *contexts[N_ISAS]; /* NULL: not of this machine */
static uint64_t seed = 20;

static int draw(fv_rng *rng, int least, int most)
{
    return least + (int)fv__rng_below(rng, (uint32_t)(most - least + 1));
}

/* 1 to most, in half of the cases at most a quarter of it. */
static int draw_small(fv_rng *rng, int most)
{
    return draw(rng, 1, fv__rng_below(rng, 2) && most > 4 ? most / 4 : most);
}

/* The convolution x [i][h][w] to y [o][oh][ow], both of one group; where h = 0, the linear layer i to o of ow
 * tokens. */
typedef struct layer {
    int n, groups, i, h, w, o, oh, ow, kh, kw, stride[2], pad[2], dilation[2];
} layer;

static int64_t products_of(const layer *l)
{
    return (int64_t)l->n * l->groups * l->i * l->o * l->oh * l->ow * l->kh * l->kw;
}

/* Fewer images and channels until the reference can be had in reasonable time. */
static void shrink(layer *l, int64_t products)
{
    while (products_of(l) > products) {
        int *most = l->n >= l->i && l->n >= l->o ? &l->n : l->i >= l->o ? &l->i : &l->o;
        most = l->groups > *most ? &l->groups : most;
        if (*most == 1)
            break;
        *most -= (*most + 3) / 4;
    }
}

/* Of one direction; less than 1: the window does not fit. */
static int outputs(int size, int kernel, int stride, int pad, int dilation)
{
    const int room = size + 2 * pad - (kernel - 1) * dilation - 1;
    return room < 0 ? 0 : room / stride + 1;
}

static layer draw_conv(fv_rng *rng)
{
    layer l = {.n = draw_small(rng, 70), .groups = 1, .i = draw_small(rng, 40), .o = draw_small(rng, 40)};
    if (draw(rng, 0, 3) == 0) /* groups of any channels, or depthwise with some outputs a channel */
        l.groups = draw_small(rng, 6);
    else if (draw(rng, 0, 3) == 0)
        l = (layer){.n = l.n, .groups = l.i, .i = 1, .o = draw(rng, 0, 2) ? 1 : draw(rng, 2, 4)};
    do {
        l.h = draw_small(rng, 20);
        l.w = draw_small(rng, 20);
        l.kh = draw(rng, 1, 7);
        l.kw = draw(rng, 1, 7);
        for (int d = 0; d < 2; d++) {
            l.stride[d] = draw(rng, 0, 1) ? 1 : draw(rng, 1, 3);
            l.dilation[d] = draw(rng, 0, 2) ? 1 : draw(rng, 1, 4);
            l.pad[d] = draw(rng, 0, 1) ? 0 : draw(rng, 0, (d == 0 ? l.kh : l.kw) * l.dilation[d]);
        }
        l.oh = outputs(l.h, l.kh, l.stride[0], l.pad[0], l.dilation[0]);
        l.ow = outputs(l.w, l.kw, l.stride[1], l.pad[1], l.dilation[1]);
    } while (l.oh < 1 || l.ow < 1);
    return l;
}

/* 3x3 with so many channels that Winograd's form may be chosen. */
static layer draw_winograd(fv_rng *rng)
{
    layer l = {.n = draw(rng, 1, 40), .groups = 1, .kh = 3, .kw = 3, .stride = {1, 1}, .dilation = {1, 1}};
    l.i = draw(rng, WINOGRAD_CHANNELS, 40);
    l.o = draw(rng, WINOGRAD_CHANNELS, 40);
    l.h = draw(rng, 4, 9);
    l.w = draw(rng, 4, 9);
    l.pad[0] = draw(rng, 0, 2);
    l.pad[1] = draw(rng, 0, 2);
    l.oh = l.h + 2 * l.pad[0] - 2;
    l.ow = l.w + 2 * l.pad[1] - 2;
    return l;
}

static bool may_be_winograd(const layer *l)
{
    return l->kh == 3 && l->kw == 3 && l->i >= WINOGRAD_CHANNELS && l->o >= WINOGRAD_CHANNELS;
}

static layer draw_linear(fv_rng *rng)
{
    return (layer){.n = draw_small(rng, 70),
                   .groups = 1,
                   .i = draw_small(rng, 400),
                   .o = draw_small(rng, 200),
                   .oh = 1,
                   .ow = draw(rng, 0, 1) ? 1 : draw_small(rng, 90),
                   .kh = 1,
                   .kw = 1};
}

static void fill(op_call *call, fv_rng *rng)
{
    for (int i = 0; i < op_n_inputs(call); i++) {
        const bool per_image = call->op->role[i] == FV_ROLE_VALUE;
        const int64_t n = fv__shape_count(call->shape[i]) * (per_image ? call->n : 1);
        call->value[i] = malloc((size_t)n * sizeof **call->value);
        assert_non_null(call->value[i]);
        for (int64_t k = 0; k < n; k++)
            call->value[i][k] = (float)(2 * fv__rng_uniform(rng) - 1); /* as kernels see it */
    }
}

static void compare(const op_call *call, const char *how, double tolerance, const double *expected,
                    const float *found)
{
    for (int64_t i = 0; i < call->n_out; i++)
        if (!(fabs((double)found[i] - expected[i]) <= tolerance))
            fail_msg("%s, %s: value %lld is %.9g, the reference has %.9g", call->what, how, (long long)i,
                     (double)found[i], expected[i]);
}

static void compare_bits(const op_call *call, const char *how, const float *expected, const float *found)
{
    for (int64_t i = 0; i < call->n_out; i++)
        if (memcmp(&expected[i], &found[i], sizeof *found) != 0)
            fail_msg("%s, %s: value %lld is %a, elsewhere %a", call->what, how, (long long)i,
                     (double)found[i], (double)expected[i]);
}

/* Every instruction set; `turn` says which runs kernel by kernel too. */
static void check(op_call *call, int turn, double tolerance)
{
    float *first = NULL;
    op_call_check(call);
    double *const expected = op_by_reference(call);
    for (int isa = 0; isa < N_ISAS; isa++) {
        if (!contexts[isa] || (isa == PLAIN_C && turn % PLAIN_C_ONE_IN))
            continue;
        for (int way = 0; way < (turn % N_ISAS == isa ? 2 : 1); way++) {
            char how[64];
            snprintf(how, sizeof how, "%s%s", isas[isa], way ? ", kernel by kernel" : "");
            float *const found = way ? op_by_kernels(call, contexts[isa], turn % 3 + 1, false)
                                     : op_by_plan(call, contexts[isa]);
            compare(call, how, tolerance, expected, found);
            if (first)
                compare_bits(call, how, first, found);
            if (first)
                free(found);
            else
                first = found;
        }
    }
    free(first);
    free(expected);
    op_call_free(call);
}

static void check_op(const layer *l, int turn, const char *name, fv_shape a, fv_shape b, fv_shape bias,
                     int64_t n_terms, fv_rng *rng)
{
    char words[128] = "";
    op_call call = {.op = fv__op_find(name), .words = words, .n = l->n, .shape = {a, b, bias}};
    assert_non_null(call.op);
    if (l->h) {
        const bool is_dx = strcmp(name, "conv_dx") == 0, is_dw = strcmp(name, "conv_dw") == 0;
        const int used =
            snprintf(words, sizeof words, "stride=%dx%d pad=%dx%d dilation=%dx%d groups=%d", l->stride[0],
                     l->stride[1], l->pad[0], l->pad[1], l->dilation[0], l->dilation[1], l->groups);
        if (is_dx || is_dw)
            snprintf(words + used, sizeof words - (size_t)used, " size=%dx%d", is_dx ? l->h : l->kh,
                     is_dx ? l->w : l->kw);
    }
    char from[FV_SHAPE_TEXT], with[FV_SHAPE_TEXT];
    snprintf(call.what, sizeof call.what, "%s, seed %llu, shape %d: %s with %s, %s, batch %d", name,
             (unsigned long long)seed, turn, fv__shape_text(a, from), fv__shape_text(b, with), words, l->n);
    fill(&call, rng);
    check(&call, turn, 0x1p-22 * ((double)n_terms + 2) * (may_be_winograd(l) ? WINOGRAD_FACTOR : 1));
}

static int64_t limit_of(int turn)
{
    return (int64_t)PRODUCTS * (turn % LARGE_ONE_IN == 0 ? LARGE_FACTOR : 1);
}

static void test_conv(void **state)
{
    (void)state;
    for (int turn = 0; turn < N_SHAPES; turn++) {
        fv_rng rng = fv__rng(seed, FV_STREAM_CHECK, 1, (uint32_t)turn);
        layer l = turn % WINOGRAD_ONE_IN == 1 ? draw_winograd(&rng) : draw_conv(&rng);
        if (turn % WINOGRAD_ONE_IN != 1)
            shrink(&l, limit_of(turn));
        const int n_in = l.groups * l.i, n_out = l.groups * l.o;
        const fv_shape x = FV_SHAPE(n_in, l.h, l.w), y = FV_SHAPE(n_out, l.oh, l.ow);
        const fv_shape w = FV_SHAPE(n_out, l.i, l.kh, l.kw), none = {0};
        const fv_shape bias = turn % 2 ? FV_SHAPE(n_out) : none;
        check_op(&l, turn, "conv", x, w, bias, (int64_t)l.i * l.kh * l.kw, &rng);
        check_op(&l, turn, "conv_dx", y, w, none, (int64_t)l.o * l.kh * l.kw, &rng);
        check_op(&l, turn, "conv_dw", y, x, none, (int64_t)l.n * l.oh * l.ow, &rng);
    }
}

static void test_linear(void **state)
{
    (void)state;
    for (int turn = 0; turn < N_SHAPES; turn++) {
        fv_rng rng = fv__rng(seed, FV_STREAM_CHECK, 2, (uint32_t)turn);
        layer l = draw_linear(&rng);
        shrink(&l, limit_of(turn));
        const int rank = l.ow > 1 || turn % 8 == 0 ? 2 : 1; /* a sequence may have one token */
        const fv_shape x = fv__shape(rank, (int[]){l.i, l.ow}), y = fv__shape(rank, (int[]){l.o, l.ow}),
                       none = {0};
        const fv_shape w = FV_SHAPE(l.o, l.i), bias = turn % 2 ? FV_SHAPE(l.o) : none;
        check_op(&l, turn, "linear", x, w, bias, l.i, &rng);
        check_op(&l, turn, "linear_dx", y, w, none, l.o, &rng);
        check_op(&l, turn, "linear_dw", y, x, none, (int64_t)l.n * l.ow, &rng);
    }
}

static void check_shapes(int turn, const char *name, int n, const fv_shape *shapes, const char *words,
                         double tolerance, fv_rng *rng)
{
    op_call call = {.op = fv__op_find(name), .words = words, .n = n};
    char x[FV_SHAPE_TEXT];
    assert_non_null(call.op);
    for (int i = 0; i < 3; i++)
        call.shape[i] = shapes[i];
    snprintf(call.what, sizeof call.what, "%s, seed %llu, shape %d: %s, %s, batch %d", name,
             (unsigned long long)seed, turn, fv__shape_text(shapes[0], x), words, n);
    fill(&call, rng);
    check(&call, turn, tolerance);
}

/* A score is a sum of `size` products over sqrt(size), and its absolute error the relative one of its
 * probability; these are then summed over the tokens. Backward, four such sums follow each other. */
static void test_attention(void **state)
{
    (void)state;
    for (int turn = 0; turn < N_SHAPES; turn++) {
        fv_rng rng = fv__rng(seed, FV_STREAM_CHECK, 3, (uint32_t)turn);
        const int heads = draw(&rng, 1, 4), size = draw_small(&rng, 40), tokens = draw_small(&rng, 90);
        const int64_t work = (int64_t)heads * size * tokens * tokens, most = limit_of(turn) / 4 / work;
        const int images = draw_small(&rng, 40), n = images <= most ? images : most > 0 ? (int)most : 1;
        const fv_shape x = FV_SHAPE(3 * heads * size, tokens);
        const int queries = draw(&rng, 0, 1) ? tokens : draw(&rng, 1, tokens);
        const fv_shape y = FV_SHAPE(heads * size, queries);
        const double tolerance = 0x1p-22 * (size + tokens + 8);
        char words[64];
        snprintf(words, sizeof words, "heads=%d queries=%d", heads, queries);
        check_shapes(turn, "attention", n, (fv_shape[3]){x}, words, tolerance, &rng);
        check_shapes(turn, "attention_dx", n, (fv_shape[3]){y, x}, words, 4 * tolerance, &rng);
    }
}

/* Errors grow with 1 / deviation: for a few channels, which may lie close together, that is up to the root of
 * 1e5; for more, a small number. */
static void test_layernorm(void **state)
{
    (void)state;
    for (int turn = 0; turn < N_SHAPES; turn++) {
        fv_rng rng = fv__rng(seed, FV_STREAM_CHECK, 4, (uint32_t)turn);
        const int c = draw_small(&rng, 100), tokens = draw_small(&rng, 30), n = draw_small(&rng, 40);
        const fv_shape x = FV_SHAPE(c, tokens), gamma = FV_SHAPE(c);
        const double unit = 0x1p-22 * (c < 8 ? 316 : 8);
        check_shapes(turn, "layernorm", n, (fv_shape[3]){x, gamma, gamma}, "", unit * (c + 8), &rng);
        check_shapes(turn, "layernorm_dx", n, (fv_shape[3]){x, x, gamma}, "", 4 * unit * (c + 8), &rng);
        check_shapes(turn, "layernorm_dw", n, (fv_shape[3]){x, x}, "", unit * (n * tokens + c + 8), &rng);
    }
}

/* Any number of directions, of groups and of channels in them. */
static void test_groupnorm(void **state)
{
    (void)state;
    for (int turn = 0; turn < N_SHAPES; turn++) {
        fv_rng rng = fv__rng(seed, FV_STREAM_CHECK, 5, (uint32_t)turn);
        const int groups = draw_small(&rng, 9), each = draw_small(&rng, 20), c = groups * each;
        const int pixels = draw_small(&rng, 40), n = draw_small(&rng, 40);
        const fv_shape gamma = FV_SHAPE(c);
        const fv_shape x = turn % 3 == 0   ? FV_SHAPE(c, pixels)
                           : turn % 3 == 1 ? FV_SHAPE(c, pixels, 3)
                                           : FV_SHAPE(c, 2, pixels, 2);
        const double unit = 0x1p-22 * (each * pixels < 8 ? 316 : 8), terms = each * pixels * 6 + 8;
        char words[64];
        snprintf(words, sizeof words, "groups=%d", turn % 5 ? groups : each == 1 ? 0 : groups);
        check_shapes(turn, "groupnorm", n, (fv_shape[3]){x, gamma, gamma}, words, unit * terms, &rng);
        check_shapes(turn, "groupnorm_dx", n, (fv_shape[3]){x, x, gamma}, words, 4 * unit * terms, &rng);
        check_shapes(turn, "groupnorm_dw", n, (fv_shape[3]){x, x}, words, unit * (n * pixels + terms), &rng);
        check_shapes(turn, "prelu", n, (fv_shape[3]){x, gamma}, "", 0x1p-22, &rng);
        check_shapes(turn, "prelu_dw", n, (fv_shape[3]){x, x}, "", 0x1p-22 * (n * pixels * 6 + 8), &rng);
        snprintf(words, sizeof words, "size=%d alpha=%d beta=0.%d", draw(&rng, 1, 2 * c), draw(&rng, 0, 9),
                 draw(&rng, 0, 9));
        check_shapes(turn, "lrn", n, (fv_shape[3]){x}, words, 0x1p-22 * (c + 16), &rng);
        check_shapes(turn, "lrn_dx", n, (fv_shape[3]){x, x}, words, 0x1p-21 * (c + 16), &rng);
    }
}

static int create_contexts(void **state)
{
    (void)state;
    const char *const other = getenv("FOVEA_TEST_SEED");
    if (other)
        seed = strtoull(other, NULL, 10);
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int isa = 0; isa < N_ISAS; isa++)
        contexts[isa] =
            op_context(isas[isa], isa == PLAIN_C ? 2 : 1); /* threads wait long on a busy machine */
    return 0;
}

static int destroy_contexts(void **state)
{
    (void)state;
    for (int isa = 0; isa < N_ISAS; isa++)
        fv_context_destroy(contexts[isa]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv),      cmocka_unit_test(test_linear),    cmocka_unit_test(test_attention),
        cmocka_unit_test(test_layernorm), cmocka_unit_test(test_groupnorm),
    };
    return cmocka_run_group_tests_name("kernel shapes", tests, create_contexts, destroy_contexts);
}
