/* one_context.h - a context of one thread, which all tests of a group share. Include after cmocka.h. */
#ifndef FV_TESTS_ONE_CONTEXT_H
#define FV_TESTS_ONE_CONTEXT_H

#include "fovea.h"

static fv_context *ctx;

static int setup(void **state)
{
    (void)state;
    const fv_context_options options = {.n_threads = 1};
    return fv_context_create(&options, &ctx, NULL, 0) == FV_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    fv_context_destroy(ctx);
    return 0;
}

#endif
