/* command_demo.c - fovea demo: trains a network that reads digits, without any files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "layout.h"
#include "output.h"

#define DEMO_DIGITS  10
#define DEMO_CLASSES 64
#define TRY_COLUMNS  58
#define DEMO_OUT     "runs/demo"

static const cli_option options[] = {
    {"model", "NAME|FILE", CLI_TEXT, offsetof(cli_args, model), 0, 0, NULL, "the network"},
    {"epochs", "N", CLI_COUNT, offsetof(cli_args, epochs), 1, 1000, NULL, "passes over the training digits"},
    {"limit", "N", CLI_COUNT, offsetof(cli_args, limit), 1, CLI_MAX_COUNT, NULL,
     "use the first N digits only"},
    {"out", "DIR", CLI_TEXT, offsetof(cli_args, out), 0, 0, NULL, "run folder"},
    CLI_ROW_THREADS,
    {"quiet", NULL, CLI_FLAG, offsetof(cli_args, quiet), 0, 0, NULL, "no progress on standard error"},
    CLI_ROW_HELP,
};

static void defaults(cli_args *args)
{
    args->model = "lenet5-relu";
    args->epochs = 5;
    args->out = DEMO_OUT;
}

static fv_status open_all(const cli_session *session, cli_training *training)
{
    static const cli_list every_class;
    const cli_args *args = session->args;
    fv_status status = fv_model_open(session->ctx, args->model, &training->model);
    if (status == FV_OK)
        status = cli_open_data(session, "digits", FV_SPLIT_TRAIN, &every_class, args->limit, training->model,
                               &training->train);
    if (status == FV_OK)
        status = cli_open_data(session, "digits", FV_SPLIT_TEST, &every_class, args->limit, training->model,
                               &training->test);
    if (status != FV_OK)
        return status;
    training->options = fv_train_options_default();
    training->options.epochs = args->epochs;
    training->options.out = args->out;
    training->options.replace = strcmp(args->out, DEMO_OUT) == 0; /* the run of the last demo */
    return fv_model_initialise(training->model, training->options.seed);
}

/* One test digit of each class, as many as there are. */
static int choose_digits(const fv_data *data, int chosen[DEMO_DIGITS])
{
    const fv_data_info info = fv_data_describe(data);
    int n = 0;
    for (int label = 0; label < info.n_classes && n < DEMO_DIGITS; label++) {
        for (int i = 0; i < info.n; i++) {
            if (fv_data_label(data, i) == label) {
                chosen[n++] = i;
                break;
            }
        }
    }
    return n;
}

static fv_status draw_digits(const cli_training *training)
{
    const fv_data *data = training->test;
    const fv_data_info info = fv_data_describe(data);
    int chosen[DEMO_DIGITS];
    char captions[DEMO_DIGITS][48], name[2][16], text[32];
    float outputs[DEMO_CLASSES];
    cli_picture pictures[DEMO_DIGITS];
    const fv_model_info model = fv_model_describe(training->model);
    const int n = choose_digits(data, chosen);
    if (model.n_classes > DEMO_CLASSES)
        return FV_OK;
    for (int i = 0; i < n; i++) {
        const fv_status status = fv_predict(training->model, data, chosen[i], 1, outputs);
        if (status != FV_OK)
            return status;
        int best = 0;
        for (int k = 1; k < model.n_classes; k++)
            if (outputs[k] > outputs[best])
                best = k;
        const int label = fv_data_label(data, chosen[i]);
        const char *seen = cli_class_name(training->model, best, name[0]);
        if (best == label)
            snprintf(captions[i], sizeof captions[i], "%s, %s", seen,
                     cli_show_output(model.output, (double)outputs[best], text));
        else
            snprintf(captions[i], sizeof captions[i], "%s, not %s!", seen,
                     cli_class_name(training->model, label, name[1]));
        pictures[i] = (cli_picture){.pixels = fv_data_pixels(data, chosen[i]),
                                    .c = info.c,
                                    .h = info.h,
                                    .w = info.w,
                                    .caption = captions[i],
                                    .marked = best != label};
    }
    cli_draw(pictures, n);
    return FV_OK;
}

/* Prints the reason beside the command, or above it if both are too long for a line. */
static void print_try(const char *line, const char *why)
{
    const int length = cli_columns_of(line);
    if (2 + TRY_COLUMNS + 1 + cli_columns_of(why) <= cli_width(stdout) && length <= TRY_COLUMNS) {
        printf("  %-*s %s\n", TRY_COLUMNS, line, why);
        return;
    }
    printf("  %s\n", why);
    cli_print_typed(stdout, line, 6);
}

static void print_next(const char *program, const char *out, const char *model)
{
    const struct {
        const char *before, *name, *after, *why;
    } tries[] = {
        {"predict ", out, " --data digits --index 3,17", "look at single digits"},
        {"eval ", out, "", "measure it again"},
        {"info ", model, "", "its layers, shapes and costs"},
        {"check ", model, "", "its gradients, against differences"},
        {"train --model ", "mlp", " --data digits", "another network (fovea models)"},
        {"train --model ", model, " --data DIR", "your own images, in class folders"},
        {"help ", "train", "", "everything else"},
    };
    cli_print_inked(stdout, CLI_INK_BOLD, "\nWhat to try next\n");
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        char line[512];
        snprintf(line, sizeof line, "%s %s%s%s", program, tries[i].before, tries[i].name, tries[i].after);
        print_try(line, tries[i].why);
    }
}

static int run(const cli_command *command, const cli_args *args)
{
    static cli_training training;
    static fv_score score;
    cli_session session;
    char spare[4][32];
    int code = cli_session_open(&session, command, args);
    fv_status status = FV_OK;
    if (!code) {
        if (!args->quiet)
            fprintf(stderr, "drawing digits ...\n");
        status = open_all(&session, &training);
        code = status == FV_OK ? 0 : cli_fail(&session, status);
    }
    if (!code) {
        const fv_model_info info = fv_model_describe(training.model);
        cli_print_line("Training %s (%s parameters) on %s drawn digits: %s, %s, %s.", args->model,
                       cli_grouped(info.n_parameters, spare[0]),
                       cli_grouped(fv_data_describe(training.train).n, spare[1]),
                       cli_plural(args->epochs, "epoch", spare[2]), fv_context_isa(session.ctx),
                       cli_plural(fv_context_threads(session.ctx), "thread", spare[3]));
        fflush(stdout);
        code = cli_training_run(&session, &training);
    }
    if (!code) {
        const fv_progress *last = &training.watch.last;
        cli_print_line("Done: %.1f s of training, %s samples/s.", last->seconds,
                       cli_grouped((int64_t)(last->samples_per_s + 0.5), spare[0]));
        putchar('\n');
        cli_print_line("Error on %s digits it has never seen:",
                       cli_grouped(fv_data_describe(training.test).n, spare[0]));
        fv_class_score *const per_class =
            calloc((size_t)fv_model_describe(training.model).n_classes + 1, sizeof *per_class);
        status = per_class ? fv_evaluate_classes(training.model, training.test, &score, per_class, NULL)
                           : FV_ERR_MEMORY;
        if (status == FV_OK) {
            cli_print_score(&score, per_class, training.model);
            printf("\nTen of them, and what it sees:\n\n");
            status = draw_digits(&training);
        }
        free(per_class);
        code = status == FV_OK ? 0 : cli_fail(&session, status);
    }
    if (!code)
        print_next(args->program, args->out, args->model);
    cli_training_close(&training);
    cli_session_close(&session);
    return code;
}

const cli_command cli_command_demo = {
    .name = "demo",
    .operands = "",
    .summary = "train a network to read digits, now, with no download",
    .examples = "fovea demo\n"
                "fovea demo --model mlp --epochs 5",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .defaults = defaults,
    .run = run,
};
