/* terminal.c - the abilities of the terminal; bars and coloured text. */
#include "terminal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "options.h"

#define NARROWEST 10 /* columns; no page is laid out in fewer */

bool cli_is_terminal(FILE *stream)
{
    const char *kind = getenv("TERM");
    return isatty(fileno(stream)) && !(kind && strcmp(kind, "dumb") == 0);
}

bool cli_has_colour(FILE *stream)
{
    const char *no = getenv("NO_COLOR");
    return cli_is_terminal(stream) && !(no && *no);
}

bool cli_has_width(FILE *stream)
{
    return isatty(fileno(stream));
}

int cli_width(FILE *stream)
{
    struct winsize size;
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col > NARROWEST ? size.ws_col : NARROWEST;
    const char *columns = getenv("COLUMNS");
    int width;
    return columns && cli_read_count(columns, NARROWEST, 10000, &width) ? width : 80;
}

void cli_bar(FILE *stream, double share, int columns)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    share = share > 1 ? 1 : share > 0 ? share : 0;
    const bool blocks = cli_has_colour(stream);
    const int filled = (int)(share * columns * 8 + 0.5);
    for (int i = 0; i < columns; i++) {
        const int here = filled - 8 * i;
        if (!blocks)
            fputc(here >= 4 ? '#' : ' ', stream);
        else if (here >= 8)
            fputs("█", stream);
        else if (here > 0)
            fputs(eighths[here], stream);
        else
            fputc(' ', stream);
    }
}

void cli_track(FILE *stream, double share, int columns)
{
    const int filled = (int)((share > 1 ? 1 : share > 0 ? share : 0) * columns + 0.5);
    const bool colour = cli_has_colour(stream);
    for (int i = 0; i < columns; i++) {
        if (colour && (i == 0 || i == filled))
            fputs(i < filled ? "\033[32m" : "\033[0;2m", stream);
        fputs(colour ? "━" : i < filled ? "#" : ".", stream);
    }
    if (colour)
        fputs("\033[0m", stream);
}

void cli_print_inked(FILE *stream, cli_ink ink, const char *format, ...)
{
    static const char *const codes[] = {"0", "1", "2", "32", "31"};
    const bool colour = ink != CLI_INK_PLAIN && cli_has_colour(stream);
    va_list args;
    if (colour)
        fprintf(stream, "\033[%sm", codes[ink]);
    va_start(args, format);
    vfprintf(stream, format, args);
    va_end(args);
    if (colour)
        fputs("\033[0m", stream);
}
