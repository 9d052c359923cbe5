/* progress_bar.c - one bar a run on a terminal, one line an epoch elsewhere, JSON lines on request. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "output.h"
#include "progress.h"
#include "terminal.h"

#define REDRAW_SECONDS 0.1

double cli_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void cli_watch_begin(cli_watch *watch, const cli_args *args)
{
    *watch = (cli_watch){.json = args->json, .quiet = args->quiet, .valid_error = NAN, .test_error = NAN};
    watch->terminal = cli_is_terminal(stderr);
}

/* The part of all epochs that is done, 0..1. */
static double share_done(const fv_progress *p)
{
    if (p->event == FV_EVENT_DONE || p->epochs <= 0)
        return 1;
    const double epoch = p->event == FV_EVENT_EPOCH ? 1
                         : p->steps > 0             ? (double)p->step / (double)p->steps
                                                    : 0;
    const double share = (p->epoch - 1 + epoch) / p->epochs;
    return share > 1 ? 1 : share;
}

static void show_duration(double seconds, char *text, size_t text_bytes)
{
    const long whole = (long)(seconds + 0.5);
    if (whole >= 3600)
        snprintf(text, text_bytes, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(text, text_bytes, "%ld:%02ld", whole / 60, whole % 60);
}

/* "loss 0.1234  valid 1.20%  test 1.31%  61,200 samples/s", leaving out what is not there. */
static void show_numbers(const cli_watch *watch, const fv_progress *p, char *text, size_t text_bytes)
{
    char spare[32];
    size_t used = (size_t)snprintf(text, text_bytes, "loss %.4f", p->train_loss);
    const struct {
        const char *name;
        double error;
    } errors[] = {{"valid", watch->valid_error}, {"test", watch->test_error}};
    for (int i = 0; i < 2 && used < text_bytes; i++)
        if (isfinite(errors[i].error))
            used += (size_t)snprintf(text + used, text_bytes - used, "  %s error %.2f%%", errors[i].name,
                                     100 * errors[i].error);
    if (used < text_bytes && p->samples_per_s > 0)
        snprintf(text + used, text_bytes - used, "  %s samples/s",
                 cli_grouped((int64_t)(p->samples_per_s + 0.5), spare));
}

static void draw_bar(cli_watch *watch, const fv_progress *p, double now)
{
    const double share = share_done(p);
    char head[64], numbers[192], time_left[64] = "", tail[320];
    snprintf(head, sizeof head, "epoch %d/%d ", p->epoch, p->epochs);
    show_numbers(watch, p, numbers, sizeof numbers);
    const double advanced = share - watch->began_share;
    if (share < 1 && advanced > 0 && now - watch->began > 0.5) {
        char duration[32];
        show_duration((now - watch->began) * (1 - share) / advanced, duration, sizeof duration);
        snprintf(time_left, sizeof time_left, "  ETA %s", duration);
    }
    snprintf(tail, sizeof tail, " %s%s", numbers, time_left);
    const int width = cli_width(stderr) - 1; /* the last column would wrap on some terminals */
    int columns = width - (int)strlen(head) - (int)strlen(tail);
    if (columns > 40)
        columns = 40;
    fputs("\r\033[K", stderr);
    if (columns >= 4) {
        fputs(head, stderr);
        cli_track(stderr, share, columns);
        fputs(tail, stderr);
    } else {
        char line[512];
        snprintf(line, sizeof line, "%s%s", head, tail + 1);
        fprintf(stderr, "%.*s", width > 0 ? width : 0, line);
    }
    fflush(stderr);
    watch->bar_shown = true;
    watch->last_drawn = now;
}

static void print_line(const cli_watch *watch, const fv_progress *p)
{
    char numbers[192];
    show_numbers(watch, p, numbers, sizeof numbers);
    fprintf(stderr, "epoch %d/%d  %s  %.1f s\n", p->epoch, p->epochs, numbers, p->seconds);
}

static void print_json(const fv_progress *p)
{
    const bool done = p->event == FV_EVENT_DONE;
    cli_json_begin(done ? "done" : "epoch");
    cli_json_whole(done ? "epochs" : "epoch", done ? p->epochs : p->epoch);
    if (!done) {
        cli_json_real("train_loss", p->train_loss);
        cli_json_real("valid_error", p->valid_error);
    }
    cli_json_real("test_error", p->test_error);
    cli_json_real("samples_per_s", p->samples_per_s);
    cli_json_real("seconds", p->seconds);
    if (done) {
        cli_json_whole("parameters", p->n_parameters);
        cli_json_hash("hash", p->hash);
    }
    cli_json_end();
}

static void show(cli_watch *watch, const fv_progress *p)
{
    const double now = cli_clock();
    if (!watch->started) {
        watch->started = true;
        watch->began = now;
        watch->began_share = p->event == FV_EVENT_STEP ? share_done(p) : 0;
    }
    if (watch->quiet)
        return;
    if (watch->terminal) {
        if (p->event != FV_EVENT_STEP || now - watch->last_drawn >= REDRAW_SECONDS)
            draw_bar(watch, p, now);
    } else if (p->event == FV_EVENT_EPOCH) {
        print_line(watch, p);
    }
}

bool cli_watch_progress(void *user, const fv_progress *progress)
{
    cli_watch *watch = user;
    watch->last = *progress;
    if (isfinite(progress->valid_error))
        watch->valid_error = progress->valid_error;
    if (isfinite(progress->test_error))
        watch->test_error = progress->test_error;
    show(watch, progress);
    if (watch->json && progress->event != FV_EVENT_STEP)
        print_json(progress);
    if (cli_interrupted() && !watch->noticed_stop) {
        watch->noticed_stop = true;
        if (!watch->quiet && cli_interrupt_code() != CLI_EXIT_PIPE) {
            cli_watch_end(watch);
            fputs("stopping after this step; once more to quit at once\n", stderr);
        }
    }
    return !cli_interrupted() && !(watch->json && cli_output_lost());
}

void cli_watch_end(cli_watch *watch)
{
    if (watch->bar_shown)
        fputc('\n', stderr);
    watch->bar_shown = false;
}
