/* progress.h - the display of a training run's progress, and its interruption. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "session.h"

typedef struct cli_watch {
    bool json, quiet;
    bool terminal; /* standard error is a terminal: a bar below the lines of the epochs */
    bool bar_shown;
    double began;       /* clock at the first event ... */
    double began_share; /* ... and the share of the run that was done then: a resumed run starts late */
    double last_drawn;
    bool started, noticed_stop;
    fv_progress last;
    double valid_error, test_error; /* the latest measurements */
} cli_watch;

void cli_watch_begin(cli_watch *watch, const cli_args *args);
/* The progress callback; `user` is a cli_watch. False asks the library to save and stop. */
bool cli_watch_progress(void *user, const fv_progress *progress);
void cli_watch_end(cli_watch *watch); /* erases the bar */

double cli_clock(void); /* seconds, monotonic */

/* From arm to disarm the first SIGINT, SIGTERM, SIGHUP or SIGPIPE is only recorded; a second SIGINT or
 * SIGTERM ends the process at once. Signals that are ignored already stay ignored. */
void cli_interrupt_arm(void);
void cli_interrupt_disarm(void);
bool cli_interrupted(void);
int cli_interrupt_code(void); /* 128 + the signal's number, 130 for Ctrl-C; 0: no signal */

#endif
