/* fault_walk.c - runs the command with every call to the file system going wrong once (fault_shim.c), and
 * looks at what is left. Whatever happens to a run:
 *
 *   - the command fails with a message, or it succeeded and what it made is whole;
 *   - what could be evaluated before can be evaluated after;
 *   - the run goes on, or begins again where there was nothing yet, to the parameters of an undisturbed one.
 *
 *     fault_walk SHIM COMMAND [MOST]     MOST: so many places of each kind and scenario, evenly spread
 *
 * Works in a folder of its own. In it, `base` holds what every case begins with, `case` what one case makes
 * of it. Prints what went wrong, and how to see it again; the last line counts. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_WORDS = 40, TEXT_BYTES = 1 << 16, HASH_BYTES = 32, KILLED = -1, CRASHED = -2 };

static const char *shim, *command;
static char folder[] = "/tmp/fovea-faults-XXXXXX";
static char out[TEXT_BYTES], err[TEXT_BYTES];
static int n_cases, n_wrong;

/* What goes wrong in this case. */
typedef struct fault {
    const char *kind; /* "": nothing */
    long at;
} fault;

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "fault_walk: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* ---- running the command ---------------------------------------------------------------------------- */

static void slurp(const char *path, char text[TEXT_BYTES])
{
    FILE *const file = fopen(path, "rb");
    const size_t n = file ? fread(text, 1, TEXT_BYTES - 1, file) : 0;
    text[n] = '\0';
    if (file)
        fclose(file);
}

static void become(const fault *f, char *words[])
{
    char number[32];
    snprintf(number, sizeof number, "%ld", f->at);
    const int to = open("../out", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int said = open("../err", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (to < 0 || said < 0 || dup2(to, 1) < 0 || dup2(said, 2) < 0)
        _exit(126);
    close(to);
    close(said);
    if (f->kind[0]) {
        setenv("LD_PRELOAD", shim, 1);
        setenv("FAULT_KIND", f->kind, 1);
        setenv("FAULT_AT", number, 1);
        setenv("FAULT_LOG", "../log", 1);
    }
    execv(command, words);
    _exit(127);
}

/* "fovea LINE" in folder/case; the exit code, KILLED or CRASHED. What it printed is in `out` and `err`. */
static int run(const fault *f, const char *line)
{
    static char copy[2048], name[] = "fovea";
    char *words[MAX_WORDS + 2] = {name};
    int n = 1, status;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word && n <= MAX_WORDS; word = strtok(NULL, " "))
        words[n++] = word;
    const pid_t child = fork();
    if (child == 0) {
        alarm(60);
        if (chdir("case") != 0)
            _exit(126);
        become(f, words);
    }
    if (child < 0)
        give_up("fork");
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            give_up("waitpid");
    slurp("out", out);
    slurp("err", err);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGKILL ? KILLED : CRASHED;
    return WEXITSTATUS(status);
}

static int run_well(const char *line)
{
    return run(&(fault){.kind = ""}, line);
}

/* The hash that the last command printed; "" if none. */
static void hash_of(char hash[HASH_BYTES])
{
    const char *const at = strstr(out, "\"hash\":\"");
    snprintf(hash, HASH_BYTES, "%.16s", at ? at + 8 : "");
}

static long count_lines(const char *path)
{
    static char text[TEXT_BYTES];
    long n = 0;
    slurp(path, text);
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        n++;
    return n;
}

/* ---- files ------------------------------------------------------------------------------------------ */

static void do_shell(const char *line)
{
    if (system(line) != 0)
        give_up(line);
}

static bool there(const char *path)
{
    return access(path, F_OK) == 0;
}

static void put_number(FILE *file, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        fputc((int)(value >> shift & 255), file);
}

/* n pictures of 6x6, noise in which the label's row is bright, and their labels. */
static void write_data(const char *images, const char *labels, uint32_t n, uint32_t noise)
{
    FILE *const pixels = fopen(images, "wb"), *const names = fopen(labels, "wb");
    if (!pixels || !names)
        give_up(images);
    const uint32_t dim[] = {0x803, n, 6, 6};
    for (int i = 0; i < 4; i++)
        put_number(pixels, dim[i]);
    put_number(names, 0x801);
    put_number(names, n);
    for (uint32_t i = 0; i < n; i++) {
        fputc((int)(i % 3), names);
        for (uint32_t k = 0; k < 36; k++) {
            noise = noise * 1664525u + 1013904223u;
            fputc((int)((noise >> 26) + (k / 12 == i % 3 ? 150 : 0)), pixels);
        }
    }
    if (fclose(pixels) != 0 || fclose(names) != 0)
        give_up(labels);
}

static void write_base(void)
{
    static const char model[] =
        "input image 1x6x6\nconv c 3 3x3\nrelu\nflatten\ndropout 0.25\nlinear o 10\nsoftmax\n";
    do_shell("mkdir -p base/data");
    write_data("base/data/train-images-idx3-ubyte", "base/data/train-labels-idx1-ubyte", 20, 1);
    write_data("base/data/t10k-images-idx3-ubyte", "base/data/t10k-labels-idx1-ubyte", 6, 2);
    FILE *const text = fopen("base/m.fovea", "wb"), *const picture = fopen("base/p.pgm", "wb");
    if (!text || !picture)
        give_up("base");
    fputs(model, text);
    fputs("P2 6 6 9\n", picture);
    for (int i = 0; i < 36; i++)
        fprintf(picture, "%d ", i * 7 % 10);
    if (fclose(text) != 0 || fclose(picture) != 0)
        give_up("base");
}

/* ---- scenarios -------------------------------------------------------------------------------------- */

#define TRAIN                                                                                                \
    "train --model m.fovea --data data --epochs 2 --batch 8 --schedule constant --threads 1 --json --quiet"
#define RESUME "train --resume run --epochs 2 --threads 1 --json --quiet"
#define EVAL   "eval run --threads 1 --json"

typedef struct scenario {
    const char *name;
    const char *prepare; /* a shell's line that makes a case of `base`, besides the copy; may be NULL */
    const char *line;    /* the command that is disturbed */
    bool (*judge)(const struct scenario *s, const char **why); /* after a disturbed command that failed */
    char hash[HASH_BYTES];                                     /* of an undisturbed one, where it trains */
    char out[TEXT_BYTES]; /* what an undisturbed one prints, where it does not */
} scenario;

static char old_hash[HASH_BYTES]; /* of the run that is replaced */

static bool ends_with_hash(const char *line, const char *expected)
{
    char hash[HASH_BYTES];
    const int code = run_well(line);
    hash_of(hash);
    return code == 0 && strcmp(hash, expected) == 0;
}

/* Nothing was there: the run goes on from its checkpoint, or begins again. */
static bool judge_new(const scenario *s, const char **why)
{
    const bool begun = there("case/run/last.safetensors");
    *why = begun ? "it cannot be resumed to the same parameters" : "it cannot begin again";
    return ends_with_hash(begun ? RESUME : s->line, s->hash);
}

/* A run was there: it can still be evaluated, and goes on. */
static bool judge_resumed(const scenario *s, const char **why)
{
    *why = "the run cannot be evaluated any more";
    if (run_well(EVAL) != 0)
        return false;
    *why = "it cannot be resumed to the same parameters";
    return ends_with_hash(RESUME, s->hash);
}

/* A trained run was there: that one or the new one is there now, not something of both. */
static bool judge_replaced(const scenario *s, const char **why)
{
    char hash[HASH_BYTES];
    *why = "neither the old run nor the new one can be evaluated";
    if (run_well(EVAL) != 0)
        return false;
    *why = "neither the old run nor the new one goes on";
    const int code = run_well("train --resume run --threads 1 --json --quiet");
    hash_of(hash);
    return code == 0 && (strcmp(hash, s->hash) == 0 || strcmp(hash, old_hash) == 0);
}

/* Only read: nothing has changed. */
static bool judge_read(const scenario *s, const char **why)
{
    *why = "a command that only reads changed the files";
    if (system("diff -r base/run case/run >/dev/null") != 0)
        return false;
    *why = "afterwards it does not do what it did before";
    return run_well(s->line) == 0 && strcmp(out, s->out) == 0;
}

static scenario scenarios[] = {
    {.name = "train", .prepare = "rm -rf case/run", .line = TRAIN " --out run", .judge = judge_new},
    {.name = "resume",
     .prepare = "rm -rf case/run; cp -r base/half case/run",
     .line = RESUME,
     .judge = judge_resumed},
    {.name = "replace", .line = TRAIN " --seed 7 --out run --replace", .judge = judge_replaced},
    {.name = "eval", .line = EVAL, .judge = judge_read},
    {.name = "predict", .line = "predict run p.pgm --threads 1 --json", .judge = judge_read},
};
enum { N_SCENARIOS = sizeof scenarios / sizeof *scenarios };

static void prepare(const scenario *s)
{
    do_shell("rm -rf case && cp -r base case");
    if (s->prepare)
        do_shell(s->prepare);
}

/* ---- cases ------------------------------------------------------------------------------------------ */

static void wrong(const scenario *s, const fault *f, const char *why)
{
    static char log[TEXT_BYTES];
    n_wrong++;
    slurp("log", log);
    char *line = log;
    for (long i = 1; i < f->at && line; i++)
        line = (line = strchr(line, '\n')) ? line + 1 : NULL;
    printf("%s, %s at call %ld (%.*s): %s\n", s->name, f->kind, f->at, line ? (int)strcspn(line, "\n") : 0,
           line ? line : "", why);
    printf("    LD_PRELOAD=%s FAULT_KIND=%s FAULT_AT=%ld fovea %s\n    it said: %s\n", shim, f->kind, f->at,
           s->line, err);
}

/* The disturbed command itself: whether there is more to look at. */
static const char *judge_command(const scenario *s, int code)
{
    char hash[HASH_BYTES];
    hash_of(hash);
    if (code == CRASHED)
        return "it crashed";
    if (code == 0 && s->hash[0] && strcmp(hash, s->hash) != 0)
        return "it succeeded with other parameters";
    if (code == 0 && !s->hash[0] && strcmp(out, s->out) != 0)
        return "it succeeded and printed something else";
    if (code > 0 && (strncmp(err, "fovea", 5) != 0 || !strchr(err, '\n')))
        return "it failed without a message";
    if (code > 0 && code != 1 && code != 3)
        return "it failed as if the command line were wrong";
    return NULL;
}

static void try(const scenario *s, fault f)
{
    prepare(s);
    n_cases++;
    const int code = run(&f, s->line);
    const char *why = judge_command(s, code);
    if (why) {
        wrong(s, &f, why);
        return;
    }
    if (!s->judge(s, &why)) {
        wrong(s, &f, why);
        return;
    }
    if (code == 0 && s->judge != judge_read && run_well(EVAL) != 0)
        wrong(s, &f, "it succeeded, but what it made cannot be evaluated");
}

/* What an undisturbed command does; the number of its calls. */
static long undisturbed(scenario *s)
{
    prepare(s);
    if (run(&(fault){.kind = "count"}, s->line) != 0) {
        fprintf(stderr, "fault_walk: %s: fovea %s failed: %s\n", s->name, s->line, err);
        exit(2);
    }
    hash_of(s->hash);
    memcpy(s->out, out, sizeof s->out);
    return count_lines("log");
}

static void walk(scenario *s, long most)
{
    static const char *const kinds[] = {"fail", "fail_on", "kill", "tear"};
    const long n = undisturbed(s);
    const int cases = n_cases, failures = n_wrong;
    try(s, (fault){.kind = "short"});
    try(s, (fault){.kind = "interrupt"});
    for (int kind = 0; kind < 4; kind++) {
        const long some = most > 0 && most < n ? most : n;
        for (long i = 0; i < some; i++) /* the kinds take turns in where they begin */
            try(s, (fault){kinds[kind], 1 + (i * n + kind * n / 4) / some});
    }
    printf("%s: %ld calls, %d cases, %d wrong\n", s->name, n, n_cases - cases, n_wrong - failures);
    fflush(stdout);
}

static void make_runs(void)
{
    do_shell("rm -rf case && cp -r base case");
    if (run_well(TRAIN " --out run") != 0)
        give_up(err);
    hash_of(old_hash);
    do_shell("cp -r case/run base/run; rm -rf case/run");
    if (run_well(
            "train --model m.fovea --data data --epochs 1 --batch 8 --schedule constant --threads 1 --quiet "
            "--out run") != 0)
        give_up(err);
    do_shell("cp -r case/run base/half");
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return fprintf(stderr, "usage: fault_walk SHIM COMMAND [MOST]\n"), 2;
    shim = realpath(argv[1], NULL);
    command = realpath(argv[2], NULL);
    const long most = argc > 3 ? atol(argv[3]) : 0;
    static const char *const clear[] = {"FOVEA_ISA", "FOVEA_DATA", "FOVEA_THREADS", "FOVEA_DIRECT"};
    for (size_t i = 0; i < sizeof clear / sizeof *clear; i++)
        unsetenv(clear[i]);
    if (!shim || !command || !mkdtemp(folder) || chdir(folder) != 0)
        give_up("cannot begin");
    write_base();
    make_runs();
    for (int i = 0; i < N_SCENARIOS; i++)
        walk(&scenarios[i], most);
    printf("%d cases, %d wrong\n", n_cases, n_wrong);
    if (chdir("/") == 0) {
        char line[128];
        snprintf(line, sizeof line, "rm -rf %s", folder);
        do_shell(line);
    }
    return n_wrong > 0;
}
