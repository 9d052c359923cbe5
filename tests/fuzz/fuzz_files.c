/* fuzz_files.c - files of data, told by their first bytes: JPEG, WAV, NumPy's .npy, a zip archive of them
 * (.npz), otherwise a table (CSV). What is parsed is read to its last value. */
#include "fuzz.h"

#include "io/csv.h"
#include "io/image.h"
#include "io/npy.h"
#include "io/wav.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_PIXELS = 1 << 20 };

static fv_context *ctx;

static bool begins(const uint8_t *bytes, size_t n, const char *text)
{
    return n >= strlen(text) && memcmp(bytes, text, strlen(text)) == 0;
}

static void read_picture(const uint8_t *bytes, size_t n)
{
    fv_image_size size;
    if (!fuzz_well(ctx, "measure", fv__image_measure(ctx, "picture", bytes, n, &size)))
        return;
    const size_t n_pixels = (size_t)size.c * (size_t)size.h * (size_t)size.w;
    fuzz_expect(n_pixels > 0 && (size.c == 1 || size.c == 3), "%d channels, %zu pixels", size.c, n_pixels);
    uint8_t *const pixels = n_pixels <= MOST_PIXELS ? malloc(n_pixels) : NULL;
    if (pixels && fuzz_well(ctx, "decode", fv__image_decode(ctx, "picture", bytes, n, &size, pixels))) {
        fuzz_accepted = true;
        fuzz_hash(pixels, n_pixels);
    }
    free(pixels);
}

static void read_sound(const uint8_t *bytes, size_t n)
{
    fv_wav wav;
    if (!fuzz_well(ctx, "wav", fv__wav_parse(ctx, "sound", bytes, n, &wav)))
        return;
    float sum = 0;
    for (size_t i = 0; i < wav.n; i++)
        sum += fv__wav_value(&wav, i);
    fuzz_hash((const uint8_t *)&sum, sizeof sum);
    fuzz_accepted = true;
}

static void read_array(const uint8_t *bytes, size_t n)
{
    fv_npy array;
    if (!fuzz_well(ctx, "npy", fv__npy_parse(ctx, "array", bytes, n, &array)))
        return;
    int64_t count = 1;
    for (int i = 0; i < array.rank; i++)
        count *= array.dim[i];
    fuzz_expect((size_t)count == array.n, "%zu values", array.n);
    double sum = 0;
    for (size_t i = 0; i < array.n; i++)
        sum += fv__npy_value(&array, i);
    fuzz_hash((const uint8_t *)&sum, sizeof sum);
    fuzz_accepted = true;
}

static void read_archive(const uint8_t *bytes, size_t n)
{
    fv_arena arena;
    fv_zip_entry *entry = NULL;
    int n_entries = 0;
    fv__arena_init(&arena, ctx);
    if (fuzz_well(ctx, "list", fv__zip_list(&arena, "archive", bytes, n, &entry, &n_entries))) {
        fuzz_accepted = true;
        for (int i = 0; i < n_entries; i++) {
            uint8_t *out = NULL;
            if (fuzz_well(ctx, "entry", fv__zip_read(ctx, "archive", bytes, n, &entry[i], &out)))
                fuzz_hash(out, entry[i].size);
            else
                fuzz_accepted = false;
            fv__free(ctx, out);
        }
    }
    fv__arena_deinit(&arena);
}

static void read_csv(const uint8_t *bytes, size_t n)
{
    fv_csv csv;
    if (fuzz_well(ctx, "csv", fv__csv_read(ctx, fuzz_file("table.csv", bytes, n), &csv))) {
        fuzz_accepted = true;
        for (size_t i = 0; i < csv.n_rows * csv.n_columns; i++) {
            const fv_csv_cell *const cell = &csv.cell[i];
            fuzz_hash((const uint8_t *)cell->text, strlen(cell->text));
            fuzz_expect(cell->line > 0 && cell->column > 0, "line %d, column %d", cell->line, cell->column);
        }
    }
    fv__csv_free(&csv);
}

static void read_file(const uint8_t *bytes, size_t n)
{
    if (begins(bytes, n, "\xff\xd8\xff"))
        read_picture(bytes, n);
    else if (begins(bytes, n, "RIFF"))
        read_sound(bytes, n);
    else if (begins(bytes, n, "\x93NUMPY"))
        read_array(bytes, n);
    else if (begins(bytes, n, "PK"))
        read_archive(bytes, n);
    else
        read_csv(bytes, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (!ctx)
        ctx = fuzz_context("portable", 1);
    fuzz_twice(read_file, bytes, n);
    return 0;
}
