/* test_lecture_gradients.c - the formulas of the lectures: derivatives of activations, the gradient of
 * cross-entropy behind a softmax, of convolution layers, and what a convolution is (linear, covariant). The
 * slides' formula is written out beside each comparison. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lecture_checks.h"

#include "base/rng.h"

/* Multiples of 1/8, so that floats hold them exactly. */
static void draw(double *values, int n, uint32_t which)
{
    fv_rng rng = fv__rng(11, FV_STREAM_CHECK, which, 0);
    for (int i = 0; i < n; i++)
        values[i] = ((double)fv__rng_below(&rng, 17) - 8) / 8;
}

static double sigmoid(double z)
{
    return 1 / (1 + exp(-z));
}

/* ---- activations ------------------------------------------------------------------------------------ */

static const double points[8] = {-6, -2, -0.5, 0, 0.25, 1, 3, 8};

/* s(z) = 1 / (1 + e^-z) = (1 + tanh(z/2)) / 2; s' = s (1 - s), at most 1/4. */
static void test_sigmoid(void **state)
{
    (void)state;
    double z[8], y[8], dy[8], dz[8];
    memcpy(z, points, sizeof z);
    for (int i = 0; i < 8; i++) {
        y[i] = 0.5 * (1 + tanh(z[i] / 2));
        dy[i] = 1;
        dz[i] = y[i] * (1 - y[i]);
        assert_true(dz[i] <= 0.25);
    }
    expect(one_image(&fv_op_sigmoid, "sigmoid", "", SHAPE1(8), z, (fv_shape){0}, NULL), SHAPE1(8), y);
    expect(one_image(&fv_op_sigmoid_dx, "its derivative", "", SHAPE1(8), dy, SHAPE1(8), y), SHAPE1(8), dz);
}

/* tanh(x) = 2 s(2x) - 1; tanh' = 1 - tanh^2. */
static void test_tanh(void **state)
{
    (void)state;
    double x[8], y[8], dy[8], dx[8];
    memcpy(x, points, sizeof x);
    for (int i = 0; i < 8; i++) {
        y[i] = 2 * sigmoid(2 * x[i]) - 1;
        dy[i] = 1;
        dx[i] = 1 - y[i] * y[i];
    }
    expect(one_image(&fv_op_tanh, "tanh", "", SHAPE1(8), x, (fv_shape){0}, NULL), SHAPE1(8), y);
    expect(one_image(&fv_op_tanh_dx, "its derivative", "", SHAPE1(8), dy, SHAPE1(8), y), SHAPE1(8), dx);
}

/* ReLU'(z) = 0 for z < 0, 1 for z >= 0: a subgradient. The other one-sided derivative is the default. */
static void test_relu(void **state)
{
    (void)state;
    double x[8], dy[8];
    const double y[8] = {0, 0, 0, 0, 0.25, 1, 3, 8};
    const double slide[8] = {0, 0, 0, 1, 1, 1, 1, 1}, other[8] = {0, 0, 0, 0, 1, 1, 1, 1};
    memcpy(x, points, sizeof x);
    for (int i = 0; i < 8; i++)
        dy[i] = 1;
    expect(one_image(&fv_op_relu, "relu", "", SHAPE1(8), x, (fv_shape){0}, NULL), SHAPE1(8), y);
    expect(one_image(&fv_op_relu_dx, "relu', at0=1", "at0=1", SHAPE1(8), dy, SHAPE1(8), x), SHAPE1(8), slide);
    expect(one_image(&fv_op_relu_dx, "relu', at0=0", "", SHAPE1(8), dy, SHAPE1(8), x), SHAPE1(8), other);
}

/* softplus(x) = log(1 + e^x), the smooth version of the rectifier: its derivative is the sigmoid. */
static void test_softplus(void **state)
{
    (void)state;
    double x[8], y[8], dy[8], dx[8];
    memcpy(x, points, sizeof x);
    for (int i = 0; i < 8; i++) {
        y[i] = log(1 + exp(x[i]));
        dy[i] = 1;
        dx[i] = sigmoid(x[i]);
    }
    expect(one_image(&fv_op_softplus, "softplus", "", SHAPE1(8), x, (fv_shape){0}, NULL), SHAPE1(8), y);
    expect(one_image(&fv_op_softplus_dx, "its derivative", "", SHAPE1(8), dy, SHAPE1(8), x), SHAPE1(8), dx);
}

/* ---- cross-entropy ---------------------------------------------------------------------------------- */

/* "d_CE = -1 log 0.927": scores whose softmax gives the true class 0.927; and d/da d_CE = softmax(a) - y. */
static void test_cross_entropy(void **state)
{
    (void)state;
    double p[5] = {0.002, 0.004, 0.927, 0.037, 0.03}, scores[5], gradient[5], label = 2;
    const double loss = -log(0.927);
    for (int i = 0; i < 5; i++) {
        scores[i] = log(p[i]) + 3; /* whatever the offset */
        gradient[i] = p[i] - (i == 2);
    }
    const fv_shape one = SHAPE1(1);
    expect(one_image(&fv_op_cross_entropy, "cross-entropy", "", SHAPE1(5), scores, one, &label), one, &loss);
    expect(one_image(&fv_op_cross_entropy_dx, "softmax - y", "", SHAPE1(5), scores, one, &label), SHAPE1(5),
           gradient);
}

/* L = sum over j of (softmax(y)_j - [j = t])^2, the surrogate loss of the first network. */
static void test_squared_error(void **state)
{
    (void)state;
    double p[4] = {0.1, 0.2, 0.3, 0.4}, label = 3;
    const double loss = 0.01 + 0.04 + 0.09 + 0.36;
    const fv_shape one = SHAPE1(1);
    expect(one_image(&fv_op_squared_error, "squared error", "", SHAPE1(4), p, one, &label), one, &loss);
}

/* ---- convolution ------------------------------------------------------------------------------------ */

enum { SIZE = 7, MASK = 3, OUT = SIZE - MASK + 1 };

/* y = W * x, on one channel, as the slide indexes it. */
static void convolve(const double *x, int size, const double *w, int mask, double *y)
{
    const int out = size - mask + 1;
    for (int j = 0; j < out * out; j++) {
        y[j] = 0;
        for (int k = 0; k < mask * mask; k++)
            y[j] += w[k] * x[(j / out + k / mask) * size + j % out + k % mask];
    }
}

/* "Gradient of convolution layer": dx is dy, with zeros around it, convolved with W flipped; dW is x
 * convolved with dy. */
static void test_convolution_gradients(void **state)
{
    (void)state;
    enum { FRAME = OUT + 2 * (MASK - 1) };
    double x[SIZE * SIZE], w[MASK * MASK], dy[OUT * OUT], flipped[MASK * MASK], framed[FRAME * FRAME] = {0};
    double dx[SIZE * SIZE], dw[MASK * MASK];
    draw(x, SIZE * SIZE, 1), draw(w, MASK * MASK, 2), draw(dy, OUT * OUT, 3);
    for (int k = 0; k < MASK * MASK; k++)
        flipped[k] = w[MASK * MASK - 1 - k];
    for (int j = 0; j < OUT * OUT; j++)
        framed[(j / OUT + MASK - 1) * FRAME + j % OUT + MASK - 1] = dy[j];
    convolve(framed, FRAME, flipped, MASK, dx);
    convolve(x, SIZE, dy, OUT, dw);
    const fv_shape xs = SHAPE3(1, SIZE, SIZE), ys = SHAPE3(1, OUT, OUT), ws = SHAPE4(1, 1, MASK, MASK);
    expect(one_image(&fv_op_conv_dx, "dx", "size=7", ys, dy, ws, w), xs, dx);
    expect(one_image(&fv_op_conv_dw, "dW", "size=3", ys, dy, xs, x), ws, dw);
}

/* "Concatenating convolutions only results in convolution": two 3x3 masks are one of 5x5. */
static void test_two_convolutions_are_one(void **state)
{
    (void)state;
    double x[81], a[9], b[9], framed[49] = {0}, both[25], flipped[9], between[49], y[25];
    draw(x, 81, 4), draw(a, 9, 5), draw(b, 9, 6);
    convolve(x, 9, a, 3, between);
    for (int k = 0; k < 9; k++) { /* both[k] = sum over j of a[j] b[k - j] */
        framed[(k / 3 + 2) * 7 + k % 3 + 2] = b[k];
        flipped[k] = a[8 - k];
    }
    convolve(framed, 7, flipped, 3, both);
    convolve(between, 7, b, 3, y);
    expect(one_image(&fv_op_conv, "the second", "", SHAPE3(1, 7, 7), between, SHAPE4(1, 1, 3, 3), b),
           SHAPE3(1, 5, 5), y);
    expect(one_image(&fv_op_conv, "both at once", "", SHAPE3(1, 9, 9), x, SHAPE4(1, 1, 5, 5), both),
           SHAPE3(1, 5, 5), y);
}

/* "Translational covariance", "equivariant representations": an object that moves by (1, 2) moves its
 * features by (1, 2). */
static void test_translation(void **state)
{
    (void)state;
    double object[9], w[9], y[64], moved_y[64];
    draw(object, 9, 7), draw(w, 9, 8);
    double x[100] = {0}, moved[100] = {0};
    for (int k = 0; k < 9; k++) {
        x[(k / 3 + 3) * 10 + k % 3 + 2] = object[k];
        moved[(k / 3 + 4) * 10 + k % 3 + 4] = object[k];
    }
    convolve(x, 10, w, 3, y);
    for (int j = 0; j < 64; j++)
        moved_y[j] = j / 8 >= 1 && j % 8 >= 2 ? y[j - 8 - 2] : 0;
    const fv_shape in = SHAPE3(1, 10, 10), out = SHAPE3(1, 8, 8), ws = SHAPE4(1, 1, 3, 3);
    expect(one_image(&fv_op_conv, "an object", "", in, x, ws, w), out, y);
    expect(one_image(&fv_op_conv, "the same, moved", "", in, moved, ws, w), out, moved_y);
}

/* "Convolution of images": the filters of the table. On a constant image an edge detector gives 0, sharpening
 * and blurring leave it as it is; of a single bright pixel each gives its own mask, flipped. */
static void test_known_filters(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double mask[9], divisor, constant;
    } filters[] = {
        {"edges, diagonal", {1, 0, -1, 0, 0, 0, -1, 0, 1}, 1, 0},
        {"edges, Laplace", {0, 1, 0, 1, -4, 1, 0, 1, 0}, 1, 0},
        {"edges, all around", {-1, -1, -1, -1, 8, -1, -1, -1, -1}, 1, 0},
        {"sharpen", {0, -1, 0, -1, 5, -1, 0, -1, 0}, 1, 1},
        {"box blur", {1, 1, 1, 1, 1, 1, 1, 1, 1}, 9, 1},
        {"Gaussian blur", {1, 2, 1, 2, 4, 2, 1, 2, 1}, 16, 1},
    };
    for (size_t f = 0; f < sizeof filters / sizeof *filters; f++) {
        double constant[25], point[25] = {0}, w[9], flat[9], flipped[9];
        for (int k = 0; k < 9; k++) {
            w[k] = filters[f].mask[k] / filters[f].divisor;
            flat[k] = 7 * filters[f].constant;
            flipped[8 - k] = 3 * w[k];
        }
        for (int i = 0; i < 25; i++)
            constant[i] = 7;
        point[12] = 3;
        const fv_shape in = SHAPE3(1, 5, 5), out = SHAPE3(1, 3, 3), ws = SHAPE4(1, 1, 3, 3);
        expect(one_image(&fv_op_conv, filters[f].name, "", in, constant, ws, w), out, flat);
        expect(one_image(&fv_op_conv, filters[f].name, "", in, point, ws, w), out, flipped);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sigmoid),
        cmocka_unit_test(test_tanh),
        cmocka_unit_test(test_relu),
        cmocka_unit_test(test_softplus),
        cmocka_unit_test(test_cross_entropy),
        cmocka_unit_test(test_squared_error),
        cmocka_unit_test(test_convolution_gradients),
        cmocka_unit_test(test_two_convolutions_are_one),
        cmocka_unit_test(test_translation),
        cmocka_unit_test(test_known_filters),
    };
    return cmocka_run_group_tests_name("lecture_gradients", tests, NULL, NULL);
}
