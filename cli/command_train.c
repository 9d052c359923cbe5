/* command_train.c - fovea train. */
#include <math.h>
#include <string.h>

#include "commands.h"
#include "layout.h"
#include "output.h"

static const char *const optimizers[] = {"sgd", NULL};
static const char *const schedules[] = {"constant", "step", "cosine", NULL}; /* in fv_schedule's order */

#define AT(member) offsetof(cli_args, member)
static const cli_option options[] = {
    {"model", "NAME|FILE", CLI_TEXT, AT(model), 0, 0, NULL,
     "a built-in model (fovea models), a text file, or a run's folder"},
    {"data", "NAME|DIR", CLI_TEXT, AT(data), 0, 0, NULL, "\"digits\", or a folder with IDX files as MNIST's"},
    {"epochs", "N", CLI_COUNT, AT(epochs), 1, FV_MAX_EPOCHS, NULL, "passes over the training images"},
    {"batch", "N|all", CLI_BATCH, AT(batch), 1, FV_MAX_BATCH, NULL, "images a step; 1: stochastic"},
    {"lr", "X", CLI_REAL, AT(lr), 0, 1000, NULL, "learning rate"},
    {"momentum", "X", CLI_REAL, AT(momentum), 0, 0.9999, NULL, "of the steps"},
    {"weight-decay", "X", CLI_REAL, AT(weight_decay), 0, 1000, NULL, "L2 on weights, never on biases"},
    {"optimizer", "NAME", CLI_TEXT, AT(optimizer), 0, 0, NULL, "how parameters follow gradients"},
    {"schedule", "NAME", CLI_CHOICE, AT(schedule), 0, 0, schedules, "how the learning rate goes"},
    {"step-epochs", "N", CLI_COUNT, AT(step_epochs), 1, FV_MAX_EPOCHS, NULL,
     "schedule step: every N epochs ..."},
    {"step-factor", "X", CLI_REAL, AT(step_factor), 0, 10, NULL, "... the rate is multiplied by X"},
    {"shift", "N", CLI_COUNT, AT(shift), 0, FV_MAX_SHIFT, NULL, "move each training image by up to N pixels"},
    {"seed", "N", CLI_SEED, AT(seed), 0, 0, NULL, "of initialisation, order, dropout and shifts"},
    CLI_ROW_THREADS,
    {"valid", "N", CLI_COUNT, AT(n_valid), 0, CLI_MAX_COUNT, NULL, "hold out the last N training images"},
    CLI_ROW_CLASSES,
    CLI_ROW_LIMIT,
    {"out", "DIR", CLI_TEXT, AT(out), 0, 0, NULL, "run folder; runs/<model> where left out"},
    {"resume", "DIR", CLI_TEXT, AT(resume), 0, 0, NULL, "go on with an interrupted run, exactly"},
    CLI_ROW_JSON,
    {"quiet", NULL, CLI_FLAG, AT(quiet), 0, 0, NULL, "no progress on standard error"},
    CLI_ROW_HELP,
};

static void defaults(cli_args *args)
{
    const fv_train_options o = fv_train_options_default();
    args->epochs = o.epochs;
    args->batch = o.batch;
    args->lr = o.lr;
    args->momentum = o.momentum;
    args->weight_decay = o.weight_decay;
    args->optimizer = o.optimizer;
    args->schedule = (int)o.schedule;
    args->step_epochs = o.step_epochs;
    args->step_factor = o.step_factor;
    args->shift = o.shift;
    args->seed = o.seed;
    args->n_valid = o.n_valid;
}

static int check(const cli_args *args)
{
    if (args->resume)
        return 0;
    if (!args->model)
        return cli_usage("train", "--model is missing; fovea models lists the built-in ones");
    if (!args->data)
        return cli_usage("train", "--data is missing; --data digits needs no files");
    for (int i = 0; optimizers[i]; i++)
        if (strcmp(args->optimizer, optimizers[i]) == 0)
            return 0;
    return cli_usage("train", "--optimizer takes one of: sgd; found \"%s\"", args->optimizer);
}

static int begin_new(const cli_session *session, cli_training *training, cli_record *record)
{
    const cli_args *args = session->args;
    const fv_status status = fv_model_open(session->ctx, args->model, &training->model);
    if (status != FV_OK)
        return cli_fail(session, status);
    training->options = (fv_train_options){
        .epochs = args->epochs,
        .batch = args->batch,
        .lr = args->lr,
        .momentum = args->momentum,
        .weight_decay = args->weight_decay,
        .optimizer = args->optimizer,
        .schedule = (fv_schedule)args->schedule,
        .step_epochs = args->step_epochs,
        .step_factor = args->step_factor,
        .shift = args->shift,
        .seed = args->seed,
        .n_valid = args->n_valid,
        .out = args->out,
    };
    cli_record_show(args->data, &args->classes, args->limit, training->data_name, sizeof training->data_name);
    cli_record_read(record, training->data_name);
    training->options.data_name = training->data_name;
    return 0;
}

/* Once all that it reads is there, so that a failure says nothing but its reason. */
static int choose_folder(const cli_session *session, cli_training *training)
{
    const cli_args *args = session->args;
    if (!args->out)
        return cli_choose_folder(session, args->model, training);
    if (cli_holds_checkpoint(args->out))
        cli_note(session->command, "%s holds a run already; this one replaces it", args->out);
    return 0;
}

static int open_data(const cli_session *session, cli_training *training, const cli_record *record)
{
    const struct {
        fv_split split;
        fv_data **out;
    } sets[] = {{FV_SPLIT_TRAIN, &training->train}, {FV_SPLIT_TEST, &training->test}};
    for (int i = 0; i < 2; i++) {
        const fv_status status =
            cli_open_data(session, record->spec, sets[i].split, &record->classes, record->limit, sets[i].out);
        if (status != FV_OK)
            return cli_fail(session, status);
    }
    return 0;
}

static void print_summary(const cli_training *training)
{
    char spare[3][32];
    const fv_progress *last = &training->watch.last;
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
    cli_print_line("saved in %s; look at it with: fovea eval %s", training->options.out,
                   training->options.out);
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
               "last.safetensors, best.safetensors, args.json and log.csv. Ctrl-C saves and ends with 130, "
               "SIGTERM with 143, a closed terminal with 129, a closed pipe with 141; --resume goes on from there "
               "to the same bits. A resumed run keeps its options; --epochs may raise the number. The same seed "
               "gives the same hash on any number of threads.",
    .examples = "fovea train --model lenet5-relu --data digits --epochs 5\n"
                "fovea train --model mlp --data mnist --valid 5000 --schedule cosine --json\n"
                "fovea train --model logistic --data mnist --classes 3,8\n"
                "fovea train --resume runs/mlp --epochs 20",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .defaults = defaults,
    .run = run,
};
