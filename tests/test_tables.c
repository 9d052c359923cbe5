/* test_tables.c - how outputs are connected to inputs: connection tables and trainable subsampling (LeNet-5's
 * layers C3 and S4 of 1998), and the parameters that the lectures compare. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "scratch.h"
#include "train/train.h"
#include "training.h"

#define C3                                                                                                   \
    "table=0.1.2/1.2.3/2.3.4/3.4.5/0.4.5/0.1.5/0.1.2.3/1.2.3.4/2.3.4.5/0.3.4.5/0.1.4.5/0.1.2.5/0.1.3.4/"     \
    "1.2.4.5/0.2.3.5/0.1.2.3.4.5"
#define LENET                                                                                                \
    "input image 1x28x28\nconv c1 6 5x5 pad=2\ntanh\nsubsample s2 2x2\ntanh\nconv c3 16 5x5 " C3 "\ntanh\n"  \
    "subsample s4 2x2\ntanh\nflatten\nlinear out 10\nsoftmax\n"
#define SMALL                                                                                                \
    "input image 3x6x6\nconv a 4 3x3 pad=1 bias=no\nrelu\nconv b 3 2x2 stride=2 table=0.1/1.2.3/3.0\n"       \
    "subsample s 2 stride=1\nflatten\nlinear out 3\nsoftmax\n"

static int64_t parameters_of(const fv_model *m, const char *layer)
{
    for (int i = 0; i < fv_model_describe(m).n_layers; i++)
        if (strcmp(fv_model_layer(m, i).name, layer) == 0)
            return fv_model_layer(m, i).n_parameters;
    return -1;
}

/* "Layer C3 ... has 1,516 trainable parameters", S2 12, S4 32 (LeCun et al. 1998, II B). */
static void counts_of_the_paper(void **state)
{
    scratch *const s = *state;
    fv_model *const m = training_model(s->ctx, LENET);
    assert_int_equal(parameters_of(m, "c1"), 156);
    assert_int_equal(parameters_of(m, "s2"), 12);
    assert_int_equal(parameters_of(m, "c3"), 1516);
    assert_int_equal(parameters_of(m, "s4"), 32);
    assert_int_equal(fv_model_describe(m).n_parameters, 156 + 12 + 1516 + 32 + 400 * 10 + 10);
    fv_model_destroy(m);
}

/* Lecture "2d convolution layer": 200x200 pixels to 400,000 units; and one direction of n units, whose 3n
 * weights are 3n - 2 and those two that read the padding. */
static void counts_of_the_lecture(void **state)
{
    scratch *const s = *state;
    fv_model *m = training_model(s->ctx, "input image 1x200x200\nlocal fields 10 10x10 pad=same bias=no\n"
                                         "globalavgpool\nflatten\nlinear out 2\nsoftmax\n");
    const fv_layer_info fields = fv_model_layer(m, 1);
    assert_int_equal(fields.n_parameters, 40000000);
    assert_true(fields.n_fully_connected == 16000000000);
    assert_int_equal(fields.n_locally_connected, 40000000);
    assert_int_equal(fields.n_shared, 1000);
    assert_int_equal(fv_model_layer(m, 4).n_shared, 0); /* a linear layer has no window */
    fv_model_destroy(m);
    m = training_model(s->ctx,
                       "input signal 1x7\nlocal l 1 3 pad=1 bias=no\nflatten\nlinear out 2\nsoftmax\n");
    assert_int_equal(fv_model_layer(m, 1).n_fully_connected, 7 * 7);
    assert_int_equal(fv_model_layer(m, 1).n_parameters, 3 * 7);
    assert_int_equal(fv_model_layer(m, 1).n_shared, 3);
    fv_model_destroy(m);
}

static void gradients_are_right(void **state)
{
    scratch *const s = *state;
    fv_model *const m = training_model(s->ctx, SMALL);
    fv_check_summary sum;
    assert_well(s->ctx, fv_model_initialise(m, 5));
    assert_well(s->ctx, fv_model_check(m, NULL, NULL, NULL, &sum));
    assert_int_equal(sum.n_wrong, 0);
    assert_int_equal(sum.n_ok + sum.n_undecided, fv_model_n_parameters(m));
    fv_model_destroy(m);
}

/* Weights of connections that are not there are 0 from the first to the last step, whatever the optimiser and
 * weight decay; the others move. One image alone and several give the same bits. */
static void absent_weights_stay_zero(void **state)
{
    static const char *const optimizers[] = {"sgd", "adam"};
    scratch *const s = *state;
    fv_data *const data = training_digits(s->ctx, FV_SPLIT_TRAIN, 60);
    for (int i = 0; i < 2; i++) {
        fv_model *const m = training_model(s->ctx, LENET);
        fv_train_options o = training_options(2, 20, 0.01);
        float alone[10], among[60 * 10];
        o.optimizer = optimizers[i];
        o.weight_decay = 0.01;
        assert_well(s->ctx, fv_train(m, data, NULL, &o, NULL, NULL));
        int n_zero = 0;
        for (int p = 0; p < fv_model_n_parameters(m); p++) {
            const fv_parameter_info w = fv_model_parameter(m, p);
            for (int k = 0; strcmp(w.name, "c3.weight") == 0 && k < 16 * 6 * 25; k++)
                n_zero += w.values[k] == 0;
        }
        assert_int_equal(n_zero, 16 * 6 * 25 - 1500);
        assert_well(s->ctx, fv_predict(m, data, 0, 60, among));
        assert_well(s->ctx, fv_predict(m, data, 7, 1, alone));
        assert_memory_equal(alone, among + 70, sizeof alone);
        fv_model_destroy(m);
    }
    fv_data_destroy(data);
}

static void mistakes(void **state)
{
#define IN "input image 3x6x6\n"
    static const char *const wrong[][2] = {
        {IN "conv a 2 3x3 table=0.1.2\n", "expected a table of 2 rows, one an output, found 1"},
        {IN "conv a 2 3x3 table=0.1/2.3\n", "table: row 1: expected inputs 0 to 2, found 3"},
        {IN "conv a 2 3x3 table=0.1/1.0\n", "table: expected each input in some row, input 2 is in none"},
        {IN "conv a 2 3x3 table=0.1.1/2\n", "table: row 0 names input 1 twice"},
        {IN "conv a 2 3x3 table=0.1//2\n", "expected rows of whole numbers, as 0.1/1.2, found '0.1//2'"},
        {IN "conv a 2 3x3 table=\n", "expected rows of whole numbers, as 0.1/1.2, found ''"},
        {IN "linear a 2 table=0\n", "unknown key 'table' of linear"},
        {IN "subsample s 7x7\n", "expected a window of at most 6x6, found 7x7"},
    };
    scratch *const s = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        fv_model *m = NULL;
        assert_int_equal(fv_model_from_text(s->ctx, wrong[i][0], "m", &m), FV_ERR_INPUT);
        if (!strstr(fv_message(s->ctx), wrong[i][1]))
            fail_msg("expected '%s', found '%s'", wrong[i][1], fv_message(s->ctx));
    }
}

int main(void)
{
#define SCRATCH(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        SCRATCH(counts_of_the_paper),
        SCRATCH(counts_of_the_lecture),
        SCRATCH(gradients_are_right),
        SCRATCH(absent_weights_stay_zero),
        SCRATCH(mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
