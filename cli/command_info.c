/* command_info.c - fovea info: the layers of a model or run, or the images of a data set. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "output.h"
#include "terminal.h"

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

/* Columns as wide as the longest word, and 12 at least. */
typedef struct widths {
    int name, kind;
} widths;

static widths widths_of(const fv_model *model, int n_layers)
{
    widths w = {12, 12};
    for (int i = 0; i < n_layers; i++) {
        const fv_layer_info layer = fv_model_layer(model, i);
        const int name = (int)strlen(layer.name), kind = (int)strlen(layer.kind);
        w.name = name > w.name ? name : w.name;
        w.kind = kind > w.kind ? kind : w.kind;
    }
    return w;
}

static void print_layer(const fv_layer_info *layer, widths w)
{
    char shape[64], spare[3][32];
    cli_show_shape(layer->shape, layer->rank, shape);
    const char *parameters = layer->n_parameters ? cli_grouped(layer->n_parameters, spare[0]) : "-";
    const char *flops = layer->flops ? cli_grouped(layer->flops, spare[1]) : "-";
    printf("  %-*s %-*s %-12s %12s %14s %12s\n", w.name, layer->name, w.kind, layer->kind, shape, parameters,
           flops, cli_grouped(layer->activation_bytes, spare[2]));
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
    cli_json_end();
}

static void print_layers(const cli_session *session, const char *spec, const fv_model *model)
{
    const fv_model_info info = fv_model_describe(model);
    const bool json = session->args->json;
    const widths w = widths_of(model, info.n_layers);
    char spare[4][32];
    if (!json) {
        cli_print_inked(stdout, CLI_INK_BOLD, "%s", spec);
        printf(": image %dx%dx%d to %d classes\n", info.c, info.h, info.w, info.n_classes);
        cli_print_inked(stdout, CLI_INK_FAINT, "  %-*s %-*s %-12s %12s %14s %12s\n", w.name, "layer", w.kind,
                        "kind", "shape", "parameters", "flops", "bytes");
    }
    int64_t activations = 0;
    for (int i = 0; i < info.n_layers; i++) {
        const fv_layer_info layer = fv_model_layer(model, i);
        activations += layer.activation_bytes;
        if (json)
            print_layer_json(&layer);
        else
            print_layer(&layer, w);
    }
    if (json) {
        const int image[] = {info.c, info.h, info.w};
        cli_json_begin("model");
        cli_json_text("name", spec);
        cli_json_wholes("image", image, 3);
        cli_json_whole("classes", info.n_classes);
        cli_json_whole("layers", info.n_layers);
        cli_json_whole("parameters", info.n_parameters);
        cli_json_whole("flops", info.flops);
        cli_json_whole("bytes", info.bytes);
        if (cli_is_run(spec)) /* a model alone has no parameters yet, and perhaps no room for them */
            cli_json_hash("hash", fv_model_hash(model));
        cli_json_end();
        return;
    }
    printf("  %-*s %-*s %-12s %12s %14s %12s\n", w.name, "total", w.kind, "", "",
           cli_grouped(info.n_parameters, spare[0]), cli_grouped(info.flops, spare[1]),
           cli_grouped(activations, spare[2]));
    printf("\none image forward: %s, a multiply-add counting 2; parameters and activations take %s\n",
           cli_scaled((double)info.flops, "flop", spare[0]), cli_scaled((double)info.bytes, "B", spare[3]));
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
    .details = "For a model or run: each layer's output shape, parameters, flops and bytes of one image.\n"
               "For data: sizes, images per class, and a few of them drawn.",
    .examples = "  fovea info lenet5\n"
                "  fovea info lenet5 --plan --batch 128\n"
                "  fovea info digits",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .defaults = defaults,
    .run = run,
};
