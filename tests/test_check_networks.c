/* test_check_networks.c - the check on random networks: it calls no right gradient wrong, and leaves few
 * undecided.
 *
 * FOVEA_TEST_SEED=N draws other networks, FOVEA_TEST_NETWORKS=N so many of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"
#include "random_networks.h"
#include "training.h"

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *const text = getenv(variable);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

/* ---- no false alarm --------------------------------------------------------------------------------- */

typedef struct seen {
    uint64_t seed;
    int n[3]; /* tensors of each verdict */
    bool loud;
} seen;

static bool see(void *user, const fv_check_progress *p)
{
    seen *const s = user;
    const fv_check_result *const r = p->result;
    if (!r)
        return true;
    s->n[r->verdict]++;
    if (s->loud && r->verdict != FV_CHECK_OK)
        print_message("  seed %d: %s of %d values: reference %.1e, kernels %.1e: %s\n", (int)s->seed,
                      r->parameter, (int)r->n_values, r->reference_error, r->kernel_error,
                      r->verdict == FV_CHECK_WRONG ? "WRONG" : "not decided");
    return true;
}

/* None is wrong, and at most one in twenty has a gradient that is not decided. */
static void random_networks(void **state)
{
    scratch *const s = *state;
    const int n = (int)number_from("FOVEA_TEST_NETWORKS", TRAINING_SLOW ? 20 : 100);
    const uint64_t first = number_from("FOVEA_TEST_SEED", 0);
    int n_wrong = 0, n_undecided = 0;
    seen all = {.loud = true};
    for (int i = 0; i < n; i++) {
        random_network network;
        all.seed = first + (uint64_t)i;
        fv_model *const m = random_network_model(s->ctx, all.seed, &network);
        const fv_check_options o = {.seed = all.seed, .batch = network.batch};
        fv_check_summary sum;
        assert_well(s->ctx, fv_model_check(m, &o, see, &all, &sum));
        if (sum.n_wrong > 0)
            print_message("%s", network.text);
        n_wrong += sum.n_wrong > 0;
        n_undecided += sum.n_undecided > 0;
        fv_model_destroy(m);
    }
    print_message(
        "%d networks: %d wrong, %d not decided in part; tensors: %d right, %d wrong, %d not decided\n", n,
        n_wrong, n_undecided, all.n[0], all.n[1], all.n[2]);
    assert_int_equal(n_wrong, 0);
    assert_true(n_undecided <= 1 + n / 20);
}

/* Networks that were called wrong: batch normalisation of two means of images, a bias before one, and one of
 * a quarter of a million inputs. */
static void once_called_wrong(void **state)
{
    scratch *const s = *state;
    static const char *const texts[] = {
        "input image 1x8x10\nconv c1 5 3x3\nrelu\navgpool 2x2\nbias m\nsoftplus\nglobalavgpool\nflatten\n"
        "batchnorm b\nlinear o 1\nsigmoid\n",
        "input image 1x28x28\nconv c1 6 5x5 pad=2\nbatchnorm b1\nrelu\nmaxpool 2x2\nconv c2 16 "
        "5x5\nbatchnorm b2\n"
        "relu\nmaxpool 2x2\nflatten\nlinear o 10\nsoftmax\n",
        "input image 1x8x8\nconv c 256 1x1\nconv d 256 3x3 groups=256 pad=1\nflatten\nlinear o 10\nsoftmax\n",
    };
    for (int i = 0; i < 3; i++)
        for (uint64_t seed = 0; seed < (TRAINING_SLOW ? 1 : 4); seed++) {
            fv_model *const m = training_model(s->ctx, texts[i]);
            const fv_check_options o = {.seed = seed, .batch = 2};
            seen all = {.seed = seed, .loud = true};
            fv_check_summary sum;
            assert_well(s->ctx, fv_model_check(m, &o, see, &all, &sum));
            assert_int_equal(sum.n_wrong, 0);
            assert_true(i == 0 || sum.n_undecided == 0); /* of the first, rounding leaves little */
            fv_model_destroy(m);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_networks),
        cmocka_unit_test(once_called_wrong),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
