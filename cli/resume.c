/* resume.c - fovea train --resume: the options come from the run folder. Options that the command line
 * repeats must agree with them, so that nobody expects a change that does not happen. */
#include <string.h>

#include "commands.h"

/* Converts the recorded options to the form of a command line, to compare option by option. */
static void as_args(const fv_train_options *o, const cli_record *record, const char *folder, cli_args *args)
{
    memset(args, 0, sizeof *args);
    args->train = *o;
    args->classes = record->classes;
    args->limit = record->limit;
    args->out = folder;
}

static const fv_train_option *training_option(const char *name)
{
    const fv_train_option *o;
    for (int i = 0; (o = fv_train_option_at(i)) != NULL && strcmp(o->word, name) != 0;)
        i++;
    return o;
}

/* The options that belong to the run, beside the training options. */
static bool is_recorded(const char *name)
{
    return strcmp(name, "classes") == 0 || strcmp(name, "limit") == 0 || strcmp(name, "out") == 0;
}

static int check_agreement(const cli_session *session, const cli_command *command, const cli_args *recorded)
{
    int n;
    const cli_option *const options = cli_options_of(command, &n);
    for (int k = 0; k < n; k++) {
        const cli_option *const option = &options[k];
        const fv_train_option *const training = training_option(option->name);
        const bool fixed = training ? !training->may_grow : is_recorded(option->name);
        char now[2048], then[2048];
        if (!fixed || !cli_given(command, session->args, option->name))
            continue;
        cli_show_value(option, session->args, now, sizeof now);
        cli_show_value(option, recorded, then, sizeof then);
        if (strcmp(now, then) != 0)
            return cli_usage(session->command,
                             "--%s %s: the run in %s has %s; a resumed run keeps its options", option->name,
                             now, recorded->out, then[0] ? then : "none");
    }
    return 0;
}

/* Options that may grow: more epochs. */
static int take_more(const cli_session *session, const cli_command *command, fv_train_options *options)
{
    const fv_train_option *o;
    for (int i = 0; (o = fv_train_option_at(i)) != NULL; i++) {
        const int wish = *(const int *)((const char *)&session->args->train + o->offset);
        int *const value = (int *)((char *)options + o->offset);
        if (!o->may_grow || !cli_given(command, session->args, o->word))
            continue;
        if (wish < *value)
            return cli_usage(session->command,
                             "--%s %d: the run in %s has %d; a resumed run may only have more", o->word, wish,
                             session->args->resume, *value);
        *value = wish;
    }
    return 0;
}

static int check_model(const cli_session *session, const cli_training *training)
{
    const cli_args *args = session->args;
    if (!args->model)
        return 0;
    fv_model *named;
    const fv_status status = fv_model_open(session->ctx, args->model, &named);
    if (status != FV_OK)
        return cli_fail(session, status);
    const bool same = strcmp(fv_model_text(named), fv_model_text(training->model)) == 0;
    fv_model_destroy(named);
    if (!same)
        return cli_usage(session->command, "--model %s: the run in %s has another model", args->model,
                         args->resume);
    return 0;
}

int cli_resume(const cli_session *session, const cli_command *command, cli_training *training,
               cli_record *record)
{
    const cli_args *args = session->args;
    static cli_args recorded;
    const fv_status status =
        fv_train_open_run(session->ctx, args->resume, args->force, &training->model, &training->options);
    if (status != FV_OK)
        return cli_fail(session, status);
    fv_train_options *options = &training->options;
    cli_record_of(training->model, record);
    as_args(options, record, args->resume, &recorded);
    int code = check_agreement(session, command, &recorded);
    if (!code)
        code = check_model(session, training);
    if (!code)
        code = take_more(session, command, options);
    if (code)
        return code;
    if (args->data)
        record->spec = args->data;
    if (!record->spec)
        return cli_usage(session->command,
                         "--data is missing: the run in %s does not say what it was trained on",
                         args->resume);
    return 0;
}
