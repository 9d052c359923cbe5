/* checkpoint.c - last.safetensors, from which training resumes exactly. It contains the model (weights.h),
 * the optimiser's state as optimizer.NAME, and in the metadata the options and the position. Numbers that
 * must be restored exactly are stored as the 16 hexadecimal digits of their bits. */
#include "train/train.h"

#include "base/digest.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- the record: one table for writing and reading ---------------------------------------------------- */

typedef enum field_type { FIELD_INT, FIELD_INT64, FIELD_U64, FIELD_BITS } field_type; /* BITS: of 64 */

typedef struct field {
    const char *key;
    field_type type;
    size_t offset;
} field;

#define POSITION(key, type, member)                                                                          \
    {                                                                                                        \
        key, type, offsetof(fv_position, member)                                                             \
    }
static const field position_fields[] = {
    POSITION("images", FIELD_INT, images),      POSITION("epoch", FIELD_INT, epoch),
    POSITION("step", FIELD_INT64, step),        POSITION("updates", FIELD_INT64, updates),
    POSITION("loss_sum", FIELD_BITS, loss_sum), POSITION("best", FIELD_BITS, best),
    POSITION("run", FIELD_BITS, run),           POSITION("data_digest", FIELD_BITS, data),
};

#define VALUE_BYTES 32
#define STATE_BYTES 48

static void show(const field *f, const void *from, char value[VALUE_BYTES])
{
    const void *const at = (const char *)from + f->offset;
    uint64_t bits;
    switch (f->type) {
    case FIELD_INT:
        snprintf(value, VALUE_BYTES, "%d", *(const int *)at);
        break;
    case FIELD_INT64:
        snprintf(value, VALUE_BYTES, "%" PRId64, *(const int64_t *)at);
        break;
    case FIELD_U64:
        snprintf(value, VALUE_BYTES, "%" PRIu64, *(const uint64_t *)at);
        break;
    case FIELD_BITS:
        memcpy(&bits, at, sizeof bits);
        snprintf(value, VALUE_BYTES, "%016" PRIx64, bits);
        break;
    }
}

/* Parses at most 20 digits of `base`, and nothing else. */
static bool whole(const char *text, unsigned base, uint64_t *out)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t value = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        const char *const d = strchr(digits, *text);
        if (!d || d - digits >= (ptrdiff_t)base || value > (UINT64_MAX - (uint64_t)(d - digits)) / base)
            return false;
        value = value * base + (uint64_t)(d - digits);
    }
    *out = value;
    return true;
}

static fv_status read_field(fv_context *ctx, const fv_safetensors *file, const field *f, void *to)
{
    const char *const value = fv__safetensors_meta(file, f->key);
    void *const at = (char *)to + f->offset;
    uint64_t bits = 0;
    if (!value || !whole(value, f->type == FIELD_BITS ? 16 : 10, &bits) ||
        (f->type == FIELD_INT && bits > INT32_MAX) || (f->type == FIELD_INT64 && bits > INT64_MAX))
        return fv__fail(
            ctx, FV_ERR_INPUT, "%s: metadata '%s': expected %s, found %s", fv__safetensors_path(file), f->key,
            f->type == FIELD_BITS ? "16 hexadecimal digits" : "a whole number", value ? value : "none");
    if (f->type == FIELD_INT)
        *(int *)at = (int)bits;
    else
        memcpy(at, &bits, sizeof bits);
    return FV_OK;
}

/* The type in which an option is recorded; false: as text. */
static bool field_of(const fv_train_option *option, field *out)
{
    *out = (field){option->key,
                   option->type == FV_OPTION_REAL   ? FIELD_BITS
                   : option->type == FV_OPTION_SEED ? FIELD_U64
                                                    : FIELD_INT,
                   option->offset};
    return option->type != FV_OPTION_TEXT;
}

static const char *text_of(const fv_train_options *options, const field *f)
{
    return *(const char *const *)((const char *)options + f->offset);
}

uint64_t fv__run_identity(const fv_model *model, const fv_train_options *options, uint64_t data)
{
    char value[VALUE_BYTES];
    fv_digest digest;
    fv__digest_init(&digest);
    fv__digest_text(&digest, model->text);
    fv__digest_add(&digest, model->values, model->n_values * sizeof *model->values);
    const fv_train_option *o;
    for (int i = 0; (o = fv__train_option_at(i)) != NULL; i++) {
        field f;
        /* a run that gets more epochs stays the same run, unless its learning rates depend on them */
        if (o->may_grow && options->schedule != FV_SCHEDULE_COSINE)
            continue;
        const bool number = field_of(o, &f);
        if (number)
            show(&f, options, value);
        fv__digest_text(&digest, number ? value : text_of(options, &f));
    }
    fv__digest_u64(&digest, model->ctx->direct);
    fv__digest_u64(&digest, data);
    const uint64_t identity = fv__digest_value(&digest);
    return identity ? identity : 1;
}

/* ---- writing --------------------------------------------------------------------------------------- */

static void add_fields(fv_draft *draft, const field *fields, int n, const void *from)
{
    char value[VALUE_BYTES];
    for (int i = 0; i < n; i++) {
        show(&fields[i], from, value);
        fv__draft_meta(draft, fields[i].key, value);
    }
}

static void add_options(fv_draft *draft, const fv_train_options *options)
{
    const fv_train_option *o;
    for (int i = 0; (o = fv__train_option_at(i)) != NULL; i++) {
        field f;
        if (field_of(o, &f))
            add_fields(draft, &f, 1, options);
        else
            fv__draft_meta(draft, o->key, text_of(options, &f));
    }
}

/* The prefix of a state's tensors: "optimizer.c1.weight" if the optimiser has one state, otherwise
 * "optimizer.exp_avg.c1.weight". */
static const char *state_prefix(const fv_optimizer *row, int state, char text[STATE_BYTES])
{
    const bool alone = row->n_states == 1;
    snprintf(text, STATE_BYTES, "optimizer.%s%s", alone ? "" : row->state[state], alone ? "" : ".");
    return text;
}

fv_status fv__checkpoint_stage(const fv_trainer *t, const char *folder, const fv_train_options *options,
                               const fv_position *position, fv_writer *writer)
{
    fv_draft draft;
    char *const path = fv__path_join(t->ctx, folder, "last.safetensors");
    if (!path)
        return FV_ERR_MEMORY;
    fv__draft_begin(&draft, t->model, FV_FORMAT_CHECKPOINT);
    add_options(&draft, options);
    add_fields(&draft, position_fields, FV_COUNT(position_fields), position);
    if (fv__is_utf8(t->model->source)) /* a path may have any bytes */
        fv__draft_meta(&draft, "source", t->model->source);
    for (int s = 0; s < t->optimizer.row->n_states; s++) {
        char prefix[STATE_BYTES];
        for (int p = 0; p < t->model->n_learned; p++)
            fv__draft_tensor(&draft, state_prefix(t->optimizer.row, s, prefix), p,
                             fv__trainer_state(t, s, p));
    }
    fv_status status = fv__draft_finish(&draft);
    if (status == FV_OK)
        status = fv__safetensors_stage(t->ctx, path, draft.tensors, draft.n_tensors, draft.meta, draft.n_meta,
                                       writer);
    fv__draft_end(&draft);
    fv__free(t->ctx, path);
    return status;
}

fv_status fv__checkpoint_save(const fv_trainer *t, const char *folder, const fv_train_options *options,
                              const fv_position *position)
{
    fv_writer writer;
    FV_TRY(fv__checkpoint_stage(t, folder, options, position, &writer));
    return fv__writer_commit(&writer);
}

/* ---- reading --------------------------------------------------------------------------------------- */

fv_status fv__checkpoint_open(fv_context *ctx, const char *folder, fv_weights *out)
{
    fv_weights last = {0};
    char *const path = fv__path_join(ctx, folder, "last.safetensors");
    fv_status status = path ? fv__weights_open(ctx, path, &last) : FV_ERR_MEMORY;
    if (status == FV_OK && !last.checkpoint) {
        const char *const format = fv__safetensors_meta(last.file, "format");
        status = fv__fail(ctx, FV_ERR_INPUT, "%s: metadata 'format': expected '%s', found '%s'", path,
                          FV_FORMAT_CHECKPOINT, format ? format : "");
    }
    fv__free(ctx, path);
    if (status == FV_OK)
        *out = last;
    else
        fv__weights_close(&last);
    return status;
}

fv_status fv__checkpoint_options(fv_context *ctx, const fv_weights *last, fv_train_options *options)
{
    fv_train_options read = fv__train_options_default();
    const fv_train_option *o;
    for (int i = 0; (o = fv__train_option_at(i)) != NULL; i++) {
        field f;
        if (field_of(o, &f))
            FV_TRY(read_field(ctx, last->file, &f, &read));
        else
            *(const char **)((char *)&read + f.offset) = fv__safetensors_meta(last->file, o->key);
    }
    if (fv__train_options_check(ctx, &read) == FV_ERR_ARGUMENT) {
        char why[FV_MESSAGE_BYTES];
        memcpy(why, ctx->message, sizeof why);
        return fv__fail(ctx, FV_ERR_INPUT, "%s: metadata: %s", fv__safetensors_path(last->file), why);
    }
    read.resume = true;
    *options = read;
    return FV_OK;
}

/* Reads the optimiser's states, and `values` in the layout of the model's. */
static fv_status read_tensors(fv_trainer *t, const fv_safetensors *file, float *values)
{
    const fv_model *const m = t->model;
    for (int p = 0; p < m->n_params; p++) {
        const fv_tensor *const tensor = fv__model_tensor(m, p);
        FV_TRY(fv__safetensors_copy(file, tensor->name, tensor->shape.rank, tensor->shape.dim,
                                    values + m->params[p].offset));
    }
    for (int s = 0; s < t->optimizer.row->n_states; s++)
        for (int p = 0; p < m->n_learned; p++) {
            char prefix[STATE_BYTES];
            const fv_tensor *const tensor = fv__model_tensor(m, p);
            char *const name = fv__arena_printf(&t->graph.arena, "%s%s",
                                                state_prefix(t->optimizer.row, s, prefix), tensor->name);
            if (!name)
                return FV_ERR_MEMORY;
            FV_TRY(fv__safetensors_copy(file, name, tensor->shape.rank, tensor->shape.dim,
                                        fv__trainer_state(t, s, p)));
        }
    return FV_OK;
}

/* Compares the recorded position with the present data. *changed: `force` was needed. */
static fv_status match_data(fv_context *ctx, const char *path, bool force, const fv_position *now,
                            fv_position *read, bool *changed)
{
    const bool other_number = read->images != now->images;
    if (!other_number && read->data == now->data && read->step <= now->step)
        return FV_OK;
    *changed = true;
    if (other_number && !force)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: expected the %d training images that the run began with, found %d" FV_FORCE_HINT,
                        path, read->images, now->images);
    if (read->data != now->data && !force)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: expected the training data that the run began with, of digest %016" PRIx64
                        ", found other pixels or labels, of digest %016" PRIx64 FV_FORCE_HINT,
                        path, read->data, now->data);
    if (!other_number && read->step > now->step)
        return fv__fail(ctx, FV_ERR_INPUT,
                        "%s: metadata 'step': expected at most %lld, the steps of an epoch, found %lld", path,
                        (long long)now->step, (long long)read->step);
    read->data = now->data;
    if (other_number) { /* an epoch that began with other images starts again */
        read->images = now->images;
        read->step = 0;
        read->loss_sum = 0;
        read->updates = read->epoch * now->step;
    }
    return FV_OK;
}

fv_status fv__checkpoint_load(fv_trainer *t, const fv_weights *last, bool force, fv_position *position,
                              bool *changed)
{
    fv_model *const m = t->model;
    const char *const path = fv__safetensors_path(last->file);
    fv_position read = *position;
    const bool other_text = strcmp(last->text, m->text) != 0;
    *changed = other_text;
    if (other_text && !force)
        return fv__fail_text(t->ctx, path, last->text, m->text);
    for (int i = 0; i < FV_COUNT(position_fields); i++)
        FV_TRY(read_field(t->ctx, last->file, &position_fields[i], &read));
    FV_TRY(match_data(t->ctx, path, force, position, &read, changed));
    float *const values = fv__alloc(t->ctx, m->n_values, sizeof *values);
    fv_status status = values ? read_tensors(t, last->file, values) : FV_ERR_MEMORY;
    if (status == FV_OK && !other_text)
        status = fv__weights_describe(last, m);
    if (status == FV_OK) {
        memcpy(m->values, values, m->n_values * sizeof *values);
        *position = read;
    }
    fv__free(t->ctx, values);
    return status;
}
