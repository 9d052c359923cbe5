/* specs.c - interprets words of the command line: data sets, run folders, classes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "session.h"

bool cli_is_folder(const char *path)
{
    struct stat what;
    return stat(path, &what) == 0 && S_ISDIR(what.st_mode);
}

static bool holds(const char *folder, const char *name)
{
    char path[4096];
    struct stat what;
    const int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    return length > 0 && (size_t)length < sizeof path && stat(path, &what) == 0;
}

bool cli_holds_run(const char *folder)
{
    return holds(folder, "last.safetensors") || holds(folder, "best.safetensors");
}

bool cli_is_run(const char *path)
{
    return cli_is_folder(path) && (holds(path, "model.fovea") || cli_holds_run(path));
}

bool cli_is_data(const cli_session *session, const char *spec)
{
    return fv_data_exists(session->ctx, spec, session->roots);
}

fv_data_options cli_data_options(const cli_session *session, const cli_list *classes, int limit,
                                 const fv_model *model)
{
    /* The seed of `digits` stays nought: runs of different seeds must meet the same test images. */
    fv_data_options options = {.roots = session->roots,
                               .classes = classes->values,
                               .n_classes = classes->n,
                               .limit = limit,
                               .cache_bytes = session->args->cache_memory};
    const fv_model_info info = model ? fv_model_describe(model) : (fv_model_info){0};
    if ((info.c == 1 || info.c == 3) && info.h > 1 && info.w > 1) { /* an image: others are not resized */
        options.c = info.c;
        options.h = info.h;
        options.w = info.w;
    }
    return options;
}

void cli_note_data(const cli_session *session, const fv_data *data, const char *set)
{
    const char *const note = data ? fv_data_describe(data).note : NULL;
    if (note && !session->args->quiet)
        cli_note(session->command, "%s%s", set, note);
}

fv_status cli_open_data(const cli_session *session, const char *spec, fv_split split, const cli_list *classes,
                        int limit, const fv_model *model, fv_data **out)
{
    const fv_data_options options = cli_data_options(session, classes, limit, model);
    const fv_status status = fv_data_open(session->ctx, spec, split, &options, out);
    if (status == FV_OK)
        cli_note_data(session, *out, "");
    return status;
}

char *cli_join_data_words(const char *spec, const char *const *words, const char *const *values, int n_words)
{
    size_t n = strlen(spec) + 1;
    for (int i = 0; i < n_words; i++)
        n += values[i] ? strlen(words[i]) + strlen(values[i]) + 2 : 0;
    char *const text = malloc(n);
    if (!text)
        return NULL;
    strcpy(text, spec);
    const char *const slash = strrchr(text, '/');
    const char *mark = strchr(slash ? slash : text, ':') ? "," : ":";
    for (int i = 0; i < n_words; i++)
        if (values[i]) {
            sprintf(text + strlen(text), "%s%s=%s", mark, words[i], values[i]);
            mark = ",";
        }
    return text;
}

int cli_add_data_words(cli_session *session, const char **spec)
{
    const cli_args *const args = session->args;
    static const char *const words[] = {"split", "fit", "unreadable"};
    const char *const values[] = {args->data_split, args->fit, args->skip_unreadable ? "skip" : NULL};
    char *const text = cli_join_data_words(*spec, words, values, 3);
    if (!text)
        return cli_error(session->command, CLI_EXIT_FAILED, "out of memory");
    free(session->spec);
    *spec = session->spec = text;
    return 0;
}

static bool is_weights(const char *path)
{
    static const char end[] = ".safetensors";
    const size_t n = strlen(path);
    return n >= sizeof end && strcmp(path + n + 1 - sizeof end, end) == 0;
}

int cli_open_run(const cli_session *session, const char *run, fv_model **out)
{
    struct stat what;
    if (stat(run, &what) != 0 && errno != ENOENT)
        return cli_error(session->command, CLI_EXIT_INPUT, "%s: cannot open: %s", run, strerror(errno));
    if (!cli_is_folder(run) && !is_weights(run))
        return cli_error(session->command, CLI_EXIT_INPUT,
                         "%s: expected a run folder, found %s; fovea train makes one", run,
                         fv_zoo_text(run) ? "the name of a model that is not trained" : "no such folder");
    const fv_status status = fv_model_open(session->ctx, run, out);
    return status == FV_OK ? 0 : cli_fail(session, status);
}

void cli_record_of(const fv_model *model, cli_record *record)
{
    const fv_data_record from = fv_model_trained_on(model);
    *record = (cli_record){.spec = from.name, .limit = from.limit};
    for (int i = 0; i < from.n_classes && i < CLI_LIST_MAX; i++)
        record->classes.values[record->classes.n++] = from.classes[i];
}

int cli_take_classes(const cli_session *session, const char *run, const fv_model *model, cli_record *record)
{
    const cli_list *asked = &session->args->classes, *trained = &record->classes;
    const int n_classes = fv_model_describe(model).n_classes;
    if (asked->n == 0)
        return 0;
    if (trained->n > 0 && (asked->n != trained->n ||
                           memcmp(asked->values, trained->values, (size_t)asked->n * sizeof(int)) != 0))
        return cli_usage(session->command, "--classes: %s was trained on other classes, or in another order",
                         run);
    if (asked->n != n_classes)
        return cli_usage(session->command, "--classes: expected as many as %s tells apart, %d, found %d", run,
                         n_classes, asked->n);
    record->classes = *asked;
    return 0;
}

const char *cli_class_name(const fv_model *model, int label, char spare[16])
{
    const char *const name = fv_model_class_name(model, label);
    if (name)
        return name;
    snprintf(spare, 16, "%d", label);
    return spare;
}

int cli_check_classes(const cli_session *session, const fv_model *model, const char *name,
                      const fv_data *data)
{
    const int found = fv_data_describe(data).n_classes, n = fv_model_describe(model).n_classes;
    if (found <= n || n == 0) /* a model without classes, such as an autoencoder, reads no labels */
        return 0;
    return cli_error(
        session->command, CLI_EXIT_INPUT,
        "%s: expected at most the %d classes that the model tells apart, found %d; --classes keeps "
        "some, as --classes %s",
        name, n, found, n == 2 ? "0,1" : "0,1,2");
}
