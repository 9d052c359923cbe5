/* output.c - detects lost standard output, and formats numbers for people. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int first_error; /* errno of the first write that failed */

void cli_streams_begin(void)
{
    /* A closed standard output is opened for reading: every write then fails, which is correct. */
    static const int modes[] = {O_RDONLY, O_RDONLY, O_WRONLY};
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", modes[fd]) != fd)
            _exit(1);
    signal(SIGXFSZ, SIG_IGN); /* a write that fails is reported instead of ending the process */
}

bool cli_output_lost(void)
{
    if (fflush(stdout) != 0 && first_error == 0)
        first_error = errno;
    /* The printf that filled the buffer failed, and its errno was not checked. */
    struct pollfd pipe = {.fd = fileno(stdout), .events = POLLOUT};
    if (ferror(stdout) && first_error == 0 && poll(&pipe, 1, 0) == 1 && (pipe.revents & POLLERR))
        first_error = EPIPE;
    return ferror(stdout) != 0 || first_error != 0;
}

bool cli_output_closed(void)
{
    return cli_output_lost() && first_error == EPIPE;
}

bool cli_streams_end(const char **why)
{
    bool lost = cli_output_lost();
    /* Some file systems report a full disk only when the file is closed. */
    if (fclose(stdout) != 0) {
        lost = true;
        if (first_error == 0)
            first_error = errno;
    }
    *why = first_error == EPIPE ? NULL : first_error ? strerror(first_error) : "a write failed";
    return !lost;
}

const char *cli_show_output(fv_output kind, double value, char spare[32])
{
    if (kind == FV_OUTPUT_PROBABILITIES)
        snprintf(spare, 32, "%.1f%%", 100 * value);
    else
        snprintf(spare, 32, "%.4g", value);
    return spare;
}

const char *cli_grouped(int64_t value, char spare[32])
{
    char digits[24];
    const int length = snprintf(digits, sizeof digits, "%" PRId64, value < 0 ? -value : value);
    char *p = spare;
    if (value < 0)
        *p++ = '-';
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            *p++ = ',';
        *p++ = digits[i];
    }
    *p = '\0';
    return spare;
}

const char *cli_plural(int64_t count, const char *noun, char spare[32])
{
    char number[32];
    snprintf(spare, 32, "%.20s %.9s%s", cli_grouped(count, number), noun, count == 1 ? "" : "s");
    return spare;
}

const char *cli_scaled(double value, const char *unit, char spare[32])
{
    static const char prefixes[] = " kMGT";
    int power = 0;
    while (value >= 999.5 && power < 4) {
        value /= 1000;
        power++;
    }
    if (power == 0)
        snprintf(spare, 32, "%.0f%s%s", value, *unit ? " " : "", unit);
    else
        snprintf(spare, 32, "%.*f %c%s",
                 value < 9.995   ? 2
                 : value < 99.95 ? 1
                                 : 0,
                 value, prefixes[power], unit);
    return spare;
}
