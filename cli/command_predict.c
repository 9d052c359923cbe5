/* command_predict.c - fovea predict: draws images and says what the network sees in them. */
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "output.h"
#include "terminal.h"

#define TOP             3
#define PICTURE_COLUMNS 28
#define BAR_COLUMNS     24

static const cli_option options[] = {
    {"data", "NAME|DIR", CLI_TEXT, offsetof(cli_args, data), 0, 0, NULL,
     "take the images from a data set; needs --index"},
    {"index", "I,J", CLI_LIST, offsetof(cli_args, index), 0, CLI_MAX_COUNT, NULL,
     "which images of the data set, from 0"},
    CLI_ROW_SPLIT,
    CLI_ROW_CLASSES,
    CLI_ROW_THREADS,
    CLI_ROW_JSON,
    CLI_ROW_HELP,
};

typedef struct task {
    cli_session session;
    fv_model *model;
    fv_predictor *predictor;
    fv_model_info info;
    float *probabilities; /* [n_classes] */
    cli_record record;
} task;

static void find_top(const task *t, int top[TOP], int *n_top)
{
    *n_top = 0;
    for (int label = 0; label < t->info.n_classes; label++) {
        int at = *n_top;
        while (at > 0 && t->probabilities[label] > t->probabilities[top[at - 1]])
            at--;
        if (at >= TOP)
            continue;
        if (*n_top < TOP)
            (*n_top)++;
        for (int i = *n_top - 1; i > at; i--)
            top[i] = top[i - 1];
        top[at] = label;
    }
}

static void print_json(const task *t, const char *source, int index, const fv_data *data, int label,
                       const int *top)
{
    char spare[16];
    cli_json_begin("prediction");
    cli_json_text("source", source);
    if (index >= 0)
        cli_json_whole("index", index);
    cli_json_text("class", cli_class_name(data, &t->record, top[0], spare));
    cli_json_whole("label", top[0]);
    cli_json_real("probability", (double)t->probabilities[top[0]]);
    cli_json_text("truth", label < 0 ? NULL : cli_class_name(data, &t->record, label, spare));
    cli_json_reals("probabilities", t->probabilities, t->info.n_classes);
    cli_json_end();
}

/* The line beside the picture's row: title, the top classes as bars, the truth. */
static void print_beside(const task *t, int row, const char *title, const fv_data *data, int label,
                         const int *top, int n_top)
{
    char spare[16];
    if (row == 0) {
        cli_print_inked(stdout, CLI_INK_BOLD, "%s", title);
    } else if (row >= 2 && row < 2 + n_top) {
        const int which = top[row - 2];
        const float p = t->probabilities[which];
        printf("%5s  ", cli_class_name(data, &t->record, which, spare));
        cli_bar(stdout, (double)p, BAR_COLUMNS);
        printf(" %5.1f%%", 100 * (double)p);
    } else if (row == 3 + n_top && label >= 0) {
        const bool right = label == top[0];
        cli_print_inked(stdout, right ? CLI_INK_GOOD : CLI_INK_BAD, "%s: it is %s", right ? "right" : "wrong",
                        cli_class_name(data, &t->record, label, spare));
    }
}

static int print_picture(const task *t, const char *title, const fv_data *data, int index, int label,
                         const int *top, int n_top)
{
    const cli_picture picture = {
        .pixels = fv_data_pixels(data, index), .c = t->info.c, .h = t->info.h, .w = t->info.w};
    cli_canvas *canvas = cli_canvas_create(&picture, PICTURE_COLUMNS);
    if (!canvas)
        return cli_error("predict", CLI_EXIT_FAILED, "out of memory");
    const int rows = cli_canvas_rows(canvas), least = 4 + n_top;
    for (int row = 0; row < rows || row < least; row++) {
        if (row < rows)
            cli_canvas_print(canvas, row);
        else
            printf("%*s", cli_canvas_columns(canvas), "");
        printf("   ");
        print_beside(t, row, title, data, label, top, n_top);
        putchar('\n');
    }
    putchar('\n');
    cli_canvas_destroy(canvas);
    return 0;
}

/* `index` is the image's place in `data`; `shown` is what the user calls it, -1 for a file. */
static int predict_one(task *t, const fv_data *data, int index, const char *source, int shown)
{
    int top[TOP], n_top;
    char title[4200];
    const fv_status status = fv_predictor_run(t->predictor, data, index, 1, t->probabilities);
    if (status != FV_OK)
        return cli_fail(&t->session, status);
    find_top(t, top, &n_top);
    const int label = fv_data_label(data, index);
    if (t->session.args->json) {
        print_json(t, source, shown, data, label, top);
        return 0;
    }
    if (shown >= 0)
        snprintf(title, sizeof title, "%s %s image %d", source, cli_split_words[t->session.args->split],
                 shown);
    else
        snprintf(title, sizeof title, "%s", source);
    return print_picture(t, title, data, index, label, top, n_top);
}

static int predict_files(task *t)
{
    const cli_args *args = t->session.args;
    int code = 0;
    for (int i = 1; i < args->n_operands && !code; i++) {
        fv_data *data = NULL;
        const fv_status status =
            fv_data_open_image(t->session.ctx, args->operands[i], t->info.c, t->info.h, t->info.w, &data);
        code =
            status == FV_OK ? predict_one(t, data, 0, args->operands[i], -1) : cli_fail(&t->session, status);
        fv_data_destroy(data);
    }
    return code;
}

static int predict_indices(task *t)
{
    const cli_args *args = t->session.args;
    fv_data *data = NULL;
    const fv_status status =
        cli_open_data(&t->session, args->data, cli_split_of(args), &t->record.classes, 0, &data);
    if (status != FV_OK)
        return cli_fail(&t->session, status);
    const int n = fv_data_describe(data).n;
    int code = 0;
    for (int i = 0; i < args->index.n && !code; i++) {
        const int index = args->index.values[i];
        if (index >= n)
            code = cli_usage("predict", "--index %d: the %s set of %s has %d images, 0 to %d", index,
                             cli_split_words[args->split], args->data, n, n - 1);
        else
            code = predict_one(t, data, index, args->data, index);
    }
    fv_data_destroy(data);
    return code;
}

static int check(const cli_args *args)
{
    if (args->data && args->n_operands > 1)
        return cli_usage("predict", "both files and --data: take one of them");
    if (args->data && !args->index.n)
        return cli_usage("predict", "--index is missing: which images of %s?", args->data);
    if (!args->data && args->index.n)
        return cli_usage("predict", "--index needs --data");
    if (!args->data && args->n_operands < 2)
        return cli_usage("predict", "nothing to look at: name image files, or --data and --index");
    return 0;
}

static int run(const cli_command *command, const cli_args *args)
{
    static task t;
    int code = check(args);
    if (code)
        return code;
    code = cli_session_open(&t.session, command, args);
    if (!code)
        code = cli_open_run(&t.session, args->operands[0], &t.model);
    if (!code) {
        cli_record_load(&t.session, args->operands[0], &t.record);
        code = cli_take_classes(&t.session, args->operands[0], t.model, &t.record);
    }
    if (!code) {
        t.info = fv_model_describe(t.model);
        t.probabilities = calloc((size_t)t.info.n_classes, sizeof *t.probabilities);
        const fv_status status = fv_predictor_create(t.model, 1, &t.predictor);
        if (!t.probabilities)
            code = cli_error("predict", CLI_EXIT_FAILED, "out of memory");
        else if (status != FV_OK)
            code = cli_fail(&t.session, status);
        else
            code = args->data ? predict_indices(&t) : predict_files(&t);
    }
    free(t.probabilities);
    fv_predictor_destroy(t.predictor);
    fv_model_destroy(t.model);
    cli_session_close(&t.session);
    return code;
}

const cli_command cli_command_predict = {
    .name = "predict",
    .operands = "RUN FILE...",
    .min_operands = 1,
    .max_operands = 1 << 30,
    .summary = "say what a trained run sees in images",
    .details = "Images are PNG or PGM files of the network's input size, or images of a data set by number.",
    .examples = "  fovea predict runs/lenet5-relu seven.png\n"
                "  fovea predict runs/lenet5-relu --data digits --index 3,17\n"
                "  fovea predict runs/lenet5-relu *.png --json",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .run = run,
};
