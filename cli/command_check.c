/* command_check.c - fovea check: every parameter's gradient against central differences. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "layout.h"
#include "output.h"

#define REDRAW_SECONDS 0.1

static const cli_option options[] = {
    {"batch", "N", CLI_COUNT, offsetof(cli_args, batch), 1, FV_MAX_CHECK_BATCH, NULL,
     "random images to differentiate on"},
    {"seconds", "X", CLI_REAL, offsetof(cli_args, seconds), 0, 1e6, NULL,
     "take as many differences as fit into this time; 0: all"},
    {"seed", "N", CLI_SEED, offsetof(cli_args, seed), 0, 0, NULL, "of the parameters and the images"},
    CLI_ROW_THREADS,
    CLI_ROW_JSON,
    CLI_ROW_HELP,
};

static void defaults(cli_args *args)
{
    const fv_check_options o = fv_check_options_default();
    args->batch = o.batch;
    args->seconds = o.seconds;
    args->seed = o.seed;
}

typedef struct sheet {
    bool json, terminal; /* standard error is one: a bar */
    bool bar_shown;
    double last_drawn;
    cli_table table;
    int64_t n_checked;
} sheet;

static const char *const verdicts[] = {"ok", "WRONG", "not decided"}; /* in fv_check_verdict's order */
static const char *const json_verdicts[] = {"ok", "wrong", "undecided"};

static void clear_bar(sheet *s)
{
    if (s->bar_shown)
        fputs("\r\033[K", stderr);
    s->bar_shown = false;
    fflush(stderr);
}

/* "checking [----    ] 35 of 722  c12.weight  12 s", as much of it as fits. */
static void draw_bar(sheet *s, const fv_check_progress *p)
{
    char tail[256], line[512];
    snprintf(tail, sizeof tail, " %d of %d  %.0f s  %s", p->n_done, p->n_parameters, p->seconds,
             p->parameter ? p->parameter : "choosing a point");
    const int width = cli_width(stderr) - 1; /* the last column would wrap on some terminals */
    int columns = width - (int)strlen("checking ") - (int)strlen(tail);
    columns = columns > 40 ? 40 : columns;
    fputs("\r\033[K", stderr);
    if (columns >= 4) {
        fputs("checking ", stderr);
        cli_track(stderr, p->share, columns);
        fputs(tail, stderr);
    } else {
        snprintf(line, sizeof line, "checking%s", tail);
        fprintf(stderr, "%.*s", width > 0 ? width : 0, line);
    }
    fflush(stderr);
    s->bar_shown = true;
    s->last_drawn = p->seconds;
}

static void print_json(const fv_check_result *result)
{
    cli_json_begin("check");
    cli_json_text("parameter", result->parameter);
    cli_json_whole("checked", result->n_checked);
    cli_json_whole("values", result->n_values);
    cli_json_real("reference_error", result->reference_error);
    cli_json_real("kernel_error", result->kernel_error);
    cli_json_text("verdict", json_verdicts[result->verdict]);
    cli_json_end();
}

static void print_row(sheet *s, const fv_check_result *result)
{
    char spare[32], reference[32] = "-";
    if (!isnan(result->reference_error) || result->verdict == FV_CHECK_WRONG)
        snprintf(reference, sizeof reference, "%.1e", result->reference_error);
    cli_table_cell(&s->table, CLI_INK_PLAIN, "%s", result->parameter);
    cli_table_cell(&s->table, CLI_INK_PLAIN, "%s", cli_grouped(result->n_checked, spare));
    cli_table_cell(&s->table, CLI_INK_PLAIN, "%s", cli_grouped(result->n_values, spare));
    cli_table_cell(&s->table, CLI_INK_PLAIN, "%s", reference);
    cli_table_cell(&s->table, CLI_INK_PLAIN, "%.1e", result->kernel_error);
    cli_table_cell(&s->table,
                   result->verdict == FV_CHECK_OK      ? CLI_INK_GOOD
                   : result->verdict == FV_CHECK_WRONG ? CLI_INK_BAD
                                                       : CLI_INK_FAINT,
                   "%s", verdicts[result->verdict]);
    cli_table_end(&s->table);
    fflush(stdout);
}

static bool report(void *user, const fv_check_progress *progress)
{
    sheet *s = user;
    const fv_check_result *const result = progress->result;
    if (result) {
        s->n_checked += result->n_checked;
        clear_bar(s);
        if (s->json)
            print_json(result);
        else
            print_row(s, result);
    } else if (s->terminal && progress->seconds >= s->last_drawn + REDRAW_SECONDS) {
        draw_bar(s, progress);
    }
    return !cli_interrupted() && !cli_output_lost();
}

/* What was found in the end, and the exit code: 1 only where a gradient is wrong. */
static int conclude(const sheet *s, const fv_check_summary *sum, bool stopped)
{
    const int n = sum->n_ok + sum->n_wrong + sum->n_undecided;
    char spare[32];
    if (cli_output_lost())
        return CLI_EXIT_FAILED; /* main tells why */
    if (sum->n_wrong > 0 && !stopped)
        return cli_error("check", CLI_EXIT_FAILED, "%d of %d gradients are wrong%s", sum->n_wrong, n,
                         sum->n_undecided > 0 ? "; others are not decided" : "");
    if (stopped)
        return cli_error("check", cli_interrupt_code(), "interrupted after %s, of which %d are wrong",
                         cli_plural(n, "gradient", spare), sum->n_wrong);
    if (s->json)
        return 0;
    if (sum->n_undecided == 0)
        cli_print_line("all %d gradients agree with %s differences (worst relative errors above)", n,
                       cli_grouped(s->n_checked, spare));
    else
        cli_print_line(
            "%d of %d gradients agree with %s differences, none is wrong; %d not decided: rounding, "
            "kinks or the time left too little to compare. Another --seed, a larger --batch, more "
            "--seconds may help.",
            sum->n_ok, n, cli_grouped(s->n_checked, spare), sum->n_undecided);
    return 0;
}

static void print_head(const cli_args *args, const fv_model *model, sheet *s)
{
    cli_column columns[] = {{"parameter", 20, 13, 0, true}, {"differences", 11, 0, 3, false},
                            {"values", 9, 0, 4, false},     {"reference", 10, 0, 2, false},
                            {"kernels", 10, 0, 1, false},   {"", 11, 0, 0, true}};
    for (int p = 0; p < fv_model_n_parameters(model); p++) {
        const int width = (int)strlen(fv_model_parameter(model, p).name);
        columns[0].width = width > columns[0].width ? width : columns[0].width;
    }
    if (args->json)
        return;
    cli_table_begin(&s->table, columns, sizeof columns / sizeof columns[0]);
    cli_table_titles(&s->table);
    fflush(stdout);
}

static int run(const cli_command *command, const cli_args *args)
{
    cli_session session;
    fv_model *model = NULL;
    sheet s = {.json = args->json, .terminal = cli_is_terminal(stderr)};
    fv_check_summary summary = {0};
    int code = cli_session_open(&session, command, args);
    if (!code) {
        fv_status status = fv_model_open(session.ctx, args->operands[0], &model);
        if (status == FV_OK) {
            const fv_check_options o = {.seed = args->seed, .batch = args->batch, .seconds = args->seconds};
            cli_interrupt_arm();
            print_head(args, model, &s);
            status = fv_model_check(model, &o, report, &s, &summary);
            clear_bar(&s);
        }
        code = status == FV_OK || status == FV_STOPPED ? conclude(&s, &summary, status == FV_STOPPED)
                                                       : cli_fail(&session, status);
    }
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
        "it, against central differences of the reference: along one direction through all values, then "
        "value by value. Ends with 1 where one is wrong: where it disagrees by more than rounding explains. "
        "\"not decided\" stands where rounding or kinks would hide a mistake, or time ran out before.",
    .examples = "fovea check lenet5\n"
                "fovea check my-model.fovea --batch 17 --json",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .defaults = defaults,
    .run = run,
};
