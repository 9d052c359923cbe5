/* test_jpeg.c - JPEG pictures: gray and coloured ones, damaged ones, and those that are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/image.h"
#include "picture_files.h"

#ifdef FV_HAVE_JPEG
#include <jpeglib.h>

/* A picture of c channels (4: CMYK), smooth, of the best quality. */
static const char *write_jpeg(scratch *s, const char *name, int c, int h, int w, bool progressive)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    const char *const path = scratch_path(s, name);
    FILE *const file = fopen(path, "wb");
    uint8_t line[256];
    assert_non_null(file);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = (JDIMENSION)w;
    jpeg.image_height = (JDIMENSION)h;
    jpeg.input_components = c;
    jpeg.in_color_space = c == 1 ? JCS_GRAYSCALE : c == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 100, TRUE);
    if (progressive)
        jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < h; y++) {
        JSAMPROW row = line;
        for (int x = 0; x < w * c; x++)
            line[x] = (uint8_t)(40 + 10 * y + 6 * (x / c) + 20 * (x % c));
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    fclose(file);
    return path;
}

static void planes(void **state)
{
    scratch *s = *state;
    for (int k = 0; k < 4; k++) {
        const int c = k % 2 ? 3 : 1;
        uint8_t pixels[3 * 9 * 10];
        const char *const path = write_jpeg(s, "x.jpg", c, 9, 10, k / 2);
        assert_int_equal(fv__image_read(s->ctx, path, c, 9, 10, pixels), FV_OK);
        for (int i = 0; i < c * 90; i++) {
            const int wanted = 40 + 10 * (i % 90 / 10) + 6 * (i % 10) + 20 * (i / 90);
            assert_in_range(pixels[i], wanted - 4, wanted + 4); /* colours have half the resolution */
        }
        assert_failed(s, fv__image_read(s->ctx, path, c, 9, 11, pixels), FV_ERR_INPUT,
                      c == 1
                          ? "/x.jpg: expected a picture of 1x9x11 (channels, height, width), found 1x9x10"
                          : "/x.jpg: expected a picture of 3x9x11 (channels, height, width), found 3x9x10");
    }
}

/* Cut anywhere: refused, but for the end marker, without which all pixels are there. */
static void damage(void **state)
{
    scratch *s = *state;
    static uint8_t whole[4096], bytes[4096];
    uint8_t pixels[3 * 80];
    const size_t n = scratch_load(write_jpeg(s, "whole.jpg", 3, 8, 10, false), whole, sizeof whole);
    for (size_t cut = 3; cut < n - 2; cut++) {
        const char *const path = scratch_file(s, "cut.jpg", whole, cut);
        if (fv__image_read(s->ctx, path, 3, 8, 10, pixels) != FV_ERR_INPUT)
            fail_msg("cut at byte %zu of %zu was not refused", cut, n);
    }
    for (size_t bit = 0; bit < 8 * n; bit++) {
        memcpy(bytes, whole, n);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        const fv_status status =
            fv__image_read(s->ctx, scratch_file(s, "bit.jpg", bytes, n), 3, 8, 10, pixels);
        if (status != FV_OK && status != FV_ERR_INPUT)
            fail_msg("bit %zu: status %d: %s", bit, (int)status, fv_message(s->ctx));
    }
}

static void refused(void **state)
{
    scratch *s = *state;
    static uint8_t bytes[4096];
    uint8_t pixels[3 * 80];
    assert_failed(s, fv__image_read(s->ctx, write_jpeg(s, "ink.jpg", 4, 8, 10, false), 3, 8, 10, pixels),
                  FV_ERR_INPUT,
                  "/ink.jpg: the JPEG cannot be read: it has four inks (CMYK); convert it to RGB");
    /* The size stands 5 bytes behind the marker ff c0. */
    const size_t n = scratch_load(write_jpeg(s, "bomb.jpg", 1, 8, 10, false), bytes, sizeof bytes);
    size_t at = 0;
    while (bytes[at] != 0xff || bytes[at + 1] != 0xc0)
        at++;
    memset(bytes + at + 5, 0xff, 4);
    assert_failed(s, fv__image_read(s->ctx, scratch_file(s, "bomb.jpg", bytes, n), 1, 65535, 65535, pixels),
                  FV_ERR_INPUT,
                  "/bomb.jpg: the JPEG is damaged: Maximum supported image dimension is 65500 pixels");
    memcpy(bytes + at + 5, "\x3f\xff\x3f\xff", 4);
    assert_int_equal(fv__image_read(s->ctx, scratch_file(s, "bomb.jpg", bytes, n), 1, 16383, 16383, pixels),
                     FV_ERR_INPUT);
    assert_non_null(
        strstr(fv_message(s->ctx), "/bomb.jpg: a picture of 16383x16383 (height, width) is claimed"));
}
#else
static void refused(void **state)
{
    scratch *s = *state;
    uint8_t pixel;
    assert_failed(s, fv__image_read(s->ctx, scratch_file(s, "x.jpg", "\xff\xd8\xff", 3), 1, 1, 1, &pixel),
                  FV_ERR_UNSUPPORTED,
                  "/x.jpg: is a JPEG, and this build has no libjpeg: convert it to PNG or PPM, or build with "
                  "libjpeg-turbo");
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef FV_HAVE_JPEG
        cmocka_unit_test(planes),
        cmocka_unit_test(damage),
#endif
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
