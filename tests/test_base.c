/* test_base.c - memory, messages and texts, the machine, contexts, shapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/context.h"
#include "base/cpu.h"
#include "base/system.h"
#include "base/names.h"
#include "tensor/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An allocator that counts, fails the k-th call, and gives blocks that are aligned to 16 and no better. */
typedef struct counter {
    int calls, fail_at, live;
} counter;

static void *counting_allocate(void *user, size_t bytes)
{
    counter *c = user;
    if (++c->calls == c->fail_at)
        return NULL;
    char *raw = malloc(bytes + 16);
    if (!raw)
        return NULL;
    c->live++;
    memset(raw, 0xA5, bytes + 16); /* so that zeroing is seen */
    return raw + 16;
}

static void counting_release(void *user, void *block)
{
    counter *c = user;
    c->live--;
    free((char *)block - 16);
}

static fv_context make_context(counter *c)
{
    return (fv_context){.allocator = {counting_allocate, counting_release, c}};
}

static bool all_zero(const void *block, size_t bytes)
{
    const unsigned char *b = block;
    for (size_t i = 0; i < bytes; i++)
        if (b[i])
            return false;
    return true;
}

/* ---- memory --------------------------------------------------------------------------------------- */

static void test_alloc(void **state)
{
    (void)state;
    counter c = {0};
    fv_context ctx = make_context(&c);
    static const size_t sizes[] = {0, 1, 63, 64, 65, 1000, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *block = fv__alloc(&ctx, sizes[i], 1);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        assert_true(all_zero(block, sizes[i]));
        memset(block, 1, sizes[i]);
        fv__free(&ctx, block);
    }
    fv__free(&ctx, NULL);
    assert_int_equal(c.live, 0);
}

static void test_alloc_fails(void **state)
{
    (void)state;
    counter c = {0};
    fv_context ctx = make_context(&c);
    assert_null(fv__alloc(&ctx, SIZE_MAX / 2, 3));
    assert_non_null(strstr(ctx.message, "out of memory"));
    ctx.message[0] = '\0';
    assert_null(fv__alloc(&ctx, SIZE_MAX - 10, 1));
    assert_non_null(strstr(ctx.message, "out of memory"));
    ctx.message[0] = '\0';
    assert_null(fv__alloc(&ctx, (size_t)1 << 46, 1)); /* 64 TiB */
    assert_non_null(strstr(ctx.message, "this machine has"));
    assert_int_equal(c.calls, 0); /* refused before the allocator was asked */
    c.fail_at = 1;
    assert_null(fv__alloc(&ctx, 7, 8));
    assert_string_equal(ctx.message, "out of memory: 56 bytes were asked for");
}

static void test_checked_sizes(void **state)
{
    (void)state;
    size_t out = 5;
    assert_true(fv__mul(1u << 20, 1u << 20, &out));
    assert_true(out == (size_t)1 << 40);
    assert_false(fv__mul(SIZE_MAX / 2 + 1, 2, &out));
    assert_true(fv__add(SIZE_MAX - 1, 1, &out));
    assert_true(out == SIZE_MAX);
    assert_false(fv__add(SIZE_MAX, 1, &out));
}

static void test_grow(void **state)
{
    (void)state;
    counter c = {0};
    fv_context ctx = make_context(&c);
    int *numbers = NULL;
    size_t capacity = 0;
    for (int i = 0; i < 1000; i++) {
        void *array = numbers;
        assert_int_equal(fv__grow(&ctx, &array, (size_t)i, &capacity, sizeof *numbers), FV_OK);
        numbers = array;
        numbers[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(numbers[i], i);
    assert_true(c.calls < 12); /* doubling, not one by one */

    c.fail_at = c.calls + 1;
    void *array = numbers;
    const size_t before = capacity;
    assert_int_equal(fv__grow(&ctx, &array, capacity, &capacity, sizeof *numbers), FV_ERR_MEMORY);
    assert_ptr_equal(array, numbers);
    assert_int_equal(capacity, before);
    assert_int_equal(fv__grow(&ctx, &array, SIZE_MAX / 2, &(size_t){0}, sizeof *numbers), FV_ERR_MEMORY);
    fv__free(&ctx, numbers);
    assert_int_equal(c.live, 0);
}

static void test_arena(void **state)
{
    (void)state;
    counter c = {0};
    fv_context ctx = make_context(&c);
    fv_arena arena;
    fv__arena_init(&arena, &ctx);
    enum { N = 600 };
    unsigned char *block[N];
    size_t bytes[N];
    for (int i = 0; i < N; i++) {
        bytes[i] = i % 50 == 49 ? 20000 : (size_t)(i * 7 % 97);
        block[i] = fv__arena_alloc(&arena, bytes[i], 1);
        assert_non_null(block[i]);
        assert_int_equal((uintptr_t)block[i] % 16, 0);
        assert_true(all_zero(block[i], bytes[i]));
        memset(block[i], i & 255, bytes[i]);
        assert_true(i == 0 || block[i] != block[i - 1]);
    }
    for (int i = 0; i < N; i++) /* none lies over another */
        for (size_t k = 0; k < bytes[i]; k++)
            assert_int_equal(block[i][k], i & 255);
    assert_true(c.calls < N / 10);

    char *copy = fv__arena_strdup(&arena, "kernel");
    assert_string_equal(copy, "kernel");
    char *text = fv__arena_printf(&arena, "%s.%d", copy, 12);
    assert_string_equal(text, "kernel.12");
    assert_null(fv__arena_alloc(&arena, SIZE_MAX / 4, 8));
    assert_null(fv__arena_alloc(&arena, SIZE_MAX - 3, 1));
    c.fail_at = c.calls + 1;
    assert_null(fv__arena_alloc(&arena, 100000, 1));
    assert_string_equal(copy, "kernel");
    fv__arena_deinit(&arena);
    fv__arena_deinit(&arena);
    assert_int_equal(c.live, 0);
}

/* ---- messages and texts --------------------------------------------------------------------------- */

static void test_fail(void **state)
{
    (void)state;
    fv_context ctx = {0};
    assert_int_equal(fv__fail(&ctx, FV_ERR_INPUT, "%s:%d: no", "a.fovea", 3), FV_ERR_INPUT);
    assert_string_equal(ctx.message, "a.fovea:3: no");
    /* A message may quote the one before it. */
    assert_int_equal(fv__fail(&ctx, FV_ERR_IO, "loading: %s", ctx.message), FV_ERR_IO);
    assert_string_equal(ctx.message, "loading: a.fovea:3: no");
    char longer[3 * FV_MESSAGE_BYTES];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    fv__fail(&ctx, FV_ERR_IO, "%s", longer);
    assert_int_equal(strlen(ctx.message), FV_MESSAGE_BYTES - 1);
}

static void test_text(void **state)
{
    (void)state;
    counter c = {0};
    fv_context ctx = make_context(&c);
    fv_text text;
    fv__text_init(&text, &ctx);
    for (int i = 0; i < 500; i++)
        fv__text_add(&text, "%03d,", i);
    assert_false(text.failed);
    assert_int_equal(text.n, 2000);
    assert_int_equal(strlen(text.data), 2000);
    assert_memory_equal(text.data + 4 * 123, "123,", 4);

    char longer[5000];
    memset(longer, 'y', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    c.fail_at = c.calls + 1;
    fv__text_add(&text, "%s", longer);
    assert_true(text.failed);
    fv__text_add(&text, "z");
    assert_int_equal(strlen(text.data), 2000); /* as it was */
    fv__text_deinit(&text);
    assert_int_equal(c.live, 0);
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"conv",   "maxpool", "avgpool", NULL,
                                        "linear", "softmax", "relu",    "tanh"};
    static const struct {
        const char *word, *expected;
    } cases[] = {
        {"conv", "conv"},
        {"conb", "conv"},
        {"cnov", "conv"},
        {"con", "conv"},
        {"RELU", "relu"},
        {"maxpol", "maxpool"},
        {"avpgol", "avgpool"},
        {"lineer", "linear"},
        {"softmaxx", "softmax"},
        {"rel", "relu"},
        {"batchnorm", NULL},
        {"", NULL},
        {"x", NULL},
        {"zzzz", NULL},
        {"convolution", "conv"},
        {"co", NULL},
        {"lin", "linear"},
        {"max-pool", "maxpool"},
        {"MAX_POOL", "maxpool"},
        {"tan", "tanh"},
        {"linux", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *found = fv__nearest(cases[i].word, names, 8);
        if (cases[i].expected)
            assert_string_equal(found ? found : "(none)", cases[i].expected);
        else
            assert_null(found);
    }
    char longer[1000];
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    assert_null(fv__nearest(longer, names, 8));
    assert_null(fv__nearest("conv", (const char *const[]){longer}, 1));
    assert_null(fv__nearest("conv", NULL, 0));
}

/* ---- the machine ---------------------------------------------------------------------------------- */

static void test_cpu(void **state)
{
    (void)state;
    fv_context ctx = {0};
    assert_true(fv__machine_cores() >= 1);
    assert_true(fv__cpu_has(FV_ISA_PORTABLE));
    assert_true(fv__cpu_has(fv__cpu_best()));
    fv_isa isa = FV_ISA_AVX2;
    assert_int_equal(fv__isa_choose(&ctx, "portable", &isa), FV_OK);
    assert_int_equal(isa, FV_ISA_PORTABLE);
    assert_int_equal(fv__isa_choose(&ctx, "auto", &isa), FV_OK);
    assert_int_equal(isa, fv__cpu_best());
    assert_int_equal(fv__isa_choose(&ctx, NULL, &isa), FV_OK);
    assert_int_equal(fv__isa_choose(&ctx, "avx3", &isa), FV_ERR_ARGUMENT);
    assert_int_equal(isa, fv__cpu_best());
    assert_string_equal(ctx.message,
                        "instruction set 'avx3': unknown; expected auto, avx512, avx2, neon or portable; "
                        "did you mean 'avx2'?");
    for (int i = 0; i < FV_N_ISA; i++)
        assert_int_equal(fv__isa_choose(&ctx, fv__isa_name((fv_isa)i), &isa),
                         fv__cpu_has((fv_isa)i) ? FV_OK : FV_ERR_UNSUPPORTED);
    const double now = fv__seconds();
    assert_true(fv__seconds() >= now);
}

static void test_context(void **state)
{
    (void)state;
    fv_context *ctx = NULL;
    char why[128] = "";
    assert_int_equal(fv_context_create(NULL, &ctx, why, sizeof why), FV_OK);
    assert_int_equal(fv_context_threads(ctx), fv__machine_cores());
    assert_string_equal(fv_context_isa(ctx), fv__isa_name(fv__cpu_best()));
    assert_string_equal(fv_message(ctx), "");
    fv_context_destroy(ctx);
    fv_context_destroy(NULL);

    ctx = NULL;
    fv_context_options options = {.isa = "sse9"};
    assert_int_equal(fv_context_create(&options, &ctx, why, sizeof why), FV_ERR_ARGUMENT);
    assert_null(ctx);
    assert_non_null(strstr(why, "sse9"));
    assert_int_equal(fv_context_create(&options, &ctx, why, 5), FV_ERR_ARGUMENT);
    assert_string_equal(why, "inst");
    assert_int_equal(fv_context_create(&options, &ctx, NULL, 0), FV_ERR_ARGUMENT);
    options = (fv_context_options){.n_threads = -1};
    assert_int_equal(fv_context_create(&options, &ctx, why, sizeof why), FV_ERR_ARGUMENT);
    options = (fv_context_options){.n_threads = 1 << 20};
    assert_int_equal(fv_context_create(&options, &ctx, why, sizeof why), FV_ERR_ARGUMENT);
    options = (fv_context_options){.allocator = {.allocate = counting_allocate}};
    assert_int_equal(fv_context_create(&options, &ctx, why, sizeof why), FV_ERR_ARGUMENT);
    assert_null(ctx);
}

static void test_context_memory(void **state)
{
    (void)state;
    fv_status status = FV_ERR_MEMORY;
    int k;
    for (k = 1; k < 100 && status != FV_OK; k++) {
        counter c = {.fail_at = k};
        const fv_context_options options = {.n_threads = 3,
                                            .allocator = {counting_allocate, counting_release, &c}};
        fv_context *ctx = NULL;
        char why[128] = "";
        status = fv_context_create(&options, &ctx, why, sizeof why);
        if (status == FV_OK) {
            assert_true(c.calls < k);
            fv_context_destroy(ctx);
        } else {
            assert_int_equal(status, FV_ERR_MEMORY);
            assert_null(ctx);
            assert_non_null(strstr(why, "out of memory"));
        }
        assert_int_equal(c.live, 0);
    }
    assert_int_equal(status, FV_OK);
    assert_true(k > 3); /* the context, the pool and its workers */
}

/* ---- shapes --------------------------------------------------------------------------------------- */

static void test_shape(void **state)
{
    (void)state;
    fv_context ctx = {0};
    char text[FV_SHAPE_TEXT];
    const fv_shape s = FV_SHAPE(6, 28, 20);
    assert_int_equal(s.dim[3], 0);
    assert_int_equal(fv__shape_count(s), 6 * 28 * 20);
    assert_int_equal(fv__shape_count((fv_shape){0}), 1);
    assert_string_equal(fv__shape_text(s, text), "6x28x20");
    assert_true(fv__shape_equal(s, FV_SHAPE(6, 28, 20)));
    assert_false(fv__shape_equal(s, FV_SHAPE(6, 28, 21)));
    assert_false(fv__shape_equal(FV_SHAPE(4), FV_SHAPE(4, 1)));
    assert_int_equal(fv__shape_check(&ctx, s, "x"), FV_OK);
    assert_int_equal(fv__shape_check(&ctx, FV_SHAPE(FV_MAX_DIM, 127, 1, 1), "x"), FV_OK);
    assert_int_equal(fv__shape_check(&ctx, FV_SHAPE(3, 0), "pool"), FV_ERR_INPUT);
    assert_string_equal(ctx.message, "pool: shape 3x0; expected every dimension in 1 to 16777216");
    assert_int_equal(fv__shape_check(&ctx, FV_SHAPE(3, -4), "x"), FV_ERR_INPUT);
    assert_int_equal(fv__shape_check(&ctx, FV_SHAPE(FV_MAX_DIM, 128), "x"), FV_ERR_INPUT);
    const int m = FV_MAX_DIM; /* 2^96 values: the product must not wrap round */
    assert_int_equal(fv__shape_check(&ctx, FV_SHAPE(m, m, m, m), "x"), FV_ERR_INPUT);
    assert_int_equal(fv__shape_check(&ctx, (fv_shape){.rank = FV_MAX_RANK + 1}, "x"), FV_ERR_INPUT);
    assert_int_equal(fv__shape_check(&ctx, (fv_shape){.rank = -1}, "x"), FV_ERR_INPUT);
    const int least = INT32_MIN; /* the longest text there is */
    fv__shape_text(FV_SHAPE(least, least, least, least, least, least), text);
    assert_int_equal(strlen(text), 71);
    assert_string_equal(fv__shape_text(FV_SHAPE(8, 3, 3, 5, 7), text), "8x3x3x5x7");
    const fv_chw chw = fv__shape_chw(FV_SHAPE(120));
    assert_true(chw.c == 120 && chw.h == 1 && chw.w == 1);
    const fv_chw image = fv__shape_chw(s);
    assert_true(image.c == 6 && image.h == 28 && image.w == 20);
}

/* ---- names ---------------------------------------------------------------------------------------- */

static void test_names(void **state)
{
    (void)state;
    enum { N = 3000 };
    static char text[N][16];
    counter c = {0};
    fv_context ctx = make_context(&c);
    fv_names names;
    fv__names_init(&names, &ctx);
    assert_int_equal(fv__names_find(&names, ""), -1);
    for (int i = 0; i < N; i++) {
        snprintf(text[i], sizeof text[i], "n%d", i);
        assert_int_equal(fv__names_find(&names, text[i]), -1);
        assert_int_equal(fv__names_add(&names, text[i], N - i), FV_OK);
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(fv__names_find(&names, text[i]), N - i);
    assert_int_equal(fv__names_find(&names, "n"), -1);
    assert_int_equal(fv__names_find(&names, "n3000"), -1);
    fv__names_deinit(&names);
    assert_int_equal(c.live, 0);
    /* without memory it stays as it was */
    for (int i = 0; i < 16; i++)
        assert_int_equal(fv__names_add(&names, text[i], i), FV_OK);
    c.fail_at = c.calls + 1;
    assert_int_equal(fv__names_add(&names, text[16], 16), FV_ERR_MEMORY);
    assert_int_equal(fv__names_find(&names, text[16]), -1);
    assert_int_equal(fv__names_find(&names, text[15]), 15);
    assert_int_equal(fv__names_add(&names, text[16], 16), FV_OK);
    assert_int_equal(fv__names_find(&names, text[16]), 16);
    fv__names_deinit(&names);
    assert_int_equal(c.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc),       cmocka_unit_test(test_names),
        cmocka_unit_test(test_alloc_fails), cmocka_unit_test(test_checked_sizes),
        cmocka_unit_test(test_grow),        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_fail),        cmocka_unit_test(test_text),
        cmocka_unit_test(test_nearest),     cmocka_unit_test(test_cpu),
        cmocka_unit_test(test_context),     cmocka_unit_test(test_context_memory),
        cmocka_unit_test(test_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
