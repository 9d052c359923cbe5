/* fuzz_text.c - raw model text, good or bad: read, and looked at from all sides; layer by layer through the
 * builder, which has to come to the same parameters. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fv_context *ctx;

enum { MOST_DRAWN = 1 << 18 }; /* of many parameters the number will do: drawing them takes long */

static void expect_same(const fv_model *a, const fv_model *b, const char *otherwise)
{
    const int64_t n = fv_model_describe(a).n_parameters;
    fuzz_expect(n == fv_model_describe(b).n_parameters, "%s", otherwise);
    if (n <= MOST_DRAWN)
        fuzz_expect(fv_model_hash(a) == fv_model_hash(b) || fuzz_heap.denied, "%s", otherwise);
}

static void look_at(const fv_model *model)
{
    const fv_model_info info = fv_model_describe(model);
    int64_t n_parameters = 0;
    const bool is_video = info.c == 0 && info.h == 0 && info.w == 0; /* three numbers do not describe it */
    fuzz_expect(is_video || (info.c > 0 && info.h > 0 && info.w > 0), "input %dx%dx%d", info.c, info.h,
                info.w);
    fuzz_expect(info.n_classes >= 0 && info.n_outputs > 0, "%d classes, %d outputs", info.n_classes,
                info.n_outputs);
    fuzz_expect(info.n_parameters >= 0 && info.flops >= 0 && info.bytes > 0, "%lld parameters, %lld flops",
                (long long)info.n_parameters, (long long)info.flops);
    for (int i = 0; i < info.n_layers; i++) {
        const fv_layer_info layer = fv_model_layer(model, i);
        fuzz_expect(layer.name && layer.kind && layer.rank >= 1 && layer.rank <= 4, "layer %d", i);
        for (int d = 0; d < layer.rank; d++)
            fuzz_expect(layer.shape[d] > 0, "layer %s: dimension %d", layer.name, d);
        fuzz_expect(layer.flops >= 0 && layer.activation_bytes >= 0, "layer %s", layer.name);
        n_parameters += layer.n_parameters;
    }
    fuzz_expect(n_parameters == info.n_parameters, "%lld parameters in layers, %lld in all",
                (long long)n_parameters, (long long)info.n_parameters);
    for (int i = 0; i < fv_model_n_parameters(model); i++)
        fuzz_expect(fv_model_parameter(model, i).name != NULL, "parameter %d without a name", i);
}

/* "c1 3x9x9", the text's input line, if it has one that the builder can take. */
static bool input_size(const char *text, int size[3])
{
    const char *const line = strncmp(text, "input image ", 12) == 0 ? text : NULL;
    return line && sscanf(line, "input image %dx%dx%d\n", &size[0], &size[1], &size[2]) == 3;
}

/* The model's own lines, one by one. A builder knows no init and loss lines; such texts are left out. */
static void build(const fv_model *model, const char *text)
{
    int size[3];
    fv_builder *b = NULL;
    fv_model *built = NULL;
    if (!input_size(text, size) || strstr(text, "init") || strstr(text, "loss"))
        return;
    if (!fuzz_well(ctx, "builder", fv_builder_create(ctx, size[0], size[1], size[2], &b)))
        return;
    char *const copy = fuzz_text((const uint8_t *)text, strlen(text));
    for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n"))
        if (strncmp(line, "input ", 6) != 0 && line[strspn(line, " \t")] != '\0' &&
            line[strspn(line, " \t")] != '#')
            fv_builder_layer(b, line);
    free(copy);
    if (fuzz_well(ctx, "finish", fv_builder_finish(b, &built)))
        expect_same(built, model, "the builder's parameters are others");
    else
        fuzz_expect(fuzz_heap.denied, "the builder refuses what the text may say: %s", fv_message(ctx));
    fv_model_destroy(built);
}

static void read_text(const uint8_t *bytes, size_t n)
{
    fv_model *model = NULL, *again = NULL;
    char *const text = fuzz_text(bytes, n);
    if (fuzz_well(ctx, "read", fv_model_from_text(ctx, text, "text", &model))) {
        fuzz_accepted = true;
        look_at(model);
        build(model, text);
        if (fuzz_well(ctx, "read again", fv_model_from_text(ctx, fv_model_text(model), "again", &again)))
            expect_same(again, model, "the model's own text is another model's");
        else
            fuzz_expect(fuzz_heap.denied, "the model's own text is refused: %s", fv_message(ctx));
        fv_model_destroy(again);
    } else {
        fuzz_expect(!model, "a model of a text that was refused");
    }
    fv_model_destroy(model);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (!ctx)
        ctx = fuzz_context("portable", 1);
    fuzz_twice(read_text, bytes, n);
    return 0;
}
