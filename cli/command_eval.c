/* command_eval.c - fovea eval: the error of a trained run, as a whole and per class. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "layout.h"
#include "output.h"

static const cli_option options[] = {
    {"data", "NAME|DIR", CLI_TEXT, offsetof(cli_args, data), 0, 0, NULL,
     "\"digits\" or a folder; default: the data of the training"},
    CLI_ROW_SPLIT,
    CLI_ROW_CLASSES,
    CLI_ROW_LIMIT,
    CLI_ROW_CACHE,
    CLI_ROW_THREADS,
    CLI_ROW_JSON,
    CLI_ROW_HELP,
};

/* Larger confusion matrices are not printed. */
enum { MAX_PRINTED_CLASSES = 100 };

/* The counts per class. */
typedef struct counts {
    fv_class_score *per_class; /* [n_classes] */
    int *confusion;            /* [n_classes][n_classes]; NULL: too many */
} counts;

static bool make_counts(const fv_model *model, counts *out)
{
    const size_t n = (size_t)fv_model_describe(model).n_classes;
    out->per_class = calloc(n + 1, sizeof *out->per_class);
    out->confusion = n <= MAX_PRINTED_CLASSES ? calloc(n * n + 1, sizeof *out->confusion) : NULL;
    return out->per_class && (out->confusion || n > MAX_PRINTED_CLASSES);
}

static void print_json(const char *run, const char *spec, const cli_args *args, const fv_score *score,
                       const counts *counted, const fv_model *model)
{
    char spare[16];
    for (int i = 0; i < score->n_classes; i++) {
        const fv_class_score *c = &counted->per_class[i];
        cli_json_begin("class");
        cli_json_text("class", cli_class_name(model, i, spare));
        cli_json_whole("images", c->n);
        cli_json_whole("wrong", c->n_wrong);
        cli_json_real("error", c->n ? (double)c->n_wrong / c->n : (double)NAN);
        if (counted->confusion)
            cli_json_wholes("taken_for", counted->confusion + (size_t)i * (size_t)score->n_classes,
                            score->n_classes);
        cli_json_end();
    }
    cli_json_begin("score");
    cli_json_text("run", run);
    cli_json_text("data", spec);
    cli_json_text("split", cli_split_words[args->split]);
    cli_json_whole("images", score->n);
    cli_json_whole("wrong", score->n_wrong);
    cli_json_real("error", score->error);
    cli_json_real("top5_error", score->top5_error);
    cli_json_real("loss", score->loss);
    cli_json_real("absolute_error", score->absolute_error);
    cli_json_real("squared_error", score->squared_error);
    cli_json_end();
}

static int evaluate(const cli_session *session, fv_model *model, const char *run, const char *spec,
                    const cli_record *record)
{
    fv_score score;
    counts counted = {0};
    const cli_args *args = session->args;
    fv_data *data = NULL;
    char spare[32];
    fv_status status =
        cli_open_data(session, spec, cli_split_of(args), &record->classes, args->limit, model, &data);
    int code = status == FV_OK ? cli_check_classes(session, model, spec, data) : cli_fail(session, status);
    if (!code) {
        status = make_counts(model, &counted)
                     ? fv_evaluate_classes(model, data, &score, counted.per_class, counted.confusion)
                     : FV_ERR_MEMORY;
        code = status == FV_OK ? 0 : cli_fail(session, status);
    }
    if (!code && args->json) {
        print_json(run, spec, args, &score, &counted, model);
    } else if (!code) {
        cli_print_heading(run, " on %s, %s %s images", spec, cli_grouped(score.n, spare),
                          cli_split_words[args->split]);
        cli_print_score(&score, counted.per_class, model);
    }
    free(counted.confusion);
    free(counted.per_class);
    fv_data_destroy(data);
    return code;
}

static int run(const cli_command *command, const cli_args *args)
{
    static cli_record record;
    const char *folder = args->operands[0];
    cli_session session;
    fv_model *model = NULL;
    int code = cli_session_open(&session, command, args);
    if (!code)
        code = cli_open_run(&session, folder, &model);
    if (!code) {
        cli_record_of(model, &record);
        code = cli_take_classes(&session, folder, model, &record);
    }
    if (!code) {
        const char *spec = args->data ? args->data : record.spec;
        if (!spec)
            code = cli_usage("eval", "--data is missing: %s does not say what it was trained on", folder);
        else
            code = evaluate(&session, model, folder, spec, &record);
    }
    fv_model_destroy(model);
    cli_session_close(&session);
    return code;
}

const cli_command cli_command_eval = {
    .name = "eval",
    .operands = "RUN",
    .min_operands = 1,
    .max_operands = 1,
    .summary = "measure a trained run: error, loss, error per class",
    .details = "RUN is a run's folder, then with its best weights, or one weights' file (x.safetensors). "
               "An image counts as the class of its largest output. The loss is the mean of the model's "
               "own.",
    .examples = "fovea eval runs/lenet5-relu\n"
                "fovea eval runs/lenet5-relu --data mnist --json\n"
                "fovea eval runs/lenet5-relu --split train --limit 1000",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .run = run,
};
