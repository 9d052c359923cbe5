/* test_pixels.c - a pixel is divided by 255, correctly rounded: all 256 of them, by every instruction set,
 * among other images and alone; so pixels and values that the caller divided are predicted alike, bit by
 * bit. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "feeding.h"
#include "base/cpu.h"
#include "kernels/args.h"
#include "kernels/kernel.h"
#include "planning.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 257 pixels: the last one is left over by loops of eight. */
enum { WIDTH = 257, N_IMAGES = 19 };

static uint8_t pixels[N_IMAGES][WIDTH];

static void fill(void)
{
    for (int n = 0; n < N_IMAGES; n++)
        for (int k = 0; k < WIDTH; k++)
            pixels[n][k] = (uint8_t)(k * 7 + n);
}

static void expect(float found, uint8_t pixel, const char *isa, const char *kernel)
{
    const float quotient = (float)pixel / 255.0f;
    if (memcmp(&found, &quotient, sizeof found) != 0)
        fail_msg("%s, %s: pixel %d is %a, expected %a", isa, kernel, pixel, (double)found, (double)quotient);
}

static void check_kernels(const fv_kernels *kernels)
{
    static float lanes[2 * WIDTH * FV_LANES], bytes[WIDTH * FV_LANES / 4];
    const char *const isa = fv__isa_name(kernels->isa);
    const fv_gather_args args = {1, 1, WIDTH, 0};
    const uint8_t *images[N_IMAGES];
    for (int n = 0; n < N_IMAGES; n++)
        images[n] = pixels[n];
    const fv_given feed[] = {give_pixels(images)};
    const fv_batch batch = {.n = N_IMAGES, .feed = feed};
    fv_call call = {.args = &args,
                    .p = {lanes},
                    .stride = {WIDTH * FV_LANES},
                    .n_blocks = 2,
                    .scratch = bytes,
                    .batch = &batch};
    kernels->run[FV_KERNEL_gather](&call);
    for (int n = 0; n < N_IMAGES; n++)
        for (int k = 0; k < WIDTH; k++)
            expect(lanes[(n / FV_LANES * WIDTH + k) * FV_LANES + n % FV_LANES], pixels[n][k], isa, "gather");
    call.end = 1;
    kernels->run[FV_KERNEL_gather_c16](&call);
    for (int k = 0; k < WIDTH; k++)
        expect(lanes[k * FV_LANES], pixels[0][k], isa, "gather_c16");
}

static void every_pixel_is_divided(void **state)
{
    (void)state;
    fill();
    for (int isa = 0; isa < FV_N_ISA; isa++) {
        const fv_kernels *const kernels = fv__kernels((fv_isa)isa);
        if (kernels && fv__cpu_has((fv_isa)isa))
            check_kernels(kernels);
        else
            print_message("skipped: this machine or build lacks %s\n", fv__isa_name((fv_isa)isa));
    }
}

/* One image alone goes in c16, many by lanes. */
static void pixels_and_values_are_alike(void **state)
{
    (void)state;
    static float values[N_IMAGES][WIDTH];
    fv_model *m =
        training_model(ctx, "input image 1x1x257\nflatten\nlinear h 40\ntanh\nlinear out 5\nsoftmax\n");
    float of_pixels[N_IMAGES * 5], of_values[N_IMAGES * 5];
    fill();
    for (int n = 0; n < N_IMAGES; n++)
        for (int k = 0; k < WIDTH; k++)
            values[n][k] = (float)pixels[n][k] / 255.0f;
    for (int n = 1; n <= N_IMAGES; n += N_IMAGES - 1) {
        fv_predictor *p;
        assert_well(ctx, fv_predictor_create(m, n, &p));
        assert_well(ctx, fv_predictor_run_pixels(p, pixels[0], n, of_pixels));
        assert_well(ctx, fv_predictor_run_values(p, values[0], n, of_values));
        assert_memory_equal(of_pixels, of_values, (size_t)n * 5 * sizeof *of_pixels);
        fv_predictor_destroy(p);
    }
    fv_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pixel_is_divided),
        cmocka_unit_test(pixels_and_values_are_alike),
    };
    return cmocka_run_group_tests(tests, planning_setup, planning_teardown);
}
