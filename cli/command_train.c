/* command_train.c - fovea train. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "layout.h"
#include "output.h"

#define AT(member) offsetof(cli_args, member)
static const cli_option options[] = {
    {"model", "NAME|FILE", CLI_TEXT, AT(model), 0, 0, NULL,
     "a built-in model (fovea models), a text file, or a run's folder"},
    {"data", "NAME|PATH", CLI_TEXT, AT(data), 0, 0, NULL,
     "\"digits\", or a folder or file of one of the sources below; words may follow: DIR:fit=pad,split=0.1"},
    {"split", "X", CLI_TEXT, AT(data_split), 0, 0, NULL,
     "the share of each class that becomes the test set, where there is none"},
    {"fit", "HOW", CLI_TEXT, AT(fit), 0, 0, NULL,
     "how pictures get the model's size: crop (the middle; where left out), stretch or pad"},
    {"skip-unreadable", NULL, CLI_FLAG, AT(skip_unreadable), 0, 0, NULL,
     "leave out files that cannot be read, instead of stopping"},
    CLI_ROW_CACHE,
    {.kind = CLI_TRAINING},
    CLI_ROW_THREADS,
    CLI_ROW_CLASSES,
    {"class-names", "A,B", CLI_TEXT, AT(class_names), 0, 0, NULL, "names of the classes, in their order"},
    CLI_ROW_LIMIT,
    {"out", "DIR", CLI_TEXT, AT(out), 0, 0, NULL, "run folder; default runs/<model>"},
    {"replace", NULL, CLI_FLAG, AT(replace), 0, 0, NULL, "replace the trained run that DIR holds"},
    {"resume", "DIR", CLI_TEXT, AT(resume), 0, 0, NULL, "continue an interrupted run, with the same bits"},
    {"force", NULL, CLI_FLAG, AT(force), 0, 0, NULL, "resume although the model or the data have changed"},
    CLI_ROW_JSON,
    {"quiet", NULL, CLI_FLAG, AT(quiet), 0, 0, NULL, "no progress on standard error"},
    CLI_ROW_HELP,
};

static void defaults(cli_args *args)
{
    args->train = fv_train_options_default();
}

static int check(const cli_args *args)
{
    if (args->resume && args->replace)
        return cli_usage("train", "both --resume and --replace: take one of them");
    if (args->resume && args->class_names)
        return cli_usage("train", "--class-names: a resumed run keeps its names");
    if (args->resume && (args->data_split || args->fit || args->skip_unreadable))
        return cli_usage("train", "--split, --fit, --skip-unreadable: a resumed run keeps those of its data");
    if (args->resume)
        return 0;
    if (args->force)
        return cli_usage("train", "--force needs --resume");
    if (!args->model)
        return cli_usage("train", "--model is missing; fovea models lists the built-in ones");
    if (!args->data)
        return cli_usage("train", "--data is missing; --data digits needs no files");
    return 0;
}

static int begin_new(const cli_session *session, cli_training *training, cli_record *record)
{
    const cli_args *args = session->args;
    const fv_status status = fv_model_open(session->ctx, args->model, &training->model);
    if (status != FV_OK)
        return cli_fail(session, status);
    training->options = args->train;
    training->options.out = args->out;
    training->options.replace = args->replace;
    if (fv_train_options_check(session->ctx, &training->options) != FV_OK)
        return cli_usage("train", "--%s", fv_message(session->ctx));
    *record = (cli_record){.spec = args->data, .classes = args->classes, .limit = args->limit};
    return 0;
}

/* Chooses the folder after everything has been read, so that a failure prints only its reason. */
static int choose_folder(const cli_session *session, cli_training *training)
{
    const cli_args *args = session->args;
    if (!args->out)
        return cli_choose_folder(session, args->model, training);
    if (cli_holds_run(args->out) && !args->replace)
        return cli_usage(session->command,
                         "--out %s holds a trained run: --replace starts a new run in its place, --resume %s "
                         "continues it",
                         args->out, args->out);
    return 0;
}

/* --class-names cat,dog */
static int name_classes(const cli_session *session, fv_data *data)
{
    const char *names[CLI_LIST_MAX];
    char *const copy = strdup(session->args->class_names);
    int n = 0;
    if (!copy)
        return cli_error(session->command, CLI_EXIT_FAILED, "out of memory");
    for (char *name = copy, *comma = copy; comma && n < CLI_LIST_MAX; name = comma + 1) {
        comma = strchr(name, ',');
        if (comma)
            *comma = '\0';
        names[n++] = name;
    }
    const int n_classes = fv_data_describe(data).n_classes;
    int code = 0;
    if (n != n_classes)
        code = cli_usage(session->command, "--class-names: expected %d names with commas between, found %d",
                         n_classes, n);
    else if (fv_data_set_class_names(data, names, n) != FV_OK)
        code = cli_usage(session->command, "--class-names: %s", fv_message(session->ctx));
    free(copy);
    return code;
}

static int open_data(cli_session *session, cli_training *training, cli_record *record)
{
    int code = cli_add_data_words(session, &record->spec);
    if (code)
        return code;
    const fv_data_options how = cli_data_options(session, &record->classes, record->limit, training->model);
    const fv_status status =
        fv_data_open_both(session->ctx, record->spec, &how, &training->train, &training->test);
    if (status != FV_OK)
        return cli_fail(session, status);
    cli_note_data(session, training->train, "training set: ");
    cli_note_data(session, training->test, "test set: ");
    if (!fv_data_describe(training->train).record.name)
        cli_note(
            session->command,
            "the name of the data is not UTF-8, or longer than %d bytes, and is not recorded: --resume will "
            "need --data",
            FV_MAX_DATA_NAME_BYTES);
    const int n = fv_data_describe(training->train).n;
    if (training->options.n_valid >= n)
        return cli_usage(session->command, "--valid %d: expected fewer than the %d training images of %s%s",
                         training->options.n_valid, n, record->spec, record->limit ? " within --limit" : "");
    code = cli_check_classes(session, training->model, record->spec, training->train);
    return code || !session->args->class_names ? code : name_classes(session, training->train);
}

static void print_summary(const cli_training *training)
{
    char spare[3][32];
    const fv_progress *last = &training->watch.last;
    const char *const out = training->options.out;
    const bool nothing_left = training->options.resume && last->seconds <= 0;
    if (nothing_left)
        cli_print_line("%s is finished: %s, %s parameters", out, cli_plural(last->epoch, "epoch", spare[2]),
                       cli_grouped(last->n_parameters, spare[1]));
    else
        cli_print_line("%s in %.1f s of training, %s samples/s, %s parameters",
                       cli_plural(last->epochs, "epoch", spare[2]), last->seconds,
                       cli_grouped((int64_t)(last->samples_per_s + 0.5), spare[0]),
                       cli_grouped(last->n_parameters, spare[1]));
    int at = 0;
    if (isfinite(training->watch.valid_error))
        at = cli_print_part(at, CLI_INK_PLAIN, "validation error %.2f%%", 100 * training->watch.valid_error);
    if (isfinite(training->watch.test_error))
        at = cli_print_part(at, CLI_INK_BOLD, "test error %.2f%%", 100 * training->watch.test_error);
    cli_print_part(at, CLI_INK_PLAIN, "hash %016llx", (unsigned long long)last->hash);
    putchar('\n');
    if (nothing_left)
        cli_print_line("for more epochs: fovea train --resume %s --epochs %d", out, 2 * last->epoch);
    else
        cli_print_line("saved in %s; look at it with: fovea eval %s", out, out);
}

static int run(const cli_command *command, const cli_args *args)
{
    static cli_training training; /* large for a stack */
    static cli_record record;
    cli_session session;
    int code = check(args);
    if (code)
        return code;
    code = cli_session_open(&session, command, args);
    if (!code)
        code = args->resume ? cli_resume(&session, command, &training, &record)
                            : begin_new(&session, &training, &record);
    if (!code)
        code = open_data(&session, &training, &record);
    if (!code && !args->resume)
        code = choose_folder(&session, &training);
    if (!code)
        code = cli_training_run(&session, &training);
    if (!code && !args->json)
        print_summary(&training);
    cli_training_close(&training);
    cli_session_close(&session);
    return code;
}

const cli_command cli_command_train = {
    .name = "train",
    .operands = "",
    .summary = "train a model on a data set",
    .details = "Progress goes to standard error. The run folder receives model.fovea (the model's text), "
               "last.safetensors, best.safetensors, args.json and log.csv. Ctrl-C saves and ends with "
               "130, SIGTERM with 143, a closed terminal with 129, a closed pipe with 141; --resume "
               "continues from there with the same bits. A resumed run keeps its options, but --epochs may "
               "be larger. The same seed gives the same hash on any number of threads. A folder that holds "
               "a trained run is refused unless --replace is given; then the old run stays complete until "
               "the new one's first checkpoint is on the disk.",
    .examples = "fovea train --model lenet5-relu --data digits --epochs 5\n"
                "fovea train --model mlp --data mnist --valid 5000 --schedule cosine --json\n"
                "fovea train --model logistic --data mnist --classes 3,8\n"
                "fovea train --model mlp --data DIR --class-names cat,dog,owl\n"
                "fovea train --resume runs/mlp --epochs 20",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .defaults = defaults,
    .run = run,
};
