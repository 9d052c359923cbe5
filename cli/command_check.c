/* command_check.c - fovea check: every parameter's gradient against central differences. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "layout.h"
#include "output.h"

static const cli_option options[] = {
    {"batch", "N", CLI_COUNT, offsetof(cli_args, batch), 1, FV_MAX_CHECK_BATCH, NULL,
     "random images to differentiate on"},
    {"seed", "N", CLI_SEED, offsetof(cli_args, seed), 0, 0, NULL, "of the parameters and the images"},
    CLI_ROW_THREADS,
    CLI_ROW_JSON,
    CLI_ROW_HELP,
};

static void defaults(cli_args *args)
{
    args->batch = 4;
}

typedef struct sheet {
    bool json;
    int n_tensors, n_failed;
    cli_table table;
} sheet;

static void report(void *user, const fv_check_result *result)
{
    sheet *s = user;
    s->n_tensors++;
    s->n_failed += !result->ok;
    if (s->json) {
        cli_json_begin("check");
        cli_json_text("parameter", result->parameter);
        cli_json_whole("checked", result->n_checked);
        cli_json_whole("values", result->n_values);
        cli_json_real("reference_error", result->reference_error);
        cli_json_real("kernel_error", result->kernel_error);
        cli_json_bool("ok", result->ok);
        cli_json_end();
        return;
    }
    char spare[32];
    cli_table_cell(&s->table, CLI_INK_PLAIN, "%s", result->parameter);
    cli_table_cell(&s->table, CLI_INK_PLAIN, "%s", cli_grouped(result->n_checked, spare));
    cli_table_cell(&s->table, CLI_INK_PLAIN, "%s", cli_grouped(result->n_values, spare));
    cli_table_cell(&s->table, CLI_INK_PLAIN, "%.1e", result->reference_error);
    cli_table_cell(&s->table, CLI_INK_PLAIN, "%.1e", result->kernel_error);
    cli_table_cell(&s->table, result->ok ? CLI_INK_GOOD : CLI_INK_BAD, "%s", result->ok ? "ok" : "WRONG");
    cli_table_end(&s->table);
    fflush(stdout);
}

static int run(const cli_command *command, const cli_args *args)
{
    cli_session session;
    fv_model *model = NULL;
    cli_column columns[] = {{"parameter", 20, 13, 0, true}, {"checked", 8, 0, 3, false},
                            {"of", 9, 0, 4, false},         {"reference", 10, 0, 2, false},
                            {"kernels", 10, 0, 1, false},   {"", 5, 0, 0, true}};
    sheet s = {.json = args->json};
    bool all_ok = false;
    int code = cli_session_open(&session, command, args);
    if (!code) {
        fv_status status = fv_model_open(session.ctx, args->operands[0], &model);
        for (int p = 0; status == FV_OK && p < fv_model_n_parameters(model); p++) {
            const int width = (int)strlen(fv_model_parameter(model, p).name);
            columns[0].width = width > columns[0].width ? width : columns[0].width;
        }
        if (status == FV_OK && !args->json) {
            cli_table_begin(&s.table, columns, sizeof columns / sizeof columns[0]);
            cli_table_titles(&s.table);
        }
        if (status == FV_OK)
            status = fv_model_check(model, args->seed, args->batch, report, &s, &all_ok);
        code = status == FV_OK ? 0 : cli_fail(&session, status);
    }
    if (!code && !all_ok)
        code = cli_error("check", CLI_EXIT_FAILED, "%d of %d gradients disagree with their differences",
                         s.n_failed, s.n_tensors);
    else if (!code && !args->json)
        cli_print_line("all %d gradients agree with central differences (worst relative errors above)",
                       s.n_tensors);
    fv_model_destroy(model);
    cli_session_close(&session);
    return code;
}

const cli_command cli_command_check = {
    .name = "check",
    .operands = "MODEL",
    .min_operands = 1,
    .max_operands = 1,
    .summary = "compare every gradient with finite differences",
    .details =
        "Each parameter tensor's gradient, as the reference (double) and as the kernels (float) compute "
        "it, against central differences of the reference. Ends with 1 where one disagrees.",
    .examples = "fovea check lenet5\n"
                "fovea check my-model.fovea --batch 17 --json",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .defaults = defaults,
    .run = run,
};
