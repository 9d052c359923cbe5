/* resume.c - fovea train --resume: the options come from the run folder. What the command line repeats
 * must agree with them, so that nobody believes in a change that does not happen. */
#include <string.h>

#include "commands.h"

/* Brings the recorded options into the form of a command line, to compare option by option. */
static void as_args(const fv_train_options *o, const cli_record *record, const char *folder, cli_args *args)
{
    memset(args, 0, sizeof *args);
    args->epochs = o->epochs;
    args->batch = o->batch;
    args->lr = o->lr;
    args->momentum = o->momentum;
    args->weight_decay = o->weight_decay;
    args->optimizer = o->optimizer;
    args->schedule = (int)o->schedule;
    args->step_epochs = o->step_epochs;
    args->step_factor = o->step_factor;
    args->shift = o->shift;
    args->seed = o->seed;
    args->n_valid = o->n_valid;
    args->classes = record->classes;
    args->limit = record->limit;
    args->out = folder;
}

static int check_agreement(const cli_session *session, const cli_command *command, const cli_args *recorded)
{
    static const char *const fixed[] = {"batch",    "lr",          "momentum",    "weight-decay", "optimizer",
                                        "schedule", "step-epochs", "step-factor", "shift",        "seed",
                                        "valid",    "classes",     "limit",       "out"};
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        if (!cli_given(command, session->args, fixed[i]))
            continue;
        for (int k = 0; k < command->n_options; k++) {
            const cli_option *option = &command->options[k];
            if (strcmp(option->name, fixed[i]) != 0)
                continue;
            char now[2048], then[2048];
            cli_show_value(option, session->args, now, sizeof now);
            cli_show_value(option, recorded, then, sizeof then);
            if (strcmp(now, then) != 0)
                return cli_usage(session->command,
                                 "--%s %s: the run in %s has %s; a resumed run keeps its options",
                                 option->name, now, recorded->out, then[0] ? then : "none");
        }
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
    if (code)
        return code;
    if (cli_given(command, args, "epochs")) {
        if (args->epochs < options->epochs)
            return cli_usage(session->command,
                             "--epochs %d: the run in %s has %d; a resumed run may only have more",
                             args->epochs, args->resume, options->epochs);
        options->epochs = args->epochs;
    }
    if (args->data)
        record->spec = args->data;
    if (!record->spec)
        return cli_usage(session->command,
                         "--data is missing: the run in %s does not say what it was trained on",
                         args->resume);
    return 0;
}
