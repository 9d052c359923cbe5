/* specs.c - what the words on the command line stand for: data sets, run folders, classes; and the record
 * of them that a run keeps. */
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

bool cli_is_run(const char *path)
{
    return cli_is_folder(path) && holds(path, "model.fovea");
}

bool cli_holds_checkpoint(const char *run)
{
    return holds(run, "last.safetensors");
}

bool cli_is_data(const cli_session *session, const char *spec)
{
    if (strcmp(spec, "digits") == 0 || cli_is_folder(spec))
        return true;
    for (int i = 0; session->roots[i]; i++) {
        char path[4096];
        const int length = snprintf(path, sizeof path, "%s/%s", session->roots[i], spec);
        if (length > 0 && (size_t)length < sizeof path && cli_is_folder(path))
            return true;
    }
    return false;
}

fv_status cli_open_data(const cli_session *session, const char *spec, fv_split split, const cli_list *classes,
                        int limit, fv_data **out)
{
    /* The seed of `digits` stays nought: runs of different seeds must meet the same test images. */
    const fv_data_options options = {
        .roots = session->roots, .classes = classes->values, .n_classes = classes->n, .limit = limit};
    return fv_data_open(session->ctx, spec, split, &options, out);
}

int cli_open_run(const cli_session *session, const char *run, fv_model **out)
{
    if (!cli_is_folder(run))
        return cli_error(session->command, CLI_EXIT_INPUT,
                         "%s: expected a run folder, found %s; fovea train makes one", run,
                         fv_zoo_text(run) ? "the name of a model that is not trained" : "no such folder");
    const fv_status status = fv_model_open(session->ctx, run, out);
    return status == FV_OK ? 0 : cli_fail(session, status);
}

void cli_record_show(const char *spec, const cli_list *classes, int limit, char *text, size_t text_bytes)
{
    size_t used = (size_t)snprintf(text, text_bytes, "%s", spec);
    for (int i = 0; i < classes->n && used < text_bytes; i++)
        used += (size_t)snprintf(text + used, text_bytes - used, "%s%d",
                                 i ? "," : " classes=", classes->values[i]);
    if (limit && used < text_bytes)
        snprintf(text + used, text_bytes - used, " limit=%d", limit);
}

/* The value behind the last " name=" of the text, which is cut off there; NULL: it does not end with one. */
static char *cut(char *text, const char *name)
{
    char *blank = strrchr(text, ' ');
    const size_t length = strlen(name);
    if (!blank || strncmp(blank + 1, name, length) != 0 || blank[1 + length] != '=')
        return NULL;
    *blank = '\0';
    return blank + length + 2;
}

void cli_record_read(cli_record *record, const char *text)
{
    static const cli_option classes = CLI_ROW_CLASSES;
    cli_args args = {.classes.n = 0};
    char why[512];
    snprintf(record->text, sizeof record->text, "%s", text);
    const char *limit = cut(record->text, "limit");
    const char *list = cut(record->text, "classes");
    record->spec = record->text;
    record->limit = 0;
    if (limit)
        cli_read_count(limit, 1, CLI_MAX_COUNT, &record->limit);
    if (list)
        cli_read_value(&classes, list, &args, why, sizeof why);
    record->classes = args.classes;
}

void cli_record_load(const cli_session *session, const char *run, cli_record *record)
{
    char text[CLI_RECORD_BYTES];
    fv_train_options options;
    memset(record, 0, sizeof *record);
    if (fv_train_options_load(session->ctx, run, &options, text, sizeof text) == FV_OK && options.data_name)
        cli_record_read(record, options.data_name);
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

const char *cli_class_name(const fv_data *data, const cli_record *record, int label, char spare[16])
{
    if (record && label >= 0 && label < record->classes.n) {
        snprintf(spare, 16, "%d", record->classes.values[label]);
        return spare;
    }
    if (data && label >= 0 && label < fv_data_describe(data).n_classes) /* a picture's file has none */
        return fv_data_class_name(data, label);
    snprintf(spare, 16, "%d", label);
    return spare;
}
