/* interrupt.c - Ctrl-C during training: the first is noted, for the progress callback to act on, the
 * second quits. Outside of training the signals do what they always do. */
#include <signal.h>
#include <unistd.h>

#include "progress.h"

static volatile sig_atomic_t noted;

static void note(int signal_number)
{
    (void)signal_number;
    if (noted)
        _exit(CLI_EXIT_INTERRUPTED);
    noted = 1;
}

static void set(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void cli_interrupt_arm(void)
{
    noted = 0;
    set(note);
}

void cli_interrupt_disarm(void)
{
    set(SIG_DFL);
}

bool cli_interrupted(void)
{
    return noted != 0;
}
