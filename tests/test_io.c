/* test_io.c - whole files, IDX and pictures: what is written comes back; what is wrong is said. Everything
 * here is exact: no tolerances. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/file.h"
#include "io/idx.h"
#include "io/image.h"
#include "scratch.h"

#include <sys/resource.h>
#ifdef FV_HAVE_ZLIB
#include <zlib.h>
#endif

/* ---- whole files ---------------------------------------------------------------------------------- */

static void test_read_mistakes(void **state)
{
    scratch *s = *state;
    uint8_t *bytes = NULL;
    size_t n = 7;
    const char *file = scratch_file(s, "five", "12345", 5);
    assert_failed(s, fv__file_read(s->ctx, scratch_path(s, "nowhere"), 100, &bytes, &n), FV_ERR_INPUT,
                  "/nowhere: there is no such file");
    assert_failed(s, fv__file_read(s->ctx, s->folder, 100, &bytes, &n), FV_ERR_INPUT,
                  ": expected a file, found a folder");
    assert_failed(s, fv__file_read(s->ctx, "/dev/null", 100, &bytes, &n), FV_ERR_INPUT,
                  "/dev/null: expected a regular file, found a device, pipe or socket");
    assert_failed(s, fv__file_read(s->ctx, file, 4, &bytes, &n), FV_ERR_INPUT,
                  "/five: expected at most 4 bytes, found 5");
    s->fail_at = 0;
    assert_failed(s, fv__file_read(s->ctx, file, 100, &bytes, &n), FV_ERR_MEMORY,
                  "/five: out of memory: 6 bytes were asked for");
    s->fail_at = 0;
    assert_failed(s, fv__file_write(s->ctx, file, "x", 1), FV_ERR_MEMORY,
                  "/five: out of memory: 20 bytes were asked for");
    /* What cannot be looked at is not missing; root may look at everything, but not through a circle. */
    const char *closed = scratch_path(s, "closed");
    assert_int_equal(mkdir(closed, 0700), 0);
    scratch_file(s, "closed/file", "x", 1);
    assert_int_equal(chmod(closed, 0), 0);
    assert_true(fv__file_exists(scratch_path(s, "closed/file")));
    if (geteuid() != 0)
        assert_failed(s, fv__file_read(s->ctx, scratch_path(s, "closed/file"), 100, &bytes, &n), FV_ERR_INPUT,
                      "/closed/file: cannot open: Permission denied");
    assert_int_equal(chmod(closed, 0700), 0);
    assert_int_equal(symlink("circle", scratch_path(s, "circle")), 0);
    assert_true(fv__file_exists(scratch_path(s, "circle/file")));
    assert_failed(s, fv__file_read(s->ctx, scratch_path(s, "circle/file"), 100, &bytes, &n), FV_ERR_INPUT,
                  "/circle/file: cannot open: Too many levels of symbolic links");
    assert_null(bytes);
    assert_int_equal(n, 7);
    assert_int_equal(fv__file_read(s->ctx, file, 5, &bytes, &n), FV_OK);
    assert_int_equal(n, 5);
    assert_memory_equal(bytes, "12345", 6); /* the NUL too */
    fv__free(s->ctx, bytes);
}

static void test_write_replaces(void **state)
{
    scratch *s = *state;
    uint8_t bytes[16];
    const char *path = scratch_path(s, "written");
    assert_int_equal(fv__file_write(s->ctx, path, "old contents", 12), FV_OK);
    assert_int_equal(fv__file_write(s->ctx, path, "new", 3), FV_OK);
    assert_int_equal(scratch_load(path, bytes, sizeof bytes), 3);
    assert_memory_equal(bytes, "new", 3);
}

static void test_write_mistakes(void **state)
{
    scratch *s = *state;
    scratch_file(s, "plain", "x", 1);
    assert_failed(s, fv__file_write(s->ctx, scratch_path(s, "missing/file"), "a", 1), FV_ERR_IO,
                  "/missing/file: cannot create a file there: No such file or directory");
    assert_failed(s, fv__file_write(s->ctx, scratch_path(s, "plain/file"), "a", 1), FV_ERR_IO,
                  "/plain/file: cannot create a file there: Not a directory");
    assert_failed(s, fv__file_write(s->ctx, s->folder, "a", 1), FV_ERR_IO,
                  ": cannot write: expected a file, found a folder");
    assert_failed(s, fv__file_write(s->ctx, "/dev/null", "a", 1), FV_ERR_IO,
                  "/dev/null: cannot write: expected a file, found a device, pipe or socket");
}

/* Temporary files: none is left behind, those of killed writers go, and what else lies at their names stays.
 */
static void test_temporaries(void **state)
{
    scratch *s = *state;
    uint8_t bytes[16];
    char path[128], precious[128]; /* scratch_path keeps the last eight only */
    snprintf(path, sizeof path, "%s/temp/orary", s->folder);
    snprintf(precious, sizeof precious, "%s/temp/precious", s->folder);
    assert_int_equal(fv__file_make_dir(s->ctx, scratch_path(s, "temp")), FV_OK);
    scratch_file(s, "temp/orary.0.tmp", "half a fi", 9);
    scratch_file(s, "temp/orary.5.tmp", "half a fi", 9);
    assert_int_equal(fv__file_write(s->ctx, path, "again", 5), FV_OK);
    assert_int_equal(scratch_load(path, bytes, sizeof bytes), 5);
    assert_memory_equal(bytes, "again", 5);
    assert_int_equal(scratch_count(scratch_path(s, "temp")), 1);
    /* A pipe (opening it would wait), a hard link, a symbolic link, a folder; and names that are not ours. */
    scratch_file(s, "temp/precious", "precious", 8);
    assert_int_equal(mkfifo(scratch_path(s, "temp/orary.0.tmp"), 0600), 0);
    assert_int_equal(link(precious, scratch_path(s, "temp/orary.1.tmp")), 0);
    assert_int_equal(symlink("precious", scratch_path(s, "temp/orary.2.tmp")), 0);
    assert_int_equal(mkdir(scratch_path(s, "temp/orary.3.tmp"), 0700), 0);
    scratch_file(s, "temp/orary.tmp", "not ours", 8);
    scratch_file(s, "temp/orary.05.tmp", "not ours", 8);
    assert_int_equal(fv__file_write(s->ctx, path, "new", 3), FV_OK);
    assert_int_equal(scratch_load(path, bytes, sizeof bytes), 3);
    assert_int_equal(scratch_load(precious, bytes, sizeof bytes), 8);
    assert_memory_equal(bytes, "precious", 8);
    assert_int_equal(scratch_count(scratch_path(s, "temp")), 8);
    /* All names taken. */
    for (int i = 4; i < 32; i++) {
        char name[32];
        snprintf(name, sizeof name, "temp/orary.%d.tmp", i);
        assert_int_equal(mkdir(scratch_path(s, name), 0700), 0);
    }
    assert_int_equal(fv__file_write(s->ctx, path, "x", 1), FV_ERR_IO);
    assert_non_null(strstr(fv_message(s->ctx), "temp/orary: cannot write: 32 temporary files, up to "));
    scratch_remove(scratch_path(s, "temp"));
}

/* Several files replaced together, and several writers of one path. */
static void test_staged(void **state)
{
    scratch *s = *state;
    uint8_t bytes[16];
    fv_writer first, second;
    assert_int_equal(fv__file_make_dir(s->ctx, scratch_path(s, "stage")), FV_OK);
    const char *const a = scratch_file(s, "stage/a", "old a", 5), *const b = scratch_path(s, "stage/b");
    assert_int_equal(fv__writer_open(&first, s->ctx, a), FV_OK);
    assert_int_equal(fv__writer_open(&second, s->ctx, b), FV_OK);
    assert_int_equal(fv__writer_add(&first, "new a", 5), FV_OK);
    assert_int_equal(fv__writer_add(&second, "new b", 5), FV_OK);
    assert_int_equal(fv__writer_stage(&first), FV_OK);
    assert_int_equal(fv__writer_stage(&second), FV_OK);
    assert_int_equal(scratch_load(a, bytes, sizeof bytes), 5);
    assert_memory_equal(bytes, "old a", 5);
    assert_false(fv__file_exists(b));
    assert_int_equal(fv__writer_commit(&first), FV_OK);
    assert_int_equal(scratch_load(a, bytes, sizeof bytes), 5);
    assert_memory_equal(bytes, "new a", 5);
    fv__writer_abandon(&second); /* staged or not */
    assert_int_equal(scratch_count(scratch_path(s, "stage")), 1);
    /* The other writer of a path is not taken for a leftover, and the last one wins. */
    assert_int_equal(fv__writer_open(&first, s->ctx, a), FV_OK);
    assert_int_equal(fv__writer_open(&second, s->ctx, a), FV_OK);
    assert_int_equal(fv__writer_add(&first, "1", 1), FV_OK);
    assert_int_equal(fv__writer_add(&second, "22", 2), FV_OK);
    assert_int_equal(fv__writer_commit(&second), FV_OK);
    assert_int_equal(scratch_load(a, bytes, sizeof bytes), 2);
    assert_int_equal(fv__writer_commit(&first), FV_OK);
    assert_int_equal(scratch_load(a, bytes, sizeof bytes), 1);
    assert_int_equal(scratch_count(scratch_path(s, "stage")), 1);
}

/* A link stays a link; what it names is replaced or created, and nothing is left beside either. */
static void test_write_through_links(void **state)
{
    scratch *s = *state;
    uint8_t bytes[16];
    struct stat info;
    assert_int_equal(fv__file_make_dir(s->ctx, scratch_path(s, "links/there")), FV_OK);
    const char *target = scratch_file(s, "links/there/target", "old", 3),
               *link = scratch_path(s, "links/link");
    assert_int_equal(symlink("there/hop", link), 0);
    assert_int_equal(symlink("target", scratch_path(s, "links/there/hop")), 0);
    for (int missing = 0; missing < 2; missing++) {
        assert_int_equal(fv__file_write(s->ctx, link, "through", 7), FV_OK);
        assert_int_equal(lstat(link, &info), 0);
        assert_true(S_ISLNK(info.st_mode));
        assert_int_equal(lstat(target, &info), 0);
        assert_true(S_ISREG(info.st_mode));
        assert_int_equal(scratch_load(target, bytes, sizeof bytes), 7);
        assert_int_equal(scratch_count(scratch_path(s, "links")), 2);
        assert_int_equal(scratch_count(scratch_path(s, "links/there")), 2);
        assert_int_equal(unlink(target), 0);
    }
    const char *circle = scratch_path(s, "links/circle");
    assert_int_equal(symlink("circle", circle), 0);
    assert_failed(s, fv__file_write(s->ctx, circle, "a", 1), FV_ERR_IO,
                  "links/circle: expected at most 40 symbolic links to follow, found more");
}

/* A limit on the size of files stands for a full disk: both make write() fail half-way. */
static void test_full_disk(void **state)
{
    scratch *s = *state;
    static uint8_t large[100000], bytes[16];
    const char *path = scratch_file(s, "kept", "precious", 8);
    const int before = scratch_count(s->folder);
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){50000, old.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const fv_status status = fv__file_write(s->ctx, path, large, sizeof large);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
    assert_failed(s, status, FV_ERR_IO, "/kept: cannot write: File too large");
    assert_int_equal(scratch_load(path, bytes, sizeof bytes), 8);
    assert_memory_equal(bytes, "precious", 8);
    assert_int_equal(scratch_count(s->folder), before);
}

static void test_folders(void **state)
{
    scratch *s = *state;
    assert_int_equal(fv__file_make_dir(s->ctx, scratch_path(s, "a/b//c/")), FV_OK);
    assert_int_equal(fv__file_make_dir(s->ctx, scratch_path(s, "a/b/c")), FV_OK);
    assert_true(fv__file_is_folder(scratch_path(s, "a/b/c")));
    scratch_file(s, "a/file", "x", 1);
    assert_failed(s, fv__file_make_dir(s->ctx, scratch_path(s, "a/file/d")), FV_ERR_IO,
                  "a file of that name is in the way");
    assert_failed(s, fv__file_make_dir(s->ctx, ""), FV_ERR_IO, "cannot create a folder: its name is empty");
    char *joined = fv__path_join(s->ctx, "a/", "b");
    assert_string_equal(joined, "a/b");
    fv__free(s->ctx, joined);
    joined = fv__path_join(s->ctx, "a", "/b");
    assert_string_equal(joined, "/b");
    fv__free(s->ctx, joined);
}

/* ---- IDX ------------------------------------------------------------------------------------------ */

static const uint8_t small_idx[16 + 12] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3,  0,  0,
                                           0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255};

static fv_status read_images(scratch *s, const char *path)
{
    int dim[3];
    uint8_t *values;
    FV_TRY(fv__idx_read(s->ctx, path, 3, dim, &values));
    fv__free(s->ctx, values);
    return FV_OK;
}

static void check_small_idx(scratch *s, const char *path)
{
    int dim[3];
    uint8_t *values;
    assert_int_equal(fv__idx_read(s->ctx, path, 3, dim, &values), FV_OK);
    assert_int_equal(dim[0], 2);
    assert_int_equal(dim[1], 3);
    assert_int_equal(dim[2], 2);
    assert_memory_equal(values, small_idx + 16, 12);
    fv__free(s->ctx, values);
}

static const char *changed_idx(scratch *s, size_t at, uint8_t value, size_t n)
{
    uint8_t bytes[64] = {0};
    memcpy(bytes, small_idx, sizeof small_idx);
    bytes[at] = value;
    return scratch_file(s, "idx", bytes, n);
}

static void test_idx(void **state)
{
    scratch *s = *state;
    const char *path = scratch_file(s, "small-idx3-ubyte", small_idx, sizeof small_idx);
    check_small_idx(s, path);
    scratch_damage(s, path, read_images);
    const size_t n = sizeof small_idx;
    assert_failed(
        s, read_images(s, changed_idx(s, 3, 1, n)), FV_ERR_INPUT,
        "/idx: byte 0: expected the IDX magic number 0x00000803 (images), found 0x00000801 (labels)");
    assert_failed(s, read_images(s, changed_idx(s, 2, 9, n)), FV_ERR_INPUT,
                  "/idx: byte 0: expected the IDX magic number 0x00000803 (images), found 0x00000903");
    assert_failed(s, read_images(s, changed_idx(s, 7, 3, n)), FV_ERR_INPUT,
                  "/idx: byte 28: cut short: expected 34 bytes, found 28");
    assert_failed(s, read_images(s, changed_idx(s, 7, 1, n)), FV_ERR_INPUT,
                  "/idx: byte 22: expected the end of the file, found 6 bytes more");
    assert_failed(s, read_images(s, changed_idx(s, 11, 0, n)), FV_ERR_INPUT,
                  "/idx: byte 8: dimension 1: expected 1 to 16777216, found 0");
    assert_failed(s, read_images(s, changed_idx(s, 8, 255, n)), FV_ERR_INPUT,
                  "/idx: byte 8: dimension 1: expected 1 to 16777216, found 4278190083");
    assert_failed(s, read_images(s, changed_idx(s, 0, 0, 10)), FV_ERR_INPUT,
                  "/idx: byte 10: cut short: expected 16 bytes, found 10");
    int count;
    uint8_t *values;
    assert_failed(s, fv__idx_read(s->ctx, path, 1, &count, &values), FV_ERR_INPUT,
                  "byte 0: expected the IDX magic number 0x00000801 (labels), found 0x00000803 (images)");
}

#ifdef FV_HAVE_ZLIB
static const char *gzipped(scratch *s, const char *name, const void *bytes, size_t n)
{
    const char *path = scratch_path(s, name);
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)n), n);
    assert_int_equal(gzclose(file), Z_OK);
    return path;
}
#endif

static void test_idx_gzip(void **state)
{
    scratch *s = *state;
#ifdef FV_HAVE_ZLIB
    const char *path = gzipped(s, "small-idx3-ubyte.gz", small_idx, sizeof small_idx);
    check_small_idx(s, path);
    scratch_damage(s, path, read_images);
    uint8_t bytes[64] = {0};
    memcpy(bytes, small_idx, sizeof small_idx);
    assert_failed(s, read_images(s, gzipped(s, "gz", bytes, 29)), FV_ERR_INPUT,
                  "/gz: inflated byte 28: expected the end, found more");
    assert_failed(s, read_images(s, gzipped(s, "gz", bytes, 27)), FV_ERR_INPUT,
                  "/gz: byte 27: cut short: expected 28 bytes, found 27");
    bytes[5] = bytes[9] = bytes[13] = 1; /* 65538 x 65539 x 65538: far more than the file can hold */
    assert_failed(s, read_images(s, gzipped(s, "gz", bytes, 28)), FV_ERR_INPUT, "gzipped bytes hold");
#else
    assert_failed(s, read_images(s, scratch_file(s, "gz", "\x1f\x8b", 2)), FV_ERR_UNSUPPORTED,
                  "/gz: is gzipped, and this build has no zlib: gunzip the file, or build with zlib");
#endif
}

/* ---- pictures ------------------------------------------------------------------------------------- */

static const uint8_t gray[2 * 3] = {0, 50, 100, 150, 200, 255};

static fv_status read_gray(scratch *s, const char *path)
{
    uint8_t pixels[6];
    return fv__image_read(s->ctx, path, 1, 2, 3, pixels);
}

static fv_status read_text(scratch *s, const char *text)
{
    return read_gray(s, scratch_file(s, "pgm", text, strlen(text)));
}

static void test_pgm(void **state)
{
    scratch *s = *state;
    uint8_t pixels[6];
    const char *path = scratch_path(s, "gray.pgm");
    assert_int_equal(fv__image_write_pgm(s->ctx, path, gray, 2, 3), FV_OK);
    assert_int_equal(fv__image_read(s->ctx, path, 1, 2, 3, pixels), FV_OK);
    assert_memory_equal(pixels, gray, 6);
    scratch_damage(s, path, read_gray);
    const char text[] = "P2 # a comment\n3 2\n#another\n10\n0 1 2\n 3 4 10 # end";
    path = scratch_file(s, "text", text, sizeof text - 1);
    assert_int_equal(fv__image_read(s->ctx, path, 1, 2, 3, pixels), FV_OK);
    assert_memory_equal(pixels, ((uint8_t[]){0, 26, 51, 77, 102, 255}), 6); /* round(v * 25.5) */
    path = scratch_file(s, "wide", "P5 3 2 65535 \0\0\1\1\2\2\x80\x80\xfe\xfe\xff\xff", 25);
    assert_int_equal(fv__image_read(s->ctx, path, 1, 2, 3, pixels), FV_OK);
    assert_memory_equal(pixels, ((uint8_t[]){0, 1, 2, 128, 254, 255}), 6);
}

static void test_pgm_mistakes(void **state)
{
    scratch *s = *state;
    assert_failed(s, read_text(s, "P2 2 3 9 1 2 3 4 5 6"), FV_ERR_INPUT,
                  "/pgm: expected a picture of 1x2x3 (channels, height, width), found 1x3x2");
    assert_failed(s, read_text(s, "P2 3 2 9 1 2 3 4 5"), FV_ERR_INPUT,
                  "/pgm: byte 18: expected a pixel, found the end of the file");
    assert_failed(s, read_text(s, "P2 3 2 9 1 2 3 4 5 10"), FV_ERR_INPUT,
                  "/pgm: byte 19: expected a pixel of at most 9, found more");
    assert_failed(s, read_text(s, "P2 3 2 9 1 2 3 4 5 6 7"), FV_ERR_INPUT,
                  "/pgm: byte 21: expected the end of the file after 6 pixels");
    assert_failed(s, read_text(s, "P2 3 2 0 1 2 3 4 5 6"), FV_ERR_INPUT,
                  "/pgm: expected a largest value of 1 to 65535, found 0");
    assert_failed(s, read_text(s, "P2 -3 2 9 1 2 3 4 5 6"), FV_ERR_INPUT,
                  "/pgm: byte 3: expected the width, found something else");
    assert_failed(s, read_text(s, "P2 99999999999999 2"), FV_ERR_INPUT,
                  "/pgm: byte 3: expected the width of at most 16777216, found more");
    assert_failed(s, read_text(s, "P5 3 2 255 12345"), FV_ERR_INPUT,
                  "/pgm: byte 11: expected 6 bytes of pixels, found 5");
    assert_failed(s, read_text(s, "P5 3 2 9 12345\t"), FV_ERR_INPUT,
                  "/pgm: byte 9: expected a pixel of at most 9, found 49");
    assert_failed(s, read_text(s, "GIF89a"), FV_ERR_INPUT,
                  "/pgm: byte 0: expected a PNG, JPEG, PGM or PPM picture, found none of them");
    uint8_t pixels[18];
    const char *path = scratch_file(s, "pgm", "P2 3 2 9 1 2 3 4 5 6", 20);
    assert_failed(s, fv__image_read(s->ctx, path, 3, 2, 3, pixels), FV_ERR_INPUT,
                  "/pgm: expected a picture of 3x2x3 (channels, height, width), found 1x2x3");
    assert_failed(s, fv__image_read(s->ctx, path, 2, 2, 3, pixels), FV_ERR_ARGUMENT,
                  "/pgm: pictures have 1 or 3 channels and a positive size; 2x2x3 was asked for");
}

#ifdef FV_HAVE_PNG
#include <png.h>

static const char *write_png(scratch *s, const char *name, png_uint_32 format, const uint8_t *bytes)
{
    png_image image = {.version = PNG_IMAGE_VERSION, .width = 3, .height = 2, .format = format};
    const char *path = scratch_path(s, name);
    assert_true(png_image_write_to_file(&image, path, 0, bytes, 0, NULL));
    return path;
}
#endif

static void test_png(void **state)
{
    scratch *s = *state;
    uint8_t pixels[18];
#ifdef FV_HAVE_PNG
    const char *path = scratch_path(s, "gray.png");
    assert_int_equal(fv__image_write_png(s->ctx, path, gray, 2, 3), FV_OK);
    assert_int_equal(fv__image_read(s->ctx, path, 1, 2, 3, pixels), FV_OK);
    assert_memory_equal(pixels, gray, 6);
    scratch_damage(s, path, read_gray);
    assert_failed(s, fv__image_read(s->ctx, path, 1, 28, 28, pixels), FV_ERR_INPUT,
                  "/gray.png: expected a picture of 1x28x28 (channels, height, width), found 1x2x3");
    assert_failed(s, fv__image_read(s->ctx, path, 3, 2, 3, pixels), FV_ERR_INPUT,
                  "/gray.png: expected a picture of 3x2x3 (channels, height, width), found 1x2x3");
    const uint8_t rgb[18] = {9, 9, 9, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 6, 7};
    path = write_png(s, "colour.png", PNG_FORMAT_RGB, rgb);
    assert_int_equal(fv__image_read(s->ctx, path, 3, 2, 3, pixels), FV_OK);
    assert_memory_equal(pixels, ((uint8_t[]){9, 1, 2, 3, 4, 5, 9, 1, 2, 3, 4, 6, 9, 1, 2, 3, 4, 7}), 18);
    assert_failed(s, read_gray(s, path), FV_ERR_INPUT,
                  "/colour.png: row 1, column 2: expected a gray picture, found the colour 5 6 7");
    uint8_t alpha[24] = {0};
    for (int i = 0; i < 6; i++)
        alpha[4 * i] = alpha[4 * i + 1] = alpha[4 * i + 2] = 200, alpha[4 * i + 3] = (uint8_t)(51 * i);
    path = write_png(s, "alpha.png", PNG_FORMAT_RGBA, alpha);
    assert_int_equal(fv__image_read(s->ctx, path, 1, 2, 3, pixels), FV_OK);
    assert_memory_equal(pixels, ((uint8_t[]){0, 40, 80, 120, 160, 200}), 6);
#else
    assert_failed(s,
                  fv__image_read(s->ctx, scratch_file(s, "x.png", "\x89PNG\r\n\x1a\n", 8), 1, 2, 3, pixels),
                  FV_ERR_UNSUPPORTED,
                  "/x.png: is a PNG, and this build has no libpng: convert it to PGM, or build with libpng");
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_mistakes),
        cmocka_unit_test(test_write_replaces),
        cmocka_unit_test(test_write_mistakes),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_temporaries),
        cmocka_unit_test(test_staged),
        cmocka_unit_test(test_write_through_links),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_idx),
        cmocka_unit_test(test_idx_gzip),
        cmocka_unit_test(test_pgm),
        cmocka_unit_test(test_pgm_mistakes),
        cmocka_unit_test(test_png),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
