/* test_resample.c - pictures at another size and in other colours, beside PIL's numbers: PIL 9.4's
 * Image.resize(BILINEAR), ImageOps.fit, ImageOps.pad and convert("L") of the same pictures. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/picture.h"
#include "data/resample.h"
#include "one_context.h"

#include <stdlib.h>
#include <string.h>

/* Pixel (k, y, x) of the pictures that PIL was given. */
static uint8_t pixel(int k, int y, int x)
{
    return (uint8_t)((x * x * 7 + y * 31 + x * y * 3 + k * 50) % 256);
}

static void draw(const fv_image_size *size, uint8_t *pixels)
{
    for (int k = 0; k < size->c; k++)
        for (int y = 0; y < size->h; y++)
            for (int x = 0; x < size->w; x++)
                *pixels++ = pixel(k, y, x);
}

/* Within 1 of what PIL gives, which rounds its weights to 22 bits in another way. */
static void expect(int h, int w, int to_h, int to_w, fv_fit fit, const uint8_t *wanted)
{
    uint8_t from[512], to[512];
    const fv_image_size size = {1, h, w};
    const fv_wanted how = {.size = {1, to_h, to_w}, .fit = fit};
    draw(&size, from);
    assert_int_equal(fv__picture_fit(ctx, from, &size, &how, to), FV_OK);
    for (int i = 0; i < to_h * to_w; i++)
        if (abs(to[i] - wanted[i]) > 1)
            fail_msg("%dx%d to %dx%d (%s): row %d, column %d: expected %d, found %d", h, w, to_h, to_w,
                     fv__fit_word(fit), i / to_w, i % to_w, wanted[i], to[i]);
}

static void sizes_are_pils(void **state)
{
    (void)state;
    static const uint8_t stretched[] = {44,  121, 145, 148, 148, 114, 143, 134, 132, 133,
                                        170, 118, 133, 129, 148, 151, 128, 136, 109, 114};
    static const uint8_t cut[] = {105, 146, 146, 151, 154, 122, 143, 127,
                                  113, 138, 122, 136, 118, 141, 127, 104};
    static const uint8_t wide[] = {73,  126, 132, 130, 144, 134, 117, 140, 155, 117, 143,
                                   129, 131, 171, 197, 128, 134, 124, 114, 128, 132};
    static const uint8_t padded[] = {0,   0,   0,   0,   0,   0,   37,  100, 146, 146, 151, 145,
                                     105, 153, 123, 143, 127, 136, 178, 118, 138, 122, 137, 149,
                                     165, 117, 142, 125, 104, 118, 0,   0,   0,   0,   0,   0};
    static const uint8_t larger[] = {0,  4,  11,  24, 46, 63, 12, 17,  25,  39, 61, 79, 31, 36,  45,
                                     61, 84, 103, 50, 56, 66, 83, 107, 127, 62, 69, 80, 97, 123, 143};
    expect(9, 14, 4, 5, FV_FIT_STRETCH, stretched);
    expect(9, 14, 4, 4, FV_FIT_CROP, cut);
    expect(9, 14, 3, 7, FV_FIT_CROP, wide);
    expect(9, 14, 6, 6, FV_FIT_PAD, padded);
    expect(3, 4, 5, 6, FV_FIT_STRETCH, larger);
}

static void colours_are_pils(void **state)
{
    (void)state;
    static const uint8_t gray[] = {41, 48, 69, 72, 82, 106};
    uint8_t rgb[18], to[18];
    const fv_image_size size = {3, 2, 3}, one = {1, 2, 3};
    fv_wanted how = {.size = one};
    draw(&size, rgb);
    assert_int_equal(fv__picture_fit(ctx, rgb, &size, &how, to), FV_OK);
    assert_memory_equal(to, gray, 6);
    how = (fv_wanted){.size = size, .invert = true};
    assert_int_equal(fv__picture_fit(ctx, gray, &one, &how, to), FV_OK);
    for (int i = 0; i < 18; i++)
        assert_int_equal(to[i], 255 - gray[i % 6]);
}

/* A flat picture stays flat at every size: the weights of an output add up to 1. A picture of its own size
 * keeps its bytes. */
static void flat_stays_flat(void **state)
{
    (void)state;
    uint8_t from[64 * 64], to[64 * 64];
    for (int h = 1; h <= 64; h += 9)
        for (int to_w = 1; to_w <= 64; to_w += 7) {
            const fv_image_size size = {1, h, 65 - h};
            const fv_wanted how = {.size = {1, 65 - to_w, to_w}, .fit = FV_FIT_CROP};
            memset(from, 201, sizeof from);
            assert_int_equal(fv__picture_fit(ctx, from, &size, &how, to), FV_OK);
            for (int i = 0; i < to_w * (65 - to_w); i++)
                assert_int_equal(to[i], 201);
            const fv_wanted same = {.size = size, .fit = FV_FIT_PAD};
            draw(&size, from);
            assert_int_equal(fv__picture_fit(ctx, from, &size, &same, to), FV_OK);
            assert_memory_equal(from, to, (size_t)(h * (65 - h)));
        }
}

/* What is done is said. */
static void what_is_done_is_said(void **state)
{
    (void)state;
    char text[FV_DONE_TEXT];
    const fv_image_size size = {3, 480, 640};
    assert_string_equal(fv__picture_done(&size, &(fv_wanted){.size = size}, text), "");
    assert_string_equal(
        fv__picture_done(&size, &(fv_wanted){.size = {1, 28, 28}, .fit = FV_FIT_PAD, .invert = true}, text),
        "RGB to gray, resized from 480x640 to 28x28 (pad), inverted");
    assert_string_equal(fv__picture_done(&(fv_image_size){1, 2, 3}, &(fv_wanted){.size = {3, 2, 3}}, text),
                        "gray to RGB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_pils),
        cmocka_unit_test(colours_are_pils),
        cmocka_unit_test(flat_stays_flat),
        cmocka_unit_test(what_is_done_is_said),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
