/* test_weights.c - a weights' file is a model, whole: it comes back from a file or from memory with its text,
 * the names of its classes and the record of its data, and every bit of it counts. Everything here is exact.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/record.h"
#include "io/file.h"
#include "scratch.h"
#include "train/weights.h"
#include "training.h"

static const char *const cat_and_dog[] = {"cat", "d\xc3\xb6g \"2\""};

/* ---- the digest ------------------------------------------------------------------------------------ */

static uint64_t digest_of(const void *bytes, size_t n)
{
    fv_digest d;
    fv__digest_init(&d);
    fv__digest_add(&d, bytes, n);
    return fv__digest_value(&d);
}

static void digests(void **state)
{
    (void)state;
    uint8_t bytes[200];
    uint64_t seen[8 * sizeof bytes + sizeof bytes + 1];
    size_t n_seen = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * i + 3);
    const uint64_t whole = digest_of(bytes, sizeof bytes);
    assert_true(whole == 0x7171abe3acba6e55u); /* the same on every machine: it stands in files */
    for (size_t cut = 0; cut <= sizeof bytes; cut++)
        for (size_t second = cut; second <= sizeof bytes; second += 13) { /* whatever the pieces */
            fv_digest d;
            fv__digest_init(&d);
            fv__digest_add(&d, bytes, cut);
            fv__digest_add(&d, bytes + cut, second - cut);
            fv__digest_add(&d, bytes + second, sizeof bytes - second);
            assert_true(fv__digest_value(&d) == whole);
        }
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        seen[n_seen++] = digest_of(bytes, sizeof bytes);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    memset(bytes, 0, sizeof bytes); /* zeros count, too */
    for (size_t n = 0; n <= sizeof bytes; n++)
        seen[n_seen++] = digest_of(bytes, n);
    for (size_t i = 0; i < n_seen; i++)
        for (size_t k = 0; k < i; k++)
            assert_true(seen[i] != seen[k] && seen[i] != whole);
}

/* ---- round trips ----------------------------------------------------------------------------------- */

static fv_model *named_model(scratch *s)
{
    static const int classes[] = {8, 3};
    const fv_data_record record = {.name = "tiny8 limit=5", .classes = classes, .n_classes = 2, .limit = 7};
    fv_model *m = training_model(s->ctx, TRAINING_TINY);
    assert_well(s->ctx, fv_model_initialise(m, 4));
    assert_null(fv_model_class_name(m, 0));
    assert_null(fv_model_trained_on(m).name);
    assert_well(s->ctx, fv_model_set_class_names(m, cat_and_dog, 2));
    assert_well(s->ctx, fv__model_describe_data(m, NULL, 0, &record));
    return m;
}

static void same_model(const fv_model *a, const fv_model *b)
{
    assert_string_equal(fv_model_text(a), fv_model_text(b));
    assert_true(fv_model_hash(a) == fv_model_hash(b));
    assert_int_equal(a->n_values, b->n_values);
    assert_memory_equal(a->values, b->values, a->n_values * sizeof(float)); /* statistics, too */
    for (int i = 0; i < 2; i++)
        assert_string_equal(fv_model_class_name(b, i), cat_and_dog[i]);
    assert_null(fv_model_class_name(b, 2));
    assert_null(fv_model_class_name(b, -1));
    const fv_data_record record = fv_model_trained_on(b);
    assert_string_equal(record.name, "tiny8 limit=5"); /* a name, whatever it looks like */
    assert_int_equal(record.n_classes, 2);
    assert_true(record.classes[0] == 8 && record.classes[1] == 3);
    assert_int_equal(record.limit, 7);
}

static void whole_models(void **state)
{
    scratch *s = *state;
    fv_model *m = named_model(s), *from_file = NULL, *from_memory = NULL, *into = NULL;
    const char *path = scratch_path(s, "m.safetensors");
    uint8_t *bytes = NULL, file[16384];
    size_t n = 0;
    m->values[m->params[m->n_params - 1].offset] = 0.25f; /* a statistic */
    assert_well(s->ctx, fv_model_save(m, path));
    assert_well(s->ctx, fv_model_save_memory(m, &bytes, &n));
    assert_int_equal(scratch_load(path, file, sizeof file), n); /* one format */
    assert_memory_equal(file, bytes, n);
    assert_well(s->ctx, fv_model_open(s->ctx, path, &from_file));
    same_model(m, from_file);
    memmove(file + 1, bytes, n); /* bytes may lie anywhere, and need not be kept */
    assert_well(s->ctx, fv_model_from_memory(s->ctx, file + 1, n, &from_memory));
    memset(file, 0xff, sizeof file);
    same_model(m, from_memory);
    into = training_model(s->ctx, TRAINING_TINY);
    assert_well(s->ctx, fv_model_load_memory(into, bytes, n));
    same_model(m, into);
    fv_bytes_destroy(s->ctx, bytes);
    fv_bytes_destroy(s->ctx, NULL);
    fv_model_destroy(from_file);
    fv_model_destroy(from_memory);
    fv_model_destroy(into);
    fv_model_destroy(m);
}

/* Any other order of metadata and tensors, as another program may write them, is the same file. */
static void any_order(void **state)
{
    scratch *s = *state;
    fv_model *m = named_model(s), *again = NULL;
    fv_draft draft;
    fv__draft_begin(&draft, m, FV_FORMAT_WEIGHTS);
    assert_int_equal(fv__draft_finish(&draft), FV_OK);
    for (int i = 0; i < draft.n_meta / 2; i++) {
        const fv_meta_entry swap = draft.meta[i];
        draft.meta[i] = draft.meta[draft.n_meta - 1 - i];
        draft.meta[draft.n_meta - 1 - i] = swap;
    }
    for (int i = 0; i < draft.n_tensors / 2; i++) {
        const fv_tensor_entry swap = draft.tensors[i];
        draft.tensors[i] = draft.tensors[draft.n_tensors - 1 - i];
        draft.tensors[draft.n_tensors - 1 - i] = swap;
    }
    const char *path = scratch_path(s, "order.safetensors");
    assert_well(s->ctx, fv__safetensors_write(s->ctx, path, draft.tensors, draft.n_tensors, draft.meta,
                                              draft.n_meta));
    fv__draft_end(&draft);
    assert_well(s->ctx, fv_model_open(s->ctx, path, &again));
    same_model(m, again);
    fv_model_destroy(again);
    fv_model_destroy(m);
}

/* ---- damage ---------------------------------------------------------------------------------------- */

/* Every bit of the file flipped, and every cut: bad input, and nothing changed. */
static void every_bit_counts(void **state)
{
    scratch *s = *state;
    fv_model *m = named_model(s), *other = training_model(s->ctx, TRAINING_TINY), *none = NULL;
    const uint64_t hash = fv_model_hash(other);
    uint8_t *bytes = NULL;
    size_t n = 0;
    assert_well(s->ctx, fv_model_save_memory(m, &bytes, &n));
    for (size_t bit = 0; bit < 8 * n; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        const fv_status status = fv_model_load_memory(other, bytes, n);
        if (status != FV_ERR_INPUT)
            fail_msg("bit %zu turned over: status %d", bit, (int)status);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(fv_model_from_memory(s->ctx, bytes, cut, &none), FV_ERR_INPUT);
    assert_true(fv_model_hash(other) == hash && !none && !fv_model_class_name(other, 0));
    assert_well(s->ctx, fv_model_load_memory(other, bytes, n));
    fv_bytes_destroy(s->ctx, bytes);
    fv_model_destroy(other);
    fv_model_destroy(m);
}

/* Writes the model's tensors with these metadata. */
static const char *with_metadata(scratch *s, const fv_model *m, const fv_meta_entry *meta, int n)
{
    const char *path = scratch_path(s, "meta.safetensors");
    fv_draft draft;
    fv__draft_begin(&draft, m, FV_FORMAT_WEIGHTS);
    assert_well(s->ctx, fv__safetensors_write(s->ctx, path, draft.tensors, draft.n_tensors, meta, n));
    fv__draft_end(&draft);
    return path;
}

static void from_elsewhere(void **state)
{
    scratch *s = *state;
    fv_model *m = named_model(s), *other = training_model(s->ctx, TRAINING_TINY), *none = NULL;
    static const fv_meta_entry pt[] = {{"format", "pt"}}, bare[] = {{"format", FV_FORMAT_WEIGHTS}},
                               wrong[] = {{"format", "pt"}, {"checksum", "0123456789abcdef"}};
    assert_well(s->ctx, fv_model_load(other, with_metadata(s, m, pt, 1)));
    assert_true(fv_model_hash(other) == fv_model_hash(m));
    assert_well(s->ctx, fv_model_load(other, with_metadata(s, m, NULL, 0)));
    assert_failed(
        s, fv_model_open(s->ctx, with_metadata(s, m, pt, 1), &none), FV_ERR_INPUT,
        "/meta.safetensors: holds tensors, but no model text: it is not a file of Fovea's; open the "
        "model and load the weights into it");
    assert_int_equal(fv_model_load(other, with_metadata(s, m, bare, 1)), FV_ERR_INPUT);
    assert_non_null(strstr(fv_message(s->ctx), "the file is damaged: expected checksum"));
    assert_non_null(strstr(fv_message(s->ctx), "found none"));
    assert_int_equal(fv_model_load(other, with_metadata(s, m, wrong, 2)), FV_ERR_INPUT);
    assert_non_null(strstr(fv_message(s->ctx), "found 0123456789abcdef"));
    fv_model_destroy(other);
    fv_model_destroy(m);
}

/* Sound by its checksum, but not by what it says. */
static void wrong_records(void **state)
{
    scratch *s = *state;
    static const struct {
        const char *format, *key, *value, *message;
    } cases[] = {
        {"fovea weights 9", NULL, NULL,
         "metadata 'format': expected 'fovea weights 1' or 'fovea checkpoint 2', found 'fovea weights 9'"},
        {FV_FORMAT_WEIGHTS, "class_names", "[\"a\",\"b\",\"c\"]",
         "metadata 'class_names': byte 9: expected ']', the list being as long as there are classes, found "
         "'\"'"},
        {FV_FORMAT_WEIGHTS, "class_names", "[\"a\",\"\"]",
         "name of class 1: expected 1 to 255 bytes of printable UTF-8, found an empty one"},
        {FV_FORMAT_WEIGHTS, "class_names", "{}", "metadata 'class_names': byte 0: expected '[', found '{'"},
        {FV_FORMAT_WEIGHTS, "classes", "[3,65535]",
         "metadata 'classes': byte 8: expected the number of a class before here, found ']'"},
        {FV_FORMAT_WEIGHTS, "classes", "[3 8]", "metadata 'classes': byte 3: expected ',' or ']', found '8'"},
        {FV_FORMAT_WEIGHTS, "limit", "2147483648",
         "metadata 'limit': byte 10: expected a number of images before here, found the end"},
        {FV_FORMAT_WEIGHTS, "limit", "five", "metadata 'limit': byte 0: expected a whole number, found 'f'"},
    };
    fv_model *m = training_model(s->ctx, TRAINING_TINY), *none = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fv_draft draft;
        fv__draft_begin(&draft, m, cases[i].format);
        if (cases[i].key)
            fv__draft_meta(&draft, cases[i].key, cases[i].value);
        assert_int_equal(fv__draft_finish(&draft), FV_OK);
        const char *path = scratch_path(s, "wrong.safetensors");
        assert_well(s->ctx, fv__safetensors_write(s->ctx, path, draft.tensors, draft.n_tensors, draft.meta,
                                                  draft.n_meta));
        fv__draft_end(&draft);
        assert_failed(s, fv_model_open(s->ctx, path, &none), FV_ERR_INPUT, cases[i].message);
    }
    fv_model_destroy(m);
}

/* ---- names and records ----------------------------------------------------------------------------- */

static void wrong_names(void **state)
{
    scratch *s = *state;
    char long_name[258];
    memset(long_name, 'x', 257);
    long_name[257] = '\0';
    const struct {
        const char *name, *message;
    } cases[] = {
        {"", "found an empty one"},
        {NULL, "found an empty one"},
        {"caf\xe9", "found bytes that are no UTF-8"},
        {"a\nb", "found a control character"},
        {long_name, "found a longer one"},
    };
    fv_model *m = named_model(s);
    fv_data *data = training_halves(s->ctx, 4, 1, 6, 6, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char message[256];
        const char *const names[] = {"fine", cases[i].name};
        snprintf(message, sizeof message, "name of class 1: expected 1 to 255 bytes of printable UTF-8, %s",
                 cases[i].message);
        assert_failed(s, fv_model_set_class_names(m, names, 2), FV_ERR_ARGUMENT, message);
        assert_failed(s, fv_data_set_class_names(data, names, 2), FV_ERR_ARGUMENT, message);
    }
    assert_failed(s, fv_model_set_class_names(m, cat_and_dog, 1), FV_ERR_ARGUMENT,
                  "text: expected as many names of classes as it tells apart, 2, found 1");
    assert_failed(s, fv_data_set_class_names(data, cat_and_dog, 3), FV_ERR_ARGUMENT,
                  "memory: expected as many names as it has classes, 2, found 3");
    assert_string_equal(fv_model_class_name(m, 0), "cat");
    assert_string_equal(fv_data_class_name(data, 1), "1");
    assert_well(s->ctx, fv_data_set_class_names(data, cat_and_dog, 2));
    assert_string_equal(fv_data_class_name(data, 1), cat_and_dog[1]);
    fv_data_destroy(data);
    fv_model_destroy(m);
}

static void data_knows_how_it_was_opened(void **state)
{
    scratch *s = *state;
    static const int classes[] = {8, 3};
    const fv_data_options options = {.limit = 20, .classes = classes, .n_classes = 2};
    fv_data *data = NULL;
    assert_well(s->ctx, fv_data_open(s->ctx, "digits", FV_SPLIT_TRAIN, &options, &data));
    fv_data_record record = fv_data_describe(data).record;
    assert_string_equal(record.name, "digits");
    assert_true(record.n_classes == 2 && record.classes[0] == 8 && record.classes[1] == 3);
    assert_true(record.classes != classes && record.limit == 20);
    assert_string_equal(fv_data_class_name(data, 0), "8");
    fv_data_destroy(data);
    data = training_halves(s->ctx, 4, 1, 6, 6, 0);
    assert_null(fv_data_describe(data).record.name); /* nobody could open "memory" */
    fv_data_destroy(data);
    /* A name that no file can hold is none; the cut stays. */
    static char long_name[FV_MAX_DATA_NAME_BYTES + 2];
    memset(long_name, 'x', sizeof long_name - 1);
    const char *const names[] = {"caf\xe9", long_name, long_name + 1};
    for (int i = 0; i < 3; i++) {
        const fv_data_record given = {names[i], classes, 2, 5};
        fv_data_record *copy = fv__record_copy(s->ctx, &given);
        assert_non_null(copy);
        assert_true(copy->limit == 5 && copy->n_classes == 2 && copy->classes[1] == 3);
        if (i < 2)
            assert_null(copy->name);
        else
            assert_string_equal(copy->name, names[i]);
        fv__free(s->ctx, copy);
    }
}

/* fv_train gives the model the names and the record of its data, and its files have them. */
static void training_names_the_classes(void **state)
{
    scratch *s = *state;
    static const int classes[] = {8, 3};
    static const char *const files[] = {"", "/last.safetensors", "/best.safetensors"};
    const fv_data_options options = {.limit = 40, .classes = classes, .n_classes = 2};
    fv_data *data = NULL;
    fv_model *m = training_model(s->ctx, "logistic"), *again = NULL;
    fv_train_options o = training_options(2, 8, 0.02);
    char path[512];
    o.out = scratch_path(s, "names");
    assert_well(s->ctx, fv_data_open(s->ctx, "digits", FV_SPLIT_TRAIN, &options, &data));
    assert_well(s->ctx, fv_train(m, data, NULL, &o, NULL, NULL));
    assert_string_equal(fv_model_class_name(m, 0), "8");
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", o.out, files[i]);
        assert_well(s->ctx, fv_model_open(s->ctx, path, &again));
        assert_string_equal(fv_model_class_name(again, 0), "8");
        assert_string_equal(fv_model_class_name(again, 1), "3");
        assert_string_equal(fv_model_trained_on(again).name, "digits");
        assert_int_equal(fv_model_trained_on(again).limit, 40);
        assert_int_equal(fv_model_trained_on(again).n_classes, 2);
        fv_model_destroy(again);
        again = NULL;
    }
    /* Resumed, the names are the run's, whatever the data are called now. */
    assert_well(s->ctx, fv_data_set_class_names(data, cat_and_dog, 2));
    o.resume = true;
    o.epochs = 3;
    assert_well(s->ctx, fv_train(m, data, NULL, &o, NULL, NULL));
    assert_string_equal(fv_model_class_name(m, 0), "8");
    o.resume = false;
    o.replace = true;
    assert_well(s->ctx, fv_train(m, data, NULL, &o, NULL, NULL));
    assert_well(s->ctx, fv_model_open(s->ctx, o.out, &again));
    assert_string_equal(fv_model_class_name(again, 1), cat_and_dog[1]);
    fv_model_destroy(again);
    fv_model_destroy(m);
    fv_data_destroy(data);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
    const struct CMUnitTest tests[] = {
        TEST(digests),
        TEST(whole_models),
        TEST(any_order),
        TEST(every_bit_counts),
        TEST(from_elsewhere),
        TEST(wrong_records),
        TEST(wrong_names),
        TEST(data_knows_how_it_was_opened),
        TEST(training_names_the_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
