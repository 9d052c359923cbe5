/* fuzz_options.c - command lines, a word a line, the command's name first: read, and every value shown and
 * read again, which must be the same value. Messages go nowhere. */
#include "fuzz.h"

#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WORDS = 64 };

static const cli_command *find(const char *name)
{
    for (int i = 0; cli_commands[i]; i++)
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
    return NULL;
}

static size_t size_of(cli_kind kind)
{
    return kind == CLI_REAL ? sizeof(double) : kind == CLI_SEED ? sizeof(uint64_t) : sizeof(int);
}

static bool same(const cli_option *option, const cli_args *a, const cli_args *b)
{
    const void *const x = (const char *)a + option->place, *const y = (const char *)b + option->place;
    if (option->kind == CLI_TEXT)
        return strcmp(*(char *const *)x, *(char *const *)y) == 0;
    if (option->kind != CLI_LIST)
        return memcmp(x, y, size_of(option->kind)) == 0;
    const cli_list *const p = x, *const q = y;
    return p->n == q->n && memcmp(p->values, q->values, (size_t)p->n * sizeof *p->values) == 0;
}

static void show_and_read(const cli_option *option, const cli_args *args)
{
    static char text[1 << 16];
    char why[512];
    cli_args again = {0};
    cli_show_value(option, args, text, sizeof text);
    fuzz_expect(cli_read_value(option, text, &again, why, sizeof why), "--%s: what is shown is refused: %s",
                option->name, why);
    fuzz_expect(same(option, args, &again), "--%s: another value is shown: %s", option->name, text);
}

static void read_line(const uint8_t *bytes, size_t n)
{
    char *const line = fuzz_text(bytes, n), *words[MOST_WORDS];
    int n_words = 0;
    for (char *at = line; at && n_words < MOST_WORDS;) {
        words[n_words++] = at;
        at = strchr(at, '\n');
        if (at)
            *at++ = '\0';
    }
    const cli_command *const command = find(words[0]);
    cli_args args;
    if (command && cli_parse(command, n_words - 1, words + 1, &args) == 0) {
        fuzz_accepted = true;
        int n_options;
        const cli_option *const options = cli_options_of(command, &n_options);
        for (int i = 0; i < n_options; i++)
            if (options[i].kind != CLI_FLAG && cli_given(command, &args, options[i].name))
                show_and_read(&options[i], &args);
    }
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static bool silent;
    if (!silent)
        stderr = fopen("/dev/null", "w");
    silent = true;
    fuzz_twice(read_line, bytes, n);
    return 0;
}
