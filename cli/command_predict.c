/* command_predict.c - fovea predict: draws images and prints the network's outputs for them. */
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "layout.h"
#include "output.h"

#define TOP             3
#define PICTURE_COLUMNS 28
#define BAR_COLUMNS     24
#define LEAST_BAR       6
#define SHARE_COLUMNS   6  /* "100.0%" */
#define VALUE_COLUMNS   10 /* "-1.234e-05" */
#define GAP             3

static const cli_option options[] = {
    {"data", "NAME|DIR", CLI_TEXT, offsetof(cli_args, data), 0, 0, NULL,
     "take the images from a data set; needs --index"},
    {"index", "I,J", CLI_LIST, offsetof(cli_args, index), 0, CLI_MAX_COUNT, NULL,
     "which images of the data set, from 0"},
    CLI_ROW_SPLIT,
    {"as-is", NULL, CLI_FLAG, offsetof(cli_args, as_is), 0, 0, NULL,
     "refuse files of another size or colour than the network's, instead of resizing them"},
    {"invert", NULL, CLI_FLAG, offsetof(cli_args, invert), 0, 0, NULL,
     "invert the files' brightness: a dark digit on white paper becomes a white one on black"},
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
    float *outputs; /* [n_outputs] */
    cli_record record;
} task;

static void find_top(const task *t, int top[TOP], int *n_top)
{
    *n_top = 0;
    for (int label = 0; label < t->info.n_outputs; label++) {
        int at = *n_top;
        while (at > 0 && t->outputs[label] > t->outputs[top[at - 1]])
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

static void print_json(const task *t, const char *source, int index, int label, const int *top)
{
    const bool values = t->info.output == FV_OUTPUT_VALUES;
    char spare[16];
    cli_json_begin("prediction");
    cli_json_text("source", source);
    if (index >= 0)
        cli_json_whole("index", index);
    cli_json_text("class", cli_class_name(t->model, top[0], spare));
    cli_json_whole("label", top[0]);
    cli_json_real(values ? "value" : "probability", (double)t->outputs[top[0]]);
    cli_json_text("truth", label < 0 ? NULL : cli_class_name(t->model, label, spare));
    cli_json_reals(values ? "values" : "probabilities", t->outputs, t->info.n_outputs);
    cli_json_end();
}

/* The text beside a picture. */
typedef struct beside {
    const char *title;
    int room; /* columns, for the title */
    const fv_data *data;
    int label;
    int top[TOP], n_top;
    int name_columns, bar_columns, output_columns;
} beside;

/* A row of the top classes: name, bar, output. Values are shown beside the largest. */
static void print_class(const task *t, const beside *b, int rank)
{
    char spare[16], name[128], text[32];
    const double output = (double)t->outputs[b->top[rank]], largest = (double)t->outputs[b->top[0]];
    const bool values = t->info.output == FV_OUTPUT_VALUES;
    cli_shorten(cli_class_name(t->model, b->top[rank], spare), b->name_columns, name, sizeof name);
    printf("%*s%s  ", b->name_columns - cli_columns_of(name), "", name);
    cli_bar(stdout, !values ? output : largest > 0 ? output / largest : 0, b->bar_columns);
    printf(" %*s", b->output_columns, cli_show_output(t->info.output, output, text));
}

/* The row's line: title, the top classes, the truth. */
static void print_beside(const task *t, const beside *b, int row)
{
    char spare[16], title[4200];
    if (row == 0) {
        cli_shorten(b->title, b->room, title, sizeof title);
        cli_print_inked(stdout, CLI_INK_BOLD, "%s", title);
    } else if (row >= 2 && row < 2 + b->n_top) {
        print_class(t, b, row - 2);
    } else if (row == 3 + b->n_top && b->label >= 0) {
        const bool right = b->label == b->top[0];
        cli_print_inked(stdout, right ? CLI_INK_GOOD : CLI_INK_BAD, "%s: it is %s", right ? "right" : "wrong",
                        cli_class_name(t->model, b->label, spare));
    }
}

/* Shares the columns of a line among the picture, names and bars; returns the picture's. */
static int lay_out(const task *t, beside *b)
{
    char spare[16];
    const int width = cli_width(stdout);
    b->name_columns = 5;
    for (int i = 0; i < b->n_top; i++) {
        const int columns = cli_columns_of(cli_class_name(t->model, b->top[i], spare));
        b->name_columns = columns > b->name_columns ? columns : b->name_columns;
    }
    if (b->name_columns > width / 4 && b->name_columns > 8)
        b->name_columns = width / 4 > 8 ? width / 4 : 8;
    b->output_columns = t->info.output == FV_OUTPUT_VALUES ? VALUE_COLUMNS : SHARE_COLUMNS;
    const int fixed = GAP + b->name_columns + 2 + 1 + b->output_columns;
    const int picture = width >= PICTURE_COLUMNS + fixed + LEAST_BAR ? PICTURE_COLUMNS : PICTURE_COLUMNS / 2;
    const int bar = width - picture - fixed;
    b->bar_columns = bar > BAR_COLUMNS ? BAR_COLUMNS : bar < 0 ? 0 : bar;
    b->room = cli_has_width(stdout) ? width - picture - GAP : 4096;
    return picture;
}

static int print_picture(const task *t, beside *b, int index)
{
    const cli_picture picture = {
        .pixels = fv_data_pixels(b->data, index), .c = t->info.c, .h = t->info.h, .w = t->info.w};
    cli_canvas *canvas = cli_canvas_create(&picture, lay_out(t, b));
    if (!canvas)
        return cli_error("predict", CLI_EXIT_FAILED, "out of memory");
    const int rows = cli_canvas_rows(canvas), least = 4 + b->n_top;
    for (int row = 0; row < rows || row < least; row++) {
        if (row < rows)
            cli_canvas_print(canvas, row);
        else
            printf("%*s", cli_canvas_columns(canvas), "");
        printf("%*s", GAP, "");
        print_beside(t, b, row);
        putchar('\n');
    }
    putchar('\n');
    cli_canvas_destroy(canvas);
    return 0;
}

/* Prints the context's message on standard error, and as an object if --json is given. */
static int fail_one(const task *t, const char *source, int shown, fv_status status)
{
    if (t->session.args->json) {
        cli_json_begin("error");
        cli_json_text("source", source);
        if (shown >= 0)
            cli_json_whole("index", shown);
        cli_json_text("message", fv_message(t->session.ctx));
        cli_json_end();
    }
    return cli_fail(&t->session, status);
}

/* `index` is the image's index in `data`; `shown` is its number for the user, -1 for a file. */
static int predict_one(task *t, const fv_data *data, int index, const char *source, int shown)
{
    char title[4200];
    const fv_status status = fv_predictor_run(t->predictor, data, index, 1, t->outputs);
    if (status != FV_OK)
        return fail_one(t, source, shown, status);
    beside b = {.title = source, .data = data, .label = fv_data_label(data, index)};
    find_top(t, b.top, &b.n_top);
    if (t->session.args->json) {
        print_json(t, source, shown, b.label, b.top);
        return 0;
    }
    if (shown >= 0) {
        snprintf(title, sizeof title, "%s %s image %d", source, cli_split_words[t->session.args->split],
                 shown);
        b.title = title;
    }
    return print_picture(t, &b, index);
}

/* What was done to the picture, and whether it looks like those that the network knows. */
static void note_file(const char *path, const fv_data *data, bool invert)
{
    const fv_data_info info = fv_data_describe(data);
    if (info.note)
        cli_note("predict", "%s: %s", path, info.note);
    if (info.warning)
        cli_note("predict", "%s: %s%s", path, info.warning, invert ? "" : " (--invert)");
}

static int predict_file(task *t, const char *path)
{
    fv_data *data = NULL;
    const cli_args *const args = t->session.args;
    const fv_image_options how = {.as_is = args->as_is, .invert = args->invert};
    const fv_status status = fv_model_open_image(t->model, path, &how, &data);
    if (status == FV_OK)
        note_file(path, data, args->invert);
    const int code = status == FV_OK ? predict_one(t, data, 0, path, -1) : fail_one(t, path, -1, status);
    fv_data_destroy(data);
    return code;
}

/* A file that cannot be read does not stop the others. */
static int predict_files(task *t)
{
    const cli_args *args = t->session.args;
    const int n = args->n_operands - 1;
    int code = 0, n_failed = 0;
    for (int i = 1; i <= n && !cli_output_lost(); i++) {
        const int failed = predict_file(t, args->operands[i]);
        n_failed += failed != 0;
        code = code ? code : failed;
    }
    if (n_failed && n > 1)
        cli_note("predict", "%d of %d files failed", n_failed, n);
    return code;
}

static int predict_indices(task *t)
{
    const cli_args *args = t->session.args;
    fv_data *data = NULL;
    const fv_status status =
        cli_open_data(&t->session, args->data, cli_split_of(args), &t->record.classes, 0, t->model, &data);
    if (status != FV_OK)
        return cli_fail(&t->session, status);
    const int n = fv_data_describe(data).n;
    int code = 0;
    for (int i = 0; i < args->index.n && !code; i++)
        if (args->index.values[i] >= n)
            code = cli_usage("predict", "--index %d: the %s set of %s has %d images, 0 to %d",
                             args->index.values[i], cli_split_words[args->split], args->data, n, n - 1);
    for (int i = 0; i < args->index.n && !code; i++)
        code = predict_one(t, data, args->index.values[i], args->data, args->index.values[i]);
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
    if (args->data && (args->as_is || args->invert))
        return cli_usage("predict", "--as-is and --invert are for files, not for --data");
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
        cli_record_of(t.model, &t.record);
        code = cli_take_classes(&t.session, args->operands[0], t.model, &t.record);
    }
    if (!code) {
        t.info = fv_model_describe(t.model);
        t.outputs = calloc((size_t)t.info.n_outputs, sizeof *t.outputs);
        const fv_status status = fv_predictor_create(t.model, 1, &t.predictor);
        if (!t.outputs)
            code = cli_error("predict", CLI_EXIT_FAILED, "out of memory");
        else if (status != FV_OK)
            code = cli_fail(&t.session, status);
        else
            code = args->data ? predict_indices(&t) : predict_files(&t);
    }
    free(t.outputs);
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
    .summary = "predict with a trained run what images show",
    .details = "Images are PNG, JPEG, PGM or PPM files of any size, which are resized as the training images "
               "were, or images of a data set by number. A file that cannot be read is reported and skipped; "
               "the exit code is then 3.",
    .examples = "fovea predict runs/lenet5-relu seven.png\n"
                "fovea predict runs/lenet5-relu --data digits --index 3,17\n"
                "fovea predict runs/lenet5-relu *.png --json",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .run = run,
};
