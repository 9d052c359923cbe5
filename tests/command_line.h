/* command_line.h - what the tests of the command `fovea` share: they run the program that FOVEA_COMMAND
 * names, by posix_spawn in a fresh temporary folder, with both outputs in files. Include after cmocka.h. */
#ifndef FV_TESTS_COMMAND_LINE_H
#define FV_TESTS_COMMAND_LINE_H

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "json_reader.h"

extern char **environ;

#define COMMAND_MAX_WORDS  32
#define COMMAND_TEXT_BYTES (1 << 20)
/* A run of a few hundred images: seconds at most, sanitizers included. */
#define SMALL "--data digits --limit 300 --batch 32 --threads 2 --seed 7"

static char folder[] = "/tmp/fovea-command-XXXXXX";
static char out[COMMAND_TEXT_BYTES], err[COMMAND_TEXT_BYTES];

/* ---- running it --------------------------------------------------------------------------------- */

static inline void slurp(const char *path, char *text)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t n = fread(text, 1, COMMAND_TEXT_BYTES - 1, file);
    text[n] = '\0';
    fclose(file);
}

/* Starts "fovea <line>", words parted by blanks, standard output to `sink`. */
static inline pid_t start(const char *line, const char *sink)
{
    static char copy[4096];
    char *words[COMMAND_MAX_WORDS + 2] = {getenv("FOVEA_COMMAND")};
    int n = 1;
    assert_true(strlen(line) < sizeof copy);
    strcpy(copy, line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
        assert_true(n <= COMMAND_MAX_WORDS);
        words[n++] = word;
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, sink, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, "err", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t child;
    assert_int_equal(posix_spawn(&child, words[0], &actions, NULL, words, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return child;
}

static inline int await(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    slurp("err", err);
    if (WIFSIGNALED(status))
        fail_msg("killed by signal %d; it said: %s", WTERMSIG(status), err);
    return WEXITSTATUS(status);
}

/* Until the program that was started has printed a line: 15 seconds at most. */
static inline void wait_for_a_line(void)
{
    const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};
    for (int tries = 0; tries < 3000; tries++) {
        slurp("out", out);
        if (strchr(out, '\n'))
            return;
        nanosleep(&moment, NULL);
    }
}

/* The exit code; what it printed is in `out` and `err`. */
static inline int run(const char *line)
{
    const int code = await(start(line, "out"));
    slurp("out", out);
    return code;
}

static inline void expect(const char *line, int code, const char *in_err)
{
    const int found = run(line);
    if (found != code)
        fail_msg("fovea %s: expected exit code %d, found %d: %s", line, code, found, err);
    if (in_err && !strstr(err, in_err))
        fail_msg("fovea %s: expected \"%s\" on standard error, found: %s", line, in_err, err);
}

/* A failure is one line, begins with the command's name, and leaves standard output alone. */
static inline void expect_message(const char *line, int code, const char *in_err)
{
    expect(line, code, in_err);
    assert_string_equal(out, "");
    assert_int_equal(strncmp(err, "fovea", 5), 0);
    const char *end = strchr(err, '\n');
    if (!end || end[1])
        fail_msg("fovea %s: expected one line, found: %s", line, err);
}

static inline void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

/* ---- JSON lines ---------------------------------------------------------------------------------- */

static inline const char *find_member(const char *line, const char *key)
{
    static char value[256];
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(line, quoted);
    if (!at)
        return NULL;
    at += strlen(quoted);
    const size_t n = strcspn(at, ",}\n");
    assert_true(n < sizeof value);
    memcpy(value, at, n);
    value[n] = '\0';
    return value;
}

/* Every line of `out` is one JSON object with an event. Returns the last line. */
static inline const char *check_json_lines(int least)
{
    const char *last = out;
    int n = 0;
    for (const char *p = out; *p;) {
        const char *end = *p == '{' ? json_skip_value(p) : NULL;
        if (!end || *end != '\n' || strncmp(p, "{\"event\":\"", 10) != 0)
            fail_msg("not a JSON object a line: %.200s", p);
        last = p;
        p = end + 1;
        n++;
    }
    assert_true(n >= least);
    return last;
}

static inline void final_hash(char hash[32])
{
    const char *done = check_json_lines(1);
    assert_int_equal(strncmp(done, "{\"event\":\"done\"", 15), 0);
    const char *value = find_member(done, "hash");
    assert_non_null(value);
    assert_int_equal(strlen(value), 18); /* 16 digits and the quotes */
    assert_int_equal(strspn(value + 1, "0123456789abcdef"), 16);
    strcpy(hash, value);
}

/* ---- the group's set-up and tear-down ------------------------------------------------------------ */

static inline int enter(void **state)
{
    (void)state;
    const char *command = getenv("FOVEA_COMMAND");
    if (!command || access(command, X_OK) != 0) {
        print_error("FOVEA_COMMAND does not name the command: %s\n", command ? command : "(not set)");
        return -1;
    }
    static const char *const clear[] = {"FOVEA_ISA",    "FOVEA_DATA", "FOVEA_THREADS",
                                        "FOVEA_DIRECT", "NO_COLOR",   "COLUMNS"};
    for (size_t i = 0; i < sizeof clear / sizeof *clear; i++)
        unsetenv(clear[i]);
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static inline int leave(void **state)
{
    (void)state;
    char line[128];
    snprintf(line, sizeof line, "rm -rf %s", folder);
    return chdir("/") == 0 ? system(line) : -1;
}

#endif
