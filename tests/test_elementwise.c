/* test_elementwise.c - the kernels of kernels/elementwise.inc and update.inc, through every instruction set's
 * table: the order of sums, dropout's draws, the update, buffers that end at a page nobody may touch. All
 * results are compared bit by bit with a scalar model written here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cpu.h"
#include "base/rng.h"
#include "kernels/args.h"
#include "kernels/kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- buffers that end at a guard page ------------------------------------------------------------- */

enum { MAX_GUARDED = 64 };
static struct {
    void *at;
    size_t bytes;
} guarded_blocks[MAX_GUARDED];
static int n_guarded;

/* n floats; the byte after the last is on a page without access. */
static float *guarded(int64_t n)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = (size_t)n * sizeof(float);
    const size_t room = (bytes + page - 1) / page * page;
    char *const at = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(at != MAP_FAILED && n_guarded < MAX_GUARDED);
    assert_int_equal(mprotect(at + room, page, PROT_NONE), 0);
    guarded_blocks[n_guarded].at = at;
    guarded_blocks[n_guarded++].bytes = room + page;
    return (float *)(void *)(at + room - bytes);
}

static void release_guarded(void)
{
    while (n_guarded > 0) {
        n_guarded--;
        munmap(guarded_blocks[n_guarded].at, guarded_blocks[n_guarded].bytes);
    }
}

static uint32_t noise_state;
static float noise(void)
{
    noise_state = noise_state * 1664525u + 1013904223u;
    return (float)(int32_t)noise_state * 0x1p-29f; /* -4 .. 4 */
}

static void fill(float *p, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        p[i] = noise();
}

static float *guarded_noise(int64_t n)
{
    float *const p = guarded(n);
    fill(p, n);
    return p;
}

/* Runs `check` with every table that this machine can run. */
static void each_isa(void (*check)(const fv_kernels *kernels))
{
    for (int isa = 0; isa < FV_N_ISA; isa++) {
        const fv_kernels *const kernels = fv__kernels((fv_isa)isa);
        if (!kernels || !fv__cpu_has((fv_isa)isa)) {
            print_message("skipped: this machine or build lacks %s\n", fv__isa_name((fv_isa)isa));
            continue;
        }
        noise_state = 20;
        check(kernels);
        release_guarded();
    }
}

static void expect_equal(const char *what, const fv_kernels *kernels, const float *found,
                         const float *expected, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (memcmp(&found[i], &expected[i], sizeof *found) != 0)
            fail_msg("%s, %s: value %lld is %.9g; expected %.9g", what, fv__isa_name(kernels->isa),
                     (long long)i, (double)found[i], (double)expected[i]);
}

/* ---- the update ----------------------------------------------------------------------------------- */

static float sgd_settings[FV_SGD_SETTINGS] = {
    [FV_SGD_RATE] = 0.1f, [FV_SGD_MOMENTUM] = 0.9f, [FV_SGD_DECAY] = 0.01f};

static void check_sgd(const fv_kernels *kernels)
{
    static const int sizes[] = {1, 3, 4, 7, 8, 15, 16, 17, 31, 33, 100};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int decays = 0; decays < 2; decays++) {
            const int n = sizes[s], begin = n > 8 ? 5 : 0;
            float *const p = guarded_noise(n), *const g = guarded_noise(n), *const v = guarded_noise(n);
            float p_expected[100], v_expected[100];
            const fv_update_args args = {decays};
            memcpy(p_expected, p, (size_t)n * sizeof *p);
            memcpy(v_expected, v, (size_t)n * sizeof *v);
            for (int i = begin; i < n; i++) {
                const float slope = fmaf(decays ? sgd_settings[FV_SGD_DECAY] : 0.0f, p[i], g[i]);
                v_expected[i] = fmaf(sgd_settings[FV_SGD_MOMENTUM], v[i], slope);
                p_expected[i] = fmaf(-sgd_settings[FV_SGD_RATE], v_expected[i], p[i]);
            }
            const fv_call call = {
                .args = &args, .p = {p, g, sgd_settings, v}, .begin = begin, .end = n, .n_blocks = 1};
            kernels->run[FV_KERNEL_sgd](&call);
            expect_equal("sgd: parameter", kernels, p, p_expected, n);
            expect_equal("sgd: state", kernels, v, v_expected, n);
            release_guarded();
        }
}

/* Two steps by hand, PyTorch's rule: p = 1, g = 0.5, lr 0.1, momentum 0.5, decay 0.5.
 * g' = 1, v = 1, p = 0.9; then g' = 0.95, v = 1.45, p = 0.755. */
static void check_sgd_by_hand(const fv_kernels *kernels)
{
    float p = 1, g = 0.5f, v = 0;
    float set[] = {[FV_SGD_RATE] = 0.1f, [FV_SGD_MOMENTUM] = 0.5f, [FV_SGD_DECAY] = 0.5f};
    const fv_update_args args = {true};
    const fv_call call = {.args = &args, .p = {&p, &g, set, &v}, .end = 1, .n_blocks = 1};
    kernels->run[FV_KERNEL_sgd](&call);
    assert_float_equal(p, 0.9f, 1e-6);
    kernels->run[FV_KERNEL_sgd](&call);
    assert_float_equal(v, 1.45f, 1e-6);
    assert_float_equal(p, 0.755f, 1e-6);
}

/* ---- sums ----------------------------------------------------------------------------------------- */

/* (0 + 1) + (2 + 3), an odd one carried up, level by level. */
static float tree(float *s, int n)
{
    while (n > 1) {
        for (int i = 0; 2 * i < n; i++)
            s[i] = 2 * i + 1 < n ? s[2 * i] + s[2 * i + 1] : s[2 * i];
        n = (n + 1) / 2;
    }
    return s[0];
}

static void check_shard_sum(const fv_kernels *kernels)
{
    enum { FLOATS = 173, PER_SHARD = 3 };
    for (int shards = 1; shards <= 9; shards++)
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            float *const out = guarded_noise(FLOATS), *const in = guarded_noise((int64_t)FLOATS * shards);
            float expected[FLOATS];
            for (int i = 0; i < FLOATS; i++) {
                float s[9];
                for (int k = 0; k < shards; k++)
                    s[k] = in[k * FLOATS + i] *= i % 2 ? 1e6f : 1.0f;
                const float sum = tree(s, shards);
                expected[i] = accumulate ? out[i] + sum : sum;
            }
            const fv_batch batch = {.n = 1, .accumulate = accumulate};
            const fv_shard_sum_args args = {FLOATS};
            fv_call call = {.args = &args,
                            .p = {out, in},
                            .stride = {0, FLOATS},
                            .n_blocks = (shards - 1) * PER_SHARD + 1 + shards % PER_SHARD,
                            .blocks_per_shard = PER_SHARD,
                            .end = 131,
                            .batch = &batch};
            kernels->run[FV_KERNEL_shard_sum](&call); /* in two ranges */
            call.begin = 131;
            call.end = FLOATS;
            kernels->run[FV_KERNEL_shard_sum](&call);
            expect_equal("shard_sum", kernels, out, expected, FLOATS);
            release_guarded();
        }
}

static void check_channel_sum(const fv_kernels *kernels)
{
    enum { PIXELS = 5, BLOCKS = 5, PER_SHARD = 2, SHARDS = 3 };
    for (int channels = 1; channels <= 9; channels++) {
        const int64_t stride = (int64_t)channels * PIXELS * 16;
        float *const dy = guarded_noise(stride * BLOCKS), *const db =
                                                              guarded_noise((int64_t)channels * SHARDS);
        float expected[9 * SHARDS];
        for (int block = 0; block < BLOCKS; block++)
            for (int c = 0; c < channels; c++) {
                float lanes[16] = {0};
                for (int i = 0; i < PIXELS; i++)
                    for (int l = 0; l < 16; l++)
                        lanes[l] += dy[block * stride + (c * PIXELS + i) * 16 + l];
                for (int half = 8; half > 0; half /= 2)
                    for (int l = 0; l < half; l++)
                        lanes[l] += lanes[l + half];
                float *const to = &expected[block / PER_SHARD * channels + c];
                *to = block % PER_SHARD == 0 ? lanes[0] : *to + lanes[0];
            }
        const fv_batch batch = {.n = BLOCKS * 16};
        const fv_plane_args args = {channels, PIXELS};
        for (int first = 0; first < BLOCKS; first += 2) { /* two blocks a call, then one */
            const fv_call call = {.args = &args,
                                  .p = {db, dy + first * stride},
                                  .stride = {channels, stride},
                                  .first_block = first,
                                  .n_blocks = BLOCKS - first < 2 ? BLOCKS - first : 2,
                                  .blocks_per_shard = PER_SHARD,
                                  .batch = &batch};
            kernels->run[FV_KERNEL_channel_sum](&call);
        }
        expect_equal("channel_sum", kernels, db, expected, (int64_t)channels * SHARDS);
        release_guarded();
    }
}

static void check_all_finite(const fv_kernels *kernels)
{
    assert_true(kernels->all_finite(guarded(1) + 1, 0));
    for (int n = 1; n < 150; n += n < 40 ? 1 : 13) {
        float *const p = guarded_noise(n);
        p[0] = 3.4e38f;
        p[n - 1] = -1e-45f;
        assert_true(kernels->all_finite(p, n));
        const float bad[] = {NAN, INFINITY, -INFINITY};
        for (int i = 0; i < n; i++)
            for (int k = 0; k < 3; k++) {
                const float was = p[i];
                p[i] = bad[k];
                assert_false(kernels->all_finite(p, n));
                p[i] = was;
            }
        release_guarded();
    }
}

/* ---- planes --------------------------------------------------------------------------------------- */

static void check_planes(const fv_kernels *kernels)
{
    enum { CHANNELS = 3, PIXELS = 7, BLOCKS = 2, N = CHANNELS * PIXELS * 16 * BLOCKS };
    float *const y = guarded(N), *const x = guarded_noise(N), *const z = guarded_noise(N);
    float *const a = guarded_noise(CHANNELS), *const b = guarded_noise(CHANNELS);
    static float bias[N], standardised[N], sum[N];
    for (int i = 0; i < N; i++) {
        const int c = i / (PIXELS * 16) % CHANNELS;
        bias[i] = x[i] + a[c];
        standardised[i] = (x[i] - a[c]) * b[c];
        sum[i] = x[i] + z[i];
    }
    const fv_batch batch = {.n = 32};
    const fv_plane_args planes = {CHANNELS, PIXELS};
    const fv_unary_args elements = {.n = CHANNELS * PIXELS};
    const int64_t stride = N / BLOCKS;
    fv_call call = {
        .args = &planes, .p = {y, x, a, b}, .stride = {stride, stride}, .n_blocks = BLOCKS, .batch = &batch};
    kernels->run[FV_KERNEL_bias](&call);
    expect_equal("bias", kernels, y, bias, N);
    kernels->run[FV_KERNEL_standardise](&call);
    expect_equal("standardise", kernels, y, standardised, N);
    call.args = &elements;
    call.p[2] = z;
    call.stride[2] = stride;
    kernels->run[FV_KERNEL_add](&call);
    expect_equal("add", kernels, y, sum, N);
    call.p[0] = x; /* in place */
    kernels->run[FV_KERNEL_add](&call);
    expect_equal("add in place", kernels, x, sum, N);
}

/* ---- dropout -------------------------------------------------------------------------------------- */

enum { DROP_VALUES = 103, DROP_IMAGES = 41, DROP_BLOCKS = 3 };

static void run_dropout(const fv_kernels *kernels, float *y, const float *x, float rate,
                        const uint32_t *samples, uint32_t step, int first, int n_blocks)
{
    const fv_dropout_args args = {.units = DROP_VALUES, .each = 1, .rate = rate, .node = 5};
    const fv_batch batch = {.n = DROP_IMAGES, .samples = samples, .seed = 0x123456789ABCDEFull, .step = step};
    const int64_t stride = DROP_VALUES * 16;
    const fv_call call = {.args = &args,
                          .p = {y + first * stride, (float *)x + first * stride},
                          .stride = {stride, stride},
                          .first_block = first,
                          .n_blocks = n_blocks,
                          .batch = &batch};
    kernels->run[FV_KERNEL_dropout](&call);
}

static void check_dropout(const fv_kernels *kernels)
{
    enum { N = DROP_VALUES * DROP_BLOCKS * 16 };
    static const float rates[] = {0.0f, 0.1f, 0.5f, 0.875f};
    float *const x = guarded_noise(N), *const y = guarded(N);
    uint32_t *const samples = (uint32_t *)(void *)guarded(DROP_IMAGES);
    static float expected[N];
    for (uint32_t i = 0; i < DROP_IMAGES; i++)
        samples[i] = 1000 + 7 * i;
    for (int r = 0; r < 4; r++)
        for (int numbered = 0; numbered < 2; numbered++) {
            const float scale = (float)(1 / (1 - (double)rates[r]));
            int dropped = 0;
            for (int image = 0; image < DROP_IMAGES; image++)
                for (int e = 0; e < DROP_VALUES; e++) {
                    const int at = (image / 16 * DROP_VALUES + e) * 16 + image % 16;
                    const uint32_t sample = numbered ? samples[image] : (uint32_t)image;
                    const fv_u32x4 draw = fv__philox(0x123456789ABCDEFull, (uint32_t)e / 4, sample, 9,
                                                     5u << 8 | FV_STREAM_DROPOUT);
                    const bool drop = (double)draw.v[e % 4] < (double)rates[r] * 0x1p32 - 0.5;
                    expected[at] = x[at] * (drop ? 0.0f : scale);
                    dropped += drop;
                }
            run_dropout(kernels, y, x, rates[r], numbered ? samples : NULL, 9, 0, 1);
            run_dropout(kernels, y, x, rates[r], numbered ? samples : NULL, 9, 1, 2);
            for (int i = 0; i < N; i++)
                if (i / (DROP_VALUES * 16) * 16 + i % 16 >= DROP_IMAGES) {
                    assert_true(isfinite(y[i]));
                    expected[i] = y[i];
                }
            expect_equal("dropout", kernels, y, expected, N);
            /* Bernoulli draws: five deviations of the share are never seen in a fixed seed that passed once
             */
            const double n = DROP_IMAGES * DROP_VALUES, p = (double)rates[r];
            assert_true(fabs(dropped / n - p) <= 5 * sqrt(p * (1 - p) / n));
        }
    static float again[N];
    memcpy(expected, y, sizeof expected);
    run_dropout(kernels, again, x, rates[3], samples, 9, 0, 3);
    assert_memory_equal(again, expected, sizeof again);
    run_dropout(kernels, again, x, rates[3], samples, 10, 0, 3);
    assert_memory_not_equal(again, expected, sizeof again);
    run_dropout(kernels, x, x, rates[3], samples, 9, 0, 3); /* in place */
    expect_equal("dropout in place", kernels, x, expected, N);
}

static void test_sgd(void **state)
{
    (void)state;
    each_isa(check_sgd);
    each_isa(check_sgd_by_hand);
}
static void test_shard_sum(void **state)
{
    (void)state;
    each_isa(check_shard_sum);
}
static void test_channel_sum(void **state)
{
    (void)state;
    each_isa(check_channel_sum);
}
static void test_all_finite(void **state)
{
    (void)state;
    each_isa(check_all_finite);
}
static void test_planes(void **state)
{
    (void)state;
    each_isa(check_planes);
}
static void test_dropout(void **state)
{
    (void)state;
    each_isa(check_dropout);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sgd),         cmocka_unit_test(test_shard_sum),
        cmocka_unit_test(test_channel_sum), cmocka_unit_test(test_all_finite),
        cmocka_unit_test(test_planes),      cmocka_unit_test(test_dropout),
    };
    return cmocka_run_group_tests_name("elementwise", tests, NULL, NULL);
}
