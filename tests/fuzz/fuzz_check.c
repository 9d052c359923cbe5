/* fuzz_check.c - model text whose gradients are right, as those of every model are: `check` must not say that
 * they are wrong. Models that would take long are left out. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

static fv_context *ctx;

#define MOST_FLOPS ((int64_t)640 << 20) /* of the reference, over all differences */
#define MOST_BYTES ((int64_t)4 << 20)

/* Two runs of the reference for each value that is tried, some hundred of a tensor at most. */
static bool is_small(const fv_model *model, int batch)
{
    const fv_model_info info = fv_model_describe(model);
    const int64_t tensors = fv_model_n_parameters(model), flops = info.flops + info.bytes;
    return info.bytes <= MOST_BYTES && flops <= MOST_FLOPS / (2 * 100 * (tensors + 1) * batch);
}

static bool report(void *user, const fv_check_progress *progress)
{
    (void)user;
    const fv_check_result *const result = progress->result;
    if (result)
        fuzz_expect(result->verdict != FV_CHECK_WRONG,
                    "%s: %lld of %lld checked, reference error %g, kernel error %g", result->parameter,
                    (long long)result->n_checked, (long long)result->n_values, result->reference_error,
                    result->kernel_error);
    return true;
}

static void check(const uint8_t *bytes, size_t n)
{
    fv_model *model = NULL;
    char *const text = fuzz_text(bytes, n);
    const int batch = fuzz_control(text, "batch", 1, 4, 2), seed = fuzz_control(text, "seed", 0, 1 << 20, 1);
    if (fuzz_well(ctx, "read", fv_model_from_text(ctx, text, "text", &model)) && is_small(model, batch)) {
        const fv_check_options options = {.seed = (uint64_t)seed, .batch = batch};
        fv_check_summary sum;
        fuzz_accepted = true;
        if (fuzz_well(ctx, "check", fv_model_check(model, &options, report, NULL, &sum)))
            fuzz_expect(sum.n_wrong == 0, "wrong gradients");
    }
    fv_model_destroy(model);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (!ctx)
        ctx = fuzz_context("auto", 1);
    fuzz_twice(check, bytes, n);
    return 0;
}
