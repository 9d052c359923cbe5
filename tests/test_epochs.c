/* test_epochs.c - what several epochs of training should give, by numbers from outside: the last batch of an
 * epoch is smaller and divided by its own size, momentum lives on from epoch to epoch, a squared error is not
 * halved, and each order of the images is as likely as any other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"
#include "train/train.h"
#include "training.h"

#include <math.h>

enum { N = 7, VALUES = 6, EPOCHS = 3, BATCH = 3, SEED = 7 };

/* Numbers that a float holds exactly, and that every language makes alike. */
static void fill(fv_model *m)
{
    for (int p = 0; p < m->n_learned; p++)
        for (int i = 0; i < (int)m->params[p].n; i++)
            fv__model_values(m, p)[i] = (float)((i * 7 + p * 5) % 11 - 5) / 8;
    m->settled = true;
}

static fv_data *seven_images(fv_context *ctx)
{
    static uint8_t pixels[N * VALUES];
    static int labels[N];
    fv_data *data = NULL;
    for (int i = 0; i < N; i++) {
        labels[i] = i * 2 % 3;
        for (int k = 0; k < VALUES; k++)
            pixels[i * VALUES + k] = (uint8_t)(i * i * 37 + k * 53 + i * k * 11);
    }
    assert_well(ctx, fv_data_from_memory(ctx, pixels, labels, N, 1, 2, 3, 3, &data));
    return data;
}

/* ---- against PyTorch -------------------------------------------------------------------------------- */

typedef struct numbers {
    const char *model;
    double loss[EPOCHS]; /* the mean over an epoch's images, each as its batch found it */
    double h_weight[4 * VALUES], h_bias[4], out_weight[3 * 4], out_bias[3];
} numbers;

#define NETWORK "input image 1x2x3\nflatten\nlinear h 4\ntanh\nlinear out 3\nsoftmax\n"

/* By torch 1.13 in double:
 *
 *   x = pixels / 255; x = (x - x.mean()) / x.std(unbiased=False)
 *   opt = SGD([{"params": [hw, ow], "weight_decay": 0.125}, {"params": [hb, ob]}], lr=0.25, momentum=0.75)
 *   for order in orders: for s in (0, 3, 6): o = order[s:s+3]; z = tanh(x[o] @ hw.T + hb) @ ow.T + ob
 *       l = ((softmax(z, 1) - one_hot(t[o], 3)) ** 2).sum(1)    or    cross_entropy(z, t[o],
 * reduction="none") total += l.sum(); opt.zero_grad(); l.mean().backward(); opt.step() */
static const numbers by_pytorch[] = {
    {.model = NETWORK "loss squared-error\n",
     .loss = {0.824191529627584, 0.7303018527004534, 0.7288164620762441},
     .h_weight = {-0.246250412,   0.0177360141,  0.111274808,  0.183049131,   -0.0653626467, 0.186273251,
                  -0.00657481394, 0.12716377,    -0.183067385, 0.135638886,   -0.0430456135, -0.323898357,
                  0.240583014,    -0.0764320678, 0.187425936,  0.00099440169, -0.0194716128, 0.132586697,
                  -0.172420821,   -0.0508700908, 0.164824318,  -0.113855194,  -0.204064781,  0.066522207},
     .h_bias = {0.0486127985, -0.484576113, 0.327946349, -0.0622158042},
     .out_weight = {-0.0184241108, -0.168868892, -0.0309389348, 0.312005761, -0.128798547, -0.00522265682,
                    0.165329647, -0.0632022191, 0.147222658, 0.127628409, -0.227316991, 0.122901573},
     .out_bias = {-0.228871254, -0.530848645, 0.259719899}},
    {.model = NETWORK,
     .loss = {1.4324037433308772, 1.1709623102555902, 1.2384828235377845},
     .h_weight = {-0.330706765,  0.0883933533,  0.163170845,  -0.0038506343, 0.053122102,  0.292477304,
                  -0.0389132322, 0.155139721,   -0.12165318,  0.267717556,   -0.116986403, -0.364078179,
                  0.381155126,   -0.0303306237, 0.0960306183, -0.0890767832, 0.09946373,   0.0976192197,
                  -0.417774242,  0.0415224718,  0.219900384,  -0.147639319,  -0.208325372, 0.0138126084},
     .h_bias = {-0.0302788949, -0.398085848, 0.266657268, -0.00791180801},
     .out_weight = {-0.0108866401, -0.279852031, -0.0554298017, 0.442504774, -0.293641912, 0.180950318,
                    0.139906154, -0.170932163, 0.304528552, 0.0524385735, -0.177402631, 0.100132503},
     .out_bias = {-0.217869802, -0.515608168, 0.23347797}},
};

/* The orders that these numbers belong to. */
static const uint32_t orders[EPOCHS][N] = {
    {2, 3, 5, 6, 0, 4, 1}, {3, 6, 1, 5, 2, 0, 4}, {3, 6, 4, 0, 1, 5, 2}};

/* Tolerance 1e-6: nine steps of float on numbers below 1. */
static void expect(const fv_model *m, int p, const double *wanted)
{
    for (size_t i = 0; i < m->params[p].n; i++)
        if (!(fabs((double)fv__model_values(m, p)[i] - wanted[i]) < 1e-6))
            fail_msg("%s[%d] is %.9g, %.9g was expected", m->graph.tensors[m->params[p].tensor].name, (int)i,
                     (double)fv__model_values(m, p)[i], wanted[i]);
}

static bool note_loss(void *user, const fv_progress *p)
{
    if (p->event == FV_EVENT_EPOCH)
        ((double *)user)[p->epoch - 1] = p->train_loss;
    return true;
}

static void epochs_as_pytorch(void **state)
{
    fv_context *ctx = ((scratch *)*state)->ctx;
    fv_data *data = seven_images(ctx);
    for (int e = 0; e < EPOCHS; e++) {
        uint32_t order[N];
        fv__shuffle(SEED, e, order, N);
        assert_memory_equal(order, orders[e], sizeof order);
    }
    for (int k = 0; k < 2; k++) {
        const numbers *const wanted = &by_pytorch[k];
        double loss[EPOCHS] = {0};
        fv_model *m = training_model(ctx, wanted->model);
        fv_train_options o = training_options(EPOCHS, BATCH, 0.25);
        o.momentum = 0.75;
        o.weight_decay = 0.125;
        o.seed = SEED;
        fill(m);
        assert_well(ctx, fv_train(m, data, NULL, &o, note_loss, loss));
        for (int e = 0; e < EPOCHS; e++)
            assert_float_equal(loss[e], wanted->loss[e], 1e-6);
        expect(m, 0, wanted->h_weight);
        expect(m, 1, wanted->h_bias);
        expect(m, 2, wanted->out_weight);
        expect(m, 3, wanted->out_bias);
        fv_model_destroy(m);
    }
    fv_data_destroy(data);
}

/* The same where an epoch is stopped and gone on with at every step: the last batch and the momentum are
 * those of the whole run. */
static bool stop_each_step(void *user, const fv_progress *p)
{
    (void)user;
    return p->event != FV_EVENT_STEP;
}

static void epochs_step_by_step_as_pytorch(void **state)
{
    scratch *s = *state;
    fv_data *data = seven_images(s->ctx);
    fv_model *m = training_model(s->ctx, by_pytorch[0].model);
    fv_train_options o = training_options(EPOCHS, BATCH, 0.25);
    o.momentum = 0.75;
    o.weight_decay = 0.125;
    o.seed = SEED;
    o.out = scratch_path(s, "steps");
    fill(m);
    fv_status status = FV_STOPPED;
    int n = 0;
    for (; status == FV_STOPPED && n < 100; n++, o.resume = true)
        status = fv_train(m, data, NULL, &o, stop_each_step, NULL);
    assert_well(s->ctx, status);
    assert_int_equal(n, 3 * EPOCHS + 1);
    expect(m, 0, by_pytorch[0].h_weight);
    expect(m, 1, by_pytorch[0].h_bias);
    expect(m, 2, by_pytorch[0].out_weight);
    expect(m, 3, by_pytorch[0].out_bias);
    fv_model_destroy(m);
    fv_data_destroy(data);
}

/* ---- the order of the images ------------------------------------------------------------------------ */

/* 0..23, and each permutation of 0..3 has its own. */
static int number_of(const uint32_t *order)
{
    int number = 0;
    for (int i = 0; i < 4; i++) {
        int smaller = 0;
        for (int j = i + 1; j < 4; j++)
            smaller += order[j] < order[i];
        number = number * (4 - i) + smaller;
    }
    return number;
}

/* Chi-square of 24 equally likely orders. With 23 degrees of freedom its mean is 23, and one draw in a
 * million exceeds 69. A shuffle that never leaves an element where it was has 6 orders of the 24, and some
 * 72,000. */
static double chi_square(bool over_epochs)
{
    enum { DRAWS = 24000 };
    int seen[24] = {0};
    for (int k = 0; k < DRAWS; k++) {
        uint32_t order[4];
        fv__shuffle(over_epochs ? 3 : (uint64_t)k, over_epochs ? k : 0, order, 4);
        seen[number_of(order)]++;
    }
    double sum = 0;
    for (int i = 0; i < 24; i++)
        sum += pow(seen[i] - DRAWS / 24.0, 2) / (DRAWS / 24.0);
    print_message("chi-square over %s: %.1f; the images in their own order: %d of %d\n",
                  over_epochs ? "epochs" : "seeds", sum, seen[0], DRAWS);
    return sum;
}

static void every_order_is_as_likely(void **state)
{
    (void)state;
    assert_true(chi_square(false) < 69);
    assert_true(chi_square(true) < 69);
}

/* In a random order one image on average, of however many, stays at its place. The number is distributed as
 * Poisson's: over 400 epochs its sum has a deviation of 20, and 5 of them are allowed. */
static void one_image_stays_on_average(void **state)
{
    static const int sizes[] = {2, 17, 1000};
    (void)state;
    for (int k = 0; k < 3; k++) {
        static uint32_t order[1000];
        int n = 0;
        for (int e = 0; e < 400; e++) {
            fv__shuffle(11, e, order, sizes[k]);
            for (int i = 0; i < sizes[k]; i++)
                n += order[i] == (uint32_t)i;
        }
        assert_in_range(n, 300, 500);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(epochs_as_pytorch, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(epochs_step_by_step_as_pytorch, scratch_setup, scratch_teardown),
        cmocka_unit_test(every_order_is_as_likely),
        cmocka_unit_test(one_image_stays_on_average),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
