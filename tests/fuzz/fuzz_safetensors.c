/* fuzz_safetensors.c - a safetensors file: opened and walked through; what was read is written and read again
 * and must be the same; and its tensors are loaded into a model, wholly or not at all. */
#include "fuzz.h"

#include "io/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static fv_context *ctx;

static const char model_text[] = "input image 1x2x2\nflatten\nlinear a 2\nsoftmax\n";

static bool same(const fv_tensor_entry *a, const fv_tensor_entry *b)
{
    return strcmp(a->name, b->name) == 0 && a->rank == b->rank &&
           memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim) == 0 && a->n_bytes == b->n_bytes &&
           memcmp(a->values, b->values, a->n_bytes) == 0;
}

/* Walks through the file; whether all its tensors are F32, which is what the writer writes. */
static bool walk(const fv_safetensors *file)
{
    bool all_floats = true;
    for (int i = 0; i < fv__safetensors_n_tensors(file); i++) {
        const fv_tensor_entry *const e = fv__safetensors_tensor(file, i);
        fuzz_expect(fv__safetensors_find(file, e->name) == e, "tensor '%s' is not found by its name",
                    e->name);
        fuzz_hash(e->values, e->n_bytes); /* every byte can be read */
        all_floats &= strcmp(e->dtype, "F32") == 0;
    }
    for (int i = 0; i < fv__safetensors_n_meta(file); i++) {
        const fv_meta_entry e = fv__safetensors_meta_at(file, i);
        const char *const value = fv__safetensors_meta(file, e.key);
        fuzz_expect(value && strcmp(value, e.value) == 0, "metadata '%s' is not found by its key", e.key);
    }
    return all_floats;
}

static void write_again(const fv_safetensors *file)
{
    const int n = fv__safetensors_n_tensors(file), n_meta = fv__safetensors_n_meta(file);
    fv_tensor_entry *const tensors = calloc((size_t)n + 1, sizeof *tensors);
    fv_meta_entry *const meta = calloc((size_t)n_meta + 1, sizeof *meta);
    char path[256];
    snprintf(path, sizeof path, "%s/again", fuzz_folder());
    unlink(path);
    fuzz_expect(tensors && meta, "no memory for %d tensors", n);
    for (int i = 0; i < n; i++)
        tensors[i] = *fv__safetensors_tensor(file, i);
    for (int i = 0; i < n_meta; i++)
        meta[i] = fv__safetensors_meta_at(file, i);
    fv_safetensors *again = NULL;
    const fv_status status = fv__safetensors_write(ctx, path, tensors, n, meta, n_meta);
    if (fuzz_well(ctx, "write", status) &&
        fuzz_well(ctx, "read again", fv__safetensors_open(ctx, path, &again))) {
        fuzz_expect(fv__safetensors_n_tensors(again) == n, "%d tensors became %d", n,
                    fv__safetensors_n_tensors(again));
        for (int i = 0; i < n; i++) {
            const fv_tensor_entry *const e = fv__safetensors_find(again, tensors[i].name);
            fuzz_expect(e && same(e, &tensors[i]), "tensor '%s' changed", tensors[i].name);
        }
        for (int i = 0; i < n_meta; i++) {
            const char *const value = fv__safetensors_meta(again, meta[i].key);
            fuzz_expect(value && strcmp(value, meta[i].value) == 0, "metadata '%s' changed", meta[i].key);
        }
    } else {
        fuzz_expect(fuzz_heap.denied, "what was read cannot be written and read again: %s", fv_message(ctx));
    }
    fv__safetensors_close(again);
    free(tensors);
    free(meta);
}

static void load(const char *path)
{
    fv_model *model = NULL;
    if (!fuzz_well(ctx, "model", fv_model_from_text(ctx, model_text, "text", &model)))
        return;
    if (fuzz_well(ctx, "draw", fv_model_initialise(model, 0))) {
        const uint64_t hash = fv_model_hash(model);
        if (!fuzz_well(ctx, "load", fv_model_load(model, path)))
            fuzz_expect(fv_model_hash(model) == hash, "a file that was refused changed the model");
    }
    fv_model_destroy(model);
}

/* A model from the bytes alone, written and read again. */
static void from_memory(const uint8_t *bytes, size_t n)
{
    fv_model *model = NULL, *again = NULL;
    uint8_t *written = NULL;
    size_t n_written = 0;
    if (fuzz_well(ctx, "from memory", fv_model_from_memory(ctx, bytes, n, &model)) &&
        fuzz_well(ctx, "to memory", fv_model_save_memory(model, &written, &n_written)) &&
        fuzz_well(ctx, "again", fv_model_from_memory(ctx, written, n_written, &again)))
        fuzz_expect((fv_model_hash(again) == fv_model_hash(model) || fuzz_heap.denied) &&
                        strcmp(fv_model_text(again), fv_model_text(model)) == 0,
                    "what was written is another model");
    else
        fuzz_expect(!model || fuzz_heap.denied, "what was read cannot be written and read again: %s",
                    fv_message(ctx));
    fv_bytes_destroy(ctx, written);
    fv_model_destroy(again);
    fv_model_destroy(model);
}

static void read_file(const uint8_t *bytes, size_t n)
{
    char path[256];
    fv_safetensors *file = NULL;
    snprintf(path, sizeof path, "%s", fuzz_file("file", bytes, n));
    if (fuzz_well(ctx, "open", fv__safetensors_open(ctx, path, &file))) {
        fuzz_accepted = true;
        if (walk(file))
            write_again(file);
    }
    fv__safetensors_close(file);
    load(path);
    from_memory(bytes, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (!ctx)
        ctx = fuzz_context("portable", 1);
    fuzz_twice(read_file, bytes, n);
    return 0;
}
