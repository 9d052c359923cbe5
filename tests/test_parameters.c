/* test_parameters.c - a model's numbers, in and out through memory: parameters and statistics are listed, can
 * be copied into another model to the bit, and reach a predictor after a refresh. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"
#include "training.h"

#define NORMED                                                                                               \
    "input image 1x6x6\n"                                                                                    \
    "conv c1 3 3x3 bias=no\n"                                                                                \
    "batchnorm b1\n"                                                                                         \
    "relu\n"                                                                                                 \
    "flatten\n"                                                                                              \
    "linear out 2\n"                                                                                         \
    "softmax\n"

static size_t count(const fv_parameter_info *info)
{
    size_t n = 1;
    for (int d = 0; d < info->rank; d++)
        n *= (size_t)info->shape[d];
    return n;
}

static void statistics_are_listed(void **state)
{
    scratch *s = *state;
    fv_model *model = training_model(s->ctx, NORMED);
    static const struct {
        const char *name;
        int n;
        float first;
    } expected[] = {
        {"input.mean", 1, 0}, {"input.inv_std", 1, 1}, {"b1.running_mean", 3, 0}, {"b1.running_var", 3, 1}};
    assert_int_equal(fv_model_n_statistics(model), 4);
    for (int i = 0; i < 4; i++) {
        const fv_parameter_info info = fv_model_statistic(model, i);
        assert_string_equal(info.name, expected[i].name);
        assert_int_equal(info.rank, 1);
        assert_int_equal(info.shape[0], expected[i].n);
        for (int k = 0; k < expected[i].n; k++)
            assert_true(info.values[k] == expected[i].first);
    }
    /* parameters are what is learned, as before */
    assert_int_equal(fv_model_n_parameters(model), 5);
    assert_int_equal(fv_model_describe(model).n_parameters, 27 + 3 + 3 + 2 * 48 + 2);
    fv_model_destroy(model);
}

/* Softmax of a linear layer of two pixels, by hand: logits b + W x. */
static void values_reach_a_predictor(void **state)
{
    scratch *s = *state;
    fv_model *model = training_model(s->ctx, "input image 1x1x2\nflatten\nlinear o 2\nsoftmax\n");
    fv_predictor *predictor = NULL;
    const float w[4] = {1, 2, 3, -1}, b[2] = {0.5f, -0.25f}, x[2] = {0.25f, 1};
    float before[2], after[2];
    assert_well(s->ctx, fv_predictor_create(model, 1, &predictor));
    assert_well(s->ctx, fv_predictor_run_values(predictor, x, 1, before));
    assert_well(s->ctx, fv_model_set_parameter(model, "o.weight", w, 4));
    assert_well(s->ctx, fv_model_set_parameter(model, "o.bias", b, 2));
    assert_memory_equal(fv_model_parameter(model, 0).values, w, sizeof w);
    fv_predictor_refresh(predictor);
    assert_well(s->ctx, fv_predictor_run_values(predictor, x, 1, after));
    const double first = 0.5 + 0.25 + 2, second = -0.25 + 0.75 - 1; /* 2.75 and -0.5 */
    const double p = 1 / (1 + exp(second - first));
    assert_true(fabs((double)after[0] - p) < 1e-6); /* a few roundings of float */
    assert_true(fabs((double)before[0] - p) > 1e-3);
    /* statistics too: x is standardised, (x - mean) inv_std */
    const float mean[1] = {0.25f}, inv_std[1] = {2};
    assert_well(s->ctx, fv_model_set_parameter(model, "input.mean", mean, 1));
    assert_well(s->ctx, fv_model_set_parameter(model, "input.inv_std", inv_std, 1));
    fv_predictor_refresh(predictor);
    assert_well(s->ctx, fv_predictor_run_values(predictor, x, 1, after));
    const double q = 1 / (1 + exp((-0.25 - 1.5) - (0.5 + 3)));
    assert_true(fabs((double)after[0] - q) < 1e-6);
    fv_predictor_destroy(predictor);
    fv_model_destroy(model);
}

static void copy_all(fv_context *ctx, const fv_model *from, fv_model *to)
{
    for (int i = 0; i < fv_model_n_parameters(from); i++) {
        const fv_parameter_info info = fv_model_parameter(from, i);
        assert_well(ctx, fv_model_set_parameter(to, info.name, info.values, count(&info)));
    }
    for (int i = 0; i < fv_model_n_statistics(from); i++) {
        const fv_parameter_info info = fv_model_statistic(from, i);
        assert_well(ctx, fv_model_set_parameter(to, info.name, info.values, count(&info)));
    }
}

/* A trained model, copied by hand, predicts the same bits; training goes on from what was set. */
static void a_model_is_copied(void **state)
{
    scratch *s = *state;
    fv_data *data = training_halves(s->ctx, 64, 1, 6, 6, 0);
    fv_model *from = training_model(s->ctx, NORMED), *to = training_model(s->ctx, NORMED);
    fv_train_options options = training_options(2, 16, 0.05);
    float p[64][2], q[64][2];
    assert_well(s->ctx, fv_train(from, data, NULL, &options, NULL, NULL));
    copy_all(s->ctx, from, to);
    assert_true(fv_model_hash(to) == fv_model_hash(from));
    assert_well(s->ctx, fv_predict(from, data, 0, 64, &p[0][0]));
    assert_well(s->ctx, fv_predict(to, data, 0, 64, &q[0][0]));
    assert_memory_equal(p, q, sizeof p);
    options.lr = 0;
    options.epochs = 1;
    assert_well(s->ctx, fv_train(to, data, NULL, &options, NULL, NULL));
    assert_true(fv_model_hash(to) == fv_model_hash(from));
    /* what is there may be given as it is */
    const fv_parameter_info own = fv_model_parameter(to, 0);
    assert_well(s->ctx, fv_model_set_parameter(to, own.name, own.values, count(&own)));
    assert_true(fv_model_hash(to) == fv_model_hash(from));
    fv_model_destroy(from);
    fv_model_destroy(to);
    fv_data_destroy(data);
}

static void mistakes_change_nothing(void **state)
{
    scratch *s = *state;
    fv_model *model = training_model(s->ctx, NORMED);
    const uint64_t hash = fv_model_hash(model);
    float values[27] = {0};
#define REFUSED(name, n, message)                                                                            \
    assert_failed(s, fv_model_set_parameter(model, name, values, n), FV_ERR_ARGUMENT,                        \
                  "fv_model_set_parameter: " message)
    REFUSED("c1.weihgt", 27, "text has no parameter or statistic 'c1.weihgt'; nearest is 'c1.weight'");
    REFUSED("", 27, "text has no parameter or statistic ''");
    REFUSED("input", 27, "text has no parameter or statistic 'input'; nearest is 'input.mean'");
    REFUSED("c1", 27, "text has no parameter or statistic 'c1'");
    REFUSED("c1.weight", 26, "c1.weight: expected 27 values, 3x1x3x3; found 26");
    REFUSED("c1.weight", 0, "c1.weight: expected 27 values, 3x1x3x3; found 0");
    REFUSED("c1.weight", SIZE_MAX, "c1.weight: expected 27 values, 3x1x3x3; found 18446744073709551615");
    values[26] = NAN;
    REFUSED("c1.weight", 27, "c1.weight: expected finite values, found NaN at place 26");
    values[25] = -INFINITY;
    REFUSED("c1.weight", 27, "c1.weight: expected finite values, found infinity at place 25");
    assert_true(fv_model_hash(model) == hash);
    fv_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_are_listed),
        cmocka_unit_test(values_reach_a_predictor),
        cmocka_unit_test(a_model_is_copied),
        cmocka_unit_test(mistakes_change_nothing),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
