/* test_command_screen.c - the command `fovea` on a terminal: a pseudo-terminal of a given width, whose bytes
 * go to a small model of a screen. Whatever is printed, no line may be longer than the screen is wide, for it
 * would be broken there; and what training has shown of its epochs stays. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* posix_openpt */
#endif
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include <cmocka.h>

#include "command_line.h"

/* ---- a screen ------------------------------------------------------------------------------------- */

#define MAX_ROWS    2000
#define MAX_COLUMNS 400

/* Rows of characters; one that is not ASCII is kept as '*'. It knows what the command sends: text, returns,
 * ends of lines, erasing to the end of the line or of the screen, colours. */
typedef struct screen {
    int columns, row, column, n_broken;
    bool coloured;
    char rows[MAX_ROWS][MAX_COLUMNS + 1];
} screen;

static screen seen;

static void put(screen *s, char c)
{
    if (s->column >= s->columns) {
        s->n_broken++;
        s->row++;
        s->column = 0;
    }
    assert_true(s->row < MAX_ROWS);
    char *row = s->rows[s->row];
    for (int i = (int)strlen(row); i < s->column; i++)
        row[i] = ' ';
    row[s->column++] = c;
}

/* "\033[" is behind; returns how many bytes the rest of the sequence has. */
static size_t escape(screen *s, const char *text)
{
    const size_t n = strspn(text, "0123456789;");
    if (text[n] == 'K' || text[n] == 'J') {
        s->rows[s->row][s->column] = '\0';
        for (int i = s->row + 1; text[n] == 'J' && i < MAX_ROWS; i++)
            s->rows[i][0] = '\0';
    } else if (text[n] == 'm') {
        s->coloured = true;
    } else {
        fail_msg("an unknown sequence: %.10s", text);
    }
    return n + 1;
}

/* Shows the text but for a sequence that is cut at its end; returns the bytes that were shown. */
static size_t show(screen *s, const char *text)
{
    const char *const begin = text;
    while (*text) {
        const unsigned char c = (unsigned char)*text++;
        if (c == '\033') {
            if (!*text || !text[1 + strspn(text + 1, "0123456789;")])
                return (size_t)(text - 1 - begin);
            assert_int_equal(*text, '[');
            text += 1 + escape(s, text + 1);
        } else if (c == '\r') {
            s->column = 0;
        } else if (c == '\n') {
            s->row++;
        } else if ((c & 0xC0) != 0x80) {
            assert_true(c >= ' ');
            put(s, c < 0x80 ? (char)c : '*');
        }
    }
    return (size_t)(text - begin);
}

/* ---- running on it --------------------------------------------------------------------------------- */

static int open_terminal(int columns, char *name, size_t bytes)
{
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    const struct winsize size = {.ws_row = 50, .ws_col = (unsigned short)columns};
    assert_true(master >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    assert_int_equal(ptsname_r(master, name, bytes), 0);
    assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
    return master;
}

static pid_t start_on(const char *terminal, const char *line)
{
    static char copy[4096], program[] = "fovea";
    char *words[COMMAND_MAX_WORDS + 2] = {program}; /* what it says can be typed is as long everywhere */
    int n = 1;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
        assert_true(n <= COMMAND_MAX_WORDS);
        words[n++] = word;
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, terminal, O_WRONLY | O_NOCTTY, 0);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    pid_t child;
    assert_int_equal(posix_spawn(&child, getenv("FOVEA_COMMAND"), &actions, NULL, words, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return child;
}

/* Reads and shows what there is. False: nothing. */
static bool take(int master, size_t *n, size_t *shown)
{
    const ssize_t got = read(master, out + *n, sizeof out - 1 - *n);
    if (got <= 0)
        return false;
    *n += (size_t)got;
    assert_true(*n < sizeof out - 1);
    out[*n] = '\0';
    *shown += show(&seen, out + *shown);
    return true;
}

/* The window gets another width: the line with the cursor is broken anew, as most terminals do it, and the
 * cursor stays at its character. */
static void resize(int master, int columns)
{
    const struct winsize size = {.ws_row = 50, .ws_col = (unsigned short)columns};
    char line[MAX_COLUMNS + 1];
    const int row = seen.row;
    strcpy(line, seen.rows[row]);
    for (int at = 0, i = row; at == 0 || at < (int)strlen(line); at += columns, i++)
        snprintf(seen.rows[i], sizeof seen.rows[i], "%.*s", columns, line + at);
    seen.row += seen.column / columns;
    seen.column %= columns;
    seen.columns = columns;
    assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
}

/* Stops the program, and where there is a bar and nothing is on its way, changes the width. */
static bool resize_at_a_bar(pid_t child, int master, int columns, size_t *n, size_t *shown)
{
    int status;
    kill(child, SIGSTOP);
    if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status))
        fail_msg("it ended before its window was changed");
    while (take(master, n, shown))
        ;
    const char *row = seen.rows[seen.row];
    const bool bar = seen.column == 0 && strncmp(row, "epoch", 5) == 0 && strstr(row, "samples/s");
    if (bar)
        resize(master, columns);
    kill(child, SIGCONT);
    return bar;
}

/* Runs "fovea <line>" on a screen of so many columns, which changes to `later` (0: never) below a bar. */
static int run_on(const char *line, int columns, int later)
{
    char name[128];
    size_t n = 0, shown = 0;
    memset(&seen, 0, sizeof seen);
    out[0] = '\0';
    seen.columns = columns;
    const int master = open_terminal(columns, name, sizeof name);
    const int slave = open(name, O_RDWR | O_NOCTTY); /* so that there is no end before the child has it */
    const pid_t child = start_on(name, line);
    int status;
    bool over = false;
    fcntl(master, F_SETFL, O_NONBLOCK);
    while (true) {
        if (take(master, &n, &shown)) {
            if (later && strstr(out, "samples/s") && resize_at_a_bar(child, master, later, &n, &shown))
                later = 0;
        } else if (over) {
            break;
        } else if (waitpid(child, &status, WNOHANG) == child) {
            over = true; /* what it left in the terminal is read once more */
        } else {
            usleep(1000);
        }
    }
    close(slave);
    close(master);
    assert_true(WIFEXITED(status));
    if (later)
        fail_msg("no cursor waited at the beginning of a bar");
    return WEXITSTATUS(status);
}

static void print_screen(void)
{
    for (int i = 0; i <= seen.row; i++)
        print_error("|%s\n", seen.rows[i]);
}

static int count_rows(const char *beginning)
{
    int n = 0;
    for (int i = 0; i <= seen.row; i++)
        n += strncmp(seen.rows[i], beginning, strlen(beginning)) == 0;
    return n;
}

/* The curve: a row an epoch, one below the other, and nothing between them. */
static void check_curve(int epochs)
{
    char beginning[32];
    int first = -1;
    for (int i = 0; i <= seen.row && first < 0; i++)
        if (strncmp(seen.rows[i], "epoch", 5) == 0)
            first = i;
    for (int epoch = 1; epoch <= epochs; epoch++) {
        snprintf(beginning, sizeof beginning, "epoch %d/%d  loss ", epoch, epochs);
        if (first < 0 || strncmp(seen.rows[first + epoch - 1], beginning, strlen(beginning)) != 0) {
            print_screen();
            fail_msg("no line of epoch %d", epoch);
        }
    }
    assert_int_equal(count_rows("epoch"), epochs);
}

/* ---- tests ----------------------------------------------------------------------------------------- */

static const int widths[] = {40, 60, 80, 120};
enum { N_WIDTHS = sizeof widths / sizeof widths[0] };

static void check_width(const char *line, int columns)
{
    assert_int_equal(run_on(line, columns, 0), *line ? 0 : 2);
    if (seen.n_broken > 0) {
        print_screen();
        fail_msg("fovea %s: a line is longer than %d columns", line, columns);
    }
}

/* Nothing that a command prints is broken by the end of the line. */
static void keeps_to_the_width(void **state)
{
    (void)state;
    static const char text[] = "input image 1x28x28\nflatten\n"
                               "linear a.layer.with.a.name.as.long.as.names.may.be.here 10\nsoftmax\n";
    write_file("long-names.fovea", text, sizeof text - 1);
    expect("train --model linear --epochs 2 --out seen --quiet " SMALL, 0, NULL);
    static const char *const lines[] = {
        "help",
        "",
        "help train",
        "help predict",
        "help check",
        "version",
        "models",
        "info lenet5",
        "info digits --limit 300",
        "check linear --batch 1",
        "info long-names.fovea",
        "check long-names.fovea --batch 1",
        "eval seen --limit 200",
        "predict seen --data digits --index 0,1",
        "demo --model linear --epochs 2 --limit 300",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        for (int w = 0; w < N_WIDTHS; w++)
            check_width(lines[i], widths[w]);
    }
    check_width("bench --models linear --batch 16", 60); /* it takes a second */
    check_width("info resnet18", 60);
}

static void the_curve_stays(void **state)
{
    (void)state;
    char line[256];
    for (int w = 0; w < N_WIDTHS; w++) {
        snprintf(line, sizeof line, "train --model linear --epochs 6 --valid 100 --out curve-%d " SMALL,
                 widths[w]);
        assert_int_equal(run_on(line, widths[w], 0), 0);
        check_curve(6);
        assert_int_equal(seen.n_broken, 0);
        assert_non_null(strstr(out, "\033[J")); /* there was a bar, and it is gone */
        assert_int_equal(count_rows("validation error "), 1);
        assert_int_equal(count_rows("saved in curve-"), 1);
    }
}

/* Lines take the width that the terminal has now, and of a bar that has become too long nothing is left. */
static void the_window_changes(void **state)
{
    (void)state;
    static const int changes[][2] = {{100, 44}, {70, 100}};
    for (int i = 0; i < 2; i++) {
        char line[256];
        snprintf(
            line, sizeof line,
            "train --model mlp --data digits --limit 2000 --batch 32 --threads 2 --epochs 9 --out window-%d",
            i);
        assert_int_equal(run_on(line, changes[i][0], changes[i][1]), 0);
        check_curve(9);
        assert_int_equal(seen.n_broken, 0);
    }
}

static void without_colours(void **state)
{
    (void)state;
    setenv("NO_COLOR", "1", 1);
    assert_int_equal(run_on("train --model linear --epochs 3 --out plain " SMALL, 80, 0), 0);
    check_curve(3);
    assert_false(seen.coloured);
    assert_null(strstr(out, "\xe2\x94\x81"));
    unsetenv("NO_COLOR");
    /* A dumb terminal cannot erase: lines alone. */
    setenv("TERM", "dumb", 1);
    assert_int_equal(run_on("train --model linear --epochs 3 --out dumb " SMALL, 80, 0), 0);
    assert_null(strchr(out, '\033'));
    check_curve(3);
    setenv("TERM", "xterm", 1);
}

/* To a file: prose at 80 columns or as COLUMNS says, tables and results whole. */
static void without_a_terminal(void **state)
{
    (void)state;
    static const int columns[] = {80, 50};
    for (int i = 0; i < 2; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", columns[i]);
        if (i > 0)
            setenv("COLUMNS", text, 1);
        expect("help train", 0, NULL);
        size_t longest = 0;
        for (const char *p = out; *p; p += strcspn(p, "\n") + 1)
            longest = strcspn(p, "\n") > longest ? strcspn(p, "\n") : longest;
        assert_in_range(longest, (size_t)columns[i] - 10, (size_t)columns[i]);
        expect("models", 0, NULL);
        assert_non_null(
            strstr(out, "\n  vit               2,693,578 parameters  Vision transformer for 32x32 images "
                        "(Dosovitskiy et al.: \"An image is worth 16x16 words\", 2020): patches of 4x4, "
                        "6 layers of width 192 with 3 heads, normalised before each part.\n"));
    }
    unsetenv("COLUMNS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_to_the_width), cmocka_unit_test(the_curve_stays),
        cmocka_unit_test(the_window_changes), cmocka_unit_test(without_colours),
        cmocka_unit_test(without_a_terminal),
    };
    setenv("TERM", "xterm", 1);
    return cmocka_run_group_tests(tests, enter, leave);
}
