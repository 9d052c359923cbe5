/* fuzz_fields.c - data sets of named fields, and what a model makes of them. An input is lines:
 *
 *     samples 4
 *     field image u8 2x3 classes=0 scale=1 values=0,255,17
 *     field label i32 1 classes=3 values=0,1,2
 *     model
 *     input signal 2x3
 *     ...
 *
 * A field's values are repeated as often as its samples need. What may be refused is decided here once more,
 * by what fovea.h promises; what is accepted reads back as it was given, and a model says of one sample what
 * it says of it among others. */
#include "fuzz.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LISTED = 32, MOST_FIELDS = FV_MAX_FIELDS + 2, MOST_SAMPLES = 64, MOST_OUTPUTS = 1 << 12 };
#define MOST_VALUES ((int64_t)1 << 16) /* of all samples of a field */
#define MOST_FLOPS  ((int64_t)1 << 22)
#define MOST_BYTES  ((int64_t)1 << 22)

typedef union bits {
    float f;
    int32_t i;
    uint8_t u;
} bits;

typedef struct request {
    fv_data_field field[MOST_FIELDS];
    char name[MOST_FIELDS][32];
    void *values[MOST_FIELDS];
    int n_fields, n;
    bool good, skip; /* skip: its values would take too much memory here */
} request;

static fv_context *ctx;

/* ---- reading the lines -------------------------------------------------------------------------------- */

/* "2x3x4"; at most one dimension more than there may be. */
static void read_shape(const char *text, fv_data_field *field)
{
    char *end = NULL;
    for (field->rank = 0; field->rank < FV_MAX_DIMS; text = end + 1) {
        const long dim = strtol(text, &end, 10);
        if (end == text)
            return;
        field->dims[field->rank++] = dim > INT_MAX ? INT_MAX : dim < INT_MIN ? INT_MIN : (int)dim;
        if (*end != 'x')
            return;
    }
    field->rank++;
}

static int read_list(const char *text, fv_element element, bits list[MOST_LISTED])
{
    int n = 0;
    for (char *end; n < MOST_LISTED && *text; text = end + (*end == ',')) {
        if (element == FV_F32)
            list[n].f = strtof(text, &end);
        else if (element == FV_U8)
            list[n].u = (uint8_t)strtol(text, &end, 10);
        else
            list[n].i = (int32_t)strtol(text, &end, 10);
        if (end == text)
            break;
        n++;
    }
    if (n == 0)
        list[n++] = (bits){0};
    return n;
}

static size_t bytes_of(fv_element element)
{
    return element == FV_U8 ? 1 : 4;
}

/* Whether each dimension and their product is within bounds; *count: that product. */
static bool shape_is_good(const fv_data_field *field, int64_t *count)
{
    *count = 1;
    if (field->rank < 1 || field->rank > FV_MAX_DIMS)
        return false;
    for (int i = 0; i < field->rank; i++) {
        if (field->dims[i] < 1 || field->dims[i] > 1 << 24 || *count > INT32_MAX / field->dims[i])
            return false;
        *count *= field->dims[i];
    }
    return true;
}

static bool is_class(const fv_data_field *field, bits value)
{
    const int label = field->element == FV_U8 ? value.u : value.i;
    return label >= 0 && label < field->n_classes;
}

/* Fills the field's values from the list; whether fovea.h allows them. */
static bool fill(request *q, fv_data_field *field, int64_t n, const bits *list, int n_listed)
{
    const size_t size = bytes_of(field->element);
    char *const values = malloc((size_t)n * size);
    bool good = true;
    fuzz_expect(values != NULL, "no memory for %lld values", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        const bits value = list[i % n_listed];
        memcpy(values + (size_t)i * size, &value, size);
        good &=
            field->n_classes == 0 ? field->element != FV_F32 || isfinite(value.f) : is_class(field, value);
    }
    field->values = q->values[q->n_fields] = values;
    return good;
}

static bool name_is_taken(const request *q, const char *name)
{
    for (int f = 0; f < q->n_fields; f++)
        if (q->field[f].name && strcmp(q->field[f].name, name) == 0)
            return true;
    return false;
}

static void read_field(request *q, const char *line)
{
    static const char *const elements[] = {"u8", "i32", "f32"};
    fv_data_field field = {.element = 3};
    char element[8] = "", shape[64] = "", list[256] = "";
    char *const name = q->name[q->n_fields];
    bits listed[MOST_LISTED];
    int64_t count;
    if (sscanf(line, "field %31s %7s %63s classes=%d", name, element, shape, &field.n_classes) < 3)
        return;
    const char *const scale = strstr(line, "scale="), *const values = strstr(line, "values=");
    for (unsigned e = 0; e < 3; e++)
        if (strcmp(element, elements[e]) == 0)
            field.element = (fv_element)e;
    if (values)
        sscanf(values, "values=%255s", list);
    field.scale = scale ? strtof(scale + 6, NULL) : 1.0f;
    field.name = strcmp(name, "NULL") == 0 ? NULL : strcmp(name, "EMPTY") == 0 ? "" : name;
    read_shape(shape, &field);
    q->good &=
        field.name && *field.name && !name_is_taken(q, field.name) && (unsigned)field.element <= FV_F32;
    q->good &= shape_is_good(&field, &count) && field.n_classes >= 0 && field.n_classes <= FV_MAX_CLASSES;
    q->good &= field.n_classes == 0 || field.element != FV_F32;
    q->good &= field.element != FV_U8 || field.n_classes > 0 || (isfinite(field.scale) && field.scale != 0);
    if (q->n > 0 && count > MOST_VALUES / q->n) /* needed here only where it would be read */
        q->skip = true;
    else if (q->n > 0)
        q->good &= fill(q, &field, count * q->n, listed, read_list(list, field.element, listed));
    q->field[q->n_fields++] = field;
}

/* Returns the model's text behind the fields; NULL: there is none. */
static const char *read_request(request *q, char *text)
{
    *q = (request){.good = true, .n = 1};
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (strcmp(line, "model") == 0)
            return next;
        if (strncmp(line, "field ", 6) == 0 && q->n_fields < MOST_FIELDS)
            read_field(q, line);
        else if (q->n_fields == 0 && sscanf(line, "samples %d", &q->n) == 1)
            q->skip |= q->n > MOST_SAMPLES;
    }
    return NULL;
}

/* ---- what has to hold --------------------------------------------------------------------------------- */

static void expect_as_given(const request *q, const fv_data *data)
{
    const fv_data_info info = fv_data_describe(data);
    fuzz_expect(info.n == q->n && info.n_fields == q->n_fields, "%d samples of %d fields", info.n,
                info.n_fields);
    for (int f = 0; f < q->n_fields; f++) {
        const fv_data_field *const given = &q->field[f], own = fv_data_field_at(data, f);
        int64_t count;
        fuzz_expect(shape_is_good(given, &count) && own.rank == given->rank, "field %d: rank %d", f,
                    own.rank);
        fuzz_expect(memcmp(own.dims, given->dims, sizeof *own.dims * (size_t)own.rank) == 0 &&
                        own.element == given->element && own.n_classes == given->n_classes,
                    "field %d is another", f);
        fuzz_expect(memcmp(own.values, given->values, (size_t)(count * q->n) * bytes_of(own.element)) == 0,
                    "field %d has other values", f);
    }
    for (int i = 0; i < q->n; i++) {
        const int label = fv_data_label(data, i);
        fuzz_expect(fv_data_class_name(data, label) != NULL, "class %d without a name", label);
    }
    fuzz_expect(fv_data_field_at(data, q->n_fields).values == NULL, "a field behind the last");
}

/* One sample at a time gives the bits of all at once. */
static void expect_same_alone(fv_model *model, const fv_data *data, int n)
{
    static float together[MOST_SAMPLES * MOST_OUTPUTS], alone[MOST_OUTPUTS];
    const size_t n_outputs = (size_t)fv_model_describe(model).n_outputs;
    if (!fuzz_well(ctx, "predict", fv_predict(model, data, 0, n, together)))
        return;
    for (int i = 0; i < n; i += 5)
        if (fuzz_well(ctx, "predict one", fv_predict(model, data, i, 1, alone)))
            fuzz_expect(memcmp(alone, together + (size_t)i * n_outputs, n_outputs * sizeof *alone) == 0,
                        "sample %d has other bits alone", i);
}

static void use(const fv_data *data, const char *text, int n)
{
    fv_model *model = NULL;
    fv_score score;
    if (fuzz_well(ctx, "read", fv_model_from_text(ctx, text, "text", &model))) {
        const fv_model_info info = fv_model_describe(model);
        fv_train_options options = fv_train_options_default();
        options.epochs = 1;
        options.batch = n;
        if (info.flops < MOST_FLOPS && info.bytes < MOST_BYTES && info.n_outputs <= MOST_OUTPUTS) {
            expect_same_alone(model, data, n);
            const fv_status seen = fv_evaluate(model, data, &score);
            fuzz_accepted = fuzz_well(ctx, "evaluate", seen);
            const fv_status trained = fv_train(model, data, NULL, &options, NULL, NULL);
            fuzz_well(ctx, "train", trained);
            fuzz_expect(seen == trained || seen == FV_ERR_NONFINITE || trained == FV_ERR_NONFINITE ||
                            fuzz_heap.denied,
                        "evaluated with status %d, trained with %d: %s", (int)seen, (int)trained,
                        fv_message(ctx));
        }
    }
    fv_model_destroy(model);
}

static void read_fields(const uint8_t *bytes, size_t n)
{
    static request q;
    char *const text = fuzz_text(bytes, n);
    const char *const model = read_request(&q, text);
    fv_data *data = NULL;
    q.good &= q.n >= 1 && q.n_fields >= 1 && q.n_fields <= FV_MAX_FIELDS;
    if (!q.skip) {
        const bool well = fuzz_well(ctx, "fields", fv_data_from_fields(ctx, q.field, q.n_fields, q.n, &data));
        fuzz_expect(well == q.good || fuzz_heap.denied, "expected to be %s: %s", q.good ? "good" : "refused",
                    fv_message(ctx));
        if (well) {
            fuzz_accepted = true;
            expect_as_given(&q, data);
            if (model)
                use(data, model, q.n);
        }
    }
    fv_data_destroy(data);
    for (int f = 0; f < q.n_fields; f++)
        free(q.values[f]);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (!ctx)
        ctx = fuzz_context("portable", 1);
    fuzz_twice(read_fields, bytes, n);
    return 0;
}
