/* test_pins.c - layers, losses and optimisers against numbers that PyTorch computed in double (tests/pins).
 *
 * Each case is a small model text. Its layer's output and the gradients of sum(output * w), w by a formula,
 * with respect to the input and to every parameter come from the kernels of a plan that keeps every tensor;
 * what the model predicts comes from a predictor, for all images at once and for one alone; updates come from
 * fv_train. Files named in waiting.txt use words that do not exist yet: they must fail to build, or leave
 * that list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "pin_run.h"
#include "train/train.h"
#include "training.h"

enum { MAX_FILES = 200 };

/* ---- updates ---------------------------------------------------------------------------------------- */

static double option_of(const char *options, const char *word, double otherwise)
{
    char key[64];
    snprintf(key, sizeof key, "%s=", word);
    const char *const at = strstr(options, key);
    return at ? strtod(at + strlen(key), NULL) : otherwise;
}

static bool go_on(void *user, const fv_progress *progress)
{
    (void)user, (void)progress;
    return true;
}

static fv_data *training_data(const pin *p)
{
    const fv_model_info info = fv_model_describe(p->model);
    const int n = p->c->images, count = info.c * info.h * info.w;
    uint8_t *const pixels = malloc((size_t)(n * count));
    fv_data *data;
    assert_non_null(pixels);
    for (int i = 0; i < n * count; i++)
        pixels[i] = (uint8_t)(127.5 * (pin_unit((uint32_t)i, p->c->pixels) + 1));
    pin_well(p,
             fv_data_from_memory(p->ctx, pixels, p->labels, n, info.c, info.h, info.w, p->c->classes, &data));
    free(pixels);
    return data;
}

/* A run of epochs of one update each, over all images. */
static fv_status train(pin *p)
{
    const char *const words = p->c->training, *const name = strstr(words, "optimizer=");
    char optimizer[128] = "sgd";
    if (name)
        sscanf(name, "optimizer=%127s", optimizer);
    for (int i = 0; i < p->c->images; i++)
        p->labels[i] = pin_label(i, p->c->classes);
    fv_train_options o = fv_train_options_default();
    o.batch = 0;
    o.schedule = FV_SCHEDULE_CONSTANT;
    o.epochs = (int)option_of(words, "epochs", 1);
    o.lr = option_of(words, " lr", 0.1);
    o.momentum = option_of(words, "momentum", 0);
    o.weight_decay = option_of(words, "weight_decay", 0);
    o.optimizer = optimizer;
    fv_data *const data = training_data(p);
    const fv_status status = fv_train(p->model, data, NULL, &o, go_on, NULL);
    fv_data_destroy(data);
    return status;
}

static void check_updates(pin *p)
{
    pin_well(p, train(p));
    for (int i = 0; i < p->c->n_expected; i++) {
        const pin_expected *const e = &p->c->expected[i];
        const fv_tensor *t = NULL;
        for (int k = 0; k < p->model->n_params && e->kind == PIN_AFTER; k++) {
            t = fv__model_tensor(p->model, k);
            if (strcmp(t->name, e->name) != 0)
                continue;
            const int64_t n = fv__shape_count(t->shape);
            double *const found = calloc((size_t)n, sizeof *found);
            assert_non_null(found);
            for (int64_t v = 0; v < n; v++)
                found[v] = (double)fv__model_values(p->model, k)[v];
            pin_compare(p, e, "after training,", found, n);
            free(found);
        }
    }
}

/* ---- files ------------------------------------------------------------------------------------------ */

/* A whole model, whatever the pinned layer puts out. */
static const char end_of_training[] = "flatten\nlinear pins.tail 2 bias=no\nloss squared-error\n";

static void check_case(pin *p)
{
    pin_well(p, pin_build(p->ctx, p->c, end_of_training, &p->model));
    pin_check_names(p);
    pin_set_parameters(p, p->model);
    if (*p->c->training) {
        check_updates(p);
    } else {
        pin_make_values(p);
        pin_check_training(p);
        for (int i = 0; i < p->c->n_expected; i++)
            if (p->c->expected[i].kind == PIN_PREDICT)
                pin_check_prediction(p, &p->c->expected[i]);
        pin_free_values(p);
    }
    fv_model_destroy(p->model);
}

/* Whether this build knows the words of all cases. */
static bool is_known(fv_context *ctx, const pin_file *file, char *message, size_t size)
{
    for (int k = 0; k < file->n_cases; k++) {
        pin p = {.isa = "best", .c = &file->cases[k], .ctx = ctx};
        fv_status status = pin_build(ctx, p.c, end_of_training, &p.model);
        if (status == FV_OK && *p.c->training)
            status = train(&p);
        snprintf(message, size, "%s", fv_message(ctx));
        fv_model_destroy(p.model);
        if (status != FV_OK)
            return false;
    }
    return true;
}

static char folder[512], names[MAX_FILES][64];
static bool waits[MAX_FILES];
static int n_files;

static void check_file(void **state)
{
    static const char *const isas[] = {"portable", "neon", "avx2", "avx512"};
    const int f = (int)((char(*)[64]) * state - names);
    char path[600], message[FV_MESSAGE_BYTES];
    pin_file file;
    snprintf(path, sizeof path, "%s/%s.txt", folder, names[f]);
    pin_file_read(&file, path);
    for (int i = 0; i < 4; i++) {
        fv_context *const ctx = training_context(2, isas[i]);
        if (!ctx)
            continue;
        const bool known = is_known(ctx, &file, message, sizeof message);
        if (!known && !waits[f])
            fail_msg("%s: %s", names[f], message);
        if (known && waits[f])
            print_message("%s works: it has to leave tests/pins/waiting.txt\n", names[f]);
        for (int k = 0; k < file.n_cases && known; k++)
            check_case(&(pin){.file = names[f],
                              .isa = isas[i],
                              .c = &file.cases[k],
                              .tolerance = file.tolerance,
                              .ctx = ctx});
        fv_context_destroy(ctx);
        if (known && waits[f])
            fail_msg("%s works: it has to leave tests/pins/waiting.txt", names[f]);
        if (!known) {
            print_message("skipped: %s waits: %s\n", names[f], message);
            pin_file_free(&file);
            skip();
        }
    }
    pin_file_free(&file);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void list_files(void)
{
    const char *const source = getenv("FOVEA_SOURCE");
    snprintf(folder, sizeof folder, "%s/tests/pins", source ? source : ".");
    DIR *const dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        const char *const end = strstr(entry->d_name, ".txt");
        if (end && strcmp(entry->d_name, "waiting.txt") != 0 && n_files < MAX_FILES)
            snprintf(names[n_files++], sizeof *names, "%.*s", (int)(end - entry->d_name), entry->d_name);
    }
    if (dir)
        closedir(dir);
    qsort(names, (size_t)n_files, sizeof *names, compare_names);
}

/* One name a line. A name without a file is a mistake. */
static void read_waiting(void **state)
{
    (void)state;
    char path[600], line[128];
    snprintf(path, sizeof path, "%s/waiting.txt", folder);
    FILE *const in = fopen(path, "r");
    if (!in)
        fail_msg("%s cannot be opened; is FOVEA_SOURCE the source folder?", path);
    while (fgets(line, sizeof line, in)) {
        line[strcspn(line, "\n")] = '\0';
        int f = 0;
        while (f < n_files && strcmp(names[f], line) != 0)
            f++;
        if (*line && *line != '#' && f == n_files)
            fail_msg("waiting.txt: there is no %s.txt", line);
        if (f < n_files)
            waits[f] = true;
    }
    fclose(in);
    assert_true(n_files > 10);
}

int main(void)
{
    static struct CMUnitTest tests[MAX_FILES + 1] = {{"waiting.txt", read_waiting, NULL, NULL, NULL}};
    list_files();
    for (int f = 0; f < n_files; f++)
        tests[f + 1] = (struct CMUnitTest){names[f], check_file, NULL, NULL, names[f]};
    return _cmocka_run_group_tests("pins", tests, (size_t)n_files + 1, NULL, NULL);
}
