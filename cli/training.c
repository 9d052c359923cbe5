/* training.c - one training run from the command's side: where it writes, what it shows, how it ends. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "output.h"

/* "models/small.fovea" -> "small" */
static void base_name(const char *model, char *name, size_t name_bytes)
{
    const char *slash = strrchr(model, '/');
    snprintf(name, name_bytes, "%s", slash && slash[1] ? slash + 1 : model);
    char *dot = strrchr(name, '.');
    if (dot && dot != name && strcmp(dot, ".fovea") == 0)
        *dot = '\0';
}

int cli_choose_folder(const cli_session *session, const char *model, cli_training *training)
{
    char name[256];
    base_name(model, name, sizeof name);
    snprintf(training->out, sizeof training->out, "runs/%s", name);
    for (int i = 2; cli_holds_checkpoint(training->out); i++)
        snprintf(training->out, sizeof training->out, "runs/%s-%d", name, i);
    char usual[300];
    snprintf(usual, sizeof usual, "runs/%s", name);
    if (strcmp(usual, training->out) != 0)
        cli_note(session->command, "%s holds a run already; this one goes to %s", usual, training->out);
    training->options.out = training->out;
    return 0;
}

static int tell_interrupted(const cli_session *session, const cli_training *training)
{
    const fv_progress *last = &training->watch.last;
    const char *out = training->options.out;
    const int code = cli_interrupt_code();
    if (code == CLI_EXIT_PIPE || (!code && cli_output_closed()))
        return CLI_EXIT_PIPE;
    if (!code) /* main tells why output was lost */
        return CLI_EXIT_FAILED;
    if (training->watch.json) {
        cli_json_begin("interrupted");
        cli_json_whole("epoch", last->epoch);
        cli_json_whole("step", last->step);
        cli_json_text("out", out);
        cli_json_end();
    }
    if (!out)
        return cli_error(session->command, code, "interrupted in epoch %d of %d", last->epoch, last->epochs);
    return cli_error(
        session->command, code,
        "interrupted in epoch %d of %d; everything is saved, go on with: fovea train --resume %s",
        last->epoch, last->epochs, out);
}

int cli_training_run(const cli_session *session, cli_training *training)
{
    cli_watch_begin(&training->watch, session->args);
    cli_interrupt_arm();
    const fv_status status = fv_train(training->model, training->train, training->test, &training->options,
                                      cli_watch_progress, &training->watch);
    cli_interrupt_disarm();
    cli_watch_end(&training->watch);
    if (status == FV_STOPPED)
        return tell_interrupted(session, training);
    return status == FV_OK ? 0 : cli_fail(session, status);
}

void cli_training_close(cli_training *training)
{
    fv_data_destroy(training->test);
    fv_data_destroy(training->train);
    fv_model_destroy(training->model);
}
