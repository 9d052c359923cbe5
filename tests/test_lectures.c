/* test_lectures.c - the worked examples and the stated properties of the lectures on convolutional networks,
 * by the reference and by every instruction set.
 *
 * Expected values were recomputed by hand from the slides' inputs; where a slide prints another number than
 * its own formula gives, that is said beside the value. Tolerances: lecture_checks.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lecture_checks.h"

#include "base/rng.h"

#include <stdio.h>

#define TENTH      0.1
#define EIGHTEENTH (1.0 / 18)

static void scale(double *values, int n, double factor)
{
    for (int i = 0; i < n; i++)
        values[i] *= factor;
}

/* ---- convolution ---------------------------------------------------------------------------------- */

static const double smoothing[9] = {1, 1, 1, 1, 2, 1, 1, 1, 1};
static const double slide_image[25] = {4, 3, 2, 4, 5, 6, 2, 4, 4, 5, 3, 5, 3,
                                       7, 6, 6, 1, 9, 8, 7, 2, 1, 1, 2, 7};

/* "Convolutions - recap". The slide works out 3.4; most other results that it prints do not follow from its
 * image (the second, 3/10 + 2/10 + 4/10 + 2/10 + 8/10 + 4/10 + 5/10 + 3/10 + 7/10, is 3.8, not 3.9). */
static void test_smoothing_mask(void **state)
{
    (void)state;
    double x[25], w[9];
    memcpy(x, slide_image, sizeof x);
    memcpy(w, smoothing, sizeof w);
    scale(w, 9, TENTH);
    const double y[9] = {3.4, 3.8, 4.4, 4.4, 4.6, 6.0, 3.2, 4.6, 5.8};
    expect(one_image(&fv_op_conv, "3x3 mask", "", SHAPE3(1, 5, 5), x, SHAPE4(1, 1, 3, 3), w), SHAPE3(1, 3, 3),
           y);
}

/* "Convolutions - more than 2D": a mask per channel, of a horizontal line, a vertical line and a square, all
 * divided by 18. The slide rounds to one decimal: 3.5 3.7 4.3 / 4.1 4.6 6.1 / 3.2 5.3 6.4; of these only the
 * 3.2 does not follow from its images (56/18 = 3.1). */
static void test_mask_over_channels(void **state)
{
    (void)state;
    double x[75] = {2, 6, 5, 8, 1, 8, 2, 4, 4, 5, 3, 5, 3, 7, 6, 5, 1, 9, 8, 7, 2, 1, 1, 2, 7,
                    4, 4, 3, 1, 2, 2, 2, 4, 4, 5, 3, 5, 3, 7, 6, 6, 1, 9, 8, 7, 5, 1, 1, 2, 7};
    double w[27] = {0, 0, 0, 1, 2, 1, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 1, 0};
    memcpy(x + 50, slide_image, sizeof slide_image);
    memcpy(w + 18, smoothing, sizeof smoothing);
    scale(w, 27, EIGHTEENTH);
    double y[9] = {63, 66, 77, 73, 83, 109, 56, 95, 115};
    scale(y, 9, EIGHTEENTH);
    expect(one_image(&fv_op_conv, "mask over channels", "", SHAPE3(3, 5, 5), x, SHAPE4(1, 3, 3, 3), w),
           SHAPE3(1, 3, 3), y);
}

/* Two channels, as the last two of the slide above. */
static void test_mask_over_two_channels(void **state)
{
    (void)state;
    double x[50] = {4, 4, 3, 1, 2, 2, 2, 4, 4, 5, 3, 5, 3, 7, 6, 6, 1, 9, 8, 7, 5, 1, 1, 2, 7};
    double w[18] = {0, 1, 0, 0, 2, 0, 0, 1, 0};
    memcpy(x + 25, slide_image, sizeof slide_image);
    memcpy(w + 9, smoothing, sizeof smoothing);
    scale(w, 18, EIGHTEENTH);
    const double vertical[9] = {13, 14, 16, 13, 19, 26, 8, 22, 25};
    const double square[9] = {34, 38, 44, 44, 46, 60, 32, 46, 58};
    double y[9];
    for (int i = 0; i < 9; i++)
        y[i] = vertical[i] + square[i];
    scale(y, 9, EIGHTEENTH);
    expect(one_image(&fv_op_conv, "mask over two channels", "", SHAPE3(2, 5, 5), x, SHAPE4(1, 2, 3, 3), w),
           SHAPE3(1, 3, 3), y);
}

/* "Strided convolution: stride 2". All of the slide's results but two follow from its image: for the first
 * and last of the middle row it prints 4.3 and 3.6. */
static void test_stride_2(void **state)
{
    (void)state;
    double x[49] = {2, 6, 5, 8, 1, 1, 2, 8, 2, 4, 4, 5, 9, 3, 3, 5, 3, 7, 6, 0, 1, 5, 1, 9, 8,
                    7, 0, 4, 2, 1, 1, 2, 7, 1, 6, 1, 8, 3, 7, 5, 8, 0, 4, 1, 6, 9, 5, 7, 0};
    double w[9];
    memcpy(w, smoothing, sizeof w);
    scale(w, 9, TENTH);
    const double y[9] = {4.0, 4.7, 3.7, 3.1, 5.8, 3.2, 3.5, 5.2, 4.7};
    expect(one_image(&fv_op_conv, "stride 2", "stride=2", SHAPE3(1, 7, 7), x, SHAPE4(1, 1, 3, 3), w),
           SHAPE3(1, 3, 3), y);
}

/* "Example (1d convolution)": (theta * x)_i = sum over j of theta_j x_(i+j). */
static void test_one_dimension(void **state)
{
    (void)state;
    double x[5] = {1, 1, 1, 0, 0}, w[3] = {1, 0, 1};
    const double y[3] = {2, 1, 1};
    expect(one_image(&fv_op_conv, "1d, a row", "", SHAPE3(1, 1, 5), x, SHAPE4(1, 1, 1, 3), w),
           SHAPE3(1, 1, 3), y);
    expect(one_image(&fv_op_conv, "1d, a column", "", SHAPE3(1, 5, 1), x, SHAPE4(1, 1, 3, 1), w),
           SHAPE3(1, 3, 1), y);
}

/* "Neural network architecture": with zeros around, the shared weights are a banded 5x5 matrix of three
 * numbers. */
static void test_one_dimension_padded(void **state)
{
    (void)state;
    double x[5] = {3, -1, 4, 1, -5}, w[3] = {2, 7, -1}; /* theta 0, 1, 2 */
    const double y[5] = {7 * 3 + 1, 2 * 3 - 7 - 4, -2 + 7 * 4 - 1, 2 * 4 + 7 + 5, 2 - 7 * 5};
    expect(one_image(&fv_op_conv, "1d with padding", "pad=1x0", SHAPE3(1, 5, 1), x, SHAPE4(1, 1, 3, 1), w),
           SHAPE3(1, 5, 1), y);
    expect(one_image(&fv_op_conv, "a signal", "pad=1", FV_SHAPE(1, 5), x, FV_SHAPE(1, 1, 3), w),
           FV_SHAPE(1, 5), y);
}

/* "Convolution of images (2d convolution)": the slide shows the first result, 4. */
static void test_x_shaped_filter(void **state)
{
    (void)state;
    double x[25] = {1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0};
    double w[9] = {1, 0, 1, 0, 1, 0, 1, 0, 1};
    const double y[9] = {4, 3, 4, 2, 4, 3, 2, 3, 4};
    expect(one_image(&fv_op_conv, "x-shaped filter", "", SHAPE3(1, 5, 5), x, SHAPE4(1, 1, 3, 3), w),
           SHAPE3(1, 3, 3), y);
}

/* ---- transposed convolution: the data gradient ---------------------------------------------------- */

static void expect_pasted(const char *words, int size, const double *y)
{
    double dy[4] = {4, 3, 2, 0}, w[9];
    memcpy(w, smoothing, sizeof w);
    expect(one_image(&fv_op_conv_dx, words, words, SHAPE3(1, 2, 2), dy, SHAPE4(1, 1, 3, 3), w),
           SHAPE3(1, size, size), y);
    char stride[16]; /* the operation of that name needs no size */
    snprintf(stride, sizeof stride, "%.*s", (int)strcspn(words, " "), words);
    expect(one_image(&fv_op_convtranspose, stride, stride, SHAPE3(1, 2, 2), dy, SHAPE4(1, 1, 3, 3), w),
           SHAPE3(1, size, size), y);
}

/* "Transposed convolution": the scaled mask is pasted at each place, overlaps are summed. The mask sums to 10
 * and the input to 9, so each result sums to 90. With stride 1 the slide's last two rows sum to more. */
static void test_transposed(void **state)
{
    (void)state;
    const double stride_3[36] = {4, 4, 4, 3, 3, 3, 4, 8, 4, 3, 6, 3, 4, 4, 4, 3, 3, 3,
                                 2, 2, 2, 0, 0, 0, 2, 4, 2, 0, 0, 0, 2, 2, 2, 0, 0, 0};
    const double stride_2[25] = {4, 4, 7, 3, 3, 4, 8, 7, 6, 3, 6, 6, 9, 3, 3, 2, 4, 2, 0, 0, 2, 2, 2, 0, 0};
    const double stride_1[16] = {4, 7, 7, 3, 6, 13, 12, 3, 6, 11, 9, 3, 2, 2, 2, 0};
    expect_pasted("stride=3 size=6", 6, stride_3);
    expect_pasted("stride=2 size=5", 5, stride_2);
    expect_pasted("stride=1 size=4", 4, stride_1);
}

/* "Why is it called transposed convolution?": the 4x4 image through the mask (the slide has 39 for the 34),
 * and a 2x2 image back through its transpose. */
static void test_why_transposed(void **state)
{
    (void)state;
    double x[16] = {4, 3, 2, 4, 6, 2, 4, 4, 3, 5, 3, 7, 6, 1, 9, 8}, w[9], dy[4] = {2, 3, 1, 0};
    const double y[4] = {34, 38, 44, 46}, dx[16] = {2, 5, 5, 3, 3, 8, 9, 3, 3, 7, 6, 3, 1, 1, 1, 0};
    memcpy(w, smoothing, sizeof w);
    expect(one_image(&fv_op_conv, "4x4", "", SHAPE3(1, 4, 4), x, SHAPE4(1, 1, 3, 3), w), SHAPE3(1, 2, 2), y);
    expect(one_image(&fv_op_conv_dx, "transposed", "size=4", SHAPE3(1, 2, 2), dy, SHAPE4(1, 1, 3, 3), w),
           SHAPE3(1, 4, 4), dx);
    expect(one_image(&fv_op_convtranspose, "transposed", "", SHAPE3(1, 2, 2), dy, SHAPE4(1, 1, 3, 3), w),
           SHAPE3(1, 4, 4), dx);
}

/* A convolution's matrix: M[row of y][column of x], each weight once per place. */
typedef struct window {
    const char *words, *dx_words;
    int i, h, w, o, kh, kw, stride, pad, oh, ow;
} window;

static double *banded_matrix(const window *c, const double *weight)
{
    const int rows = c->o * c->oh * c->ow, columns = c->i * c->h * c->w;
    double *m = calloc((size_t)(rows * columns), sizeof *m);
    assert_non_null(m);
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++) {
            const int o = row / (c->oh * c->ow), oy = row / c->ow % c->oh, ox = row % c->ow;
            const int i = column / (c->h * c->w), iy = column / c->w % c->h, ix = column % c->w;
            const int ky = iy - oy * c->stride + c->pad, kx = ix - ox * c->stride + c->pad;
            if (ky >= 0 && ky < c->kh && kx >= 0 && kx < c->kw)
                m[row * columns + column] = weight[((o * c->i + i) * c->kh + ky) * c->kw + kx];
        }
    return m;
}

/* Multiples of 1/8, so that floats hold them exactly. */
static double *random_values(int n, uint32_t which)
{
    fv_rng rng = fv__rng(7, FV_STREAM_CHECK, which, 0);
    double *v = calloc((size_t)n, sizeof *v);
    assert_non_null(v);
    for (int i = 0; i < n; i++)
        v[i] = ((double)fv__rng_below(&rng, 17) - 8) / 8;
    return v;
}

static void check_matrix(const window *c)
{
    const int rows = c->o * c->oh * c->ow, columns = c->i * c->h * c->w;
    double *x = random_values(columns, 1), *weight = random_values(c->o * c->i * c->kh * c->kw, 2);
    double *dy = random_values(rows, 3), *m = banded_matrix(c, weight);
    double *y = calloc((size_t)rows, sizeof *y), *dx = calloc((size_t)columns, sizeof *dx);
    for (int r = 0; r < rows; r++)
        for (int k = 0; k < columns; k++) {
            y[r] += m[r * columns + k] * x[k];
            dx[k] += m[r * columns + k] * dy[r];
        }
    const fv_shape xs = SHAPE3(c->i, c->h, c->w), ys = SHAPE3(c->o, c->oh, c->ow);
    const fv_shape ws = SHAPE4(c->o, c->i, c->kh, c->kw);
    expect(one_image(&fv_op_conv, "matrix times vector", c->words, xs, x, ws, weight), ys, y);
    expect(one_image(&fv_op_conv_dx, "transpose times vector", c->dx_words, ys, dy, ws, weight), xs, dx);
    char words[64];
    snprintf(words, sizeof words, "stride=%d pad=%d outpad=%dx%d", c->stride, c->pad,
             c->h - ((c->oh - 1) * c->stride - 2 * c->pad + c->kh),
             c->w - ((c->ow - 1) * c->stride - 2 * c->pad + c->kw));
    expect(one_image(&fv_op_convtranspose, "transposed convolution", words, ys, dy, ws, weight), xs, dx);
    free(x), free(weight), free(dy), free(m), free(y), free(dx);
}

static void test_banded_matrix(void **state)
{
    (void)state;
    const window windows[] = {
        {"", "size=4x4", 1, 4, 4, 1, 3, 3, 1, 0, 2, 2},
        {"pad=1", "pad=1 size=5x6", 2, 5, 6, 3, 3, 3, 1, 1, 5, 6},
        {"stride=2 pad=1", "stride=2 pad=1 size=7x8", 3, 7, 8, 5, 3, 2, 2, 1, 4, 5},
        {"stride=3", "stride=3 size=9x8", 1, 9, 8, 2, 2, 2, 3, 0, 3, 3},
        {"pad=3", "pad=3 size=2x3", 2, 2, 3, 2, 4, 4, 1, 3, 5, 6},
    };
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
        check_matrix(&windows[i]);
}

/* ---- pooling -------------------------------------------------------------------------------------- */

static const double pooled_image[16] = {12, 20, 30, 0, 8, 12, 2, 0, 34, 70, 37, 4, 112, 100, 25, 12};

/* "Max-Pooling", 2x2; "gradient of pooling layer": only the winning units get the gradient. */
static void test_max_pooling(void **state)
{
    (void)state;
    double x[16], dy[4] = {1, 2, 3, 4};
    const double y[4] = {20, 30, 112, 37};
    const double dx[16] = {0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 4, 0, 3, 0, 0, 0};
    memcpy(x, pooled_image, sizeof x);
    expect(one_image(&fv_op_maxpool, "max pooling", "kernel=2", SHAPE3(1, 4, 4), x, (fv_shape){0}, NULL),
           SHAPE3(1, 2, 2), y);
    expect(one_image(&fv_op_maxpool_dx, "its gradient", "kernel=2", SHAPE3(1, 2, 2), dy, SHAPE3(1, 4, 4), x),
           SHAPE3(1, 4, 4), dx);
}

/* Average pooling: the gradient is 1/m^2 of dy, upsampled. */
static void test_average_pooling(void **state)
{
    (void)state;
    double x[16], dy[4] = {4, 8, 12, 16};
    const double y[4] = {13, 8, 79, 19.5};
    const double dx[16] = {1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4};
    memcpy(x, pooled_image, sizeof x);
    expect(one_image(&fv_op_avgpool, "average pooling", "kernel=2", SHAPE3(1, 4, 4), x, (fv_shape){0}, NULL),
           SHAPE3(1, 2, 2), y);
    expect(one_image(&fv_op_avgpool_dx, "its gradient", "kernel=2 size=4", SHAPE3(1, 2, 2), dy, (fv_shape){0},
                     NULL),
           SHAPE3(1, 4, 4), dx);
}

/* ---- softmax and losses --------------------------------------------------------------------------- */

/* "Properties of softmax": an offset of all scores changes nothing, however large. */
static void test_softmax_offset(void **state)
{
    (void)state;
    const double offsets[] = {0, 1, -50, 1000, -1e6};
    double p[4], sum = 0;
    for (int j = 0; j < 4; j++)
        sum += p[j] = exp(0.5 * j);
    scale(p, 4, 1 / sum);
    for (int i = 0; i < 5; i++) {
        double x[4] = {0, 0.5, 1, 1.5};
        for (int j = 0; j < 4; j++)
            x[j] += offsets[i];
        expect(one_image(&fv_op_softmax, "softmax with an offset", "", SHAPE1(4), x, (fv_shape){0}, NULL),
               SHAPE1(4), p);
    }
}

/* softmax(0, z) = (1 - s(z), s(z)) with s(z) = (1 + tanh(z / 2)) / 2. */
static void test_softmax_of_two(void **state)
{
    (void)state;
    const double scores[] = {0, 0.25, -3, 6, -20, 40};
    for (int i = 0; i < 6; i++) {
        double x[2] = {0, scores[i]};
        const double s = 0.5 * (1 + tanh(scores[i] / 2)), y[2] = {1 - s, s};
        expect(one_image(&fv_op_softmax, "softmax of two", "", SHAPE1(2), x, (fv_shape){0}, NULL), SHAPE1(2),
               y);
    }
}

/* L(y, p) = -(y log p + (1 - y) log(1 - p)), and the delta of the output, p - y ("Backprop"). */
static void test_binary_loss(void **state)
{
    (void)state;
    const double scores[] = {0, 2, -1.5, 8};
    for (int i = 0; i < 8; i++) {
        double z = scores[i / 2], label = i % 2;
        const fv_shape one = SHAPE1(1);
        const double p = 1 / (1 + exp(-z)), delta = p - label;
        const double loss = -(label * log(p) + (1 - label) * log(1 - p));
        expect(one_image(&fv_op_binary_cross_entropy, "log-loss", "", one, &z, one, &label), one, &loss);
        expect(one_image(&fv_op_binary_cross_entropy_dx, "delta", "", one, &z, one, &label), one, &delta);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smoothing_mask),
        cmocka_unit_test(test_mask_over_channels),
        cmocka_unit_test(test_mask_over_two_channels),
        cmocka_unit_test(test_stride_2),
        cmocka_unit_test(test_one_dimension),
        cmocka_unit_test(test_one_dimension_padded),
        cmocka_unit_test(test_x_shaped_filter),
        cmocka_unit_test(test_transposed),
        cmocka_unit_test(test_why_transposed),
        cmocka_unit_test(test_banded_matrix),
        cmocka_unit_test(test_max_pooling),
        cmocka_unit_test(test_average_pooling),
        cmocka_unit_test(test_softmax_offset),
        cmocka_unit_test(test_softmax_of_two),
        cmocka_unit_test(test_binary_loss),
    };
    return cmocka_run_group_tests_name("lectures", tests, NULL, NULL);
}
