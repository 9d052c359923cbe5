/* interrupt.c - signals that stop a training run: the first is recorded, and the progress callback then saves
 * the run. Outside of training the signals have their usual effect.
 *
 *     SIGINT, SIGTERM     Ctrl-C, kill; one more of either quits at once
 *     SIGHUP              the terminal is gone. It often arrives twice, from the kernel and from the shell,
 *                         so it never counts as a second signal
 *     SIGPIPE             nobody reads our output any longer; every later write sends it again
 *
 * A signal that was ignored when the run began stays ignored (nohup, a shell's background jobs). */
#include <signal.h>
#include <unistd.h>

#include "progress.h"

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
enum { N_SIGNALS = sizeof signals / sizeof signals[0] };

static volatile sig_atomic_t noted; /* number of the first signal */
static struct sigaction before[N_SIGNALS];

static void note(int signal_number)
{
    if (!noted)
        noted = signal_number;
    else if (signal_number == SIGINT || signal_number == SIGTERM)
        _exit(128 + signal_number);
}

void cli_interrupt_arm(void)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    noted = 0;
    for (int i = 0; i < N_SIGNALS; i++) {
        sigaction(signals[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
}

/* After an interruption the command is about to end, and signals are recorded until then. */
void cli_interrupt_disarm(void)
{
    if (noted)
        return;
    for (int i = 0; i < N_SIGNALS; i++)
        sigaction(signals[i], &before[i], NULL);
}

bool cli_interrupted(void)
{
    return noted != 0;
}

int cli_interrupt_code(void)
{
    return noted ? 128 + noted : 0;
}
