/* progress_bar.c - one line per epoch, which together show the curve; on a terminal a bar below them; JSON
 * lines on request.
 *
 * The cursor waits at the beginning of the bar, and the bar is erased from there to the end of the screen,
 * because a terminal whose window became narrower may have broken the bar into several lines. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "output.h"
#include "progress.h"
#include "terminal.h"

#define REDRAW_SECONDS 0.1
#define LEAST_BAR      8 /* columns */
#define MOST_BAR       40

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

/* The share of all epochs that is done, 0..1. */
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

/* The fields that a line may contain, in order. */
typedef struct field {
    const char *text;
    const char *brief; /* used if room is short; NULL: the same text */
    int rank;          /* fields of higher rank are left out first */
} field;

static const char *say(const field *f, bool brief)
{
    return brief && f->brief ? f->brief : f->text;
}

static int columns_up_to(const field *fields, int n, int rank, bool brief)
{
    int columns = 0;
    for (int i = 0; i < n; i++)
        if (*fields[i].text && fields[i].rank <= rank)
            columns += (columns ? 2 : 0) + (int)strlen(say(&fields[i], brief));
    return columns;
}

/* Joins as many of the fields as fit `room` columns, separated by two blanks. */
static void join(const field *fields, int n, int room, char *text, size_t text_bytes)
{
    int rank = n;
    const bool brief = columns_up_to(fields, n, rank, false) > room;
    while (rank > 0 && columns_up_to(fields, n, rank, brief) > room)
        rank--;
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < n && used < text_bytes; i++)
        if (*fields[i].text && fields[i].rank <= rank)
            used += (size_t)snprintf(text + used, text_bytes - used, "%s%s", used ? "  " : "",
                                     say(&fields[i], brief));
    if (room >= 0 && (size_t)room < text_bytes)
        text[room] = '\0'; /* not even the first field fits */
}

#define TEXT 48
/* "epoch  3/20": the same width in every epoch. */
static void show_epoch(const fv_progress *p, char text[TEXT])
{
    char last[16];
    snprintf(text, TEXT, "epoch %*d/%s", snprintf(last, sizeof last, "%d", p->epochs), p->epoch, last);
}

static void show_rate(const fv_progress *p, char text[TEXT])
{
    char spare[32];
    text[0] = '\0';
    if (p->samples_per_s > 0)
        snprintf(text, TEXT, "%s samples/s", cli_grouped((int64_t)(p->samples_per_s + 0.5), spare));
}

static void show_error(const char *name, double error, char text[TEXT], char brief[TEXT])
{
    text[0] = brief[0] = '\0';
    if (!isfinite(error))
        return;
    snprintf(text, TEXT, "%s error %.2f%%", name, 100 * error);
    snprintf(brief, TEXT, "%s %.2f%%", name, 100 * error);
}

static void erase_bar(cli_watch *watch)
{
    if (watch->bar_shown)
        fputs("\r\033[J", stderr);
    watch->bar_shown = false;
}

static void draw_bar(cli_watch *watch, const fv_progress *p, double now)
{
    const double share = share_done(p), advanced = share - watch->began_share;
    char epoch[TEXT], loss[TEXT], rate[TEXT], eta[TEXT] = "", duration[32], line[256];
    show_epoch(p, epoch);
    snprintf(loss, sizeof loss, "loss %.4f", p->train_loss);
    show_rate(p, rate);
    if (share < 1 && advanced > 0 && now - watch->began > 0.5) {
        show_duration((now - watch->began) * (1 - share) / advanced, duration, sizeof duration);
        snprintf(eta, sizeof eta, "ETA %s", duration);
    }
    const int width = cli_width(stderr) - 1; /* the last column would wrap on some terminals */
    const int least = width >= LEAST_BAR + 1 + (int)strlen(epoch) ? LEAST_BAR + 1 : 0;
    const field fields[] = {{epoch, NULL, 1}, {loss, NULL, 2}, {rate, NULL, 4}, {eta, NULL, 3}};
    join(fields, 4, width - least, line, sizeof line);
    const int spare = width - (int)strlen(line) - 1, head = (int)strlen(epoch);
    erase_bar(watch);
    if (least) {
        fprintf(stderr, "%s ", epoch);
        cli_track(stderr, share, spare < MOST_BAR ? spare : MOST_BAR);
        fputs(line + head + (line[head] ? 1 : 0), stderr); /* one blank is enough here */
    } else {
        fputs(line, stderr);
    }
    fputc('\r', stderr);
    fflush(stderr);
    watch->bar_shown = true;
    watch->last_drawn = now;
}

static void print_line(const cli_watch *watch, const fv_progress *p)
{
    char epoch[TEXT], loss[TEXT], error[2][TEXT], brief[2][TEXT], rate[TEXT], seconds[TEXT], line[512];
    show_epoch(p, epoch);
    snprintf(loss, sizeof loss, "loss %.4f", p->train_loss);
    show_error("valid", watch->valid_error, error[0], brief[0]);
    show_error("test", watch->test_error, error[1], brief[1]);
    show_rate(p, rate);
    snprintf(seconds, sizeof seconds, "%.1f s", p->seconds);
    const field fields[] = {{epoch, NULL, 1},        {loss, NULL, 2}, {error[0], brief[0], 3},
                            {error[1], brief[1], 4}, {rate, NULL, 6}, {seconds, NULL, 5}};
    join(fields, 6, cli_has_width(stderr) ? cli_width(stderr) : (int)sizeof line - 1, line, sizeof line);
    fprintf(stderr, "%s\n", line);
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
    if (p->event == FV_EVENT_EPOCH) {
        erase_bar(watch);
        print_line(watch, p);
    }
    if (watch->terminal && p->event == FV_EVENT_STEP && now - watch->last_drawn >= REDRAW_SECONDS)
        draw_bar(watch, p, now);
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
    if (watch->json && progress->event != FV_EVENT_STEP) {
        cli_watch_end(watch); /* both may go to the same terminal */
        print_json(progress);
    }
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
    erase_bar(watch);
    fflush(stderr);
}
