/* training.c - one training run from the command's side: where it writes, what it shows, how it ends. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "output.h"

/* "models/small.fovea" -> "small"; false where that leaves no name for a folder, as of "..". */
static bool base_name(const char *model, char *name, size_t name_bytes)
{
    static const char *const ends[] = {".fovea", ".safetensors"};
    size_t end = strlen(model);
    while (end > 0 && model[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && model[begin - 1] != '/')
        begin--;
    for (int i = 0; i < 2; i++) {
        const size_t n = strlen(ends[i]);
        if (end - begin > n && strncmp(model + end - n, ends[i], n) == 0)
            end -= n;
    }
    const int length = snprintf(name, name_bytes, "%.*s", (int)(end - begin), model + begin);
    return length > 0 && (size_t)length < name_bytes && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

int cli_choose_folder(const cli_session *session, const char *model, cli_training *training)
{
    char name[200];
    if (!base_name(model, name, sizeof name))
        return cli_usage(session->command, "--out is missing: --model %s gives no name for the run's folder",
                         model);
    if (mkdir("runs", 0777) != 0 && errno != EEXIST)
        return cli_error(session->command, CLI_EXIT_FAILED, "runs: cannot create the folder: %s",
                         strerror(errno));
    snprintf(training->out, sizeof training->out, "runs/%s", name);
    for (int i = 2; mkdir(training->out, 0777) != 0; i++) {
        if (errno != EEXIST)
            return cli_error(session->command, CLI_EXIT_FAILED, "%s: cannot create the folder: %s",
                             training->out, strerror(errno));
        snprintf(training->out, sizeof training->out, "runs/%s-%d", name, i);
    }
    training->made_out = true;
    char usual[300];
    snprintf(usual, sizeof usual, "runs/%s", name);
    if (strcmp(usual, training->out) != 0)
        cli_note(session->command, "%s is there already; this run goes to %s", usual, training->out);
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
    if (status == FV_OK)
        return 0;
    if (training->made_out)
        rmdir(training->out); /* which leaves a folder with anything in it alone */
    return cli_fail(session, status);
}

void cli_training_close(cli_training *training)
{
    fv_data_destroy(training->test);
    fv_data_destroy(training->train);
    fv_model_destroy(training->model);
}
