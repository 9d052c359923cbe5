/* command_info.c - fovea info: the layers of a model or run, or the images of a data set. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "layout.h"
#include "output.h"

static const cli_option options[] = {
    {"plan", NULL, CLI_FLAG, offsetof(cli_args, plan), 0, 0, NULL, "print the steps that the engine runs"},
    {"batch", "N", CLI_COUNT, offsetof(cli_args, batch), 1, FV_MAX_BATCH, NULL, "of the plan"},
    {"inference", NULL, CLI_FLAG, offsetof(cli_args, inference), 0, 0, NULL,
     "the plan of prediction, not of a training step"},
    CLI_ROW_CLASSES,
    CLI_ROW_LIMIT,
    CLI_ROW_THREADS,
    CLI_ROW_JSON,
    CLI_ROW_HELP,
};

static void defaults(cli_args *args)
{
    args->batch = 128;
}

void cli_show_shape(const int *shape, int rank, char text[64])
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < rank && used < 64; i++)
        used += (size_t)snprintf(text + used, 64 - used, "%s%d", i ? "x" : "", shape[i]);
}

enum { NAME, KIND, SHAPE, PARAMETERS, FLOPS, BYTES, N_COLUMNS };

typedef struct row {
    char cell[N_COLUMNS][64];
} row;

static row row_of(const char *name, const char *kind, const char *shape, int64_t parameters, int64_t flops,
                  int64_t bytes)
{
    row r;
    char spare[32];
    const int64_t counts[] = {parameters, flops, bytes};
    snprintf(r.cell[NAME], sizeof r.cell[NAME], "%s", name);
    snprintf(r.cell[KIND], sizeof r.cell[KIND], "%s", kind);
    snprintf(r.cell[SHAPE], sizeof r.cell[SHAPE], "%s", shape);
    for (int i = 0; i < 3; i++)
        snprintf(r.cell[PARAMETERS + i], sizeof r.cell[0], "%s",
                 counts[i] || i == 2 ? cli_grouped(counts[i], spare) : "-");
    return r;
}

static row row_of_layer(const fv_layer_info *layer)
{
    char shape[64];
    cli_show_shape(layer->shape, layer->rank, shape);
    return row_of(layer->name, layer->kind, shape, layer->n_parameters, layer->flops,
                  layer->activation_bytes);
}

/* Columns as wide as the longest word in them. */
static void widen(cli_column *columns, const row *r)
{
    for (int i = 0; i < N_COLUMNS; i++) {
        const int width = cli_columns_of(r->cell[i]);
        columns[i].width = width > columns[i].width ? width : columns[i].width;
    }
}

static void print_row(cli_table *table, const row *r)
{
    for (int i = 0; i < N_COLUMNS; i++)
        cli_table_cell(table, CLI_INK_PLAIN, "%s", r->cell[i]);
    cli_table_end(table);
}

static int64_t activation_bytes(const fv_model *model, int n_layers)
{
    int64_t sum = 0;
    for (int i = 0; i < n_layers; i++)
        sum += fv_model_layer(model, i).activation_bytes;
    return sum;
}

static void print_table(const fv_model *model, const fv_model_info *info)
{
    cli_column columns[N_COLUMNS] = {{"layer", 12, 9, 0, true}, {"kind", 12, 7, 3, true},
                                     {"shape", 12, 8, 2, true}, {"parameters", 10, 0, 0, false},
                                     {"flops", 5, 0, 1, false}, {"bytes", 5, 0, 4, false}};
    cli_table table;
    const row total =
        row_of("total", "", "", info->n_parameters, info->flops, activation_bytes(model, info->n_layers));
    widen(columns, &total);
    for (int i = 0; i < info->n_layers; i++) {
        const fv_layer_info layer = fv_model_layer(model, i);
        const row r = row_of_layer(&layer);
        widen(columns, &r);
    }
    cli_table_begin(&table, columns, N_COLUMNS);
    cli_table_titles(&table);
    for (int i = 0; i < info->n_layers; i++) {
        const fv_layer_info layer = fv_model_layer(model, i);
        const row r = row_of_layer(&layer);
        print_row(&table, &r);
    }
    print_row(&table, &total);
}

enum { LAYER, FULL, LOCAL, SHARED, N_CONNECTIONS };

static void show_connections(const fv_layer_info *layer, char cell[N_CONNECTIONS][64])
{
    const int64_t counts[] = {layer->n_fully_connected, layer->n_locally_connected, layer->n_shared};
    char spare[32];
    snprintf(cell[LAYER], sizeof cell[LAYER], "%s", layer->name);
    for (int i = 0; i < 3; i++)
        snprintf(cell[FULL + i], sizeof cell[0], "%s", cli_grouped(counts[i], spare));
}

/* The comparison of the lectures: the parameters of each layer with a window under three kinds of
 * connection. */
static void print_connections(const fv_model *model, int n_layers)
{
    cli_column columns[N_CONNECTIONS] = {{"layer", 12, 9, 0, true},
                                         {"fully", 5, 0, 2, false},
                                         {"locally", 7, 0, 1, false},
                                         {"shared", 6, 0, 0, false}};
    char cell[N_CONNECTIONS][64];
    cli_table table;
    int n = 0;
    for (int i = 0; i < n_layers; i++) {
        const fv_layer_info layer = fv_model_layer(model, i);
        show_connections(&layer, cell);
        n += layer.n_shared > 0;
        for (int c = 0; c < N_CONNECTIONS && layer.n_shared > 0; c++) {
            const int width = cli_columns_of(cell[c]);
            columns[c].width = width > columns[c].width ? width : columns[c].width;
        }
    }
    if (n == 0)
        return;
    putchar('\n');
    cli_print_line("parameters if a layer's outputs were connected to its inputs fully, locally, or with "
                   "shared weights");
    cli_table_begin(&table, columns, N_CONNECTIONS);
    cli_table_titles(&table);
    for (int i = 0; i < n_layers; i++) {
        const fv_layer_info layer = fv_model_layer(model, i);
        show_connections(&layer, cell);
        for (int c = 0; c < N_CONNECTIONS && layer.n_shared > 0; c++)
            cli_table_cell(&table, CLI_INK_PLAIN, "%s", cell[c]);
        if (layer.n_shared > 0)
            cli_table_end(&table);
    }
}

static void print_layer_json(const fv_layer_info *layer)
{
    cli_json_begin("layer");
    cli_json_text("name", layer->name);
    cli_json_text("kind", layer->kind);
    cli_json_wholes("shape", layer->shape, layer->rank);
    cli_json_whole("parameters", layer->n_parameters);
    cli_json_whole("flops", layer->flops);
    cli_json_whole("activation_bytes", layer->activation_bytes);
    if (layer->n_shared > 0) {
        cli_json_whole("fully_connected", layer->n_fully_connected);
        cli_json_whole("locally_connected", layer->n_locally_connected);
        cli_json_whole("shared", layer->n_shared);
    }
    cli_json_end();
}

static void print_model_json(const char *spec, const fv_model *model, const fv_model_info *info)
{
    const int image[] = {info->c, info->h, info->w};
    for (int i = 0; i < info->n_layers; i++) {
        const fv_layer_info layer = fv_model_layer(model, i);
        print_layer_json(&layer);
    }
    cli_json_begin("model");
    cli_json_text("name", spec);
    cli_json_wholes("image", image, 3);
    cli_json_whole("classes", info->n_classes);
    cli_json_text("outputs", info->output == FV_OUTPUT_VALUES ? "values" : "probabilities");
    cli_json_whole("layers", info->n_layers);
    cli_json_whole("parameters", info->n_parameters);
    cli_json_whole("flops", info->flops);
    cli_json_whole("bytes", info->bytes);
    if (cli_is_run(spec)) /* a model alone has no parameters yet, and perhaps no memory for them */
        cli_json_hash("hash", fv_model_hash(model));
    cli_json_end();
}

static void print_layers(const cli_session *session, const char *spec, const fv_model *model)
{
    const fv_model_info info = fv_model_describe(model);
    char spare[2][32];
    if (session->args->json) {
        print_model_json(spec, model, &info);
        return;
    }
    const bool classes = info.n_classes > 0 && info.output != FV_OUTPUT_VALUES;
    static const char *const inputs[] = {"", "vector", "signal", "image", "video"};
    const fv_layer_info input = fv_model_layer(model, 0);
    char size[64];
    cli_show_shape(input.shape, input.rank, size);
    cli_print_heading(spec, ": %s %s to %d %s", inputs[input.rank], size,
                      classes ? info.n_classes : info.n_outputs, classes ? "classes" : "values");
    print_table(model, &info);
    print_connections(model, info.n_layers);
    putchar('\n');
    cli_print_line("one image forward: %s (a multiply-add counts 2); parameters and activations take %s",
                   cli_scaled((double)info.flops, "flop", spare[0]),
                   cli_scaled((double)info.bytes, "B", spare[1]));
}

static fv_status print_plan(const cli_session *session, fv_model *model)
{
    const cli_args *args = session->args;
    char *text;
    const fv_status status = fv_model_plan_text(model, args->batch, !args->inference, &text);
    if (status != FV_OK)
        return status;
    if (!args->json) {
        fputs(text, stdout);
    } else {
        int step = 0;
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
            cli_json_begin("plan");
            cli_json_whole("line", step++);
            cli_json_text("text", line);
            cli_json_end();
        }
    }
    fv_text_destroy(session->ctx, text);
    return FV_OK;
}

int cli_info_model(cli_session *session, const char *spec)
{
    fv_model *model = NULL;
    fv_status status = fv_model_open(session->ctx, spec, &model);
    if (status == FV_OK && session->args->plan)
        status = print_plan(session, model);
    else if (status == FV_OK)
        print_layers(session, spec, model);
    const int code = status == FV_OK ? 0 : cli_fail(session, status);
    fv_model_destroy(model);
    return code;
}

static int run(const cli_command *command, const cli_args *args)
{
    cli_session session;
    const char *spec = args->operands[0];
    int code = cli_session_open(&session, command, args);
    if (!code) {
        const bool model = fv_zoo_text(spec) || cli_is_run(spec) || !cli_is_data(&session, spec);
        if (!model && args->plan)
            code = cli_usage("info", "--plan is for models; %s is a data set", spec);
        else
            code = model ? cli_info_model(&session, spec) : cli_info_data(&session, spec);
    }
    cli_session_close(&session);
    return code;
}

const cli_command cli_command_info = {
    .name = "info",
    .operands = "MODEL|RUN|DATA",
    .min_operands = 1,
    .max_operands = 1,
    .summary = "look at a model, a run or a data set",
    .details = "For a model or run: each layer's output shape, parameters, flops and bytes of one image. "
               "For data: sizes, images per class, and a few of them drawn.",
    .examples = "fovea info lenet5\n"
                "fovea info lenet5 --plan --batch 128\n"
                "fovea info digits",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .defaults = defaults,
    .run = run,
};
