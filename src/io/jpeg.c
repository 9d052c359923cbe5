/* jpeg.c - JPEG pictures, read by libjpeg-turbo: gray, or colour as red, green and blue.
 *
 * libjpeg mends what it can and warns. Warnings that mean lost pixels (a file cut short, a wrong code) are
 * errors here; others (extra bytes between segments, which cameras write) are passed over. Bytes behind the
 * picture belong to the camera, too. The orientation in Exif is not applied, as PIL's open does not. */
#include "io/image.h"

#ifdef FV_HAVE_JPEG
#include <setjmp.h>
#include <stdio.h> /* which jpeglib.h needs */

#include <jpeglib.h>

#include <jerror.h>
#endif

/* A Huffman code takes at least one bit, and a block of each component has at least one code. */
#define LEAST_PIXELS_A_BYTE 4096
/* Progressive pictures have about ten scans; each costs as much as the whole picture. */
#define MAX_SCANS 200

static bool is_jpeg(const uint8_t *bytes, size_t n)
{
    return n >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

#ifdef FV_HAVE_JPEG

typedef struct reader {
    struct jpeg_error_mgr errors; /* first: libjpeg knows its address as the reader's */
    struct jpeg_progress_mgr progress;
    struct jpeg_decompress_struct jpeg;
    jmp_buf failed;
    const char *why; /* instead of libjpeg's own message */
    fv_context *ctx;
    const char *path;
} reader;

static void on_error(j_common_ptr jpeg)
{
    reader *const r = (reader *)(void *)jpeg->err;
    longjmp(r->failed, 1);
}

static void on_message(j_common_ptr jpeg, int level)
{
    const int code = jpeg->err->msg_code;
    if (level < 0 && (code == JWRN_HIT_MARKER || code == JWRN_JPEG_EOF || code == JWRN_HUFF_BAD_CODE ||
                      code == JWRN_ARITH_BAD_CODE || code == JWRN_MUST_RESYNC))
        on_error(jpeg);
}

static void on_progress(j_common_ptr jpeg)
{
    reader *const r = (reader *)(void *)jpeg->err;
    if (r->jpeg.input_scan_number <= MAX_SCANS)
        return;
    r->why = "more than 200 scans";
    on_error(jpeg);
}

static void read_header(reader *r, const uint8_t *bytes, size_t n)
{
    r->jpeg.err = jpeg_std_error(&r->errors);
    r->errors.error_exit = on_error;
    r->errors.emit_message = on_message;
    jpeg_create_decompress(&r->jpeg);
    r->progress.progress_monitor = on_progress;
    r->jpeg.progress = &r->progress;
    jpeg_mem_src(&r->jpeg, bytes, (unsigned long)n);
    jpeg_read_header(&r->jpeg, TRUE);
    const J_COLOR_SPACE space = r->jpeg.jpeg_color_space;
    if (space == JCS_CMYK || space == JCS_YCCK)
        r->why = "it has four inks (CMYK); convert it to RGB";
    else if (space != JCS_GRAYSCALE && space != JCS_YCbCr && space != JCS_RGB)
        r->why = "it is neither gray nor coloured by three channels";
    if (r->why)
        on_error((j_common_ptr)&r->jpeg);
    r->jpeg.out_color_space = space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
}

static void read_lines(reader *r, const fv_image_size *size, uint8_t *pixels)
{
    const size_t w = (size_t)size->w, plane = (size_t)size->h * w, c = (size_t)size->c;
    jpeg_start_decompress(&r->jpeg);
    JSAMPARRAY line = r->jpeg.mem->alloc_sarray((j_common_ptr)&r->jpeg, JPOOL_IMAGE, (JDIMENSION)(w * c), 1);
    for (size_t y = 0; y < (size_t)size->h; y++) {
        jpeg_read_scanlines(&r->jpeg, line, 1);
        for (size_t k = 0; k < c; k++)
            for (size_t x = 0; x < w; x++)
                pixels[k * plane + y * w + x] = line[0][x * c + k];
    }
    jpeg_finish_decompress(&r->jpeg);
}

static fv_status explain(reader *r)
{
    char text[JMSG_LENGTH_MAX];
    r->errors.format_message((j_common_ptr)&r->jpeg, text);
    return fv__fail(r->ctx, r->errors.msg_code == JERR_OUT_OF_MEMORY ? FV_ERR_MEMORY : FV_ERR_INPUT,
                    r->why ? "%s: the JPEG cannot be read: %s" : "%s: the JPEG is damaged: %s", r->path,
                    r->why ? r->why : text);
}

/* Runs with `size` NULL as far as the header, else to the last line. What longjmp skips must not lie in
 * registers: all of it is in *r. */
static fv_status run(reader *r, const uint8_t *bytes, size_t n, const fv_image_size *size, uint8_t *pixels)
{
    if (setjmp(r->failed) != 0)
        return explain(r);
    read_header(r, bytes, n);
    if (size)
        read_lines(r, size, pixels);
    return FV_OK;
}

static fv_status measure(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n, uint64_t chw[3],
                         uint64_t *least)
{
    reader r = {.ctx = ctx, .path = path};
    const fv_status status = run(&r, bytes, n, NULL, NULL);
    chw[0] = r.jpeg.out_color_space == JCS_RGB ? 3 : 1;
    chw[1] = r.jpeg.image_height;
    chw[2] = r.jpeg.image_width;
    *least = chw[1] * chw[2] / LEAST_PIXELS_A_BYTE;
    jpeg_destroy_decompress(&r.jpeg);
    return status;
}

static fv_status decode(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n,
                        const fv_image_size *size, uint8_t *pixels)
{
    reader r = {.ctx = ctx, .path = path};
    const fv_status status = run(&r, bytes, n, size, pixels);
    jpeg_destroy_decompress(&r.jpeg);
    return status;
}

#else

static fv_status measure(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n, uint64_t chw[3],
                         uint64_t *least)
{
    (void)bytes, (void)n, (void)chw, (void)least;
    return fv__fail(ctx, FV_ERR_UNSUPPORTED,
                    "%s: is a JPEG, and this build has no libjpeg: convert it to PNG or PPM, or build with "
                    "libjpeg-turbo",
                    path);
}

static fv_status decode(fv_context *ctx, const char *path, const uint8_t *bytes, size_t n,
                        const fv_image_size *size, uint8_t *pixels)
{
    uint64_t chw[3], least;
    (void)size, (void)pixels;
    return measure(ctx, path, bytes, n, chw, &least);
}

#endif

const fv_image_format fv__image_jpeg = {"JPEG", {".jpg", ".jpeg", ".jpe", NULL}, is_jpeg, measure, decode};
