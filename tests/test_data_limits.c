/* test_data_limits.c - of a gzipped data set no more is read than is asked for, and memory follows what the
 * file holds, never what its header claims. Exact; memory is counted by the allocator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"

#ifdef FV_HAVE_ZLIB
#include <zlib.h>

enum { N = 60000, SIDE = 28, ONE = SIDE * SIDE, MIB = 1 << 20 };

/* ---- memory, counted ---------------------------------------------------------------------------------- */

typedef struct meter {
    size_t now, peak;
} meter;

static void *metered_allocate(void *user, size_t bytes)
{
    meter *m = user;
    size_t *const block = malloc(bytes + 16);
    if (!block)
        return NULL;
    *block = bytes;
    m->now += bytes;
    m->peak = m->now > m->peak ? m->now : m->peak;
    return block + 16 / sizeof *block;
}

static void metered_release(void *user, void *block)
{
    meter *m = user;
    size_t *const begin = (size_t *)block - 16 / sizeof(size_t);
    m->now -= *begin;
    free(begin);
}

/* ---- the files ---------------------------------------------------------------------------------------- */

/* Label and pixels of picture i are functions of i. */
static uint8_t label_of(int i)
{
    return (uint8_t)(i % 7 % 10);
}

static void put_words(uint8_t *out, const uint32_t *words, int n)
{
    for (int i = 0; i < n; i++)
        for (int b = 0; b < 4; b++)
            out[4 * i + b] = (uint8_t)(words[i] >> (24 - 8 * b));
}

/* A header that claims n pictures, and `there` of them, in gzip of many little and much that repeats. */
static void write_images(scratch *s, uint32_t n, int there)
{
    uint8_t header[16], pixels[ONE];
    gzFile file = gzopen(scratch_path(s, "set/train-images-idx3-ubyte.gz"), "wb1");
    assert_non_null(file);
    put_words(header, (uint32_t[]){0x803, n, SIDE, SIDE}, 4);
    assert_int_equal(gzwrite(file, header, 16), 16);
    for (int i = 0; i < there; i++) {
        memset(pixels, i & 255, ONE);
        pixels[1] = (uint8_t)(i >> 8);
        assert_int_equal(gzwrite(file, pixels, ONE), ONE);
    }
    assert_int_equal(gzclose(file), Z_OK);
}

static void write_labels(scratch *s, uint32_t n)
{
    uint8_t header[8];
    FILE *file = fopen(scratch_path(s, "set/train-labels-idx1-ubyte"), "wb");
    assert_non_null(file);
    put_words(header, (uint32_t[]){0x801, n}, 2);
    fwrite(header, 1, 8, file);
    for (int i = 0; i < (int)n; i++)
        fputc(label_of(i), file);
    assert_int_equal(fclose(file), 0);
}

static void check_picture(const fv_data *data, int at, int i, int label)
{
    const uint8_t *const pixels = fv_data_pixels(data, at);
    assert_int_equal(pixels[0], i & 255);
    assert_int_equal(pixels[1], i >> 8);
    assert_int_equal(pixels[ONE - 1], i & 255);
    assert_int_equal(fv_data_label(data, at), label);
}

typedef struct opened {
    meter m;
    fv_context *ctx;
    fv_data *data;
    fv_status status;
} opened;

/* Opens the set in a context of its own; the peak is that of opening alone. */
static opened *open_set(scratch *s, const fv_data_options *options)
{
    static opened o;
    o = (opened){.data = NULL};
    const fv_context_options c = {.n_threads = 1, .allocator = {metered_allocate, metered_release, &o.m}};
    assert_int_equal(fv_context_create(&c, &o.ctx, NULL, 0), FV_OK);
    o.m.peak = o.m.now;
    const size_t before = o.m.now;
    o.status = fv_data_open(o.ctx, scratch_path(s, "set"), FV_SPLIT_TRAIN, options, &o.data);
    o.m.peak -= before;
    return &o;
}

static void close_set(opened *o)
{
    fv_data_destroy(o->data);
    fv_context_destroy(o->ctx);
    assert_int_equal(o->m.now, 0);
}

/* ---- the tests ---------------------------------------------------------------------------------------- */

/* 47 MB of pictures in a few hundred KB of gzip. */
static void only_what_is_asked_for(void **state)
{
    scratch *s = *state;
    const struct {
        fv_data_options options;
        int n, first, last; /* the picture that the last one is */
        size_t most;
    } cases[] = {
        {{.limit = 10}, 10, 0, 9, MIB / 2},
        {{.limit = 10, .classes = (int[]){6, 3}, .n_classes = 2}, 10, 3, 34, MIB / 2},
        {{.limit = N - 1}, N - 1, 0, N - 2, (size_t)N * ONE * 2},
        {{.classes = (int[]){6}, .n_classes = 1}, N / 7, 6, N - N % 7 - 1, (size_t)N * ONE / 7 * 2},
        {{.limit = 0}, N, 0, N - 1, (size_t)N * ONE * 2},
        {{.limit = N + 1}, N, 0, N - 1, (size_t)N * ONE * 2},
    };
    assert_int_equal(mkdir(scratch_path(s, "set"), 0700), 0);
    write_images(s, N, N);
    write_labels(s, N);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        opened *const o = open_set(s, &cases[i].options);
        const bool chosen = cases[i].options.n_classes > 0;
        if (o->status != FV_OK)
            fail_msg("case %zu: %s", i, fv_message(o->ctx));
        assert_int_equal(fv_data_describe(o->data).n, cases[i].n);
        check_picture(o->data, 0, cases[i].first, i == 1 ? 1 : chosen ? 0 : label_of(cases[i].first));
        check_picture(o->data, cases[i].n - 1, cases[i].last, chosen ? 0 : label_of(cases[i].last));
        print_message("case %zu: %zu bytes at most\n", i, o->m.peak);
        assert_in_range(o->m.peak, 1, cases[i].most);
        close_set(o);
    }
}

/* What is damaged behind the last picture asked for is not looked at; all else is noticed. */
static void damaged_behind(void **state)
{
    scratch *s = *state;
    static uint8_t bytes[4 * MIB];
    fv_data_options options = {.limit = 10};
    assert_int_equal(mkdir(scratch_path(s, "set"), 0700), 0);
    write_images(s, 2000, 2000);
    write_labels(s, 2000);
    const char *path = scratch_path(s, "set/train-images-idx3-ubyte.gz");
    const size_t n = scratch_load(path, bytes, sizeof bytes);
    bytes[n - 6] ^= 1; /* the checksum */
    scratch_file(s, "set/train-images-idx3-ubyte.gz", bytes, n);
    opened *o = open_set(s, &options);
    assert_int_equal(o->status, FV_OK);
    close_set(o);
    options.limit = 0;
    o = open_set(s, &options);
    assert_int_equal(o->status, FV_ERR_INPUT);
    assert_non_null(strstr(fv_message(o->ctx), "the gzip stream is damaged: incorrect data check"));
    close_set(o);
    scratch_file(s, "set/train-images-idx3-ubyte.gz", bytes, n / 2);
    o = open_set(s, &options);
    assert_int_equal(o->status, FV_ERR_INPUT);
    assert_non_null(strstr(fv_message(o->ctx), "ubyte.gz: the gzip stream is cut short"));
    close_set(o);
}

/* A header may claim more or less than there is; neither costs memory. */
static void false_claims(void **state)
{
    scratch *s = *state;
    const fv_data_options all = {.limit = 0};
    assert_int_equal(mkdir(scratch_path(s, "set"), 0700), 0);
    enum { CLAIMED = 250000, THERE = 30000 }; /* 196 MB, as gzip may well hold in so many bytes; 24 MB */
    write_images(s, CLAIMED, THERE);
    write_labels(s, CLAIMED);
    opened *o = open_set(s, &all);
    assert_int_equal(o->status, FV_ERR_INPUT);
    assert_non_null(strstr(fv_message(o->ctx), "ubyte.gz: byte 23520016: cut short"));
    print_message("%s; %zu bytes at most\n", fv_message(o->ctx), o->m.peak);
    assert_in_range(o->m.peak, 1, 5 * THERE * ONE);
    close_set(o);
    write_images(s, 3, N);
    write_labels(s, 3);
    o = open_set(s, &all);
    assert_int_equal(o->status, FV_ERR_INPUT);
    assert_non_null(strstr(fv_message(o->ctx), "inflated byte 2368: expected the end, found more"));
    assert_in_range(o->m.peak, 1, MIB / 2);
    close_set(o);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {TEST(only_what_is_asked_for), TEST(damaged_behind),
                                       TEST(false_claims)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    return 77; /* skipped: this build has no zlib */
}

#endif
